"""Codecs of ink: how a drawing becomes tokens, and tokens a drawing."""
