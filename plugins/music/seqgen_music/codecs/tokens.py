"""The table of a codec's tokens, from which vocabulary, encoding and decoding derive."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen_music.music import pitch_name


class TokenTable:
    """Tokens by kind and value, in the order of their ids.

    Parameters
    ----------
    kinds : mapping of str to sequence
        The values of every kind; those of one kind have consecutive ids.
    bare : collection of str
        Kinds whose values are named without the kind: ``C4``, not ``pitch C4``.

    Attributes
    ----------
    names : tuple of str
        Of all tokens, such as ``pitch C4``.
    kind_of : int64 array (V,)
        Index of each token's kind in the order of `kinds`.
    number_of : int64 array (V,)
        Index of each token's value among those of its kind.
    """

    def __init__(self, kinds: Mapping[str, Sequence[Hashable]], bare: Collection[str] = ()) -> None:
        self.kinds = tuple(kinds)
        self._values = {kind: tuple(values) for kind, values in kinds.items()}
        self._numbers = {
            kind: {value: number for number, value in enumerate(values)}
            for kind, values in self._values.items()
        }
        counts = [len(values) for values in self._values.values()]
        starts = np.cumsum([0, *counts])
        self._starts: dict[str, int] = dict(zip(self.kinds, starts.tolist(), strict=False))
        self.kind_of = np.repeat(np.arange(len(counts)), counts)
        self.number_of = np.arange(starts[-1]) - starts[self.kind_of]
        self.names = tuple(
            _name(kind, value).removeprefix(f"{kind} " if kind in bare else "")
            for kind, values in self._values.items()
            for value in values
        )

    def __len__(self) -> int:
        return len(self.names)

    def start(self, kind: str) -> int:
        """Return the first id of a kind: value number n of it has the id ``start + n``."""
        return self._starts[kind]

    def values(self, kind: str) -> tuple[Any, ...]:
        """Return the values of a kind in the order of their ids."""
        return self._values[kind]

    def has(self, kind: str, value: Hashable) -> bool:
        """Tell whether there is such a token."""
        return value in self._numbers[kind]

    def id(self, kind: str, value: Hashable = None) -> int:
        """Return the id of a token.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self._starts[kind] + self._numbers[kind][value]

    def token(self, number: int) -> tuple[str, Any]:
        """Return the kind and the value of an id."""
        kind = self.kinds[self.kind_of[number]]
        return kind, self._values[kind][self.number_of[number]]

    def mask(self, *kinds: str) -> NDArray[np.bool_]:
        """Return which ids are of one of these kinds ``(V + 1,)``; END, the last, is not."""
        chosen = [self.kinds.index(kind) for kind in kinds]
        return np.append(np.isin(self.kind_of, chosen), False)

    def all_alone_but(self, kind: str) -> list[int]:
        """Return `Codec.groups`: one group for this kind, and one for each other token."""
        alone = ~self.mask(kind)[:-1]
        return np.where(alone, np.cumsum(alone), 0).tolist()


def _name(kind: str, value: Any) -> str:
    match kind, value:
        case _, None:
            return kind
        case (("pitch" | "note on" | "note off"), int()):
            return f"{kind} {pitch_name(value)}"
        case _, (int(), int()):
            return f"{kind} {value[0]}/{value[1]}"
        case _:
            return f"{kind} {value}"
