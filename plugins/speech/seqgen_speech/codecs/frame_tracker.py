"""The tracker of frames: which field is due, and a requested text dictated symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_states import SITUATIONS, WITHIN
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.grammar import IndexedMasks, packed
from seqgen.plugin import Ids
from seqgen_speech.codecs.frame_tokens import FrameTokens


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
    """Follows one piece.

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
