"""The grammar `json`: one value with whitespace around it (RFC 8259)."""

from __future__ import annotations

from seqgen_text.grammars.language import DIGITS, OTHER, Language, Move, prefixes

BLANKS = frozenset(" \t\n\r")
WORDS = ("true", "false", "null")
BEGINNINGS = prefixes(WORDS)
ESCAPES = frozenset('"\\/bfnrt')
HEX = DIGITS | frozenset("abcdefABCDEF")

#: States of a number that may end there, and all states of a number: its next characters.
WHOLE = frozenset({"zero", "integer", "fraction", "exponent"})
NUMBER = {
    "minus": {"0": "zero", **dict.fromkeys("123456789", "integer")},
    "zero": {".": "point", "e": "e", "E": "e"},
    "integer": {**dict.fromkeys("0123456789", "integer"), ".": "point", "e": "e", "E": "e"},
    "point": dict.fromkeys("0123456789", "fraction"),
    "fraction": {**dict.fromkeys("0123456789", "fraction"), "e": "e", "E": "e"},
    "e": {"+": "sign", "-": "sign", **dict.fromkeys("0123456789", "exponent")},
    "sign": dict.fromkeys("0123456789", "exponent"),
    "exponent": dict.fromkeys("0123456789", "exponent"),
}


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if state.startswith(("key", "string")):
        return _in_string(state, character)
    if state in NUMBER and character in NUMBER[state]:
        return Move(NUMBER[state][character])
    if state in WHOLE or state == "after":
        return _after(top, character)
    if state in BEGINNINGS and state + character in BEGINNINGS:
        word = state + character
        return Move("after" if word in WORDS else word)
    if character in BLANKS:
        return None if state in NUMBER or state in BEGINNINGS else Move(state)
    if state == "colon":
        return Move("value") if character == ":" else None
    if state in ("first key", "next key"):
        return Move("key") if character == '"' else _closed(state == "first key", top, character)
    if state in ("start", "value", "first value"):
        return _value(character) or _closed(state == "first value", top, character)
    return None


def _value(character: str) -> Move | None:
    """Begin a value."""
    if character == "{":
        return Move("first key", push="{")
    if character == "[":
        return Move("first value", push="[")
    if character == '"':
        return Move("string")
    if character in NUMBER["minus"] or character == "-":
        return Move("minus" if character == "-" else NUMBER["minus"][character])
    return Move(character) if character in BEGINNINGS and character else None


def _after(top: str, character: str) -> Move | None:
    """Go on after a value."""
    if character == "," and top:
        return Move("next key" if top == "{" else "value")
    return Move("after") if character in BLANKS else _closed(True, top, character)


def _closed(may_close: bool, top: str, character: str) -> Move | None:
    """Close an object or a list."""
    is_end = may_close and (top, character) in (("{", "}"), ("[", "]"))
    return Move("after", pop=True) if is_end else None


def _in_string(state: str, character: str) -> Move | None:
    """Go on in a string, which is a key or a value, in an escape or not."""
    kind, _, place = state.partition(" ")
    if not place:
        if character == '"':
            return Move("colon" if kind == "key" else "after")
        if character == "\\":
            return Move(f"{kind} \\")
        return Move(kind) if character == OTHER or character >= " " else None
    if place == "\\":
        if character == "u":
            return Move(f"{kind} u1")
        return Move(kind) if character in ESCAPES else None
    if character not in HEX:
        return None
    # A surrogate, \ud800 to \udfff, would need its other half.
    if place == "u2d":
        return Move(f"{kind} u3") if character in "01234567" else None
    if place == "u1":
        return Move(f"{kind} u2d" if character in "dD" else f"{kind} u2")
    return Move(kind if place == "u4" else f"{kind} u{int(place[1]) + 1}")


JSON = Language(
    name="json",
    start="start",
    after="after",
    frames=("{", "["),
    move=move,
    endings=frozenset({"after", *WHOLE}),
    closers={"{": "}", "[": "]"},
)
