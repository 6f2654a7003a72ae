"""The abstract vocabulary: names for the ids that a codec hands out, and two of the core's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from seqgen.errors import DataError

END_NAME = "<end>"
START_NAME = "<start>"


@dataclass(frozen=True)
class Vocab:
    """Token names in the order of their ids.

    The codec's own tokens ("payload") have ids ``0 .. n - 1``. The core adds END
    (id ``n``), which closes a piece, and START (id ``n + 1``), which opens one. START is
    never predicted, so a model has ``size`` inputs but only ``targets`` outputs.

    Attributes
    ----------
    names : tuple of str
        The payload tokens.

    Raises
    ------
    DataError
        If there is no token, or one name stands twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError(
                "the codec has an empty vocabulary: no piece was there, or options leave none"
            )
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"the codec's vocabulary holds the token {twice!r} twice")

    @classmethod
    def of(cls, names: Sequence[str]) -> Vocab:
        """Build a vocabulary from any sequence of names."""
        return cls(tuple(names))

    @property
    def end(self) -> int:
        """Id of END; as an input it means: forget everything."""
        return len(self.names)

    def resets(self, boundaries: Iterable[int]) -> list[bool]:
        """Tell of every id that can be read whether the state is zero after it.

        Parameters
        ----------
        boundaries : iterable of int
            Payload ids that reset the state, as END does anyway.

        Raises
        ------
        DataError
            If one of them is no payload id.
        """
        resets = [token == self.end for token in range(self.size)]
        for token in boundaries:
            if not 0 <= token < self.end:
                raise DataError(
                    f"the codec names the boundary {token}, but its tokens have ids from 0 to "
                    f"{self.end - 1}; upgrade its plugin, or tell its authors"
                )
            resets[token] = True
        return resets

    @property
    def start(self) -> int:
        """Id of START, which opens a piece."""
        return len(self.names) + 1

    @property
    def targets(self) -> int:
        """How many ids can be predicted: the payload and END."""
        return len(self.names) + 1

    @property
    def size(self) -> int:
        """How many ids can be read: the payload, END and START."""
        return len(self.names) + 2

    @property
    def dtype(self) -> str:
        """Name of the smallest unsigned dtype that holds every id."""
        return "uint8" if self.size <= 2**8 else "uint16" if self.size <= 2**16 else "uint32"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names in order: two vocabularies with one digest are one vocabulary."""
        return hashlib.sha256(json.dumps(self.names).encode()).hexdigest()

    def name(self, token: int) -> str:
        """Return the name of an id, START and END included."""
        return (*self.names, END_NAME, START_NAME)[token]
