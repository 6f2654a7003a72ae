"""The grammar of the codec `chorale`: which ids may stand where, as rows of one table.

The tracker looks up one row at a time, and `ChoraleCodec.masks` those of a whole piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import packed
from seqgen.plugin import Ids
from seqgen_music.codecs.chorale.layout import PARTS, ChoraleLayout
from seqgen_music.codecs.chorale.raster import LONGEST_STEPS, REST, Raster
from seqgen_music.codecs.limits import upper_limit

#: True and false facts of a cell; see `ChoraleGrammar.cell`.
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
    """

    ranges: tuple[tuple[int, int], ...]
    stillest: int = LONGEST_STEPS

    @classmethod
    def of(cls, rasters: Iterable[Raster], low: int, high: int) -> Self:
        """Return the limits of pieces; a voice without a note gets the range `low` to `high`."""
        lows, highs, stillness = np.full(PARTS, high + 1), np.full(PARTS, low - 1), [0]
        for raster in rasters:
            sung = raster.sounding != REST
            lows = np.minimum(lows, raster.sounding.min(axis=0, where=sung, initial=high + 1))
            highs = np.maximum(highs, raster.sounding.max(axis=0, where=sung, initial=low - 1))
            stillness.append(raster.longest_stillness())
        ends = zip(lows.tolist(), highs.tolist(), strict=True)
        ranges = tuple(each if each[0] <= each[1] else (low, high) for each in ends)
        return cls(ranges, upper_limit(stillness))


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
        The masks: those of the header, then those of each voice for all combinations of `FACTS`
        facts; read-only.
    """

    def __init__(self, layout: ChoraleLayout, ranges: Sequence[tuple[int, int]]) -> None:
        self.layout = layout
        header = [*layout.table.opening([*map(layout.bar, layout.metres)])] if layout.held else []
        facts = product((False, True), repeat=FACTS)
        cells = [self._cell_mask(*cell) for cell in product(ranges, facts)]
        self._first_cell = len(header)
        self.table: NDArray[np.bool_] = np.array([*header, *cells])
        self.table.flags.writeable = False
        self._packed = packed(self.table)  # (R, W)

    def header(self, position: int, metre: tuple[int, int]) -> int:
        """Return the row of a position in the header; `metre` is that of the ids before it."""
        return 1 + self.layout.metres.index(metre) if position else 0

    def cell(self, voice: Any, sounds: Any, ends: Any, silent: Any, still: Any) -> Any:
        """Return the row of a cell; all parameters are numbers or int arrays of one shape.

        Parameters
        ----------
        voice : int
            0 for the soprano.
        sounds : bool
            Whether the voice sounds in the step before.
        ends : bool
            Whether the piece may end here.
        silent : bool
            Whether a rest would make all voices silent for too long.
        still : bool
            Whether all voices would be still for too long if this one did not begin anything: a
            limit on new pieces, which `masks` do not know.
        """
        number = voice
        for fact in (sounds, ends, silent, still):
            number = 2 * number + fact
        return self._first_cell + number

    def masks(self, ids: Ids, raster: Raster) -> NDArray[np.uint8]:
        """Return the packed masks ``(N + 1, W)`` of ids ``(N,)`` and their raster.

        See `seqgen.plugin.Codec.masks`.
        """
        header, steps = self.layout.header, len(raster.sounding)
        sounds, ends, silent = np.zeros((3, steps + 1, PARTS), bool)
        sounds[1:] = raster.sounding != REST
        step = np.arange(steps + 1)
        heard = np.asarray(sounds.any(axis=1))  # (steps + 1,)
        silence = step - np.maximum.accumulate(np.where(heard, step, 0))  # steps before each one
        ends[1:, 0] = heard[1:]
        # Without given voices only the bass, the last to come, must end a silence.
        others = np.asarray(sounds[1:, :-1].any(axis=1))  # (steps,)
        silent[:-1, -1] = ~others & (silence[:-1] >= self.layout.bar(raster.metre))
        cells = self.cell(np.arange(PARTS), sounds, ends, silent, False).ravel()
        opening = [self.header(position, raster.metre) for position in range(header)]
        rows = np.concatenate([opening, cells]).astype(np.int64)[: len(ids) + 1]  # (N + 1,)
        return np.asarray(self._packed[rows])

    def _cell_mask(self, compass: tuple[int, int], facts: tuple[bool, ...]) -> NDArray[np.bool_]:
        """Return the mask ``(V + 1,)`` of a cell of a voice with this range; facts as in `cell`."""
        table, (low, high), (sounds, ends, silent, still) = self.layout.table, compass, facts
        mask = np.zeros(len(table) + 1, bool)
        first = table.start("pitch") - self.layout.low
        mask[first + low : first + high + 1] = True
        mask[table.id("rest")] = not silent and (sounds or not still)
        if self.layout.held:
            mask[table.id("hold")] = sounds and not still
        mask[-1] = ends
        return mask
