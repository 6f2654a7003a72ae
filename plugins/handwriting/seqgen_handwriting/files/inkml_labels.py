"""Text and writer of an InkML document, from its annotations (W3C, 2011, section 6)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from seqgen_handwriting.files.xml_files import local_name

#: Names of annotations with the text; the first one present counts.
TRUTHS = ("truth", "transcription", "label", "text")

#: Kinds of groups that do not begin a new line.
INLINE = {"word", "symbol", "character", "letter", "punctuation"}

#: Texts of groups in CROHME's files that are no content.
NO_TEXT = {"segmentation", "from itf"}


def text_of(root: Element) -> str:
    """Return the text: that of the document, or else those of its groups in their order.

    Dollar signs around TeX are removed. A text of a group stands for the groups inside it. Groups
    that are lines or blocks by their annotation ``type`` are on lines of their own.
    """
    if text := _text(root):
        return text
    found: list[str] = []
    waiting = [root]
    while waiting:
        element = waiting.pop()
        text = "" if element is root else _text(element)
        if text and text.lower() not in NO_TEXT:
            kind = _annotated(element, ("type",)).lower()
            between = " " if not kind or kind in INLINE else "\n"
            found += [between, text] if found else [text]
        else:
            groups = [one for one in element if local_name(one) in ("traceGroup", "traceView")]
            waiting += reversed(groups)
    return "".join(found)


def writer_of(root: Element) -> str:
    """Return the writer that the document names, or an empty text."""
    return _annotated(root, ("writer",))


def _text(element: Element) -> str:
    text = _annotated(element, TRUTHS).strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == "$" else text


def _annotated(element: Element, names: tuple[str, ...]) -> str:
    """Return the first of these annotations that an element has; an empty text for none.

    It is an ``annotation`` of this type, or an element of this name in an ``annotationXML``.
    """
    found: dict[str, str] = {}
    for one in element:
        name = local_name(one)
        if name == "annotation":
            found.setdefault(one.get("type", "").lower(), one.text or "")
        elif name == "annotationXML":
            if not len(one):
                found.setdefault(one.get("type", "").lower(), one.text or "")
            for inner in one:
                found.setdefault(local_name(inner).lower(), inner.text or "")
    return next((text for name in names if (text := found.get(name, "")).strip()), "")
