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
    FIELDS,
    Ids,
    describe,
    situation,
)
from seqgen.conditions.dictation_steps import DUE, HEAD, NEXT, Script, due, take
from seqgen.following import NOTHING, STRIDE


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
    own : int
        Whole numbers of the codec's own state, in front of those of the dictation.

    Attributes
    ----------
    script : Script
        What compiled code knows of dictation and request.
    head, symbols : int64 array
        Numbers of the dictation and all symbols announced so far, for compiled functions
        (`seqgen.conditions.dictation_steps`). `push` may replace both.
    """

    def __init__(
        self, dictation: Dictation, request: Sequence[int] | None = None, *, own: int = 0
    ) -> None:
        self._dictation, self._own = dictation, own
        self.script = _script(dictation, request or ())
        self._hold(np.zeros(own + HEAD + 2 * STRIDE, np.int64))
        self.head[:FIELDS] = dictation.new_state()
        self.head[NEXT], self.head[DUE] = self.script.separator, NOTHING

    def __deepcopy__(self, memo: dict[int, Any]) -> DictationTracker:
        # Copies share the dictation and the script, which do not change.
        other = DictationTracker.__new__(DictationTracker)
        other._dictation, other._own, other.script = self._dictation, self._own, self.script
        other._hold(self._array.copy())
        return other

    def _hold(self, array: Ids) -> None:
        """Keep the numbers of the codec, those of the dictation, and the text in an array."""
        self._array, dictated = array, array[self._own :]
        self.head, self.symbols = dictated[:HEAD], dictated[HEAD:]

    @property
    def own(self) -> Ids:
        """The numbers of the codec, which it may change."""
        return self._array[: self._own]

    @property
    def situation(self) -> int:
        """The situation of the next position, a row of `Dictation.grammar`."""
        return int(situation(self.head, self.symbols, self._dictation.silent))

    def left(self) -> Ids:
        """Return the symbols before the open one ``(S,)``, as numbers in the alphabet."""
        return self.symbols[: self.head[DONE]]

    def features(self) -> Sequence[int]:
        """Return the features of the next position ``(K,)``, as `Dictation.follow` does."""
        row = np.zeros(3, np.int64)
        describe(self.head, self.symbols, row)
        return list(row.tolist()) if self._dictation.alphabet else []

    def allowed(self) -> NDArray[np.bool_]:
        """Return the mask of the next token ``(V + 1,)``, a row of `Dictation.grammar`."""
        return np.asarray(self._dictation.grammar[self.situation])

    def forced(self) -> int | None:
        """Return ``advance`` after a silent or full symbol, the next requested token, or END."""
        self.head[DUE] = token = due(self.head, self.symbols, self.script)
        return None if token == NOTHING else token

    def push(self, token: int) -> None:
        """Apply a token; one that `forced` did not ask for belongs to the prompt."""
        self._make_room(1)
        take(self.head, self.symbols, token, self.script)

    def to_follow(self) -> Ids:
        """Return the array of `seqgen.conditions.dictation_steps`, for compiled code to change.

        It knows the token that is due, and has room for the tokens of a call. `push` may replace
        it.
        """
        self._make_room(STRIDE)
        self.forced()
        return self._array

    def _make_room(self, symbols: int) -> None:
        """Let the text have room for some more symbols."""
        if self.head[ANNOUNCED] + symbols > len(self.symbols):
            self._hold(np.concatenate([self._array, np.zeros_like(self.symbols)]))


def _script(dictation: Dictation, request: Sequence[int]) -> Script:
    """Return the script of a request, with the separator in front unless it begins with that."""
    separator = list[int]()
    if request and dictation.separator:
        [separator] = dictation.announce([dictation.separator])
        separator = separator if request[0] != separator[0] else []
    tokens = np.array([*separator, *request], np.int64)
    return Script(dictation.ends, dictation.most, dictation.silent, tokens, len(separator))
