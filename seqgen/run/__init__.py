"""A run folder, read: weights, codec, settings, results."""
