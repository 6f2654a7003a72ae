"""`Note`: what a reader says about a file that it read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """What a reader says about a file that it read, such as "read as windows-1251".

    `seqgen.plugin.Domain.read` yields notes among the pieces. A note is no piece and no error:
    `prepare` prints it with the name of the file. If several files have a note of the same text,
    it is printed once, with their number.

    Attributes
    ----------
    text : str
        A few words that can follow the name of the file and a colon.
    """

    text: str
