"""Codecs: text to tokens and back."""
