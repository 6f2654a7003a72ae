"""Foundations of all folders on disk: locks, signals, checked JSON and checked tensors."""
