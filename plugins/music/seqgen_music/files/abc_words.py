"""The words below a line of ABC: syllables meet notes.

Source: The abc music standard 2.1, section 5.1.
"""

from __future__ import annotations

import re

from seqgen_music.files.lyrics import syllable
from seqgen_music.files.score_bars import Sound

# A syllable with its hyphen, or one of the signs: held, skipped, next bar.
_TOKEN = re.compile(r"(?P<text>(?:\\-|[^\s\-_*|])+)(?P<goes_on>-?)|(?P<sign>[-_*|])")


class Words:
    """Gives the syllables of ``w:`` fields to the notes of the line of music before them.

    Each further field below a line is the next verse.
    """

    def __init__(self) -> None:
        # The number of the bar and the first sound of each note of the line.
        self._notes: list[tuple[int, Sound | None]] = []
        self._is_past = False
        self._verse = self._at = self._bar = 0

    def new_line(self) -> None:
        """Say that the next note begins a line."""
        self._is_past = True

    def add(self, bar: int, sounds: list[Sound]) -> None:
        """Add a note or chord, which may be outside the range of MIDI."""
        if self._is_past:
            self._notes.clear()
            self._is_past = False
            self._verse = self._at = 0
        self._notes.append((bar, sounds[0] if sounds else None))

    def align(self, text: str, goes_on: bool = False) -> None:
        """Give the syllables of a field to the notes.

        Parameters
        ----------
        text : str
        goes_on : bool
            Whether the field continues the one before; else it is another verse.
        """
        if not goes_on or not self._verse:
            self._verse += 1
            self._at, self._bar = 0, self._notes[0][0] if self._notes else 0
        for found in _TOKEN.finditer(text):
            if found["sign"] == "|":
                self._next_bar()
                continue
            if self._at >= len(self._notes):
                return
            self._bar, sound = self._notes[self._at]
            self._at += 1
            if found["text"] and sound is not None:
                plain = found["text"].replace("\\-", "-").replace("~", " ")
                sound.lyrics += ((self._verse, syllable(plain, bool(found["goes_on"]))),)

    def _next_bar(self) -> None:
        self._bar += 1
        while self._at < len(self._notes) and self._notes[self._at][0] < self._bar:
            self._at += 1
