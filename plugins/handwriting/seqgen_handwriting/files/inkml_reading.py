"""Reader of InkML (W3C, 2011), with the annotations of CROHME's formulas."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.files.inkml_contexts import XML_ID, Context, Contexts
from seqgen_handwriting.files.inkml_labels import text_of, writer_of
from seqgen_handwriting.files.inkml_values import KEPT, LETTER, columns_of
from seqgen_handwriting.files.left_out import LeftOut
from seqgen_handwriting.files.xml_files import local_name
from seqgen_handwriting.ink import MOST_POINTS, MOST_STROKES, Ink


def ink_of_inkml(root: Element, left_out: LeftOut) -> Ink:
    """Return the one drawing of an InkML document.

    Channels come from the context in force: that of the trace, of the groups around it, or the
    current one. Values may be relative or hexadecimal. Canvas transforms that are affine are
    applied. Continued traces are joined. Text and writer come from annotations.

    Parameters
    ----------
    root : Element
    left_out : LeftOut
        Counts the traces of a lifted pen and those that only define something.

    Raises
    ------
    DataError
        If a trace cannot be read, or there are too many points or strokes.
    """
    strokes: list[list[NDArray[np.float64]]] = []
    places: dict[str, int] = {}
    names, number, points = {"T", LETTER, "F"}, 0, 0
    for trace, context in _traces(root, left_out):
        number += 1
        if trace.get("type", "").lower() == "penup":
            left_out["traces of a lifted pen"] += 1
            continue
        if not (trace.text or "").strip():
            continue
        try:
            columns = columns_of(trace.text or "", context, MOST_POINTS - points)
        except ValueError as error:
            raise DataError(f"trace {number}: {error}") from error
        names &= columns.keys()
        rows = np.stack([columns.get(name, columns["X"]) for name in KEPT], 1)
        _place(rows, context, trace)
        points += len(rows)
        at = len(strokes)
        if trace.get("continuation") in ("middle", "end") and strokes:
            at = places.get((trace.get("priorRef") or "").lstrip("#"), at - 1)
            strokes[at].append(rows)
        elif at < MOST_STROKES:
            strokes.append([rows])
        else:
            raise DataError(f"it has more than {MOST_STROKES:,} strokes")
        places[trace.get(XML_ID) or trace.get("id") or ""] = at
    joined = [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in strokes]
    return Ink(
        tuple(row[:, :2] for row in joined),
        text_of(root),
        tuple(row[:, 3].astype(np.int64) for row in joined) if LETTER in names and joined else None,
        writer_of(root),
        tuple(row[:, 2] for row in joined) if "T" in names and joined else None,
        _pressure([row[:, 4] for row in joined]) if "F" in names and joined else None,
    )


def _pressure(forces: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], ...] | None:
    """Return forces as shares of 1, or of the largest one if that is more; None without any."""
    most = max(float(part.max()) for part in forces)
    if not 0 < most < np.inf or not all(np.isfinite(part).all() for part in forces):
        return None
    return tuple(np.maximum(part / max(most, 1.0), 0.0) for part in forces)


def _traces(root: Element, left_out: LeftOut) -> Iterator[tuple[Element, Context]]:
    """Yield the drawn traces with the context of each, in their order."""
    contexts = Contexts(root, left_out)
    shown = _shown(root)
    # No recursion: a deep document would exhaust the stack.
    waiting: list[tuple[Element, Context | None]] = [(one, None) for one in reversed(root)]
    while waiting:
        element, around = waiting.pop()
        match local_name(element):
            case "context" | "traceFormat":
                contexts.current = contexts.read(element)
            case "trace":
                named = contexts.named(element.get("contextRef"))
                yield element, named or around or contexts.current
            case "traceGroup":
                within = contexts.named(element.get("contextRef")) or around
                waiting += [(one, within) for one in reversed(element)]
            case "definitions":
                for one in reversed(element):
                    if one in shown:
                        waiting.append((one, None))
                    else:
                        hidden = sum(local_name(part) == "trace" for part in one.iter())
                        if hidden:
                            left_out["traces in definitions that nothing shows"] += hidden


def _shown(root: Element) -> set[Element]:
    """Return the elements that a ``traceView`` names, and those around them."""
    names = {
        (one.get("traceDataRef") or "").rpartition("#")[2]
        for one in root.iter()
        if local_name(one) == "traceView"
    }
    outer = {inner: one for one in root.iter() for inner in one} if names else {}
    found: set[Element] = set()
    for element in root.iter() if names else ():
        if (element.get(XML_ID) or element.get("id")) not in names:
            continue
        # Each element is added once: a hostile document is deep.
        at: Element | None = element
        while at is not None and at not in found:
            found.add(at)
            at = outer.get(at)
    return found


def _place(rows: NDArray[np.float64], context: Context, trace: Element) -> None:
    """Put rows of X, Y, T, L and F ``(N, 5)`` on the canvas and into the time of the document."""
    if context.transform is not None:
        with np.errstate(all="ignore"):
            rows[:, :2] = rows[:, :2] @ context.transform[:, :2].T + context.transform[:, 2]
    for channel in context.channels:
        if channel.name == "T":
            offset = trace.get("timeOffset")
            since = channel.since
            if since is None and offset is not None:
                try:
                    since = context.start + float(offset) / 1000
                except ValueError as error:
                    raise DataError(f"its timeOffset is {offset[:40]!r}, no number") from error
            rows[:, 2] += since or 0.0
