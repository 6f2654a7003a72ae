"""The tracker of a dictation: which tokens may come next, and a requested text word by word.

Comes from: trackers of codecs that have a `seqgen.conditions.dictation.Dictation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_states import (
    ANNOUNCED,
    DONE,
    INSIDE,
    OPEN,
    UNITS,
    Ids,
    describe,
    push,
    situation,
)


class DictationTracker:
    """Follows one piece, and dictates a requested text word by word.

    END follows the last symbol of the requested text and comes no earlier. No symbol gets more
    content than in the corpus. The text follows that of a prompt, after the separator.

    A codec with features or masks of its own holds one of these in its tracker.

    Parameters
    ----------
    dictation : Dictation
    request : sequence of int, optional
        `Dictation.request` of the text.
    """

    def __init__(self, dictation: Dictation, request: Sequence[int] | None = None) -> None:
        self._dictation, self._request, self._used = dictation, request, 0
        self._asked: int | None = None
        self._state, self._text = dictation.new_state(), np.zeros(64, np.int64)

    def __deepcopy__(self, memo: dict[int, Any]) -> DictationTracker:
        # Copies share the dictation and the request, which do not change.
        other = DictationTracker(self._dictation, self._request)
        other._used, other._asked = self._used, self._asked
        other._state, other._text = self._state.copy(), self._text.copy()
        return other

    @property
    def situation(self) -> int:
        """The situation of the next position, a row of `Dictation.grammar`."""
        return int(situation(self._state, self._text, self._dictation.silent))

    @property
    def lacks_content(self) -> bool:
        """Whether the open symbol is not silent and has no unit yet."""
        state = self._state
        is_empty = bool(state[OPEN]) and not state[UNITS]
        return is_empty and not self._dictation.silent[self._text[state[DONE]]]

    def left(self) -> Ids:
        """Return the symbols before the open one ``(S,)``, as numbers in the alphabet."""
        return self._text[: self._state[DONE]]

    def features(self) -> Sequence[int]:
        """Return the features of the next position ``(K,)``, as `Dictation.follow` does."""
        row = np.zeros(3, np.int64)
        describe(self._state, self._text, row)
        return list(row.tolist()) if self._dictation.alphabet else []

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``, a row of `Dictation.grammar`."""
        return np.asarray(self._dictation.grammar[self.situation])

    def forced(self) -> int | None:
        """Return ``advance`` after a silent or full symbol, the next requested token, or END."""
        self._asked = self._due()
        return self._asked

    def push(self, token: int) -> None:
        """Apply a token; one that `forced` did not ask for belongs to the prompt."""
        if self._asked == token and not self._state[OPEN]:
            self._used += 1
        self._asked = None
        if self._state[ANNOUNCED] == len(self._text):
            self._text = np.concatenate([self._text, np.zeros_like(self._text)])
        push(self._state, self._text, token, self._dictation.ends, self._dictation.silent)

    def _due(self) -> int | None:
        state, dictation = self._state, self._dictation
        if state[INSIDE]:
            return None
        if state[OPEN]:
            symbol = self._text[state[DONE]]
            is_full = self._request is not None and state[UNITS] >= dictation.most[symbol]
            return dictation.advance if is_full or dictation.silent[symbol] else None
        if self._request is None:
            return None
        if not self._used and dictation.separator and self._is_after_a_word():
            [separator] = dictation.announce([dictation.separator])
            if self._request[0] != separator[0]:
                self._request = [*separator, *self._request]
        if self._used < len(self._request):
            return self._request[self._used]
        return dictation.size

    def _is_after_a_word(self) -> bool:
        """Return whether the last announced symbol has content."""
        announced = self._state[ANNOUNCED]
        return bool(announced) and not self._dictation.silent[self._text[announced - 1]]
