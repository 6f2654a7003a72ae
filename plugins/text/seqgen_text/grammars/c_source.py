"""The grammar `c`: brackets, literals, comments, directives, and what may stand beside what.

It knows where an operand is due and where an operator: no two operators in sequence, no word after
a number or a call, no `;` or `)` after an operator. Two words in sequence declare something, so
they come where a statement or a parameter begins, or after a word of a type. Within round and
square brackets there is no statement, so no `;` but in the head of `for`. What an ``#if`` opens,
its ``#endif`` closes: brackets do not cross it. The text of other directives is free, as in macros.
"""

from __future__ import annotations

from seqgen_text.grammars.language import (
    BLANKS,
    DIGITS,
    LETTERS,
    NOTHING,
    OTHER,
    Language,
    Move,
    prefixes,
)

ROUND = ("(", "group(", "parameters(", "head(", "for(")
CLOSERS = {**dict.fromkeys(ROUND, ")"), "[": "]", "{": "}"}
WORD = LETTERS | DIGITS | {"_"}
HEX = DIGITS | frozenset("abcdefABCDEF")

#: Directives that open and close a conditional part, or stand in one, and the others.
OPENING, INNER, CLOSING = ("if", "ifdef", "ifndef"), ("else", "elif"), ("endif",)
OTHERS = ("include", "define", "undef", "error", "warning", "pragma", "line")

#: Characters that C has in strings and comments only.
STRANGE = frozenset("@`$\\#") | {OTHER}

#: Places between tokens at which a statement may begin: at its beginning, also where a line begins;
#: after the head of `if`, `else`; after a brace that opens, or a colon; after a brace that closes;
#: and after what may not come, where all may follow.
START, LINE, BODY, OPEN_BRACE, CLOSED, ANY = "start", "line", "body", "brace", "closed", "any"
BEGINNING = (START, LINE, BODY, OPEN_BRACE, CLOSED, ANY)

#: Places in a declaration: after a word that is no type yet, such as `static`; after a type; after
#: a word that may be one.
SPECIFIER, TYPE, MAYBE = "specifier", "type", "maybe"

#: Places in an expression: after an operator; a bracket or `return`; a comma; `=`; a star, which
#: may be that of a type; a name; another operand; a string; what may be a cast; before a head.
NEED, OPEN, COMMA, SET, STAR = "need", "open", "comma", "set", "star"
NAME, HAVE, STRING, CAST, HEAD, HEAD_FOR = "name", "have", "string", "cast", "if", "for"
DUE = (NEED, OPEN, COMMA, SET, STAR)
OPERAND = (NAME, HAVE, STRING, CAST, MAYBE)
PLACES = (*BEGINNING, *DUE, *OPERAND, HEAD, HEAD_FOR, SPECIFIER, TYPE)

#: What comes after words that begin or are a statement.
KEYWORDS = {
    **dict.fromkeys(("if", "while", "switch"), HEAD),
    "for": HEAD_FOR,
    **dict.fromkeys(("else", "do"), BODY),
    "return": OPEN,
    "case": NEED,
}

#: What comes after words of types.
SPECIFIERS = {
    **dict.fromkeys(("static", "const", "extern", "inline", "volatile", "typedef"), SPECIFIER),
    **dict.fromkeys(("struct", "union", "enum"), SPECIFIER),
    **dict.fromkeys(("unsigned", "signed", "int", "char", "short", "long"), TYPE),
    **dict.fromkeys(("void", "float", "double"), TYPE),
}

#: What comes after known words, and after others: where a statement begins, where a parameter does
#: or a type is due, and in expressions.
WORDS = {
    "begins": (KEYWORDS | SPECIFIERS, MAYBE),
    "declares": (SPECIFIERS, MAYBE),
    "names": (SPECIFIERS, NAME),
}

#: All beginnings of these words, and of the names of directives.
KNOWN = {kind: prefixes(known) for kind, (known, _) in WORDS.items()}
OUTSIDE, INSIDE = (*OPENING, *OTHERS), (*OPENING, *OTHERS, *INNER, *CLOSING)
NAMES = {False: prefixes(OUTSIDE), True: prefixes(INSIDE)}

#: Second characters of operators, and what comes after them.
OPERATORS = {
    "+": {"+": HAVE, "=": NEED},
    "-": {"-": HAVE, "=": NEED, ">": "member"},
    "*": {"=": NEED},
    "/": {"=": NEED},
    "%": {"=": NEED},
    "=": {"=": NEED},
    "!": {"=": NEED},
    "<": {"<": "<<", "=": NEED},
    ">": {">": ">>", "=": NEED},
    "<<": {"=": NEED},
    ">>": {"=": NEED},
    "&": {"&": NEED, "=": NEED},
    "|": {"|": NEED, "=": NEED},
    "^": {"=": NEED},
}

#: What an operator is like where no second character comes: `=` takes braces, a star ends types.
ALONE = {"=": SET, "*": STAR}

#: Places where no number and no literal begins.
AFTER_WORDS = (NAME, HAVE, STRING, MAYBE, SPECIFIER, TYPE, HEAD, HEAD_FOR)

#: Characters that do the same everywhere: control characters, digits, letters of no known word.
IN_WORDS = frozenset("".join([*KEYWORDS, *SPECIFIERS, *INSIDE]))
ALIKE = (
    sorted({*map(chr, range(32)), chr(127)} - BLANKS),
    sorted(DIGITS),
    sorted(HEX - DIGITS - IN_WORDS),
    sorted(LETTERS - HEX - IN_WORDS),
)

UNARY = frozenset("+-!~*&")


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if state.startswith("#"):
        return _in_directive_name(state[1:], top, character)
    if state.startswith("directive"):
        return _in_directive(state, character)
    kind, _, rest = state.partition(" ")
    if kind in ("literal", "letter"):
        return _in_literal(state, character)
    if kind in ("slash", "comment", "comment*", "comment//"):
        return _in_comment(kind, rest, top, character)
    if kind == "word":
        words, _, text = rest.partition(" ")
        return _in_word(words, text, top, character)
    if kind == "number":
        inside = character in WORD or character == "."
        return Move(state) if inside else _between(HAVE, top, character)
    if kind == "operator":
        return _in_operator(rest, top, character)
    if kind in ("dot", "member"):
        return _after_dot(state, character)
    return _between(kind, top, character, is_line=rest == "line")


def _between(place: str, top: str, character: str, *, is_line: bool = False) -> Move | None:
    """Go on between two tokens."""
    if character in BLANKS:
        return _blank(place, character, is_line=is_line)
    if character == "#":
        begins = is_line or place == LINE
        return Move("#") if begins and top in (NOTHING, "{", "#if") else None
    if character in STRANGE:
        return None
    if character == "/":
        return Move(f"slash {_same(place)}")
    if character in DIGITS:
        return None if place in AFTER_WORDS else Move("number")
    if character in WORD:
        return _first_letter(place, top, character)
    if character in "\"'":
        follows = place == STRING and character == '"'
        kind = "literal" if character == '"' else "letter"
        bars = place in AFTER_WORDS and not follows
        return None if bars else Move(kind)
    if character in "()[]{}":
        return _bracket(place, top, character)
    return _sign(place, top, character)


def _same(place: str) -> str:
    return START if place == LINE else place


def _blank(place: str, character: str, *, is_line: bool) -> Move:
    """Go on after a blank; where a line begins a directive may come, if nothing is due."""
    if character == "\n" or is_line or place == LINE:
        if place in (START, LINE, OPEN_BRACE, CLOSED):
            return Move(LINE if place in (START, LINE) else f"{place} line")
        if place in (BODY, ANY, HAVE, CAST):
            return Move(f"{place} line")
    return Move(place)


def _first_letter(place: str, top: str, character: str) -> Move | None:
    """Begin a word."""
    if place in (NAME, HAVE, STRING, HEAD, HEAD_FOR):
        return None
    kind = "begins" if place in BEGINNING else "names"
    if place == SPECIFIER or (place in (OPEN, COMMA) and top in ("parameters(", "for(")):
        kind = "declares"
    return _word(kind, character)


def _word(kind: str, text: str) -> Move:
    """Return the state within a word, with its text as far as it may be a known one."""
    return Move(f"word {kind} {text if text in KNOWN[kind] else ''}")


def _in_word(kind: str, text: str, top: str, character: str) -> Move | None:
    """Go on in a word, or end it."""
    if character in WORD:
        return _word(kind, text + character) if text else Move(f"word {kind} ")
    known, other = WORDS[kind]
    return _between(known.get(text, other), top, character)


def _bracket(place: str, top: str, character: str) -> Move | None:
    """Open or close a bracket."""
    if character == "(":
        frames = {HEAD: "head(", HEAD_FOR: "for(", NAME: "(", HAVE: "parameters(", MAYBE: "("}
        frame = frames.get(place, "group(")
        is_outside = top in (NOTHING, "#if") and frame == "("
        return None if place == STRING else Move(OPEN, push="parameters(" if is_outside else frame)
    if place in (HEAD, HEAD_FOR):
        return None
    if character == "[":
        return Move(OPEN, push="[") if place in (*OPERAND, ANY) else None
    if character == "{":
        is_block = place in (*BEGINNING, SET, COMMA, OPEN, NAME, HAVE, CAST, MAYBE, SPECIFIER)
        return Move(OPEN_BRACE, push="{") if is_block and top not in (*ROUND, "[") else None
    if CLOSERS.get(top) != character:
        return None
    if character == "}":
        return None if place in (NEED, OPEN, SET, STAR, SPECIFIER) else Move(CLOSED, pop=True)
    if place in (NEED, COMMA, SET, SPECIFIER) or (place == STAR and character == "]"):
        return None
    after = {"(": HAVE, "parameters(": HAVE, "group(": CAST, "[": HAVE}
    return Move(after.get(top, BODY), pop=True)


def _sign(place: str, top: str, character: str) -> Move | None:
    """Go on after a sign that is no bracket."""
    if character == ";":
        if top in ("(", "group(", "parameters(", "head(", "["):
            return None
        if place in (NEED, SPECIFIER, COMMA, SET, STAR, HEAD, HEAD_FOR):
            return None
        return Move(OPEN if top == "for(" else START)
    if place in (HEAD, HEAD_FOR):
        return None
    if character == ".":
        return Move("member" if place in (NAME, HAVE, CAST, MAYBE) else "dot")
    if place in (SPECIFIER, TYPE):
        is_pointer = character == "*" or (character == "," and place == TYPE)
        return Move(STAR if character == "*" else COMMA) if is_pointer else None
    takes = place in (*OPERAND, ANY)
    if character in OPERATORS and takes:
        return Move(f"operator {character}")
    if character in UNARY and not takes:
        return Move(NEED if character != "*" else STAR)
    if character == "~":
        return Move(NEED) if place in (CAST, ANY) else None
    if character == "?":
        return Move(NEED) if takes else None
    if character == ":":
        return Move(OPEN_BRACE) if takes else None
    return Move(COMMA) if character == "," and (takes or place in (CLOSED, STAR)) else None


def _in_operator(sign: str, top: str, character: str) -> Move | None:
    """Go on after the first characters of an operator."""
    if character in OPERATORS[sign]:
        after = OPERATORS[sign][character]
        return Move(f"operator {after}" if after in OPERATORS else after)
    return None if sign == "!" else _between(ALONE.get(sign, NEED), top, character)


def _after_dot(state: str, character: str) -> Move | None:
    """Go on after a dot or an arrow: a name; after a dot also digits, or two dots."""
    if character in LETTERS | {"_"}:
        return Move("word names ") if state != "dot dot" else None
    if state == "member":
        return Move(state) if character in BLANKS else None
    if character == ".":
        return Move(HAVE if state == "dot dot" else "dot dot")
    return Move("number") if character in DIGITS and state == "dot" else None


def _in_comment(kind: str, place: str, top: str, character: str) -> Move | None:
    """Go on in a comment, after which all is as before, or after a slash."""
    if kind == "slash":
        if character in "/*":
            return Move(f"comment// {place}" if character == "/" else f"comment {place}")
        is_operator = place in (*OPERAND, ANY)
        return _in_operator("/", top, character) if is_operator else None
    if kind == "comment//":
        return _blank(place, "\n", is_line=True) if character == "\n" else Move(f"{kind} {place}")
    if character == "/" and kind == "comment*":
        return Move(place)
    return Move(f"comment* {place}" if character == "*" else f"comment {place}")


def _in_directive_name(word: str, top: str, character: str) -> Move | None:
    """Go on in the name of a directive, or begin what follows it."""
    if word + character in NAMES[top == "#if"]:
        return Move(f"#{word}{character}")
    if not word and character in " \t":
        return Move("#")
    if word not in (INSIDE if top == "#if" else OUTSIDE) or character not in '\n \t"<(!/':
        return None
    needs_more = word not in (*INNER[:1], *CLOSING, "error", "warning", "pragma")
    if character == "\n" and needs_more:
        return None
    after = {"\n": LINE, "/": "directive slash"}.get(character, "directive")
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
        return Move(f"comment// {START}")
    names = {"\n": LINE, "\\": "directive backslash", "/": "directive slash"}
    return Move(names.get(character, "directive"))


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
        return Move(HAVE)
    return Move("letter code") if state == "letter code" and character in HEX else None


C = Language(
    name="c",
    start=LINE,
    after=ANY,
    frames=(*CLOSERS, "#if"),
    move=move,
    endings=frozenset(
        f"{before}{place}{after}"
        for place in (*BEGINNING, *OPERAND)
        for before in ("", "comment// ")
        for after in ("", " line")
    )
    | {"number", *(f"word {kind} {text}" for kind in WORDS for text in {"", *KNOWN[kind]})},
    closers=CLOSERS,
    alike=ALIKE,
)
