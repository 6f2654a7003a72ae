"""The grammar `c`: brackets, strings, comments and directives of the preprocessor.

Within round and square brackets there is no statement, so no `;` but in the head of `for`. What an
``#if`` opens, its ``#endif`` closes: brackets do not cross it. The text of other directives is
free, as in macros.
"""

from __future__ import annotations

from seqgen_text.grammars.language import (
    BLANKS,
    DIGITS,
    LETTERS,
    OTHER,
    Language,
    Move,
    prefixes,
)

PAIRS = {"(": ")", "for(": ")", "[": "]", "{": "}"}
WORD = LETTERS | DIGITS | {"_"}
HEX = DIGITS | frozenset("abcdefABCDEF")

#: Directives that open and close a conditional part, or stand in one, and the others.
OPENING, INNER, CLOSING = ("if", "ifdef", "ifndef"), ("else", "elif"), ("endif",)
OTHERS = ("include", "define", "undef", "error", "warning", "pragma", "line")

#: Characters that C has in strings and comments only.
STRANGE = frozenset("@`$\\#") | {OTHER}


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if state in ("code", "line", "for", "fo", "f", "word", "slash", "for "):
        return _in_code(state, top, character)
    if state.startswith("#"):
        return _in_directive_name(state[1:], top, character)
    if state.startswith("directive"):
        return _in_directive(state, character)
    if state in ("comment", "star"):
        if character == "/" and state == "star":
            return Move("code")
        return Move("star" if character == "*" else "comment")
    if state == "line comment":
        return Move("line" if character == "\n" else state)
    return _in_literal(state, character)


def _in_code(state: str, top: str, character: str) -> Move | None:
    """Go on in code: at the beginning of a line, in a word, after a slash."""
    if state == "slash" and character in "/*":
        return Move("line comment" if character == "/" else "comment")
    if character == "#":
        return Move("#") if state == "line" and top in ("", "{", "#if") else None
    if character in STRANGE:
        return None
    if character in WORD:
        return _in_word(state, character)
    if character in BLANKS:
        after = "line" if character == "\n" or state == "line" else "code"
        return Move("for " if state in ("for", "for ") and after == "code" else after)
    if character == "(":
        return Move("code", push="for(" if state in ("for", "for ") else "(")
    if character in "[{":
        is_block = character == "{" and top in ("(", "for(", "[")
        return None if is_block else Move("code", push=character)
    if character in ")]}":
        return Move("code", pop=True) if PAIRS.get(top) == character else None
    if character == ";" and top in ("(", "["):
        return None
    return Move({"/": "slash", '"': "string", "'": "letter"}.get(character, "code"))


def _in_word(state: str, character: str) -> Move:
    """Go on in a word, or begin one; `for` is one to notice."""
    if character not in LETTERS | {"_"} and state not in ("word", "f", "fo", "for"):
        return Move("word")
    if state in ("word", "for"):
        return Move("word")
    follows = {"f": "fo", "fo": "for"}
    if state in follows:
        return Move(follows[state] if state + character in ("fo", "for") else "word")
    return Move("f" if character == "f" else "word")


def _in_directive_name(word: str, top: str, character: str) -> Move | None:
    """Go on in the name of a directive, or begin what follows it."""
    names = (*OPENING, *OTHERS, *(INNER + CLOSING if top == "#if" else ()))
    if word + character in prefixes(names):
        return Move(f"#{word}{character}")
    if not word and character in " \t":
        return Move("#")
    if word not in names or character not in '\n \t"<(!/':
        return None
    needs_more = word not in (*INNER[:1], *CLOSING, "error", "warning", "pragma")
    if character == "\n" and needs_more:
        return None
    after = {"\n": "line", "/": "directive slash"}.get(character, "directive")
    if word in OPENING:
        return Move(after, push="#if")
    return Move(after, pop=True) if word in CLOSING else Move(after)


def _in_directive(state: str, character: str) -> Move:
    """Go on in the text of a directive, which may have comments and go on in the next line."""
    if state in ("directive comment", "directive star"):
        if character == "/" and state == "directive star":
            return Move("directive")
        return Move("directive star" if character == "*" else "directive comment")
    if state == "directive backslash":
        return Move("directive")
    if state == "directive slash" and character == "*":
        return Move("directive comment")
    if state == "directive slash" and character == "/":
        return Move("line comment")
    names = {"\n": "line", "\\": "directive backslash", "/": "directive slash"}
    return Move(names.get(character, "directive"))


def _in_literal(state: str, character: str) -> Move | None:
    """Go on in a string or a character."""
    if character == "\n" and state != "string \\":
        return None
    if state == "string":
        return Move({'"': "code", "\\": "string \\"}.get(character, "string"))
    if state == "string \\":
        return Move("string")
    if state == "letter":
        after = "letter \\" if character == "\\" else "letter end"
        return None if character == "'" else Move(after)
    if state == "letter \\":
        return Move("letter code")
    if character == "'":
        return Move("code")
    return Move("letter code") if state == "letter code" and character in HEX else None


C = Language(
    name="c",
    start="line",
    after="code",
    frames=(*PAIRS, "#if"),
    move=move,
    endings=frozenset({"line", "code", "word", "f", "fo", "for", "for ", "line comment"}),
    closers={"}": "{", ")": "(", "]": "["},
)
