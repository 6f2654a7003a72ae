"""What every folder on disk rests on: locks, signals, checked JSON and checked tensors."""
