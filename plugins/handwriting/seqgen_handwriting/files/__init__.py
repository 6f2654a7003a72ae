"""Ink in files: every format that is read or written."""
