"""Drawn sheep by Aaron Koblin's crowd, 7,400/300/300 drawings: nats per point.

Data: ``strokes/sketch-rnn/aaron_sheep.npz``. The figure and its baselines are those of `strokes`.
"""

from __future__ import annotations

from strokes import measure

if __name__ == "__main__":
    measure("sheep", "aaron_sheep.npz")
