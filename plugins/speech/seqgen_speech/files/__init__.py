"""Sound files, and the texts beside them."""
