"""Training: a corpus and settings become a trained run."""
