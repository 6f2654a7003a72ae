"""Measures of text: metrics."""
