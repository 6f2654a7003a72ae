"""Candidates: several versions of a piece side by side; those that fit the given tokens are kept.

The model sees a given token, such as a note of a melody, only when its turn comes: tokens drawn
before could not take it into account. So several candidates are written side by side. The weight of
a candidate is the probability of its given tokens under the model. When few candidates have most of
the weight, all are resampled by weight: good ones are copied, bad ones are dropped (sequential
Monte Carlo: Gordon et al. 1993; Doucet and Johansen 2011, section 3.5). Copies are written as one
until they differ.

Only candidates that have come equally far can be compared. Mostly that is the number of tokens;
then a step counts if all candidates are given their token. A `WaitingTracker` says how many given
parts have come. Then candidates wait for each other after each part, and the weight has the
probability of all ids that fit, at every step.

With many candidates, the probability of a piece is that of its drawn tokens under the sampler times
its weight, normalised. At temperature 1 without filters this is the model's own distribution,
conditioned on what is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from seqgen.generation.pieces import ENDED, Draft
from seqgen.generation.writer import Step, Writer
from seqgen.plugin import Codec, Ids
from seqgen.waiting import reached

#: Candidates are resampled when the effective number is below this share of the number.
WORN = 0.5

#: After so many steps without a choice one candidate is drawn, because what comes then says nothing
#: about what was drawn before.
SETTLED = 256


def write_guided(writer: Writer, drafts: list[Draft], count: int, codec: Codec) -> Iterator[int]:
    """Write one piece; yield after each step how many tokens were drawn for all candidates.

    Parameters
    ----------
    writer : Writer
    drafts : list of Draft
        The one draft of the piece. After each step it is replaced by the candidate with the
        largest weight, and in the end by one drawn by weight.
    count : int
        Number of candidates.
    codec : Codec
        Shared by the candidates.
    """
    [draft] = drafts
    chooser = draft.random
    crowd = _Crowd(draft, count, codec)
    state = writer.start(drafts)
    while len(crowd.going()):
        state = writer.select(state, crowd.divide(writer))
        rows = crowd.going()
        step = writer.step(
            [crowd.drafts[row] for row in rows],
            state if len(rows) == len(crowd.drafts) else writer.select(state, rows),
            most=1,
            weigh=crowd.waits,
        )
        state = writer.merged(state, step.state, rows)
        if crowd.is_worn_after(step, rows):
            state = writer.select(state, crowd.resample(chooser.random()))
        drafts[0] = crowd.heaviest()
        yield step.drawn
    drafts[0] = crowd.drawn(chooser)


class _Crowd:
    """The candidates of a piece; those that are equal so far share a draft.

    Attributes
    ----------
    drafts : list of Draft
    waits : bool
        Whether candidates wait for each other where as many given parts have come.
    """

    def __init__(self, draft: Draft, count: int, codec: Codec) -> None:
        bits = cast(np.random.Philox, draft.random.bit_generator)
        self._streams = [np.random.Generator(bits.jumped(slot + 1)) for slot in range(count)]
        self._codec, self.waits = codec, reached(draft.tracker) is not None
        self.drafts, self._of = [draft], np.zeros(count, np.int64)  # Row of each candidate's draft.
        self._weights = np.zeros(count)
        self._level = self._reached(draft)  # What all have reached that were compared last.
        self._settled = 0  # Steps without a choice.
        self._name_streams()

    def going(self) -> Ids:
        """Return the rows of the drafts that go on: of those that have come least far."""
        rows = [row for row, draft in enumerate(self.drafts) if draft.stopped_by is None]
        far = [self._reached(self.drafts[row]) for row in rows]
        least = min(far, default=0)
        return np.array([row for row, at in zip(rows, far, strict=True) if at == least], np.int64)

    def divide(self, writer: Writer) -> Ids:
        """Copy shared drafts that have a choice next; return the row of each draft before."""
        sources = list(range(len(self.drafts)))
        for row in self.going().tolist():
            slots = np.flatnonzero(self._of == row)
            if len(slots) > 1 and not writer.is_given(self.drafts[row]):
                for slot in slots[1:].tolist():
                    self._of[slot] = len(sources)
                    sources.append(row)
                    self.drafts.append(self.drafts[row].branch(self._codec))
        if len(sources) > len(set(sources)):
            self._name_streams()
        return np.array(sources, np.int64)

    def is_worn_after(self, step: Step, rows: Ids) -> bool:
        """Weigh a step of some drafts; return whether the candidates should be resampled now."""
        gains = np.zeros(len(self.drafts))
        if self.waits:
            gains[rows] = step.log_masses
        elif len(rows) == len(self.drafts) and step.given.all():
            gains = step.log_probabilities
        self._weights += gains[self._of]
        self._settled = self._settled + 1 if step.given.all() else 0
        far = {self._reached(draft) for draft in self.drafts}
        if len(far) > 1 or far == {self._level} or any(each.stopped_by for each in self.drafts):
            return False
        [self._level] = far
        return are_worn(self._weights) or (self._settled > SETTLED and len(self.drafts) > 1)

    def resample(self, draw: float) -> Ids:
        """Resample by weight, or take one after `SETTLED` steps; return the rows that stay."""
        count = len(self._of)
        if self._settled > SETTLED:
            place = np.searchsorted(np.cumsum(_shares(self._weights)), draw, side="right")
            chosen = np.full(count, min(int(place), count - 1))
        else:
            chosen = resampled(self._weights, draw)
        rows, self._of = np.unique(self._of[chosen], return_inverse=True)
        self.drafts = [self.drafts[row] for row in rows.tolist()]
        self._weights[:] = 0.0
        self._name_streams()
        return rows

    def heaviest(self) -> Draft:
        """Return the draft with the largest weight."""
        return self.drafts[int(self._of[np.argmax(self._weights)])]

    def drawn(self, chooser: np.random.Generator) -> Draft:
        """Return a draft by weight; where candidates wait, one that ended, if any did."""
        weights = self._weights
        ended = np.array([draft.stopped_by in ENDED for draft in self.drafts])[self._of]
        if self.waits and ended.any():
            weights = np.where(ended, weights, -np.inf)
        slot = chooser.choice(len(weights), p=_shares(weights))
        return self.drafts[int(self._of[slot])]

    def _reached(self, draft: Draft) -> int:
        """Return how far a draft has come: in given parts, or in tokens."""
        found = reached(draft.tracker)
        return draft.count if found is None else found

    def _name_streams(self) -> None:
        """Give each draft the random numbers of its first candidate."""
        _, firsts = np.unique(self._of, return_index=True)
        for draft, slot in zip(self.drafts, firsts.tolist(), strict=True):
            draft.random = self._streams[slot]


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(weights - weights.max())
    return np.asarray(shares / shares.sum())


def are_worn(weights: NDArray[np.float64]) -> bool:
    """Return whether the effective number of candidates is low (Kong et al. 1994)."""
    return bool(1 / np.square(_shares(weights)).sum() < WORN * len(weights))


def resampled(weights: NDArray[np.float64], draw: float) -> Ids:
    """Return rows resampled by weight with one draw: each about its share times the number."""
    places = (np.arange(len(weights)) + draw) / len(weights)
    rows = np.searchsorted(np.cumsum(_shares(weights)), places, side="right")
    return np.minimum(rows, len(weights) - 1)
