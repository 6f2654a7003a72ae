"""The tables of a language: one entry for each state, frame on top and kind of token.

An entry is an integer: the next state, the frame that is opened, and flags. Tokens are characters
(kinds 0 to 127 are ASCII, 128 is every other one) or bytes (256 kinds): for bytes the states of the
language are multiplied by those of UTF-8.

S states, G frames and `NOTHING`, C kinds, U states of UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen_text.grammars.language import CHARACTERS, NOTHING, Language, Move

#: An entry has the state in its lowest bits, then the frame, then the flags.
STATE_BITS, FRAME_BITS = 14, 5
PUSH, POP, SWAP, KEEP, COUNT, ALIGN, OPEN, NAME, END_NAME, END_TAG, ALLOWED, CLOSE = (
    1 << (STATE_BITS + FRAME_BITS + place) for place in range(12)
)
STATE, FRAME = (1 << STATE_BITS) - 1, (1 << FRAME_BITS) - 1

#: Most characters of a name, and deepest indentation.
LONGEST_NAME = 60

#: The cost of what cannot be.
FAR = 1 << 20

#: Modules and names of the languages.
LANGUAGES = {
    "balanced": "balanced:BALANCED",
    "c": "c_source:C",
    "latex": "latex:LATEX",
    "xml": "xml_markup:XML",
    "wiki": "wiki:WIKI",
    "json": "json_values:JSON",
    "python": "python_source:PYTHON",
}


class Tables(NamedTuple):
    """A compiled language.

    Attributes
    ----------
    entries : int64 array (S, G, C)
    kinds : int64 array (129,) or (256,)
        The kind of each character or byte: those that do the same everywhere are of one kind.
    start, after : int
        States of the language.
    closed : int64 array (G,)
        The state after each frame that was closed.
    matching, opening : bool array (S,)
        Whether the name of the frame on top is repeated first; whether the first line of a block
        begins.
    lines : bool array (S,)
        Whether a line begins, in a language with blocks.
    endings : bool array (S, G)
        Whether a text may end.
    unclosed : int
        The frame that may be open at the end, or -1.
    direct, named : int64 array (S, G)
        Least number of tokens until the frame on top is closed, or until the end: of ways without
        its name, and of ways with its name beside that name.
    """

    entries: NDArray[np.int64]
    kinds: NDArray[np.int64]
    start: int
    after: int
    closed: NDArray[np.int64]
    matching: NDArray[np.bool_]
    opening: NDArray[np.bool_]
    lines: NDArray[np.bool_]
    endings: NDArray[np.bool_]
    unclosed: int
    direct: NDArray[np.int64]
    named: NDArray[np.int64]


def language(name: str) -> Language:
    """Return a language by name."""
    module, _, attribute = LANGUAGES[name].partition(":")
    found: Language = getattr(import_module(f"seqgen_text.grammars.{module}"), attribute)
    return found


@cache
def tables_of(name: str) -> Tables:
    """Return the tables of a language for tokens that are characters, without costs."""
    grammar, moves = language(name), _moves(name)
    tops, distinct = (NOTHING, *grammar.frames), _distinct(grammar)
    numbers = {state: number for number, state in enumerate(moves)}
    forbidden = [[_forbidden(grammar, numbers, top, each) for each in distinct] for top in tops]
    known = {
        each: _entry(each, numbers, tops)
        for each in {move for rows in moves.values() for row in rows for move in row}
        if each is not None
    }
    entries = np.array(
        [
            [
                [
                    entry if move is None else known[move]
                    for move, entry in zip(row, no, strict=True)
                ]
                for row, no in zip(rows, forbidden, strict=True)
            ]
            for rows in moves.values()
        ]
    )
    first = {each: group[0] for group in grammar.alike for each in group}
    kinds = [distinct.index(first.get(each, each)) for each in CHARACTERS]
    ends = np.array([top in (NOTHING, grammar.unclosed) for top in tops])
    states = np.array([*moves])
    endings = np.isin(states, [*grammar.endings])[:, None] & ends  # (S, G)
    return Tables(
        entries=entries[:, :, kinds],
        kinds=np.arange(len(kinds)),
        start=numbers[grammar.start],
        after=numbers[grammar.after],
        closed=np.array([numbers[grammar.closed.get(top, grammar.after)] for top in tops]),
        matching=np.isin(states, [*grammar.matching]),
        opening=states == grammar.opening,
        lines=np.asarray(((entries & ALIGN) > 0).any(axis=(1, 2))),
        endings=endings,
        unclosed=tops.index(grammar.unclosed) if grammar.unclosed else -1,
        direct=np.full(endings.shape, FAR),
        named=np.full(endings.shape, FAR),
    )


def names_of(name: str) -> tuple[list[str], list[str]]:
    """Return the names of the states and frames of a language, in the order of its tables."""
    return [*_moves(name)], [NOTHING, *language(name).frames]


def _distinct(grammar: Language) -> list[str]:
    """Return the characters that a language tells apart, the first of those that are alike."""
    first = {each: group[0] for group in grammar.alike for each in group}
    return [each for each in CHARACTERS if first.get(each, each) == each]


@cache
def _moves(name: str) -> Mapping[str, list[list[Move | None]]]:
    """Return the moves of distinct characters (G, C) of every state that can be reached."""
    grammar = language(name)
    tops, distinct = (NOTHING, *grammar.frames), _distinct(grammar)
    found: dict[str, list[list[Move | None]]] = {}
    waiting = [grammar.start, grammar.after, *grammar.closed.values()]
    while waiting:
        if (state := waiting.pop()) in found:
            continue
        free = {
            each: grammar.move(state, NOTHING, each)
            for each in distinct
            if grammar.is_free(state, each)
        }
        rows = found[state] = [
            [free[each] if each in free else grammar.move(state, top, each) for each in distinct]
            for top in tops
        ]
        waiting += dict.fromkeys(move.state for row in rows for move in row if move is not None)
    return found


def _forbidden(grammar: Language, numbers: Mapping[str, int], top: str, character: str) -> int:
    """Return the entry of a character that may not come: it closes what it would close."""
    frame = (NOTHING, *grammar.frames).index(grammar.closes(top, character))
    return numbers[grammar.after] | frame << STATE_BITS | (CLOSE if frame else 0)


def _entry(move: Move, numbers: Mapping[str, int], tops: Sequence[str]) -> int:
    """Return a move as an integer."""
    entry = ALLOWED | numbers[move.state] | tops.index(move.push or move.swap) << STATE_BITS
    flags = (
        *((PUSH, move.push), (POP, move.pop), (SWAP, move.swap), (KEEP, move.keeps)),
        *((COUNT, move.indent == "count"), (ALIGN, move.indent == "align")),
        *((OPEN, move.indent == "open"), (NAME, move.attribute == "name")),
        *((END_NAME, move.attribute == "end"), (END_TAG, move.attribute == "tag")),
    )
    return entry | sum(flag for flag, is_set in flags if is_set)


def states_inside(tables: Tables) -> NDArray[np.int64]:
    """Return the states ``(T,)`` that can follow a character beyond ASCII."""
    return np.unique(tables.entries[:, :, 128] & STATE)


def by_bytes(tables: Tables, follows: NDArray[np.bool_], moves: NDArray[np.integer]) -> Tables:
    """Return tables for bytes, from those for characters and the grammar of UTF-8.

    The S states of the language come first, between characters. T of them can follow a character
    beyond ASCII; state ``S + (u - 1) * T + t`` is the t-th of these within a character, of which
    UTF-8 is in state u. The first byte of a character does what the character does; the others may
    belong to its name.

    Parameters
    ----------
    tables : Tables
    follows : bool array (U, 256)
        Which bytes may come; state 0 is between characters.
    moves : integer array (U, 256)
        The next state of UTF-8.
    """
    count, parts = len(tables.entries), len(follows)
    between = tables.entries[:, :, np.minimum(np.arange(256), 128)]  # (S, G, 256)
    beyond = tables.entries[:, :, 128]  # (S, G)
    inside = states_inside(tables)  # (T,)
    places = np.zeros(count, np.int64)
    places[inside] = np.arange(len(inside))

    def within(part: int, states: NDArray[np.int64]) -> NDArray[np.int64]:
        return count + (part - 1) * len(inside) + places[states] if part else states

    forbidden = between & ~ALLOWED & ~STATE | tables.after
    entries = np.concatenate([forbidden, np.tile(forbidden[inside], (parts - 1, 1, 1))])
    entries[:count, :, :128] = between[:, :, :128]
    kept = beyond[inside] & (KEEP | NAME) | ALLOWED  # (T, G)
    for part, byte in np.argwhere(follows).tolist():
        if byte >= 128:
            after = int(moves[part, byte])
            if part:
                entries[within(part, inside), :, byte] = kept | within(after, inside)[:, None]
            else:
                first = beyond & ~STATE | within(after, beyond & STATE)
                entries[:count, :, byte] = first
    more = len(entries) - count
    no, far = np.zeros(more, bool), np.full((more, entries.shape[1]), FAR)
    return tables._replace(
        entries=entries,
        kinds=np.arange(256),
        matching=np.append(tables.matching, no),
        opening=np.append(tables.opening, no),
        lines=np.append(tables.lines, no),
        endings=np.concatenate([tables.endings, far < FAR]),
        direct=np.concatenate([tables.direct, far]),
        named=np.concatenate([tables.named, far]),
    )
