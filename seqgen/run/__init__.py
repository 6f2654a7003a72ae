"""Reading a run folder: weights, codec, settings, results."""
