"""The grammar `balanced`: brackets close in the order in which they opened."""

from __future__ import annotations

from seqgen_text.grammars.language import Language, Move

PAIRS = {"(": ")", "[": "]", "{": "}"}


def move(state: str, top: str, character: str) -> Move | None:
    """Return what a character does."""
    if character in PAIRS:
        return Move("text", push=character)
    if character in PAIRS.values():
        return Move("text", pop=True) if PAIRS.get(top) == character else None
    return Move("text")


BALANCED = Language(
    name="balanced",
    start="text",
    after="text",
    frames=tuple(PAIRS),
    move=move,
    endings=frozenset({"text"}),
    closers=PAIRS,
)
