"""The grammar `xml`: one document, well-formed (Extensible Markup Language 1.0, fifth edition).

Stricter than the standard: names are of ASCII, no document type defines entities, and a declaration
is one of the usual ones.
"""

from __future__ import annotations

from itertools import product

from seqgen_text.grammars.language import DIGITS, LETTERS, NOTHING, Language, Move, prefixes

BLANKS = frozenset(" \t\n\r")
NAME_BEGIN = LETTERS | {"_", ":"}
NAME = LETTERS | DIGITS | frozenset("_:-.")
ENTITIES = prefixes(("&amp;", "&lt;", "&gt;", "&quot;", "&apos;"))
HEX = DIGITS | frozenset("abcdefABCDEF")

DECLARATIONS = tuple(
    f'<?xml version="1.0"{encoding}{standalone}?>'
    for encoding, standalone in product(
        ("", ' encoding="UTF-8"', ' encoding="utf-8"'),
        ("", ' standalone="yes"', ' standalone="no"'),
    )
)
DECLARED = prefixes(DECLARATIONS)
DOCTYPE, CDATA, COMMENT = "<!DOCTYPE", "<![CDATA[", "<!--"
KINDS = prefixes(("PUBLIC", "SYSTEM"))
#: What comes after a blank in the type of a document.
AFTER_TYPE = {
    "type": "blank",
    "name": "after",
    "PUBLIC": "public",
    "SYSTEM": "system",
    "system blank": "system",
}
PUBLIC = LETTERS | DIGITS | BLANKS | frozenset("-'()+,./:=?;!*#@$_%")


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if (character < " " and character not in BLANKS) or character == "\x7f":
        return None
    if state.startswith("<?"):
        return _in_declaration(state, character)
    if state.startswith("<"):
        return _after_less(state, top, character)
    if state.startswith("&") or " &" in state:
        return _in_entity(state, character)
    if state in ("text", "text ]", "text ]]", "before", "first"):
        return _in_text(state, top, character)
    if state.startswith("type"):
        return _in_type(state, character)
    if state.startswith(("comment", "cdata")):
        return _in_section(state, character)
    return _in_tag(state, character)


def _in_text(state: str, top: str, character: str) -> Move | None:
    """Go on between tags; `first` is the beginning of a document, `before` that of its root."""
    if character == "<":
        return Move({"first": "<first", "before": "<before"}.get(state, "<"))
    if top == NOTHING:
        after = "text" if state == "text" else "before"
        return Move(after) if character in BLANKS else None
    if character == "&":
        return Move("text &")
    if character == "]":
        return Move("text ]" if state == "text" else "text ]]")
    return None if character == ">" and state == "text ]]" else Move("text")


def _after_less(state: str, top: str, character: str) -> Move | None:
    """Go on after ``<``; the state has what was read, and where the document was."""
    is_before = "before" in state or "first" in state
    if state in ("<", "<before", "<first"):
        if character == "?" and state == "<first":
            return Move("<?")
        if character == "!":
            return Move("<!before" if is_before else "<!")
        if character == "/" and top:
            return Move("</")
        is_root = is_before or top
        is_name = character in NAME_BEGIN
        return Move("name", push="tag", keeps=True) if is_name and is_root else None
    if state == "</":
        return Move("text", pop=True) if character == ">" else None
    read = state.replace("before", "") + character
    known = (COMMENT, *((DOCTYPE,) if is_before else (CDATA,) if top else ()))
    if read == COMMENT:
        return Move("comment before" if is_before else "comment")
    if read == CDATA and top:
        return Move("cdata")
    if read == DOCTYPE and is_before:
        return Move("type")
    return Move(read + "before" * is_before) if read in prefixes(known) else None


def _in_declaration(state: str, character: str) -> Move | None:
    """Go on in the declaration."""
    read = state + character
    if read in DECLARATIONS:
        return Move("before")
    return Move(read) if read in DECLARED else None


def _in_type(state: str, character: str) -> Move | None:
    """Go on in the type of the document: its name, and where it is defined."""
    read = state.removeprefix("type ")
    if state in ("type public", "type system") and character == '"':
        return Move(f"{state} value")
    if state == "type public value":
        ends = character == '"'
        return Move("type system blank" if ends else state) if ends or character in PUBLIC else None
    if state == "type system value":
        return Move("type done" if character == '"' else state)
    if character == ">":
        return Move("before") if read in ("name", "after", "done") else None
    if character in BLANKS:
        after = AFTER_TYPE.get(read, read)
        return None if read in KINDS and read == after else Move(f"type {after}")
    if read in ("name", "blank"):
        return Move("type name") if character in (NAME if read == "name" else NAME_BEGIN) else None
    begun = ("" if read == "after" else read) + character
    return Move(f"type {begun}") if begun in KINDS else None


def _in_section(state: str, character: str) -> Move | None:
    """Go on in a comment or a section of text."""
    kind, _, where = state.partition(" ")
    after = "before" if "before" in where else "text"
    mark = " before" if after == "before" else ""
    count = state.count("-") if kind == "comment" else state.count("]")
    sign = "-" if kind == "comment" else "]"
    if character == ">" and count == 2:
        return Move(after)
    if count == 2 and kind == "comment":
        return None  # two hyphens come at the end only
    if character == sign:
        return Move(f"{kind}{mark} {sign * min(count + 1, 2)}")
    return Move(f"{kind}{mark}")


def _in_entity(state: str, character: str) -> Move | None:
    """Go on after ``&``: a known name, or the number of a character that may come."""
    place, _, read = state.partition(" ")
    read += character
    if read in ENTITIES or read in ("&#", "&#x"):
        return Move(place if read.endswith(";") else f"{place} {read}")
    if not read.startswith("&#"):
        return None
    base, digits = ("&#x", read[3:]) if read.startswith("&#x") else ("&#", read[2:])
    is_hex, count = base == "&#x", len(digits)
    if character == ";":
        # No control characters: from 32, or hexadecimal 20, on.
        is_whole = count > 3 or (count == 3 and (is_hex or digits[0] in "456789"))
        return Move(place) if is_whole else None
    # Four digits are no surrogate.
    first = "23456789abcABC" if is_hex else "123456789"
    if character not in (HEX if is_hex else DIGITS) or digits[0] not in first or count > 4:
        return None
    # Only the first digit and how many there are matter.
    kept = digits[0] if not is_hex else "2"
    return Move(f"{place} {base}{kept}{'1' * (count - 1)}")


def _in_tag(state: str, character: str) -> Move | None:
    """Go on in a tag: its name, blanks, attributes and their values."""
    if state in ("'", '"'):
        if character == state:
            return Move("value end")
        return None if character == "<" else Move(f"{state} &" if character == "&" else state)
    if state == "name" and character in NAME:
        return Move("name", keeps=True)
    if state == "attribute" and character in NAME:
        return Move("attribute", attribute="name")
    if state == "attribute":
        return Move("=", attribute="end") if character == "=" else None
    if state == "=":
        return Move(character) if character in "'\"" else None
    if state == "/":
        return Move("text", pop=True, attribute="tag") if character == ">" else None
    if character in BLANKS:
        return Move("blank")
    if character in "/>":
        return Move("/") if character == "/" else Move("text", attribute="tag")
    is_begin = state == "blank" and character in NAME_BEGIN
    return Move("attribute", attribute="name") if is_begin else None


XML = Language(
    name="xml",
    start="first",
    after="text",
    frames=("tag",),
    move=move,
    endings=frozenset({"text"}),
    matching=frozenset({"</"}),
)
