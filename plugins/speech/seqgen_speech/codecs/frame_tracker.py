"""The tracker of frames: which field is due, and a requested text dictated symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_states import SITUATIONS, WITHIN
from seqgen.conditions.dictation_steps import HEAD, arrays_of, follow_text, script_of
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.following import Followed, fill, flat, part, step_function
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

    def masks(self, ids: Ids) -> IndexedMasks:
        """Return which ids may come at every position ``(N + 1,)``."""
        found = self.dictation.situations(ids)
        due = SITUATIONS + self.tokens.features(ids)[:, 0]
        return IndexedMasks(self._packed, np.where(found == WITHIN, due, found))


class FrameTracker:
    """Follows a piece of frames, and of symbols if the codec has any.

    Parameters
    ----------
    grammar : FrameGrammar
    request : sequence of int, optional
        `Dictation.request` of the text to be said, which follows that of a prompt.
    """

    def __init__(self, grammar: FrameGrammar, request: Sequence[int] | None = None) -> None:
        self._grammar = grammar
        self._text = DictationTracker(grammar.dictation, request, own=grammar.tokens.numbers)
        #: What compiled code reads: frames, masks, then the script.
        self._table = flat(grammar.tokens.firsts, grammar.rows, *arrays_of(self._text.script))

    def __deepcopy__(self, memo: dict[int, Any]) -> FrameTracker:
        # Copies share the grammar and the table.
        other = FrameTracker.__new__(FrameTracker)
        other._grammar, other._table = self._grammar, self._table
        other._text = self._text.__deepcopy__(memo)
        return other

    def features(self) -> Sequence[int]:
        """Return the row of the codec's features for the next position."""
        return [*self._grammar.tokens.row(self._text.own), *self._text.features()]

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``."""
        field = int(self._text.own[0])
        return np.asarray(self._grammar.rows[SITUATIONS + field] if field else self._text.allowed())

    def forced(self) -> int | None:
        """Return the token that the dictation forces."""
        return self._text.forced()

    def push(self, token: int) -> None:
        """Apply a token."""
        self._text.push(token)
        self._grammar.tokens.push(self._text.own, token)

    def followed(self) -> Followed:
        """Let compiled code follow."""
        size = self._grammar.dictation.size
        return Followed(step_function(_step), self._table, self._text.to_follow(), size)


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
    # There are 1 + F features of frames, and 3 of symbols if there are any.
    script = script_of(table, 2)
    count = len(features) - (3 if len(script.silent) else 0)
    own = 2 * count - 1
    firsts = part(table, 0).view(np.int64)[:count]  # (F + 1,)
    frame, head, text = state[:own], state[own : own + HEAD], state[own + HEAD :]
    advance(frame, token, firsts, script.ends)
    describe(frame, firsts, features[:count])
    row, due = follow_text(script, head, text, token, features[count:])
    row = SITUATIONS + frame[0] if frame[0] else row
    rows = part(table, 1)[: (SITUATIONS + count - 1) * len(possible)].view(np.bool_)
    fill(rows.reshape(-1, len(possible))[row], due, possible, allowed)
