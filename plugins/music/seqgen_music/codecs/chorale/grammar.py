"""The grammar of the codec `chorale`: which ids may stand where, as rows of one table.

Which row a position has is decided in `seqgen_music.codecs.chorale.steps`, for new pieces and for
whole ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqgen.following import NOTHING, flat
from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.codecs.chorale.layout import HOLD, PARTS, ChoraleLayout
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.plan import fitting_masks, plan_masks
from seqgen_music.codecs.chorale.raster import LONGEST_STEPS, REST, Raster
from seqgen_music.codecs.chorale.rules import new_state
from seqgen_music.codecs.chorale.steps import MACHINE
from seqgen_music.codecs.limits import upper_limit

#: Parallels are forbidden in new pieces if there are this many steps for each one in the corpus.
#: Two in a hundred quarters are ten times as many as in Bach's chorales.
SPARED = 200

#: True and false facts of a cell; see `ChoraleGrammar._cell_mask`.
FACTS = 4


@dataclass(frozen=True)
class VoiceLimits:
    """What training pieces say about voices.

    Attributes
    ----------
    ranges : tuple of (int, int)
        Lowest and highest pitch of each voice, soprano first.
    stillest : int
        Most steps in a row in which something sounds in a new piece and no note begins. Without
        this limit, models reproduce one final chord that lasts many bars.
    notes, stays : tuple of int
        Most steps of a note of each voice in a new piece, and most steps on one pitch, repeated or
        not.
    parallels : bool
        Whether new pieces may move in parallel fifths, octaves and unisons.
    """

    ranges: tuple[tuple[int, int], ...]
    stillest: int = LONGEST_STEPS
    notes: tuple[int, ...] = (LONGEST_STEPS,) * PARTS
    stays: tuple[int, ...] = (LONGEST_STEPS,) * PARTS
    parallels: bool = True

    @classmethod
    def of(cls, rasters: Iterable[Raster], low: int, high: int) -> Self:
        """Return the limits of pieces; a voice without a note gets the range `low` to `high`."""
        lows, highs, stillness = np.full(PARTS, high + 1), np.full(PARTS, low - 1), [0]
        notes, stays = [np.zeros(PARTS, np.int64)], [np.zeros(PARTS, np.int64)]
        found = steps = 0
        for raster in rasters:
            sung = raster.sounding != REST
            lows = np.minimum(lows, raster.sounding.min(axis=0, where=sung, initial=high + 1))
            highs = np.maximum(highs, raster.sounding.max(axis=0, where=sung, initial=low - 1))
            stillness.append(raster.longest_stillness())
            notes.append(raster.longest_notes())
            stays.append(raster.longest_stays())
            found, steps = found + int(parallels(raster.sounding).sum()), steps + len(sung)
        ends = zip(lows.tolist(), highs.tolist(), strict=True)
        ranges = tuple(each if each[0] <= each[1] else (low, high) for each in ends)
        return cls(
            ranges,
            upper_limit(stillness),
            _limit_of_each(notes),
            _limit_of_each(stays),
            found * SPARED >= steps,
        )


def _limit_of_each(rows: Sequence[NDArray[np.int64]]) -> tuple[int, ...]:
    """Return the limit of each voice; a voice that is silent has none."""
    limits = map(upper_limit, np.stack(rows).T.tolist())
    return tuple(limit or LONGEST_STEPS for limit in limits)


@dataclass(frozen=True)
class ChoraleRequest:
    """What a new chorale must contain.

    Attributes
    ----------
    opening : sequence of int
        Its first ids, `NOTHING` where any may stand: the whole header, part of it, or nothing.
    voices : mapping of int to sequence of int
        The ids of the given voices, one per step.
    free : bool array (4, steps), optional
        Which cells of given voices are not given; by default none.
    steps, bars : int, optional
        Its length; bars are full bars in its metre.
    phrases : int, optional
        The number of its phrases.
    """

    opening: Sequence[int] = ()
    voices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    free: NDArray[np.bool_] | None = None
    steps: int | None = None
    bars: int | None = None
    phrases: int | None = None


#: What pieces contain of which nothing is requested.
ANYTHING = ChoraleRequest()

#: Limits on steps that no piece reaches.
NO_LIMITS = VoiceLimits((), *(2**62, (2**62,) * PARTS, (2**62,) * PARTS))


class ChoraleGrammar:
    """Which ids may come next.

    Parameters
    ----------
    layout : ChoraleLayout
    ranges : sequence of (int, int)
        Lowest and highest pitch of each voice, soprano first.

    Attributes
    ----------
    table : bool array (R, V + 1)
        The masks: those of metre and upbeat, three of the plan (`plan_masks`), then those of each
        voice for all combinations of `FACTS` facts; read-only.
    """

    def __init__(self, layout: ChoraleLayout, ranges: Sequence[tuple[int, int]]) -> None:
        self.layout = layout
        header: list[NDArray[np.bool_]] = []
        if layout.held:
            header = [*layout.table.opening([*map(layout.bar, layout.metres)]), *plan_masks(layout)]
        facts = product((False, True), repeat=FACTS)
        cells = [self._cell_mask(*cell) for cell in product(ranges, facts)]
        self._first_cell = len(header)
        self.table: NDArray[np.bool_] = np.array([*header, *cells])
        self.table.flags.writeable = False
        self._packed = packed(self.table)  # (R, W)

    def constants(
        self, limits: VoiceLimits | None = None, request: ChoraleRequest = ANYTHING
    ) -> NDArray[np.uint8]:
        """Return what `seqgen_music.codecs.chorale.steps` reads.

        Parameters
        ----------
        limits : VoiceLimits, optional
            The limits on new pieces.
        request : ChoraleRequest
        """
        layout = self.layout
        given = np.full((PARTS, request.steps or 0), NOTHING)
        for voice, ids in request.voices.items():
            given[voice] = ids
        held = layout.meaning[given] == HOLD  # (4, steps)
        begun = np.maximum.accumulate(np.where(held, 0, np.arange(given.shape[1])), axis=1)
        tied = np.where(held, np.take_along_axis(given, begun, axis=1), NOTHING)
        if request.free is not None:
            given[request.free] = tied[request.free] = NOTHING
        opening = np.array(request.opening, np.int64)
        limits = limits or NO_LIMITS
        lengths = (NOTHING if each is None else each for each in (request.steps, request.bars))
        table, is_new = layout.table, limits is not NO_LIMITS
        others = [table.id(kind) for kind in ("rest", "hold" if layout.held else "rest")]
        masks, plans = self.masks(request), self._plans(request)[1] + len(self.table)
        numbers = [len(opening), layout.held, layout.low, layout.high, self._first_cell]
        numbers += [limits.stillest, *lengths, table.start("pitch"), *others]
        # A new piece has a plan, if the model knows phrases, and ends where the plan ends.
        numbers += [limits.parallels, is_new, is_new and len(layout.phrases) > 0]
        numbers += [len(layout.metres), len(table), len(masks), given.shape[1], *plans.shape]
        bars = [*map(layout.bar, layout.metres)]
        return flat(
            *(np.array(numbers, np.int64), np.array(bars, np.int64)),
            *(layout.meaning, layout.metre_of, layout.upbeat_of, layout.phrase_of),
            *(masks, opening, given, tied, plans),
            *(np.array(limits.notes, np.int64), np.array(limits.stays, np.int64)),
        )

    def masks(self, request: ChoraleRequest) -> NDArray[np.bool_]:
        """Return `table`, and after it the masks of a requested plan ``(R', V + 1)``."""
        return np.concatenate([self.table, self._plans(request)[0]])

    def _plans(self, request: ChoraleRequest) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return the masks of a requested plan, and their numbers, as `fitting_masks` does."""
        bars, layout = request.bars, self.layout
        if not layout.phrases or (bars is None and request.phrases is None):
            return self.table[:0], np.zeros((0, 0), np.int64)
        longest = max(map(layout.bar, layout.metres))
        return fitting_masks(layout, request.phrases, None if bars is None else bars * longest)

    def follow(self, ids: Ids) -> tuple[Ids, NDArray[np.uint8]]:
        """Return features ``(N + 1, K)`` and packed masks ``(N + 1, W)`` of ids ``(N,)``.

        Pieces may stand still: that is a limit on new ones.
        """
        count = len(self.layout.feature_sizes)
        features, rows = MACHINE.whole(self.constants(), new_state(), ids, count)
        return features, self._packed[rows]

    def _cell_mask(self, compass: tuple[int, int], facts: tuple[bool, ...]) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of a cell.

        Parameters
        ----------
        compass : (int, int)
            The range of its voice.
        facts : tuple of FACTS bool
            Whether the voice sounds in the step before; whether the piece may end here; whether a
            rest would make all voices silent for too long; and whether all voices would be still
            for too long if this one did not begin anything.
        """
        table, (low, high), (sounds, ends, silent, still) = self.layout.table, compass, facts
        mask = np.zeros(len(table) + 1, bool)
        first = table.start("pitch") - self.layout.low
        mask[first + low : first + high + 1] = True
        mask[table.id("rest")] = not silent and (sounds or not still)
        if self.layout.held:
            mask[table.id("hold")] = sounds and not still
        mask[-1] = ends
        return mask
