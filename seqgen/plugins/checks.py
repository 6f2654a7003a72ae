"""Checks pieces, criticism, ids, features and masks from plugins before the core relies on them.

Errors name the codec.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.labels import content_of
from seqgen.errors import PluginError
from seqgen.grammar import IndexedMasks, Masks, width
from seqgen.plugin import ClosingTracker, Codec, Criticism, Domain, Ids, Tracker
from seqgen.plugins.faults import method_text
from seqgen.waiting import fitting
from seqgen.wording import shown


def checked_pieces(domain: Domain, found: Any) -> Iterator[Any]:
    """Yield what `read` returned, if it can hold pieces: a list, or a generator.

    Raises
    ------
    PluginError
        If it is one text, whose characters would count as pieces, a mapping, or nothing; or if a
        piece is None.
    """
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise _misread(domain, type(found).__name__)
    for piece in found:
        if content_of(piece) is None:
            raise _misread(domain, "None in place of a piece")
        yield piece


def _misread(domain: Domain, found: str) -> PluginError:
    return PluginError(
        f"read must return pieces in a list or one by one, found {found}; "
        f"upgrade its plugin, or tell its authors ({method_text(domain, 'read')})"
    )


def checked_reads(domain: Domain, path: Path) -> bool:
    """Return whether a domain reads a file of another suffix.

    Raises
    ------
    PluginError
        If it says neither yes nor no.
    """
    found: Any = domain.reads(path)
    if not isinstance(found, bool):
        raise PluginError(
            f"reads must return True or False, found {str(found)[:100]!r}; upgrade its plugin, or "
            f"tell its authors ({method_text(domain, 'reads')})"
        )
    return found


def checked_companions(domain: Domain, path: Path) -> list[Path]:
    """Return the companions of a file.

    Raises
    ------
    PluginError
        If they are not paths.
    """
    found: Any = domain.companions(path)
    paths = [*found] if isinstance(found, Iterable) else [found]
    if wrong := [one for one in paths if not isinstance(one, Path)]:
        raise PluginError(
            f"companions must return paths, found {str(wrong[0])[:100]!r}; upgrade its plugin, or "
            f"tell its authors ({method_text(domain, 'companions')})"
        )
    return paths


#: What a critic returns, in messages.
A_CRITICISM = "a Criticism with a tuple of texts and a finite rarity"


def checked_criticism(domain: Domain, found: Any) -> Criticism:
    """Return what the critic of a domain found.

    Raises
    ------
    PluginError
        If it is no `Criticism`, its faults are not texts, or its rarity is not finite.
    """
    if is_criticism(found):
        return cast(Criticism, found)
    raise PluginError(
        f"the function of critic must return {A_CRITICISM}, found {shown(found)}; upgrade "
        f"its plugin, or tell its authors ({method_text(domain, 'critic')})"
    )


def is_criticism(found: Any) -> bool:
    """Return whether a value is `A_CRITICISM`."""
    if not isinstance(found, Criticism) or not isinstance(found.faults, tuple):
        return False
    rarity: Any = found.rarity
    texts = all(isinstance(fault, str) for fault in found.faults)
    return texts and isinstance(rarity, Real) and math.isfinite(rarity)


def checked_ids(codec: Codec, ids: Any, what: str = "ids") -> Ids:
    """Return the ids ``(N,)`` of a piece as int64.

    Parameters
    ----------
    codec : Codec
    ids : array_like
    what : {"ids", "ids of a variation", "variations", "ids of a continuation"}
        What the error calls them.

    Raises
    ------
    PluginError
        If they are not ids of the vocabulary.
    """
    array, count = np.asarray(ids), len(codec.vocab)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iub"):
        raise _fault(codec, what, "as whole numbers in one row", _shown(array))
    if len(array) and not 0 <= array.min() <= array.max() < count:
        found = f"{array.min()} to {array.max()}"
        raise _fault(codec, what, f"from 0 to {count - 1}", found)
    return array.astype(np.int64, copy=False)


def checked_variations(codec: Codec, ids: Ids) -> tuple[Ids, int]:
    """Return the variations ``(K, N)`` of a piece ``(N,)``, and which of them it is.

    Raises
    ------
    PluginError
        If they have other ids or another length, or the piece is not among them.
    """
    what, array = "variations", np.asarray(codec.variations(ids))
    if array.ndim != 2 or array.shape[1] != len(ids):
        raise _fault(codec, what, f"as rows of {len(ids)} whole numbers", _shown(array))
    checked = checked_ids(codec, array.ravel(), what).reshape(array.shape)
    same = np.flatnonzero((checked == ids).all(axis=1))
    if not len(same):
        raise _fault(codec, what, "among which the piece is", f"{len(array)} others")
    return checked, int(same[0])


def checked_beginnings(codec: Codec, positions: Any, count: int) -> Ids:
    """Return the positions ``(P,)`` where a piece of `count` ids could begin too.

    Raises
    ------
    PluginError
        If they do not rise, or are not inside the piece.
    """
    array = np.asarray(positions)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
        raise _fault(codec, "beginnings", "as whole numbers in one row", _shown(array))
    if len(array) and not (array[0] > 0 and array[-1] < count and (np.diff(array) > 0).all()):
        raise _fault(codec, "beginnings", f"that rise from 1 to {count - 1}", f"{array[:5]} ...")
    return array.astype(np.int64, copy=False)


def checked_features(codec: Codec, rows: Any, count: int) -> Ids:
    """Return features ``(count, K)`` as int64.

    Raises
    ------
    PluginError
        If the shape is wrong, or a value is outside `Codec.feature_sizes`.
    """
    sizes = tuple(codec.feature_sizes)
    try:
        array = np.asarray(rows).reshape(count, -1) if sizes else np.zeros((count, 0), np.int64)
    except ValueError:
        raise _fault(
            codec, "features", f"{len(sizes)} for each token", "rows of other lengths"
        ) from None
    if array.shape != (count, len(sizes)) or (sizes and array.dtype.kind not in "iub"):
        raise _fault(codec, "features", f"{len(sizes)} whole numbers for each token", _shown(array))
    array = array.astype(np.int64, copy=False)
    # One comparison for all values, because this runs at every step of a piece.
    if ((array < 0) | (array >= np.array(sizes, np.int64))).any():
        wrong = ((array < 0) | (array >= sizes)).any(axis=0)  # (K,)
        column = int(wrong.argmax())
        expected = f"from 0 to {sizes[column] - 1} as number {column}"
        found = f"{array[:, column].min()} to {array[:, column].max()}"
        raise _fault(codec, "features", expected, found)
    return array


def checked_mask(codec: Codec, mask: Any) -> NDArray[np.bool_]:
    """Return a mask ``(V',)`` of the allowed ids.

    Raises
    ------
    PluginError
        If it is not one truth value for each id and END.
    """
    array, count = np.asarray(mask), len(codec.vocab) + 1
    if array.shape != (count,) or array.dtype != bool:
        raise _fault(codec, "a mask", f"{count} truth values", _shown(array))
    return array


def checked_masks(codec: Codec, rows: Any, count: int) -> Masks:
    """Return packed masks ``(count, W)``; W is 0 for a codec without masks, which returns None.

    Raises
    ------
    PluginError
        If they have another shape or dtype, or a row allows no id.
    """
    if rows is None:
        if mask_width(codec):
            raise _fault(codec, "masks", "for every piece or for none", "None for some pieces")
        return np.zeros((count, 0), np.uint8)
    if isinstance(rows, IndexedMasks):
        used = _used_rows(codec, rows, count)
        empty = _empty_masks(codec, rows.table[used], len(used))
        places = [f"in row {used[at]}" for at in empty]
    else:
        rows = np.asarray(rows)
        places = [f"at position {at}" for at in _empty_masks(codec, rows, count)[:1]]
    if places:
        raise _fault(codec, "masks", "that allow at least one id", f"none {places[0]}")
    checked: Masks = rows
    return checked


def _used_rows(codec: Codec, masks: IndexedMasks, count: int) -> Ids:
    """Return the rows of a table of masks that some position has."""
    rows, size = np.asarray(masks.rows), len(masks.table)
    if rows.shape != (count,) or rows.dtype.kind not in "iu":
        raise _fault(codec, "rows of masks", f"as {count} whole numbers", _shown(rows))
    if not 0 <= rows.min() <= rows.max() < size:
        found = f"{rows.min()} to {rows.max()}"
        raise _fault(codec, "rows of masks", f"as numbers below {size}", found)
    return np.flatnonzero(np.bincount(rows))


def _empty_masks(codec: Codec, array: NDArray[Any], count: int) -> Ids:
    """Return which of `count` packed masks allow nothing; raise `PluginError` if they are none."""
    ids = len(codec.vocab) + 1
    if array.shape != (count, width(ids)) or array.dtype != np.uint8:
        expected = f"as uint8 ({count}, {width(ids)}), packed by seqgen.grammar.packed"
        raise _fault(codec, "masks", expected, _shown(array))
    if (array[:, -1] & (0xFF >> (ids - 1) % 8 + 1)).any():
        raise _fault(codec, "masks", f"of {ids} ids", "bits after that of END")
    return np.flatnonzero(~array.any(axis=1))


def mask_width(codec: Codec) -> int:
    """Return W, the bytes of each row of a codec's masks; 0 if it has none."""
    has_masks = codec.masks(np.zeros(0, np.int64)) is not None
    return width(len(codec.vocab) + 1) if has_masks else 0


def next_mask(codec: Codec, tracker: Tracker, room: int | None = None) -> NDArray[np.bool_]:
    """Return the mask ``(V',)`` of what may come next; a forced id is alone in it.

    It is what the tracker allows, or what fits a `WaitingTracker`. With a `room`, which only a
    `ClosingTracker` takes, the piece has to end within so many tokens.

    Raises
    ------
    PluginError
    """
    if (forced := tracker.forced()) is None:
        if room is None:
            fits = fitting(tracker)
            return allowed_mask(codec, tracker) if fits is None else checked_mask(codec, fits)
        # Asking each time whether it is one would take longer than the mask.
        return _mask(codec, cast("ClosingTracker", tracker).closing(room))
    mask = np.zeros(len(codec.vocab) + 1, bool)
    mask[checked_token(codec, forced)] = True
    return mask


def allowed_mask(codec: Codec, tracker: Tracker) -> NDArray[np.bool_]:
    """Return the mask ``(V',)`` of what a tracker allows next, whatever it forces.

    Raises
    ------
    PluginError
    """
    return _mask(codec, tracker.allowed())


def _mask(codec: Codec, mask: Any) -> NDArray[np.bool_]:
    """Return a checked mask ``(V',)``; None allows all."""
    return np.ones(len(codec.vocab) + 1, bool) if mask is None else checked_mask(codec, mask)


def checked_token(codec: Codec, token: Any) -> int:
    """Return a forced id.

    Raises
    ------
    PluginError
        If it is neither an id of the vocabulary nor END.
    """
    count = len(codec.vocab)
    if not isinstance(token, int | np.integer) or not 0 <= token <= count:
        raise _fault(codec, "a forced token", f"from 0 to {count}", repr(token)[:80])
    return int(token)


def _shown(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"


#: The member of a codec that gives each kind of value.
_GIVERS = {
    "ids": "encode",
    "ids of a variation": "augment",
    "variations": "variations",
    "ids of a continuation": "continuation",
    "features": "features",
    "masks": "masks",
    "rows of masks": "masks",
    "beginnings": "beginnings",
    "a mask": "tracker",
    "a forced token": "tracker",
}


def _fault(codec: Codec, what: str, expected: str, found: str) -> PluginError:
    return PluginError(
        f"codec {type(codec).__name__} must give {what} {expected}, found {found}; upgrade its "
        f"plugin, or tell its authors ({method_text(codec, _GIVERS[what])})"
    )
