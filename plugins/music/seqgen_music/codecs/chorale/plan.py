"""The plan of a chorale: which phrase may come next in its header, as masks.

A plan is the length of each phrase, before the first note. So the model chooses the form first, and
new pieces are as long as those of the corpus. A piece whose phrases are unknown, because it has no
fermatas, has an empty plan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen_music.codecs.chorale.layout import LONGEST_PHRASE, MOST_PHRASES, ChoraleLayout

#: The masks of `plan_masks`.
ANY, LAST, NONE_YET = range(3)


def plan_masks(layout: ChoraleLayout) -> NDArray[np.bool_]:
    """Return three masks ``(3, V + 1)``.

    `ANY` allows a phrase or the end of the plan, `LAST` the end of the plan, and `NONE_YET` a
    phrase.
    """
    phrase, end = layout.table.mask("phrase"), layout.table.mask("plan end")
    return np.array([phrase | end, end, phrase])


def fitting_masks(
    layout: ChoraleLayout, count: int | None, steps: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return the masks of plans with some number of phrases, some length, or both.

    A phrase may come if others can fill what it leaves.

    Parameters
    ----------
    layout : ChoraleLayout
    count : int, optional
        The number of phrases.
    steps : int, optional
        The longest length of all phrases together.

    Returns
    -------
    masks : bool array (Q, V + 1)
    rows : int64 array (J, R)
        The mask where j phrases and r steps are missing. There is one j without a count, and one r
        without steps. Where nothing fits, only the end of the plan may come.
    """
    table, lengths = layout.table, np.array(layout.phrases, np.int64)
    most = 0 if steps is None else min(steps, MOST_PHRASES * LONGEST_PHRASE)
    shifts = (lengths if steps is not None else 0 * lengths).tolist()
    fits = _fitting(count, most, shifts)  # (J, R)
    # Whether each length may come where j phrases and r steps are missing.
    may = np.zeros((*fits.shape, len(lengths)), bool)
    for number, shift in enumerate(shifts):
        if shift > most:
            continue
        before, after = (
            (slice(None, -1), slice(1, None)) if count is not None else (slice(None),) * 2
        )
        may[after, shift:, number] = fits[before, : most + 1 - shift]
    distinct, rows = np.unique(may.reshape(-1, len(lengths)), axis=0, return_inverse=True)
    masks = np.zeros((len(distinct), len(table) + 1), bool)
    masks[:, table.start("phrase") : table.start("phrase") + len(lengths)] = distinct
    masks[~distinct.any(axis=1), table.id("plan end")] = True
    return masks, rows.reshape(fits.shape)


def can_fill(layout: ChoraleLayout, count: int, steps: int) -> bool:
    """Return whether a number of phrases can have a number of steps together."""
    longest = count * max(layout.phrases)
    return steps <= longest and bool(_fitting(count, steps, [*layout.phrases])[count, steps])


def _fitting(count: int | None, most: int, shifts: list[int]) -> NDArray[np.bool_]:
    """Return whether j phrases can have r steps ``(J, R)``; one j stands for any number of them.

    Parameters
    ----------
    count : int, optional
    most : int
        The highest r.
    shifts : list of int
        The lengths of phrases; zeros where steps do not count.
    """
    fits = np.zeros((1 if count is None else count + 1, most + 1), bool)
    fits[0, 0] = True
    for left in range(1, most + 1 if count is None else 1):
        fits[0, left] = any(fits[0, left - shift] for shift in shifts if shift <= left)
    for phrases in range(1, len(fits)):
        for shift in (each for each in shifts if each <= most):
            fits[phrases, shift:] |= fits[phrases - 1, : most + 1 - shift]
    return fits
