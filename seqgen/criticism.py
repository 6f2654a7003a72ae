"""`Criticism` of a new piece, and `Norms`: the values of measures that pieces of a corpus have."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from seqgen.wording import counted

#: A value is a fault if at most one training piece in `RARE` is as far out ...
RARE = 100
#: ... and if at least `FEWEST` training pieces have a value; with fewer nothing is said of it.
FEWEST = 20

#: Faults that are shown of a piece; the manifest has all.
SHOWN = 5

#: Widths of the range of a corpus beyond which a value is not farther.
FARTHEST = 1e6


@dataclass(frozen=True)
class Criticism:
    """What a critic says of a new piece. Fewer faults are better, and then less rarity.

    Attributes
    ----------
    faults : tuple of str
        Each in a few words: "it does not end", "length 6 quarters; 99 % of the pieces of
        the corpus have at least 24".
    rarity : float
        How far its measures are from those of the corpus, in bits, from 0 on (`Norms.criticise`).
    """

    faults: tuple[str, ...] = ()
    rarity: float = 0.0

    @property
    def badness(self) -> tuple[int, float]:
        """The key to sort by: the best piece comes first."""
        return len(self.faults), self.rarity

    def __str__(self) -> str:
        more = len(self.faults) - SHOWN
        shown = [*self.faults[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        faults = f"{counted(len(self.faults), 'fault')} ({'; '.join(shown)})"
        return f"{faults if self.faults else 'no fault'}, rarity {self.rarity:.2f} bits"


class Norm(NamedTuple):
    """How a measure is judged.

    Attributes
    ----------
    unit : str
        Unit of its values; empty for shares and counts.
    bad : {"low", "high", "both"}
        Which values count against a piece, if training pieces rarely have them.
    """

    unit: str = ""
    bad: Literal["low", "high", "both"] = "both"


class Norms:
    """The values of some measures that training pieces have.

    Parameters
    ----------
    norms : mapping of str to Norm
        How each measure is judged, by its name.
    rows : iterable of mapping of str to float
        The values of each training piece, read once; NaN for a piece without a value.
    """

    def __init__(self, norms: Mapping[str, Norm], rows: Iterable[Mapping[str, float]]) -> None:
        self._pieces = 0
        self._known: dict[str, list[float]] = {name: [] for name in norms}
        for row in rows:
            self._pieces += 1
            for name, known in self._known.items():
                if math.isfinite(row[name]):
                    known.append(row[name])
        for known in self._known.values():
            known.sort()
        self._norms = {
            name: norm for name, norm in norms.items() if len(self._known[name]) >= FEWEST
        }

    def criticise(self, values: Mapping[str, float]) -> Criticism:
        """Compare the values of a new piece with those of the training pieces.

        The rarity of a value is -log2 of twice the share of training pieces that are at least as
        far out on its side: 0 bits for the median, about 5 for one piece in 50. Beyond all of them
        it grows with the distance. The rarity of a piece is the mean over its measures. Measures
        that fewer than `FEWEST` training pieces have are left out.
        """
        faults, bits = [], []
        for name, norm in self._norms.items():
            beyond, farther, fault = self._place(name, norm, values[name])
            share = min(2 * (1 + beyond) / (1 + self._pieces), 1.0)
            bits.append(math.log2(1 + farther) - math.log2(share))
            if beyond <= self._pieces // RARE:
                faults.append(fault)
        return Criticism(tuple(faults), math.fsum(bits) / len(bits)) if bits else Criticism()

    def _place(self, name: str, norm: Norm, value: float) -> tuple[int, float, str]:
        """Return where a value is among those of the training pieces.

        Returns
        -------
        beyond : int
            Number of pieces that are at least as far out.
        farther : float
            How far it is beyond all of them, in widths of their range.
        fault : str
            What it is called if it is a fault.
        """
        known, rare = self._known[name], self._pieces // RARE
        most = f"{100 - 100 // RARE} % of the" if rare else "all"
        if not math.isfinite(value):
            text = f"{name} cannot be measured; it can in {most} pieces of the corpus"
            return self._pieces - len(known), 0.0, text
        lower, higher = bisect_right(known, value), len(known) - bisect_left(known, value)
        is_low = norm.bad == "low" or (norm.bad == "both" and lower <= higher)
        # From the far end of the side that the value is on.
        side = known if is_low else known[::-1]
        past = max(side[0] - value if is_low else value - side[0], 0.0)
        farther = past / (known[-1] - known[0] or 1.0)
        limit = f"at {'least' if is_low else 'most'} {_plain(side[min(rare, len(side) - 1)])}"
        found = f"{name} {_plain(value)}{norm.unit and f' {norm.unit}'}"
        return (
            lower if is_low else higher,
            farther if farther < FARTHEST else FARTHEST,  # not a number counts as far
            f"{found}; {most} pieces of the corpus have {limit}",
        )


def _plain(value: float) -> str:
    """Return a number with three digits, and whole ones with all of theirs."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
