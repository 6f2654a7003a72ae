"""Codecs: ink to tokens and back."""
