"""Grammars of languages: what a text opens, it closes."""
