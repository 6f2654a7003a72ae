"""Measures of music: metrics of any piece, and voice leading."""
