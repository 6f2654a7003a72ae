"""The grammar `python`: brackets, strings, and blocks of indented lines.

A line ends with `:` only where a block begins. Blocks are indented with blanks. Prefixes of strings
are not told apart: a quote begins a string wherever it stands.
"""

from __future__ import annotations

from seqgen_text.grammars.language import OTHER, Language, Move

PAIRS = {"(": ")", "[": "]", "{": "}"}

#: The frame of a block, and characters that a line of code never has outside strings.
BLOCK = "block"
STRANGE = frozenset("$?`")

#: Characters that no source has: Python refuses NULs, and a carriage return ends a line.
NOWHERE = "\0\r"


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does.

    States: `line` and `block` are where a line, or the first one of a block, begins; `code` and
    `colon` are in a line, after a colon or not.
    """
    if character in NOWHERE:
        return None
    if state in ("line", "block"):
        return _at_beginning(state, top, character)
    if state.startswith("comment"):
        return _ended(state == "comment colon", top) if character == "\n" else Move(state)
    if state.startswith(("'", '"')):
        return _in_string(state, top, character)
    if state == "backslash":
        return Move("code") if character == "\n" else None
    return _in_line(state, top, character)


def _ended(is_colon: bool, top: str) -> Move:
    """End a line."""
    if top in PAIRS:
        return Move("code")
    return Move("block" if is_colon else "line")


def _at_beginning(state: str, top: str, character: str) -> Move | None:
    """Go on in the indentation, or begin a line after it."""
    if character == " ":
        return Move(state, indent="count")
    if character == "\n":
        return Move(state)
    if character == "#":
        return Move("comment colon" if state == "block" else "comment")
    found = _in_line("code", top, character)
    if found is None or found.pop or character in "\\\t\f\v":
        return None
    return found._replace(indent="open" if state == "block" else "align")


def _in_line(state: str, top: str, character: str) -> Move | None:
    """Go on in a line."""
    if character == "\n":
        return _ended(state == "colon", top)
    if character == "#":
        return Move("comment colon" if state == "colon" else "comment")
    if character in " \t":
        return Move(state)
    if character == ":" and top not in PAIRS:
        return Move("colon")
    if character in PAIRS:
        return Move("code", push=character)
    if character in PAIRS.values():
        return Move("code", pop=True) if PAIRS.get(top) == character else None
    if character in "'\"":
        return Move(character)
    if character == "\\":
        return Move("backslash")
    is_code = character not in STRANGE and (character == OTHER or " " < character < "\x7f")
    return Move("code") if is_code else None


def _in_string(state: str, top: str, character: str) -> Move | None:
    """Go on in a string; a state has its quotes and the place in it."""
    quotes, _, place = state.partition(" ")
    sign, is_long = quotes[0], len(quotes) == 3
    if place == "\\":
        return Move(f"{quotes} body")
    if not place and character == sign:
        # A second quote ends an empty string or begins a long one.
        return Move(f"{quotes} empty")
    if place == "empty":
        if character == sign:
            return Move(f"{sign * 3} body")
        return _in_line("code", top, character)
    if character == "\\":
        return Move(f"{quotes} \\")
    if is_long:
        count = place.count("+") + 1 if character == sign else 0
        if count == 3:
            return Move("code")
        return Move(f"{quotes} body{'+' * count}")
    if character == sign:
        return Move("code")
    return None if character == "\n" else Move(f"{quotes} body")


PYTHON = Language(
    name="python",
    start="line",
    after="code",
    frames=(*PAIRS, BLOCK),
    move=move,
    endings=frozenset({"line", "code", "comment", "' empty", '" empty'}),
    closers=PAIRS,
    unclosed=BLOCK,
    opening="block",
)
