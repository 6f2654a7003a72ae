"""Drawing: which ids may come next, and how one of them is drawn."""
