"""The grammar `latex`: braces, environments with their names, and mathematics.

A blank line ends no formula, comments are free, and no other command begins with the words that
begin and end environments.
"""

from __future__ import annotations

from seqgen_text.grammars.language import BLANKS, LETTERS, Language, Move, prefixes

#: Words that open and close an environment.
WORDS = ("begin", "end")
BEGINNINGS = prefixes(WORDS)

#: Frames of mathematics, and characters of names of environments.
FORMULAS = ("$", "$$", "\\[", "\\(")
NAME = LETTERS | {"*"}


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if state == "comment":
        if character != "\n":
            return Move("comment")
        return Move("new line" if top in FORMULAS else "text")
    if state.startswith("\\"):
        return _in_command(state[1:], top, character)
    if state == "name" or state == "name more":
        if character in NAME:
            return Move("name more", keeps=True)
        return Move("text") if character == "}" and state == "name more" else None
    if state == "end of name":
        return Move("text", pop=True) if character == "}" else None
    if state == "second dollar":
        return Move("text", pop=True) if character == "$" else None
    if character == "\n" and top in FORMULAS:
        return None if state == "new line" else Move("new line")
    if character in BLANKS and state == "new line":
        return Move("new line")
    return _in_text(state, top, character)


def _in_text(state: str, top: str, character: str) -> Move | None:
    if character in "\\%":
        return Move("\\" if character == "\\" else "comment")
    if character == "{":
        return Move("text", push="{")
    if character == "}":
        return Move("text", pop=True) if top == "{" else None
    if character != "$":
        return Move("text")
    if state == "dollar":
        return Move("text", swap="$$")
    if top in FORMULAS:
        return {"$": Move("text", pop=True), "$$": Move("second dollar")}.get(top)
    return Move("dollar", push="$")


def _in_command(word: str, top: str, character: str) -> Move | None:
    """Go on after a backslash, with what of a known word was read."""
    if word + character in BEGINNINGS:
        # Nothing ends that did not begin; the model would write another word that begins so.
        is_lost = word + character == "end" and top != "environment"
        return None if is_lost else Move(f"\\{word}{character}")
    if word == "begin" and character == "{":
        return Move("name", push="environment")
    if word == "end" and character == "{" and top == "environment":
        return Move("end of name")
    if word in WORDS:
        return None
    if not word and character in "([":
        return None if top in FORMULAS else Move("text", push=f"\\{character}")
    if not word and character in ")]":
        opening = "\\(" if character == ")" else "\\["
        return Move("text", pop=True) if top == opening else None
    if not word or character in LETTERS:
        return Move("text")
    return move("text", top, character)


LATEX = Language(
    name="latex",
    start="text",
    after="text",
    frames=("{", "environment", *FORMULAS),
    move=move,
    endings=frozenset({"text", "comment"}),
    closers={"{": "}", "$": "$"},
    matching=frozenset({"end of name"}),
)
