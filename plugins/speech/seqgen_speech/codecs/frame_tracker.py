"""The tracker of frames: which field is due, and a requested text dictated symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_states import BETWEEN, SITUATIONS, START, WITHIN
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.following import Followed, flat, part, step_function
from seqgen.grammar import IndexedMasks, packed
from seqgen.plugin import Ids
from seqgen_speech.codecs.frame_tokens import FrameTokens, advance, describe


class FrameGrammar:
    """Which ids may come: the order of the fields within a frame, and of symbols and frames.

    Parameters
    ----------
    tokens : FrameTokens
    dictation : Dictation
    """

    def __init__(self, tokens: FrameTokens, dictation: Dictation) -> None:
        self.tokens, self.dictation = tokens, dictation
        fields = np.zeros((tokens.fields, dictation.size + 1), bool)
        fields[:, : dictation.first] = tokens.may_follow()
        #: Rows of masks ``(SITUATIONS + F, V + 1)``: situations of the dictation, then fields.
        self.rows = np.concatenate([dictation.grammar, fields])
        self._packed = packed(self.rows)
        #: What compiled code follows of a piece without symbols.
        self.table = flat(tokens.firsts, tokens.ends, self.rows)

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return which ids may come at every position ``(N + 1,)``."""
        found = self.dictation.situations(ids)
        due = SITUATIONS + self.tokens.features(ids)[:, 0]
        return IndexedMasks(self._packed, np.where(found == WITHIN, due, found))


class FreeTracker:
    """Follows a piece of frames alone, as compiled code can, too."""

    def __init__(self, grammar: FrameGrammar) -> None:
        self._grammar, self._state = grammar, grammar.tokens.new_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> FreeTracker:
        # Copies share the grammar.
        other = FreeTracker(self._grammar)
        other._state[:] = self._state
        return other

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return self._grammar.tokens.row(self._state)

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``."""
        return np.asarray(self._grammar.rows[_row(self._state, self._grammar.tokens.fields)])

    def forced(self) -> None:
        """Force nothing."""

    def push(self, token: int) -> None:
        """Apply a token."""
        self._grammar.tokens.push(self._state, token)

    def followed(self) -> Followed:
        """Let compiled code follow."""
        grammar = self._grammar
        size = len(grammar.tokens.vocab)
        return Followed(step_function(_step), grammar.table, self._state, size)


class FrameTracker:
    """Follows a piece of symbols and their frames.

    Parameters
    ----------
    grammar : FrameGrammar
    request : sequence of int, optional
        `Dictation.request` of the text to be said, which follows that of a prompt.
    """

    def __init__(self, grammar: FrameGrammar, request: Sequence[int] | None = None) -> None:
        self._grammar, self._state = grammar, grammar.tokens.new_state()
        self._text = DictationTracker(grammar.dictation, request)

    def __deepcopy__(self, memo: dict[int, Any]) -> FrameTracker:
        # Copies share the grammar.
        other = FrameTracker.__new__(FrameTracker)
        other._grammar, other._state = self._grammar, self._state.copy()
        other._text = self._text.__deepcopy__(memo)
        return other

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return [*self._grammar.tokens.row(self._state), *self._text.features()]

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``."""
        due = int(self._state[0])
        return np.asarray(self._grammar.rows[SITUATIONS + due] if due else self._text.allowed())

    def forced(self) -> int | None:
        """Return the token that the dictation forces."""
        return self._text.forced()

    def push(self, token: int) -> None:
        """Apply a token."""
        self._text.push(token)
        self._grammar.tokens.push(self._state, token)


@compiled
def _row(state: Ids, fields: int) -> int:
    """Return the row of `FrameGrammar.rows` for the state of a piece without symbols."""
    if state[0]:
        return SITUATIONS + int(state[0])
    return BETWEEN if state[1 + fields] else START


def _step(
    table: NDArray[np.uint8],
    state: Ids,
    token: int,
    room: int,
    features: NDArray[np.int64],
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Update a state with an id, and set features and masks of the next position."""
    fields = (len(state) - 1) // 2
    firsts = part(table, 0).view(np.int64)[: fields + 1]
    advance(state, token, firsts, part(table, 1)[: firsts[fields]].view(np.bool_))
    describe(state, firsts, features)
    row = _row(state, fields) * len(possible)
    rows = part(table, 2)
    for number in range(len(possible)):
        possible[number] = allowed[number] = rows[row + number] != 0
