"""Evaluation: how well a run predicts pieces, and how generated pieces compare with a corpus."""
