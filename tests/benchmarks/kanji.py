"""Kanji from KanjiVG, 10,358/600/500 drawings: nats per point.

Data: ``strokes/sketch-rnn/kanji.rdp200.npz``. The figure and its baselines are those of `strokes`.
"""

from __future__ import annotations

from strokes import measure

if __name__ == "__main__":
    measure("kanji", "kanji.rdp200.npz")
