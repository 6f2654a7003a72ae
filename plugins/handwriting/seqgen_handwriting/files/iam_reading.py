"""Reader of the XML of the IAM On-Line Handwriting Database (IAM-OnDB): lines and whole forms."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import DataError
from seqgen_handwriting.ink import Ink


def ink_of_session(root: Element, path: Path) -> Ink:
    """Return the ink of a ``WhiteboardCaptureSession``.

    The text comes from its transcription. A file of one line (``lineStrokes``) has none; its text
    comes from the folder ``ascii`` of the database, if it lies beside ``lineStrokes``.

    Raises
    ------
    DataError
        If a point has no x or y.
    """
    strokes: list[NDArray[np.float64]] = []
    times: list[NDArray[np.float64]] = []
    for stroke in root.iterfind("StrokeSet/Stroke"):
        try:
            rows = [
                (
                    float(point.attrib["x"]),
                    float(point.attrib["y"]),
                    float(point.get("time", "nan")),
                )
                for point in stroke.iterfind("Point")
            ]
        except (KeyError, ValueError) as error:
            raise DataError(f"a point of stroke {len(strokes) + 1} has no x or y") from error
        if rows:
            values = np.array(rows)
            strokes.append(values[:, :2])
            times.append(values[:, 2])
    timed = all(np.isfinite(part).all() for part in times)
    return Ink(
        tuple(strokes),
        _transcription(root) or _line_of_ascii(path),
        writer=next((name for one in root.iter() if (name := one.get("writerID"))), ""),
        times=tuple(times) if timed else None,
    )


def _transcription(root: Element) -> str:
    # The database escaped these texts twice.
    lines = [html.unescape(line.get("text", "")) for line in root.iterfind(".//TextLine")]
    return "\n".join(lines).strip()


def ascii_file(path: Path) -> Path | None:
    """Return where the database has the texts of the form of a line; None for other files."""
    form, _, number = path.stem.rpartition("-")
    folders = path.parts
    if not number.isdigit() or "lineStrokes" not in folders[:-1]:
        return None
    at = len(folders) - 1 - folders[::-1].index("lineStrokes")
    return Path(*folders[:at], "ascii", *folders[at + 1 : -1], f"{form}.txt")


def _line_of_ascii(path: Path) -> str:
    """Return the text of a line: that of ``.../a01-000u-02.xml`` is the second of its form."""
    text = ascii_file(path)
    if text is None or not text.is_file():
        return ""
    number = path.stem.rpartition("-")[2]
    # First the output of a recogniser (OCR:), then the copied text (CSR:), one line each.
    copied = re.split(r"(?m)^CSR:\s*$", text.read_text("utf-8-sig", errors="replace"))[-1]
    lines = [line.strip() for line in copied.splitlines() if line.strip()]
    return lines[int(number) - 1] if 0 < int(number) <= len(lines) else ""
