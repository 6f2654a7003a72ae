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
STATE_BITS, FRAME_BITS = 14, 4
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
    tops = (NOTHING, *grammar.frames)
    numbers = {state: number for number, state in enumerate(moves)}
    entries = np.array(
        [
            [
                [_entry(grammar, move, numbers, top, kind) for kind, move in enumerate(row)]
                for top, row in zip(tops, rows, strict=True)
            ]
            for rows in moves.values()
        ]
    )
    ends = np.array([top in (NOTHING, grammar.unclosed) for top in tops])
    states = np.array([*moves])
    endings = np.isin(states, [*grammar.endings])[:, None] & ends  # (S, G)
    return Tables(
        entries=entries,
        kinds=np.arange(entries.shape[2]),
        start=numbers[grammar.start],
        after=numbers[grammar.after],
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


@cache
def _moves(name: str) -> Mapping[str, list[list[Move | None]]]:
    """Return the moves (G, C) of every state that can be reached."""
    grammar = language(name)
    first = {each: group[0] for group in grammar.alike for each in group}
    distinct = [each for each in CHARACTERS if first.get(each, each) == each]
    found: dict[str, list[list[Move | None]]] = {}
    waiting = [grammar.start, grammar.after]
    while waiting:
        if (state := waiting.pop()) in found:
            continue
        rows = found[state] = [
            [moves[first.get(character, character)] for character in CHARACTERS]
            for top in (NOTHING, *grammar.frames)
            for moves in [{each: grammar.move(state, top, each) for each in distinct}]
        ]
        waiting += dict.fromkeys(move.state for row in rows for move in row if move is not None)
    return found


def _entry(
    grammar: Language, move: Move | None, numbers: Mapping[str, int], top: str, kind: int
) -> int:
    """Return a move as an integer; a character that may not come closes what it would close."""
    frames = (NOTHING, *grammar.frames)
    if move is None:
        frame = frames.index(grammar.closes(top, CHARACTERS[kind]))
        return numbers[grammar.after] | frame << STATE_BITS | (CLOSE if frame else 0)
    entry = ALLOWED | numbers[move.state] | frames.index(move.push or move.swap) << STATE_BITS
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


def with_costs(tables: Tables, symbols: Sequence[int]) -> Tables:
    """Return tables with costs, for a vocabulary that has some characters or bytes only.

    What leads to no end may not come. What does the same becomes one kind.
    """
    distinct, kinds = np.unique(tables.entries, axis=2, return_inverse=True)
    tables = tables._replace(entries=np.ascontiguousarray(distinct), kinds=kinds.ravel())
    direct = np.where(tables.endings, 0, FAR)
    named = np.full(direct.shape, FAR)
    entries = tables.entries[:, :, np.unique(tables.kinds[np.array(symbols, np.int64)])]
    while True:
        ways = _ways(tables, entries, direct, named)
        shorter, longer = (way.min(axis=2) for way in ways)  # (S, G)
        # The name comes first where it is repeated.
        longer = np.where(tables.matching[:, None], np.minimum(shorter, longer), longer)
        shorter = np.where(tables.matching[:, None], FAR, shorter)
        shorter, longer = np.minimum(direct, shorter), np.minimum(named, longer)
        if (shorter == direct).all() and (longer == named).all():
            break
        direct, named = shorter, longer
    allowed = (tables.entries & ALLOWED) > 0
    lost = allowed & (np.minimum(*_ways(tables, tables.entries, direct, named)) >= FAR)
    entries = np.where(lost, tables.after, tables.entries)
    is_lost = min(direct[tables.start, 0], named[tables.start, 0]) >= FAR
    start = tables.after if is_lost else tables.start
    return tables._replace(entries=entries, start=start, direct=direct, named=named)


def growths(tables: Tables) -> NDArray[np.int64]:
    """Return how much longer each kind (C,) can make the way to the end, at most."""
    longest = np.full(tables.entries.shape[2], -1)
    ways = _ways(tables, tables.entries, tables.direct, tables.named)
    for more in (0, LONGEST_NAME):
        before = np.minimum(tables.direct, tables.named + more)[:, :, None]  # (S, G, 1)
        after = np.minimum(ways[0], ways[1] + more)  # (S, G, C)
        grown = np.where((after < FAR) & (before < FAR), after - 1 - before, -1)
        longest = np.maximum(longest, grown.max(axis=(0, 1)))
    return longest


def _ways(
    tables: Tables, entries: NDArray[np.int64], direct: NDArray[np.int64], named: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the least cost of closing the frame on top after each entry, as `direct` and `named`.

    Both are (S, G, C).
    """
    has = {flag: (entries & flag) > 0 for flag in (PUSH, POP, SWAP, KEEP, OPEN, ALLOWED)}
    state, frame = entries & STATE, entries >> STATE_BITS & FRAME
    own = np.arange(direct.shape[1])[:, None]
    top = np.where(has[SWAP], frame, own)
    # A frame that is pushed is closed first; its name has one character, if any.
    pushed = np.minimum(direct[state, frame], named[state, frame] + has[KEEP])
    shorter = np.where(has[PUSH], pushed + direct[tables.after, own], direct[state, top])
    longer = np.where(has[PUSH], pushed + named[tables.after, own], named[state, top] + has[KEEP])
    # A block needs one blank more than the one around it.
    block = np.where(has[PUSH], pushed, direct[state, tables.unclosed])
    longer = np.where(has[OPEN], block + 1, longer)
    shorter = np.where(has[POP], 0, np.where(has[OPEN], FAR, shorter))
    longer = np.where(has[POP], FAR, longer)
    shorter, longer = (np.where(has[ALLOWED], 1 + way, FAR) for way in (shorter, longer))
    return np.minimum(shorter, FAR), np.minimum(longer, FAR)
