"""File formats: readers of files with text."""
