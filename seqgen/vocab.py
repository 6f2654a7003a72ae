"""The vocabulary: names of a codec's ids, and the core's own START and END."""

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

    The codec's own tokens, the payload, have ids ``0 .. n - 1``. The core adds END (id ``n``) and
    START (id ``n + 1``). START is never predicted, so a model has V = n + 2 inputs and V' = n + 1
    outputs.

    Attributes
    ----------
    names : tuple of str
        The payload tokens.

    Raises
    ------
    DataError
        If there is no token, or two have the same name.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError(
                "the codec has an empty vocabulary: there was no piece, or options drop all tokens"
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
        """Id of END, which closes a piece; as an input it resets the state."""
        return len(self.names)

    def resets(self, boundaries: Iterable[int]) -> list[bool]:
        """Return for each of the V ids whether it resets the state.

        Parameters
        ----------
        boundaries : iterable of int
            Payload ids that reset the state; END always does.

        Raises
        ------
        DataError
            If a boundary is not a payload id.
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
        """Number of ids that can be predicted: the payload and END."""
        return len(self.names) + 1

    @property
    def size(self) -> int:
        """Number of ids that can be read: the payload, END and START."""
        return len(self.names) + 2

    @property
    def dtype(self) -> str:
        """Name of the smallest unsigned dtype that holds every id."""
        return "uint8" if self.size <= 2**8 else "uint16" if self.size <= 2**16 else "uint32"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names in order; equal digests mean equal vocabularies."""
        return hashlib.sha256(json.dumps(self.names).encode()).hexdigest()

    def name(self, token: int) -> str:
        """Return the name of an id, including START and END."""
        return (*self.names, END_NAME, START_NAME)[token]
