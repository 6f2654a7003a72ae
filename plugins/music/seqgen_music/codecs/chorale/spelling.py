"""A raster as ids, and any ids as a raster."""

from __future__ import annotations

import numpy as np

from seqgen.plugin import Ids
from seqgen_music.codecs.chorale.layout import HOLD, NO_CELL, PARTS, ChoraleLayout
from seqgen_music.codecs.chorale.raster import REST, Raster


def spelling(raster: Raster, layout: ChoraleLayout) -> Ids:
    """Return the ids of a raster whose pitches and metre the layout has."""
    table = layout.table
    pitched = table.start("pitch") + raster.sounding - layout.low  # (steps, 4)
    cells = np.where(raster.sounding == REST, table.id("rest"), pitched)
    if not layout.held:
        return cells.ravel()  # (4 * steps,)
    holds = ~raster.begins & (raster.sounding != REST)
    cells = np.where(holds, table.id("hold"), cells)
    header = [table.id("metre", raster.metre), table.id("upbeat", raster.upbeat)]
    return np.concatenate([header, layout.plan(raster.ends), cells.ravel()])  # (H + 4 * steps,)


def spelled(ids: Ids, layout: ChoraleLayout) -> Raster:
    """Return the raster of any ids; tokens out of place are rests."""
    cells = layout.meaning[ids[layout.header_size(ids) :]]
    cells = np.append(cells, np.full(-len(cells) % PARTS, HOLD))
    cells = np.where(cells == NO_CELL, REST, cells).reshape(-1, PARTS)  # (steps, 4)
    cells[:1] = np.where(cells[:1] == HOLD, REST, cells[:1])
    step = np.arange(len(cells))[:, None]
    source = np.maximum.accumulate(np.where(cells == HOLD, 0, step), axis=0)
    sounding = np.take_along_axis(cells, source, axis=0)
    changes = np.ones(cells.shape, bool)
    changes[1:] = sounding[1:] != sounding[:-1]
    begins = changes | (cells >= 0) if layout.held else changes
    ends = tuple(end for end in layout.read_plan(ids).tolist() if end <= len(cells))
    return Raster(sounding, begins, *layout.read_header(ids), ends)
