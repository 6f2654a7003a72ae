"""InkML writer; it keeps everything that `Ink` holds."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from seqgen_handwriting.files.inkml_values import LETTER
from seqgen_handwriting.files.xml_files import allowed
from seqgen_handwriting.ink import Ink

NAMESPACE = "http://www.w3.org/2003/InkML"


def inkml(ink: Ink) -> str:
    """Return ink as InkML: one trace per stroke, with times in seconds as the channel T.

    Pressure becomes the channel F. Letters become our own channel L, which other readers ignore.
    """
    root = ElementTree.Element("ink", xmlns=NAMESPACE)
    form = ElementTree.SubElement(root, "traceFormat")
    columns: list[tuple[NDArray[Any], ...]] = [ink.strokes]
    for name in ("X", "Y"):
        ElementTree.SubElement(form, "channel", name=name, type="decimal")
    if ink.times is not None:
        ElementTree.SubElement(form, "channel", name="T", type="decimal", units="s")
        columns.append(ink.times)
    if ink.letters is not None:
        ElementTree.SubElement(form, "channel", name=LETTER, type="integer")
        columns.append(ink.letters)
    if ink.pressure is not None:
        ElementTree.SubElement(form, "channel", name="F", type="decimal", min="0", max="1")
        columns.append(ink.pressure)
    for name, text in (("transcription", ink.text), ("writer", ink.writer)):
        if text:
            ElementTree.SubElement(root, "annotation", type=name).text = allowed(text)
    for number, parts in enumerate(zip(*columns, strict=True)):
        rows = np.column_stack(parts).tolist()
        points = (" ".join(repr(value).removesuffix(".0") for value in row) for row in rows)
        ElementTree.SubElement(root, "trace", id=str(number)).text = ", ".join(points)
    ElementTree.indent(root)
    document = ElementTree.tostring(root, "unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'
