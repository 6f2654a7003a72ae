"""Measures of ink: metrics, legibility, likelihood."""
