"""The state of a dictation and what each token does to it: compiled functions.

A state is a row of FIELDS whole numbers. The text, all symbols announced so far, is an array beside
it. Tokens are numbered as `seqgen.conditions.dictation.Dictation` says. C is the number of content
tokens, A that of symbols.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled, copy

#: Ids and other whole numbers; `seqgen.plugin` cannot be imported, because it names `Dictation`.
Ids: TypeAlias = NDArray[np.int64]

#: Fields of a state: symbols announced and left; whether a symbol is open; units in the symbol;
#: whether a unit lacks tokens; units without tokens that no symbol has yet; units made by tokens.
ANNOUNCED, DONE, OPEN, UNITS, INSIDE, IMPLIED, MADE, FIELDS = range(8)

#: Situations; the grammar has one mask for each. START has no unit yet. BETWEEN is between words.
#: In SPELLING some announced symbols are not left. In SILENT, BARE and FILLED a symbol is open: a
#: silent one, one without a unit, and one with a unit. In a unit of several tokens it is WITHIN.
START, BETWEEN, SPELLING, SILENT, BARE, FILLED, WITHIN, SITUATIONS = range(8)

#: Largest number of units of a symbol that features tell apart.
MOST_UNITS = 31


@compiled
def push(
    state: Ids, text: Ids, token: int, ends: NDArray[np.bool_], silent: NDArray[np.bool_]
) -> None:
    """Apply a token to a state ``(FIELDS,)``; `text` must have room for one more symbol.

    `ends` ``(C,)`` says which content tokens complete a unit, `silent` ``(A,)`` which symbols have
    no content.
    """
    if token < len(ends):
        state[INSIDE] = not ends[token]
        if ends[token]:
            state[UNITS] += 1
            state[MADE] += 1
            state[IMPLIED] = 0
    elif token < len(ends) + len(silent):
        text[state[ANNOUNCED]] = token - len(ends)
        state[ANNOUNCED] += 1
    else:
        state[DONE] += state[OPEN]
        state[OPEN] = state[DONE] < state[ANNOUNCED]
        state[UNITS] = 0
        if state[OPEN] and not silent[text[state[DONE]]]:
            state[UNITS] = state[IMPLIED]
            state[IMPLIED] = 0


@compiled
def describe(state: Ids, text: Ids, row: Ids) -> None:
    """Write the features of a state into a row: current symbol, next symbol, and symbol and units.

    The units count from the start of the symbol. They and the symbol are one feature, because what
    comes next depends on both: the third point of an a says nothing about that of a b.
    """
    following = state[DONE] + state[OPEN]
    row[0] = text[state[DONE]] + 1 if state[OPEN] else 0
    row[1] = text[following] + 1 if following < state[ANNOUNCED] else 0
    row[2] = row[0] * (MOST_UNITS + 1) + min(state[UNITS], MOST_UNITS)


@compiled
def situation(state: Ids, text: Ids, silent: NDArray[np.bool_]) -> int:
    """Return the situation of a state."""
    if state[INSIDE]:
        return WITHIN
    if state[OPEN]:
        if silent[text[state[DONE]]]:
            return SILENT
        return FILLED if state[UNITS] else BARE
    if state[ANNOUNCED] > state[DONE]:
        return SPELLING
    return BETWEEN if state[MADE] else START


@compiled
def follow(
    ids: Ids,
    ends: NDArray[np.bool_],
    silent: NDArray[np.bool_],
    states: Ids,
    rows: Ids,
    text: Ids,
) -> None:
    """Write the states (N + 1, FIELDS) before and after each token, and their features (N + 1, 3).

    The first state is given.
    """
    describe(states[0], text, rows[0])
    for step in range(len(ids)):
        copy(states[step], states[step + 1])
        push(states[step + 1], text, ids[step], ends, silent)
        describe(states[step + 1], text, rows[step + 1])


@compiled
def situations(
    ids: Ids,
    ends: NDArray[np.bool_],
    silent: NDArray[np.bool_],
    state: Ids,
    text: Ids,
    found: Ids,
) -> None:
    """Write the situations (N + 1,) before and after each token; `state` becomes the last one."""
    found[0] = situation(state, text, silent)
    for step in range(len(ids)):
        push(state, text, ids[step], ends, silent)
        found[step + 1] = situation(state, text, silent)
