"""Plugin code is found, loaded, guarded and checked."""
