"""Generation: a trained run writes new pieces, token by token."""
