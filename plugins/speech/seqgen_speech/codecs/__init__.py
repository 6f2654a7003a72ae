"""Codecs of speech."""
