"""The planned length of a piece: a class of bars or seconds, and how much of it is left.

Lengths are exact up to 16; then there are eight classes to an octave: 18, 20 ... 32, 36, 40 ... 64,
72, 80 ... A length belongs to the next class, so 65 to 72.

New pieces begin with a plan. Encoded pieces have none, because a prompt is to go on: augmentation
gives `PLANNED` of the training pieces theirs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import numpy as np

from seqgen.compiling import compiled
from seqgen.plugin import Ids

#: The longest length of each class: exact, then eight to an octave.
LENGTHS = (*range(1, 17), *(part << power for power in range(1, 9) for part in range(9, 17)))

#: The classes of a corpus without pieces.
NO_LENGTHS = (0, -1)

#: Probability that augmentation tells a training piece its length.
PLANNED = 0.75

#: Bars or seconds at which the feature of those that are left stops counting, and parts of a piece
#: that another feature distinguishes.
MOST_LEFT, PARTS = 16, 16

#: Numbers of values of the features: what is left, and the part; 0 without a plan.
SIZES = (MOST_LEFT + 2, PARTS + 1)


def class_of(length: int) -> int:
    """Return the index in `LENGTHS` of a length from 1 on; ``len(LENGTHS)`` if it is longer."""
    return bisect_left(LENGTHS, length)


def ends_of(lengths: Iterable[int]) -> tuple[int, int]:
    """Return the first and the last class of the lengths of a corpus."""
    classes = {min(class_of(each), len(LENGTHS) - 1) for each in lengths}
    return (min(classes), max(classes)) if classes else NO_LENGTHS


def span_of(number: int) -> tuple[int, int]:
    """Return the shortest and the longest length of a class."""
    return (LENGTHS[number - 1] + 1 if number else 1), LENGTHS[number]


@compiled
def describe(longest: int, passed: int, row: Any) -> None:
    """Write what is left of a length, and the part that is reached, into a row ``(2,)``.

    Parameters
    ----------
    longest : int
        Of the class; 0 without a plan.
    passed : int
        Bars begun, or whole seconds.
    row : int64 array (2,)
    """
    row[0] = row[1] = 0
    if longest:
        row[0] = min(max(longest - passed, 0), MOST_LEFT) + 1
        row[1] = min(PARTS * passed // longest, PARTS - 1) + 1


@compiled
def countdown(longest: Ids, passed: Ids) -> Ids:
    """Return the features of every position ``(N + 1, 2)``, from both at every position."""
    rows = np.empty((len(passed), 2), np.int64)
    for position in range(len(passed)):
        describe(longest[position], passed[position], rows[position])
    return rows
