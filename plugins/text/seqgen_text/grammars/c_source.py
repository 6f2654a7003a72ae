"""The grammar `c`: brackets, literals, comments, directives, and what may stand beside what.

It knows where an operand is due and where an operator: no two operators in sequence, no word after
a number or a call, no `;` or `)` after an operator. Two words in sequence declare something, and
words of the language are no names. A statement ends before `}`, `?` has its `:`, and `for` its two
`;` (`seqgen_text.grammars.c_places`). What an ``#if`` opens, its ``#endif`` closes: brackets do not
cross it. The text of other directives is free, as in macros, but for comments and literals.

What compilers read in two ways does not come: a line of a comment that ends with a backslash, or a
comment that begins in a literal of a directive.
"""

from __future__ import annotations

from seqgen_text.grammars.c_places import (
    ANY,
    BLOCKS,
    CLOSED,
    CLOSERS,
    COMPARING,
    DECLARED,
    FIELDS,
    FIXED,
    FRAMES,
    HAVE,
    IF_FIELDS,
    IF_INSIDE,
    IF_OUTSIDE,
    IFS,
    LINE,
    NEED,
    OPERATORS,
    POINTER,
    RESERVED,
    SET,
    START,
    STRING,
    WORD,
    after_word,
    between,
    word,
)
from seqgen_text.grammars.language import (
    BLANKS,
    DIGITS,
    LETTERS,
    Language,
    Move,
    prefixes,
)

HEX = DIGITS | frozenset("abcdefABCDEF")

#: Directives that open and close a conditional part, or stand in one, and the others.
OPENING, INNER, CLOSING = ("if", "ifdef", "ifndef"), ("else", "elif"), ("endif",)
OTHERS = ("include", "define", "undef", "error", "warning", "pragma", "line")

#: What comes after their names: a symbol alone, nothing, something, or a name first.
FIRST_PARTS = {
    **dict.fromkeys(("ifdef", "ifndef", "undef"), "symbol"),
    **dict.fromkeys(("else", "endif"), "done"),
    **dict.fromkeys(("if", "elif", "include", "line"), "due"),
    "define": "name",
}

#: All beginnings of names of directives, outside of conditional parts and in them.
OUTSIDE, INSIDE = (*OPENING, *OTHERS), (*OPENING, *OTHERS, *INNER, *CLOSING)
NAMES = {False: prefixes(OUTSIDE), True: prefixes(INSIDE)}

#: Parts of a number: the next part after each character, but for the place after the number.
NUMBERS = {
    "zero": {"xX": "hex-due", "0123456789": "digits", ".": "fraction", "uUlL": "suffix"},
    "digits": {"0123456789": "digits", ".": "fraction", "eE": "power-due", "uUlL": "suffix"},
    "fraction": {"0123456789": "fraction", "eE": "power-due", "fFlL": "end"},
    "power-due": {"+-": "power-sign", "0123456789": "power"},
    "power-sign": {"0123456789": "power"},
    "power": {"0123456789": "power", "fFlL": "end"},
    "hex-due": {"".join(sorted(HEX)): "hex"},
    "hex": {"".join(sorted(HEX)): "hex", "uUlL": "suffix"},
    "suffix": {"uUlL": "suffix"},
    "end": {},
}
UNFINISHED = ("power-due", "power-sign", "hex-due")

#: Characters that do the same everywhere: control characters, digits, letters of no known word.
IN_WORDS = frozenset("".join([*RESERVED, *INSIDE, "eEfFuUlLxX"]))
ALIKE = (
    sorted({*map(chr, range(32)), chr(127)} - BLANKS),
    sorted(DIGITS - {"0"}),
    sorted(HEX - DIGITS - IN_WORDS),
    sorted(LETTERS - HEX - IN_WORDS),
)


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if state.startswith("#"):
        return _in_directive_name(state[1:], top, character)
    kind, _, rest = state.partition(" ")
    if kind == "directive":
        return _in_directive(rest, character)
    if kind in ("literal", "letter"):
        return _in_literal(state, character)
    if kind in ("slash", "comment", "comment*", "comment//", "comment\\"):
        return _in_comment(kind, rest, top, character)
    if kind == "word":
        words, _, text = rest.partition(" ")
        if character in WORD:
            return word(words, text + character) if text else Move(state)
        return after_word(words, text, top, character)
    if kind == "number":
        return _in_number(rest, top, character)
    if kind in ("operator", "comparing", "declaring"):
        return _in_operator(kind, rest, top, character)
    if kind in ("dot", "member"):
        return _after_dot(state, top, character)
    return between(kind, top, character)


def is_free(state: str, character: str) -> bool:
    """Return whether a character does the same whatever is open."""
    kind = state.partition(" ")[0]
    if kind == "word":
        return character in WORD
    return kind in ("directive", "literal", "letter") or kind.startswith("comment")


def _in_number(part: str, top: str, character: str) -> Move | None:
    """Go on in a number, or end it."""
    for characters, following in NUMBERS[part].items():
        if character in characters:
            return Move(f"number {following}")
    if part in UNFINISHED or character in WORD or character == ".":
        return None
    return between(FIXED, top, character)


def _in_operator(kind: str, sign: str, top: str, character: str) -> Move | None:
    """Go on after the first characters of an operator.

    `comparing` sets nothing; after `declaring` a star may be that of a pointer.
    """
    after = OPERATORS[sign].get(character)
    if kind == "comparing" and after in ("member", HAVE):
        return None
    if kind == "comparing" and character == "=" and sign not in COMPARING:
        return None
    if after is not None:
        return Move(f"{kind} {after}" if after in OPERATORS else after)
    if sign == "!" or (kind == "comparing" and sign == "="):
        return None
    place = POINTER if kind == "declaring" else SET if sign == "=" else NEED
    return between(place, top, character)


def _after_dot(state: str, top: str, character: str) -> Move | None:
    """Go on after a dot or an arrow: a name; after a dot also digits, or two dots."""
    if character in LETTERS | {"_"}:
        is_name = state == "member" or (state == "dot" and top == "list{")
        return word("names", character) if is_name else None
    if state == "member":
        return Move(state) if character in BLANKS else None
    if character == "." and top == "parameters(":
        return Move(DECLARED if state == "dot dot" else "dot dot")
    is_number = character in DIGITS and state == "dot" and top != "parameters("
    return Move("number fraction") if is_number else None


def _in_comment(kind: str, place: str, top: str, character: str) -> Move | None:
    """Go on in a comment, after which all is as before, or after a slash."""
    if kind == "slash":
        if character in "/*":
            return Move(f"comment// {place}" if character == "/" else f"comment {place}")
        return _after_slash(place, top, character)
    if kind == "comment\\":
        # Whether the next line still belongs to the comment is read in two ways after a blank.
        if character in BLANKS or character == "\\":
            return None if character == "\n" else Move(f"{kind} {place}")
        return Move(f"comment// {place}")
    if kind == "comment//":
        after = {"\n": between(place, top, "\n"), "\\": Move(f"comment\\ {place}")}
        return after.get(character, Move(f"{kind} {place}"))
    if kind == "comment*" and character in "/\\":
        return Move(place) if character == "/" else None
    return Move(f"comment* {place}" if character == "*" else f"comment {place}")


def _after_slash(place: str, top: str, character: str) -> Move | None:
    """Go on after a slash that begins no comment: an operator, if it may come."""
    found = between(place, top, "%")
    if found is None or not found.state.endswith(" %"):
        return None
    return _in_operator(found.state.partition(" ")[0], "/", top, character)


def _in_directive_name(name: str, top: str, character: str) -> Move | None:
    """Go on in the name of a directive, or begin what follows it."""
    is_inside = top in IFS
    if name + character in NAMES[is_inside]:
        return Move(f"#{name}{character}")
    if not name and character in " \t":
        return Move("#")
    if name not in (INSIDE if is_inside else OUTSIDE) or character not in '\n \t"<(!/':
        return None
    after = _in_directive(FIRST_PARTS.get(name, "text"), character)
    if after is None or name not in (*OPENING, *CLOSING):
        return after
    if name in CLOSING:
        return after._replace(pop=True)
    frame = IF_INSIDE if top in BLOCKS else IF_FIELDS if top in FIELDS else IF_OUTSIDE
    return after._replace(push=frame)


def _in_directive(part: str, character: str) -> Move | None:
    """Go on in a directive, which may have comments and go on in the next line.

    Its parts: where something is due, or a name or symbol, it may not end; then comes a free text,
    or nothing if it is `done`; there may be a slash, a backslash, a comment or a literal.
    """
    if part in ("comment", "star"):
        if part == "star" and character in "/\\":
            return Move("directive text") if character == "/" else None
        return Move("directive star" if character == "*" else "directive comment")
    if part[:1] in ("'", '"'):
        return _in_directive_literal(part, character)
    if part in ("backslash", "backslash blank"):
        if character == "\n":
            return Move("directive text") if part == "backslash" else None
        if character in BLANKS:
            return Move("directive backslash blank")
        part = "text"
    if part == "slash":
        if character in "/*":
            return Move(f"comment// {START}" if character == "/" else "directive comment")
        if character == "\\":
            return None
        part = "text"
    return _in_directive_text(part, character)


def _in_directive_text(part: str, character: str) -> Move | None:
    """Go on in the text of a directive outside of comments and literals."""
    if character == "\n":
        return None if part in ("name", "symbol", "due") else Move(LINE)
    if character == "/":
        return None if part in ("name", "symbol", "due") else Move("directive slash")
    if character in BLANKS:
        after = {"in-name": "text", "in-symbol": "done"}
        return Move(f"directive {after.get(part, part)}")
    if part in ("name", "symbol"):
        return Move(f"directive in-{part}") if character in LETTERS | {"_"} else None
    if part in ("in-name", "in-symbol") and character in WORD:
        return Move(f"directive {part}")
    if part in ("done", "in-symbol"):
        return None
    names = {"\\": "backslash", '"': '"', "'": "'"}
    return Move(f"directive {names.get(character, 'text')}")


def _in_directive_literal(part: str, character: str) -> Move | None:
    """Go on in a literal of a directive, which begins no comment."""
    quote, rest = part[0], part[1:]
    if character == "\n" and rest != "\\":
        return None
    if rest == "\\":
        return Move(f"directive {quote}")
    if rest == "/" and character in "*\\":
        return None
    if character == quote:
        return Move("directive text")
    kept = character if character in "/\\" else ""
    return Move(f"directive {quote}{kept}")


def _in_literal(state: str, character: str) -> Move | None:
    """Go on in a string or a character."""
    if character == "\n" and state != "literal \\":
        return None
    if state == "literal":
        return Move({'"': STRING, "\\": "literal \\"}.get(character, state))
    if state == "literal \\":
        return Move("literal")
    if state == "letter":
        after = "letter \\" if character == "\\" else "letter end"
        return None if character == "'" else Move(after)
    if state == "letter \\":
        return Move("letter code")
    if character == "'":
        return Move(FIXED)
    return Move("letter code") if state == "letter code" and character in HEX else None


C = Language(
    name="c",
    start=LINE,
    after=ANY,
    frames=FRAMES,
    move=move,
    endings=frozenset(
        f"{before}{place}"
        for place in (START, LINE, ANY)
        for before in ("", "comment// ", "comment\\ ")
    ),
    closers=CLOSERS,
    closed=CLOSED,
    alike=ALIKE,
    is_free=is_free,
)
