"""The parts of an output, of which clusters stay closed until their scores matter.

The shortlist comes first, with a score for each cluster of rare ids (`seqgen.network.clusters`);
then come the ids of each cluster. A full output has one part. Comes from: the steppers. Next:
`seqgen.drawing.sampling` draws from parts.

B sequences, V' ids, C clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy
from seqgen.config import CLUSTERS
from seqgen.drawing.filters import log_softmax
from seqgen.drawing.rules import Floats, Positions, Rules
from seqgen.plugin import Ids

#: Returned in place of an id where more scores are wanted.
WANTING = -3


class Parts(NamedTuple):
    """Which ids each part has, and where their scores are.

    Attributes
    ----------
    ids : int64 array (V',)
        The ids, part by part.
    of, places : int64 array (V',)
        The part of each id, and its place among the ids of that part.
    starts : int64 array (C + 2,)
        Where each part begins in `ids`, and V'.
    columns : int64 array (C + 2,)
        Where the scores of each part begin, and the number of columns. Those of the clusters follow
        the shortlist.
    """

    ids: Ids
    of: Ids
    places: Ids
    starts: Ids
    columns: Ids


def parts_of(clusters: Sequence[int], targets: int, multiple: int = 1) -> Parts:
    """Return the parts of an output.

    Parameters
    ----------
    clusters : sequence of int
        The cluster of each id; empty for a full output.
    targets : int
        V', the number of ids.
    multiple : int
        Every part fills a multiple of so many columns.
    """
    count = CLUSTERS + 1 if len(clusters) else 1
    of = np.array(clusters, np.int64) if len(clusters) else np.zeros(targets, np.int64)
    ids = np.argsort(of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))])
    places = np.empty_like(ids)
    places[ids] = np.arange(targets) - starts[of[ids]]
    widths = np.diff(starts)
    widths[0] += count - 1
    columns = np.concatenate([[0], np.cumsum(-(-widths // multiple) * multiple)])
    return Parts(ids, of, places, starts, columns)


class View(NamedTuple):
    """What a sequence sees of the parts: a row of `Views`."""

    alive: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    biased: NDArray[np.bool_]
    opened: NDArray[np.bool_]
    wanted: NDArray[np.bool_]


class Views(NamedTuple):
    """What each sequence sees of the parts.

    Attributes
    ----------
    alive : bool array (B, C + 1)
        Whether a part has a possible id.
    mixed, biased : bool array (B, C + 1)
        Whether some possible ids of a part may not come, and whether some are biased or banned.
    opened, wanted : bool array (B, C + 1)
        Whether scores of a part are known, and whether they have to be computed next.
    """

    alive: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    biased: NDArray[np.bool_]
    opened: NDArray[np.bool_]
    wanted: NDArray[np.bool_]


@compiled
def look(parts: Parts, positions: Positions, rules: Rules) -> Views:
    """Return the views of sequences whose masks stay for some steps."""
    shape = len(positions.ids), len(parts.columns) - 1
    alive, mixed = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    biased = np.zeros(shape, np.bool_)
    for lane in range(shape[0] if shape[1] > 1 else 0):
        possible, allowed = positions.possible[lane], positions.allowed[lane]
        for token in range(len(parts.of)):
            part = parts.of[token]
            alive[lane, part] |= possible[token]
            mixed[lane, part] |= possible[token] != allowed[token]
            biased[lane, part] |= rules.bias[token] != 0
    return Views(alive, mixed, biased, np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))


@compiled
def look_again(views: Views, positions: Positions, step: int) -> bool:
    """Close all parts before a step; want the shortlist, and return whether any sequence does.

    A sequence that ended in this call wants nothing.
    """
    views.opened[:] = False
    for lane in range(len(positions.ids)):
        ended = positions.ids[lane] == positions.allowed.shape[1] - 1
        views.wanted[lane, 0] = step == 0 or not ended
    return bool(views.wanted.any())


@compiled
def finite(scores: NDArray[np.float32], parts: Parts, view: View) -> bool:
    """Return whether all known scores are numbers."""
    clusters = len(parts.columns) - 2
    for part in range(clusters + 1):
        size = parts.starts[part + 1] - parts.starts[part] + (clusters if part == 0 else 0)
        first = parts.columns[part]
        if view.opened[part] and not np.isfinite(scores[first : first + size]).all():
            return False
    return True


@compiled
def entries_of(
    scores: NDArray[np.float32], parts: Parts, view: View, possible: NDArray[np.bool_]
) -> tuple[Ids, Ids, Floats, Floats]:
    """Return what there is to choose from: ids of opened parts, and closed clusters.

    Returns
    -------
    entries : int64 array (N,)
        Ids; -1 is cluster 1, and so on.
    firsts : int64 array (C + 1,)
        Where the entries of each part begin.
    log_probabilities : float64 array (N,)
        Under the model, among possible ids.
    masses : float64 array (C,)
        Log-probabilities of the clusters, opened or closed.
    """
    shortlist, clusters = parts.starts[1], len(parts.columns) - 2
    head = masked(scores, parts, 0, clusters, possible)
    for part in range(1, clusters + 1):
        if not view.alive[part]:
            head[shortlist + part - 1] = -np.inf
    head = log_softmax(head)
    size = shortlist
    firsts = np.zeros(clusters + 1, np.int64)
    for part in range(1, clusters + 1):
        firsts[part] = size
        size += parts.starts[part + 1] - parts.starts[part] if view.opened[part] else 1
    entries, found = np.empty(size, np.int64), np.empty(size)
    copy(parts.ids[:shortlist], entries[:shortlist])
    copy(head[:shortlist], found[:shortlist])
    for part in range(1, clusters + 1):
        first, mass = firsts[part], head[shortlist + part - 1]
        if view.opened[part]:
            inside = masked(scores, parts, part, 0, possible)
            if view.alive[part]:
                inside = log_softmax(inside)
            copy(ids_of(parts, part), entries[first : first + len(inside)])
            for place, log_probability in enumerate(inside):
                found[first + place] = mass + log_probability
        else:
            entries[first], found[first] = -part, mass
    return entries, firsts, found, head[shortlist:]


@compiled
def place_of(token: int, parts: Parts, firsts: Ids) -> int:
    """Return the entry of an id of an opened part."""
    return int(firsts[parts.of[token]] + parts.places[token])


@compiled
def ids_of(parts: Parts, part: int) -> Ids:
    """Return the ids of a part."""
    return parts.ids[parts.starts[part] : parts.starts[part + 1]]


@compiled
def masked(
    scores: NDArray[np.float32],
    parts: Parts,
    part: int,
    more: int,
    possible: NDArray[np.bool_],
) -> Floats:
    """Return the scores of a part and `more` scores after them; minus infinity if impossible."""
    ids, first = ids_of(parts, part), parts.columns[part]
    found = scores[first : first + len(ids) + more].astype(np.float64)
    for place in range(len(ids)):
        if not possible[ids[place]]:
            found[place] = -np.inf
    return found


@compiled
def join(
    scores: NDArray[np.float32],
    parts: Parts,
    possible: NDArray[np.bool_],
    logits: NDArray[np.float32],
) -> None:
    """Fill in logits (V',) of ids from the scores of all parts.

    Their softmax is the product of two choices: among the shortlist and the clusters, then among
    the possible ids of a cluster. A cluster without one takes no part.
    """
    for part in range(len(parts.columns) - 1):
        ids, first, shift = ids_of(parts, part), parts.columns[part], 0.0
        if part > 0:
            inside = masked(scores, parts, part, 0, possible)
            most = inside.max() if len(inside) else -np.inf
            if most > -np.inf:
                total = most + np.log(np.exp(inside - most).sum())
                shift = scores[parts.starts[1] + part - 1] - total
        for place in range(len(ids)):
            logits[ids[place]] = scores[first + place] + np.float32(shift)
