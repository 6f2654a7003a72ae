"""What a reader leaves out of a drawing, counted for the report of `prepare`."""

from __future__ import annotations

from collections import Counter

from seqgen.plugin import Note


class LeftOut(Counter[str]):
    """Number of things by their name in the plural, such as "hidden shapes"."""

    def notes(self) -> list[Note]:
        """Return one note, "left out: hidden shapes (2), images (1)", or none."""
        return [Note(f"left out: {self}")] if self else []

    def __str__(self) -> str:
        return ", ".join(f"{name} ({number:,})" for name, number in self.items())
