"""The table of a codec's tokens: vocabulary, ids, kinds and values."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Ids
from seqgen_music.bars import metre_name
from seqgen_music.music import pitch_name


class TokenTable:
    """Tokens by kind and value, in the order of their ids.

    Parameters
    ----------
    kinds : mapping of str to sequence
        The values of each kind; values of one kind have consecutive ids.
    bare : collection of str
        Kinds that token names omit: ``C4``, not ``pitch C4``.

    Attributes
    ----------
    names : tuple of str
        Names of all tokens, such as ``pitch C4``.
    kind_of : int64 array (V,)
        Index in `kinds` of each token's kind.
    number_of : int64 array (V,)
        Index of each token's value within its kind.
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
        """Return the first id of a kind: its n-th value has the id ``start + n``."""
        return self._starts[kind]

    def values(self, kind: str) -> tuple[Any, ...]:
        """Return the values of a kind in the order of their ids."""
        return self._values[kind]

    def has(self, kind: str, value: Hashable) -> bool:
        """Return whether the table has a token."""
        return value in self._numbers[kind]

    def id(self, kind: str, value: Hashable = None) -> int:
        """Return the id of a token.

        Raises
        ------
        KeyError
            If the table does not have it.
        """
        return self._starts[kind] + self._numbers[kind][value]

    def token(self, number: int) -> tuple[str, Any]:
        """Return the kind and the value of an id."""
        kind = self.kinds[self.kind_of[number]]
        return kind, self._values[kind][self.number_of[number]]

    def mask(self, *kinds: str) -> NDArray[np.bool_]:
        """Return which ids are of these kinds ``(V + 1,)``; END, the last, is not."""
        chosen = [self.kinds.index(kind) for kind in kinds]
        return np.append(np.isin(self.kind_of, chosen), False)

    def transpositions(self, ids: Ids, *kinds: str) -> Ids:
        """Return all transpositions ``(K, N)`` of ids ``(N,)``, the lowest first.

        Parameters
        ----------
        ids : int64 array (N,)
        kinds : str
            Kinds whose values are the same consecutive pitches.
        """
        pitched = self.mask(*kinds)[ids]  # (N,)
        if not pitched.any():
            return ids[None]
        numbers = self.number_of[ids[pitched]]
        most = len(self.values(kinds[0])) - 1
        intervals = np.arange(-numbers.min(), most - numbers.max() + 1)  # (K,)
        return ids + np.where(pitched, intervals[:, None], 0)

    def numbers(self, kind: str) -> Ids:
        """Return `number_of` of the ids of a kind, and 0 for others ``(V,)``."""
        of_kind = np.array([each == kind for each in self.kinds])
        return np.where(of_kind[self.kind_of], self.number_of, 0)

    def opening(self, bars: Sequence[int]) -> NDArray[np.bool_]:
        """Return the masks ``(M + 1, V + 1)`` of a header that gives metre and upbeat.

        Row 0 is for the metre, and row 1 + m for the upbeat in metre m, which has ``bars[m]``
        steps in a bar: an upbeat is shorter than a bar. The upbeats are the last ids.
        """
        masks = np.stack([self.mask("metre"), *[self.mask("upbeat")] * len(bars)])
        for mask, steps in zip(masks[1:], bars, strict=True):
            mask[self.start("upbeat") + steps :] = False
        return masks

    def all_alone_but(self, *kinds: str) -> list[int]:
        """Return `Codec.groups`: one for each of some kinds, and one for each other token."""
        alone = ~self.mask(*kinds)[:-1]
        groups = np.cumsum(alone) + len(kinds) - 1
        for number, kind in enumerate(kinds):
            groups[self.mask(kind)[:-1]] = number
        found: list[int] = groups.tolist()
        return found


def _name(kind: str, value: Any) -> str:
    match kind, value:
        case _, None:
            return kind
        case (("pitch" | "note on" | "note off"), int()):
            return f"{kind} {pitch_name(value)}"
        case _, (int(), int()):
            return f"{kind} {metre_name(value)}"
        case _:
            return f"{kind} {value}"
