"""Codecs of music: how a piece becomes tokens, and tokens a piece."""
