"""Stepping: a network reads ids one by one and says what may follow."""
