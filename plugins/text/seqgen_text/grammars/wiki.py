"""The grammar `wiki`: links, templates, tables and comments of MediaWiki."""

from __future__ import annotations

from seqgen_text.grammars.language import Language, Move, prefixes

#: Pairs of characters that open and close a frame.
OPENING = ("[[", "{{", "{|")
CLOSING = {"]]": "[[", "}}": "{{", "|}": "{|"}
FIRST = frozenset("[{]}|")
COMMENT = prefixes(("<!--",))


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does; a state is what of a mark was read."""
    if state.startswith("comment"):
        count = min(state.count("-") + 1, 2) if character == "-" else 0
        if character == ">" and state == "comment --":
            return Move("text")
        return Move(f"comment {'-' * count}".strip())
    read = ("" if state == "text" else state) + character
    if read in OPENING:
        return Move("text", push=read)
    if CLOSING.get(read) == top:
        return Move("text", pop=True)
    if read in ("]]", "}}"):
        return None
    if read in COMMENT:
        return Move("comment" if read == "<!--" else read)
    if character in FIRST or character == "<":
        return Move(character)
    return Move("text")


WIKI = Language(
    name="wiki",
    start="text",
    after="text",
    frames=OPENING,
    move=move,
    endings=frozenset({"text", *FIRST, *COMMENT}),
    closers={"[[": "]", "{{": "}"},
)
