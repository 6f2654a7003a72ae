"""Evaluation: how well a run predicts pieces, and how its own pieces compare with a corpus."""
