"""What may stand beside what in C: statements, declarations and expressions.

A place is what stands before a character that begins a token, such as `NEED` where an operand is
due. `between` says what the character does there. `seqgen_text.grammars.c_source` reads the
characters within tokens.
"""

from __future__ import annotations

from functools import cache

from seqgen_text.grammars.language import (
    BLANKS,
    DIGITS,
    LETTERS,
    NOTHING,
    OTHER,
    Move,
    prefixes,
)

WORD = LETTERS | DIGITS | {"_"}

#: Characters that C has in strings and comments only.
STRANGE = frozenset("@`$\\#") | {OTHER}

#: Places at which a statement may begin: anywhere in a line; at the beginning of a line; where the
#: body of `if` is due; and after what may not come, where all may follow.
START, LINE, BODY, ANY = "start", "line", "body", "any"
BEGINNING = (START, LINE, BODY, ANY)

#: Places in a declaration: after a word that is no type yet, such as `static`; after a type; after
#: a word that may be one; after `struct` and its name; after `enum` and its name; after a star;
#: after the name that is declared; after `(` of a pointer to a function; after its `)`; after
#: parameters; after a list in braces.
SPECIFIER, TYPE, MAYBE, STRUCT, STRUCT_NAME = "specifier", "type", "maybe", "struct", "struct-name"
ENUM, ENUM_NAME, POINTER, DECLARED = "enum", "enum-name", "pointer", "declared"
INNER, POINTED, SIGNATURE, LISTED = "inner", "pointed", "signature", "listed"
TYPES = (TYPE, STRUCT_NAME, ENUM_NAME, POINTER)

#: Places in an expression where an operand is due: after an operator; a bracket or `return`; a
#: comma; `=`; `sizeof`.
NEED, OPEN, COMMA, SET, SIZEOF = "need", "open", "comma", "set", "sizeof"
DUE = (NEED, OPEN, COMMA, SET)

#: Places after an operand: a name; a call or an element; what takes no value, such as a number; a
#: string; a name in brackets that may be a type, and a star after it; what may be a cast.
NAME, HAVE, FIXED, STRING, CAST_NAME, CAST_STAR, CAST = (
    *("name", "have", "fixed", "string", "cast-name"),
    *("cast-star", "cast"),
)
OPERAND = (NAME, HAVE, FIXED, STRING, CAST_NAME, CAST, MAYBE, ANY)

#: Places after words of statements: before a head; after `break`; `goto`; `default`.
HEAD, HEAD_FOR, BREAK, GOTO, DEFAULT = "if", "for", "break", "goto", "default"

PLACES = (
    *(*BEGINNING, SPECIFIER, TYPE, MAYBE, STRUCT, STRUCT_NAME, ENUM, ENUM_NAME, POINTER),
    *(DECLARED, INNER, POINTED, SIGNATURE, LISTED, *DUE, SIZEOF, NAME, HAVE, FIXED, STRING),
    *(CAST_NAME, CAST_STAR, CAST, HEAD, HEAD_FOR, BREAK, GOTO, DEFAULT),
)

#: Frames: round brackets of calls, groups, parameters, pointers to functions, heads, and `for` with
#: the semicolons that it has; square ones; braces of blocks, lists, enumerations and structures;
#: the body that a head needs; the `:` that `?` and `case` need; conditional parts outside of
#: functions, in blocks and in structures. A body becomes the block that is its statement, or the
#: next head.
ROUND = ("(", "group(", "parameters(", "pointer(", "head(", "for(", "for;(", "for;;(")
CLOSERS = {
    **dict.fromkeys(ROUND, ")"),
    **dict.fromkeys(("[",), "]"),
    **dict.fromkeys(("{", "list{", "enum{", "struct{"), "}"),
}
IF_OUTSIDE, IF_INSIDE, IF_FIELDS = IFS = ("#if", "#if{", "#if;")
FRAMES = (*CLOSERS, "body", "?", "case", *IFS)

#: Frames of what is outside of functions, of blocks, and of structures.
OUTSIDE, BLOCKS, FIELDS = (NOTHING, IF_OUTSIDE), ("{", IF_INSIDE), ("struct{", IF_FIELDS)
STATEMENTS = (*OUTSIDE, *BLOCKS, *FIELDS)

#: The place after each frame.
CLOSED = {
    "(": HAVE,
    "group(": HAVE,
    "parameters(": SIGNATURE,
    "pointer(": POINTED,
    "[": HAVE,
    "{": START,
    "list{": LISTED,
    "enum{": TYPE,
    "struct{": TYPE,
    "body": START,
    "?": NEED,
    "case": START,
    **dict.fromkeys(IFS, LINE),
    **dict.fromkeys(("head(", "for(", "for;(", "for;;("), BODY),
}

#: What comes after words of statements, and after words of types.
KEYWORDS = {
    **dict.fromkeys(("if", "while", "switch"), HEAD),
    "for": HEAD_FOR,
    **dict.fromkeys(("else", "do"), BODY),
    "return": OPEN,
    "case": NEED,
    "default": DEFAULT,
    "goto": GOTO,
    **dict.fromkeys(("break", "continue"), BREAK),
}
SPECIFIERS = {
    **dict.fromkeys(("static", "const", "extern", "inline", "volatile", "typedef"), SPECIFIER),
    "register": SPECIFIER,
    "struct": STRUCT,
    "union": STRUCT,
    "enum": ENUM,
    **dict.fromkeys(("unsigned", "signed", "int", "char", "short", "long"), TYPE),
    **dict.fromkeys(("void", "float", "double"), TYPE),
}
MORE_TYPES = {**SPECIFIERS, "const": TYPE}

#: What comes after known words, and after others: where a statement begins; where a type is due;
#: after a type; in expressions; and where a cast may begin. Other words of C may not come.
WORDS = {
    "begins": (KEYWORDS | SPECIFIERS, MAYBE),
    "types": (SPECIFIERS, TYPE),
    "declares": (MORE_TYPES, DECLARED),
    "names": ({"sizeof": SIZEOF}, NAME),
    "casts": (SPECIFIERS | {"sizeof": SIZEOF}, CAST_NAME),
}
RESERVED = frozenset((*KEYWORDS, *SPECIFIERS, "sizeof"))
BEGINNINGS = prefixes(RESERVED)

#: Words that are not checked: names after `struct`, `enum` and `goto`.
FREE_WORDS = {STRUCT: STRUCT_NAME, ENUM: ENUM_NAME, GOTO: BREAK}

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

#: Operators without those that set: after a number.
COMPARING = ("=", "!", "<", ">")
UNARY = frozenset("+-!~*&")


@cache
def between(place: str, top: str, character: str) -> Move | None:
    """Go on between two tokens."""
    if character in BLANKS:
        if character == "\n":
            return Move(LINE if place == START else place)
        # A directive may stand after these blanks only.
        return Move(place if character in " \t" else same(place))
    if character == "#":
        return Move("#") if place in (LINE, ANY) and top in STATEMENTS else None
    if character in STRANGE:
        return None
    if character == "/":
        return Move(f"slash {same(place)}")
    if character in DIGITS or character in "\"'":
        return _constant(place, top, character)
    if character in WORD:
        return _first_letter(place, top, character)
    if character in "([{":
        return _open(place, top, character)
    if character in ")]}":
        return _close(place, top, character)
    if character in ";,:?":
        return {";": _semicolon, ",": _comma, ":": _colon, "?": _question}[character](place, top)
    return _sign(place, top, character)


def same(place: str) -> str:
    """Return the place after a comment."""
    return START if place == LINE else place


def _is_due(place: str, top: str) -> bool:
    """Return whether an operand may come that is no name."""
    in_type = place in (OPEN, COMMA) and top in ("parameters(", *FIELDS)
    return place in (*DUE, CAST, ANY) and not in_type


def _constant(place: str, top: str, character: str) -> Move | None:
    """Begin a number or a literal."""
    if place == STRING and character == '"':
        return Move("literal")
    if not _is_due(place, top) or (top == "enum{" and place != NEED and place != SET):
        return None
    kinds = {'"': "literal", "'": "letter", "0": "number zero"}
    return Move(kinds.get(character, "number digits"))


def _first_letter(place: str, top: str, character: str) -> Move | None:
    """Begin a word."""
    if place in FREE_WORDS:
        return Move(f"word {place} ")
    if place in BEGINNING:
        return word("begins", character)
    if place == SPECIFIER or (place in (OPEN, COMMA) and top == "parameters("):
        return word("types", character)
    if place == OPEN and top == "for(":
        return word("begins", character)
    if place in (*TYPES, MAYBE, INNER):
        is_body = place == MAYBE and top == "body"
        return None if is_body else word("declares", character)
    if place == OPEN and top == "group(":
        return word("casts", character)
    return word("names", character) if place in (*DUE, SIZEOF, CAST) else None


def word(kind: str, text: str) -> Move:
    """Return the state within a word, with its text as far as it may be a known one."""
    return Move(f"word {kind} {text if text in BEGINNINGS else ''}")


def after_word(kind: str, text: str, top: str, character: str) -> Move | None:
    """Go on after a word."""
    if kind in FREE_WORDS:
        return between(FREE_WORDS[kind], top, character)
    known, other = WORDS[kind]
    if text in RESERVED and text not in known:
        return None
    if text in KEYWORDS and kind == "begins":
        return _after_keyword(text, top, character)
    if kind == "begins" and text in SPECIFIERS and top == "body":
        return None
    place = known.get(text, other)
    if place == MAYBE and top in FIELDS:
        place = TYPE
    return between(place, top, character)


def _after_keyword(text: str, top: str, character: str) -> Move | None:
    """Go on after a word that begins or is a statement."""
    if top not in (*BLOCKS, "body") or (text in ("else", "case", "default") and top == "body"):
        return None
    place = KEYWORDS[text]
    if place not in (BODY, NEED):
        return between(place, top, character)
    # A frame is opened that the body or the colon closes.
    if character == "{":
        return between(BODY if top == "body" else START, top, character)
    frame = "" if top == "body" else "body" if place == BODY else "case"
    found = between(place, frame or top, character)
    begins = character in BLANKS or character == "/" or (place == NEED and character in "'-")
    return found._replace(push=frame) if found is not None and begins else None


def _open(place: str, top: str, character: str) -> Move | None:
    """Open a bracket."""
    if character == "[":
        follows = place in (NAME, HAVE, CAST_NAME, CAST, MAYBE, DECLARED, POINTED, ANY)
        designates = place in (OPEN, COMMA) and top == "list{"
        return Move(OPEN, push="[") if follows or designates else None
    if character == "{":
        return _open_brace(place, top)
    if place in (HEAD, HEAD_FOR):
        frame = "head(" if place == HEAD else "for("
        return Move(OPEN, swap=frame) if top == "body" else Move(OPEN, push=frame)
    if place in (NAME, HAVE, CAST_NAME, MAYBE):
        return Move(OPEN, push="(")
    if place in (DECLARED, POINTED):
        is_function = place == POINTED or top in STATEMENTS
        return Move(OPEN, push="parameters(") if is_function else None
    if place in TYPES:
        return Move(INNER, push="pointer(")
    begins = place in (START, LINE, BODY) and top in (*BLOCKS, "body")
    return Move(OPEN, push="group(") if begins or place == SIZEOF or _is_due(place, top) else None


def _open_brace(place: str, top: str) -> Move | None:
    if place == BODY and top == "body":
        return Move(START, swap="{")
    if place == SET or (place in (OPEN, COMMA) and top == "list{"):
        return Move(OPEN, push="list{")
    if place in (STRUCT, STRUCT_NAME, ENUM, ENUM_NAME):
        is_enum = place in (ENUM, ENUM_NAME)
        return Move(OPEN, push="enum{") if is_enum else Move(START, push="struct{")
    begins = place in (START, LINE) and top in BLOCKS
    is_function = place == SIGNATURE and top in OUTSIDE
    return Move(START, push="{") if begins or is_function or place == ANY else None


def _close(place: str, top: str, character: str) -> Move | None:
    """Close a bracket."""
    if CLOSERS.get(top) != character:
        return None
    if top in ("head(", "for;;("):
        closes = place in OPERAND or (place == OPEN and top == "for;;(")
        return Move(BODY, swap="body") if closes else None
    is_operand = place in OPERAND
    by_frame = {
        "(": is_operand or place == OPEN,
        "group(": is_operand or place in (*TYPES, CAST_STAR, POINTED, SIGNATURE),
        "parameters(": place in (OPEN, HAVE, *TYPES, DECLARED, SIGNATURE, ANY),
        "pointer(": place in (DECLARED, POINTER, HAVE, ANY),
        "[": is_operand or place == OPEN,
        "{": place in (START, LINE, ANY),
        "struct{": place in (START, LINE, ANY),
        "list{": is_operand or place in (OPEN, COMMA, LISTED),
        "enum{": is_operand or place == COMMA,
    }
    if not by_frame.get(top, False):
        return None
    is_cast = top == "group(" and place in (CAST_NAME, CAST_STAR, *TYPES, SIGNATURE)
    return Move(CAST if is_cast else CLOSED[top], pop=True)


def _semicolon(place: str, top: str) -> Move | None:
    ends = place in (*OPERAND, OPEN, DECLARED, LISTED)
    if top in ("for(", "for;("):
        return Move(OPEN, swap="for;(" if top == "for(" else "for;;(") if ends else None
    ends |= place in (BREAK, *BEGINNING)
    if top == "body":
        return Move(START, pop=True) if ends else None
    ends |= place in (SIGNATURE, TYPE, STRUCT_NAME, ENUM_NAME)
    return Move(START) if ends and top in STATEMENTS else None


def _comma(place: str, top: str) -> Move | None:
    if top in ("[", "?", "case", "pointer("):
        return None
    if top == "parameters(":
        follows = place in (HAVE, *TYPES, DECLARED, SIGNATURE, ANY)
    else:
        follows = place in (*OPERAND, DECLARED, SIGNATURE, LISTED)
    return Move(COMMA) if follows else None


def _colon(place: str, top: str) -> Move | None:
    if top in ("?", "case"):
        return Move(CLOSED[top], pop=True) if place in OPERAND else None
    if top in FIELDS:
        return Move(NEED) if place == DECLARED else None
    is_label = place in (MAYBE, DEFAULT, ANY) and top in BLOCKS
    return Move(START) if is_label else None


def _question(place: str, top: str) -> Move | None:
    return Move(NEED, push="?") if place in OPERAND and top not in FIELDS else None


def _sign(place: str, top: str, character: str) -> Move | None:
    """Go on after a sign of an operator, a dot or a star."""
    if character == ".":
        if place in (NAME, HAVE, CAST_NAME, CAST, MAYBE):
            return Move("member")
        return Move("dot") if place in DUE or place == CAST else None
    if character == "*":
        in_declaration = place == MAYBE and top != "body"
        if in_declaration:
            return Move("declaring *")
        is_next = place == COMMA and top in FIELDS
        if place in (SPECIFIER, *TYPES, INNER) or is_next or (place == DECLARED and top in OUTSIDE):
            return Move(POINTER)
        if place in (CAST_NAME, CAST_STAR):
            return Move(CAST_STAR)
    if character == "=" and place in (DECLARED, SIGNATURE):
        return Move(SET) if top not in ("parameters(", "pointer(", *FIELDS) else None
    if character in OPERATORS and place in OPERAND:
        if place in (FIXED, STRING):
            return Move(f"comparing {character}")
        return Move(f"operator {character}")
    if character in UNARY and _is_due(place, top):
        return Move(NEED)
    if character in "+-*" and place in (START, LINE, BODY) and top in (*BLOCKS, "body"):
        return Move(NEED)
    return Move(NEED) if character in UNARY and place in (SIZEOF, CAST_STAR) else None
