"""Handwritten characters of fifty alphabets, 30,000/1,000/1,000 drawings: nats per point.

Data: ``strokes/sketch-rnn/omniglot.npz``. The figure and its baselines are those of `strokes`.
"""

from __future__ import annotations

from strokes import measure

if __name__ == "__main__":
    measure("omniglot", "omniglot.npz")
