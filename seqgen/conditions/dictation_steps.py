"""The array of a dictation's tracker and what each token does to it: compiled functions.

An array has these whole numbers: those of the codec that holds the tracker, HEAD of the dictation,
and the text, which are all symbols announced so far. Comes from:
`seqgen.conditions.dictation_tracker`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.conditions.dictation_states import (
    ANNOUNCED,
    DONE,
    FIELDS,
    INSIDE,
    OPEN,
    UNITS,
    Ids,
    describe,
    push,
    situation,
)
from seqgen.following import NOTHING, part

#: Numbers of the dictation: a state of `seqgen.conditions.dictation_states`, the place in the
#: request of the token that comes next, and the token that is due now or `NOTHING`.
NEXT, DUE, HEAD = FIELDS, FIELDS + 1, FIELDS + 2


class Script(NamedTuple):
    """What a tracker's compiled functions know of a dictation and a request.

    Attributes
    ----------
    ends : bool array (C,)
        Which content tokens complete a unit.
    most : int64 array (A,)
        The largest number of units of each symbol; 0 for silent ones.
    silent : bool array (A,)
    request : int64 array (R,)
        The tokens of the separator, then those to dictate; empty if nothing is requested.
    separator : int
        Number of tokens of the separator; 0 if none may be needed.
    """

    ends: NDArray[np.bool_]
    most: Ids
    silent: NDArray[np.bool_]
    request: Ids
    separator: int


#: Arrays of a script in a table, see `script_of`.
ARRAYS = 5


def arrays_of(script: Script) -> tuple[NDArray[np.generic], ...]:
    """Return ARRAYS arrays for `seqgen.following.flat`, from which `script_of` takes a script."""
    lengths = [*map(len, script[:4]), script.separator]
    return *script[:4], np.array(lengths, np.int64)


@compiled
def script_of(table: NDArray[np.uint8], first: int) -> Script:
    """Return the script in a table whose array number `first` is the first of `arrays_of`."""
    contents, symbols, _, requested, separator = part(table, first + 4).view(np.int64)[:ARRAYS]
    return Script(
        part(table, first)[:contents].view(np.bool_),
        part(table, first + 1).view(np.int64)[:symbols],
        part(table, first + 2)[:symbols].view(np.bool_),
        part(table, first + 3).view(np.int64)[:requested],
        separator,
    )


@compiled
def take(head: Ids, text: Ids, token: int, script: Script) -> None:
    """Apply a token; one that was not due belongs to the prompt.

    `text` must have room for one more symbol.
    """
    if head[DUE] == token and not head[OPEN]:
        head[NEXT] += 1
    head[DUE] = NOTHING
    push(head, text, token, script.ends, script.silent)


@compiled
def due(head: Ids, text: Ids, script: Script) -> int:
    """Return the token that has to come now, or `NOTHING`.

    It is ``advance`` after a silent or full symbol, the next token of the request, or END. The
    separator is due before the request if a word of the prompt has no silent symbol after it.
    """
    advance = len(script.ends) + len(script.silent)
    if head[INSIDE]:
        return NOTHING
    if head[OPEN]:
        symbol = text[head[DONE]]
        is_full = len(script.request) > 0 and head[UNITS] >= script.most[symbol]
        return advance if is_full or script.silent[symbol] else NOTHING
    if len(script.request) == 0:
        return NOTHING
    if head[NEXT] == 0 or head[NEXT] == script.separator:
        announced = head[ANNOUNCED]
        is_after_a_word = announced > 0 and not script.silent[text[announced - 1]]
        head[NEXT] = 0 if is_after_a_word else script.separator
    end = advance + 1
    return int(script.request[head[NEXT]]) if head[NEXT] < len(script.request) else end


@compiled
def follow_text(
    script: Script, head: Ids, text: Ids, token: int, features: NDArray[np.int64]
) -> tuple[int, int]:
    """Apply a token, and set the features of the next position; return its situation.

    Also returns the token that is due there, or `NOTHING`. With an empty alphabet there are no
    features.
    """
    take(head, text, token, script)
    if len(script.silent):
        describe(head, text, features)
    head[DUE] = due(head, text, script)
    return situation(head, text, script.silent), head[DUE]
