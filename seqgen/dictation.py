"""Dictation: text is spelled out symbol by symbol, and each symbol gets content of its own.

A codec that writes given sentences, or says given words, holds a `Dictation`. The *symbols* are
letters, phonemes or syllables; the *content* is the codec's own, such as pen strokes or sound. A
piece is written word by word. First come the symbols of the word, one token each. ``advance`` opens
the first symbol, and its content follows; ``advance`` opens the next symbol, and so on; a last
``advance`` ends the word. "at" is::

    symbol a, symbol t, advance, content of a, advance, content of t, advance

So the current symbol and the next one are known as features. A *silent* symbol, such as a blank,
has no content. A word ends after the silent symbols that follow it.

In generation the requested text dictates the tokens of symbols. The model draws content, and when
to advance.

Comes from: codecs of plugins. Next: `seqgen.dictation_states`, the compiled state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.dictation_states import (
    ANNOUNCED,
    BARE,
    BETWEEN,
    DONE,
    FIELDS,
    FILLED,
    IMPLIED,
    INSIDE,
    MOST_UNITS,
    OPEN,
    SILENT,
    SITUATIONS,
    SPELLING,
    START,
    UNITS,
    WITHIN,
    Ids,
    describe,
    follow,
    push,
    situation,
    situations,
)
from seqgen.errors import DataError
from seqgen.grammar import packed


@dataclass(frozen=True)
class Followed:
    """What ids say, position by position.

    Attributes
    ----------
    states : int64 array (N + 1, FIELDS)
        Before and after each token; columns are those of `seqgen.dictation_states`.
    features : int64 array (N + 1, K)
        K is 3, or 0 for an empty alphabet.
    announced : int64 array (S,)
        All announced symbols, as numbers in the alphabet.
    """

    states: Ids
    features: Ids
    announced: Ids

    @property
    def begun(self) -> Ids:
        """The symbols that were opened ``(S',)``, as numbers in the alphabet."""
        return self.announced[: int(self.states[-1, DONE] + self.states[-1, OPEN])]

    @property
    def is_claimed(self) -> NDArray[np.bool_]:
        """Whether all units so far, also those without tokens, have a symbol ``(N + 1,)``."""
        return np.asarray(self.states[:, IMPLIED] == 0)

    @property
    def places(self) -> Ids:
        """The index in `begun` of the open symbol, or else of the last one ``(N + 1,)``."""
        return np.asarray(np.maximum(self.states[:, DONE] + self.states[:, OPEN] - 1, 0))


class Dictation:
    """The tokens of symbols, their features and their grammar.

    Ids are ordered: C content tokens, A symbols, ``advance``. With an empty alphabet there are no
    symbols, no ``advance`` and no features, and every piece is content alone.

    Parameters
    ----------
    contents : int
        C, the number of content tokens.
    alphabet : sequence of A str
        The symbols.
    most : sequence of A int
        The largest number of content units of each symbol in the corpus; 0 for silent symbols.
    begins, ends : bool array (C,), optional
        Which content tokens begin and which complete a *unit* of content. By default each token is
        a unit.
    implied : int
        Units at the start of a piece that have no token; the first symbol with content gets them.
    separator : str
        A silent symbol that comes between a prompt and the requested text; empty for none.

    Attributes
    ----------
    tokens : tuple of str
        Names of the tokens of symbols, and "advance".
    first : int
        Id of the first symbol.
    advance : int
        Id of ``advance``.
    size : int
        Number of ids V.
    feature_sizes : tuple of K int
        Sizes of the features: current symbol and next symbol, from 1 on, or 0; units so far.
    most : int64 array (A,)
    silent : bool array (A,)
    grammar : bool array (SITUATIONS, V + 1)
        Which ids may come in each situation of `seqgen.dictation_states`, END last.
    """

    def __init__(
        self,
        contents: int,
        alphabet: Sequence[str],
        most: Sequence[int],
        *,
        begins: NDArray[np.bool_] | None = None,
        ends: NDArray[np.bool_] | None = None,
        implied: int = 0,
        separator: str = "",
    ) -> None:
        self.alphabet, self.separator, self._implied = tuple(alphabet), separator, implied
        self._numbers = {symbol: number for number, symbol in enumerate(self.alphabet)}
        self.most = np.array(most, np.int64)
        self.silent = self.most == 0
        self.begins = np.ones(contents, bool) if begins is None else np.array(begins, bool)
        self.ends = np.ones(contents, bool) if ends is None else np.array(ends, bool)
        self.first, self.advance = contents, contents + len(self.alphabet)
        advance = ["advance"] * bool(self.alphabet)
        self.tokens = (*(f"symbol {symbol}" for symbol in self.alphabet), *advance)
        self.size = contents + len(self.tokens)
        symbols = len(self.alphabet) + 1
        self.feature_sizes = (symbols, symbols, MOST_UNITS + 1) if self.alphabet else ()
        self.grammar = self._masks_of_situations()
        self._packed = packed(self.grammar)  # (SITUATIONS, W)

    def _masks_of_situations(self) -> NDArray[np.bool_]:
        """Return `grammar`: content for every symbol that is not silent, no end within a word."""
        begin, go_on = (np.zeros(self.size + 1, bool) for _ in range(2))
        begin[: self.first], go_on[: self.first] = self.begins, ~self.begins
        number = np.arange(self.size + 1)
        symbol = (number >= self.first) & (number < self.advance)
        advance = (number == self.advance) & bool(self.alphabet)
        masks = np.zeros((SITUATIONS, self.size + 1), bool)
        masks[START] = begin | symbol
        masks[BETWEEN] = begin | symbol | (number == self.size)
        masks[SPELLING] = symbol | advance
        masks[SILENT] = advance
        masks[BARE] = begin
        masks[FILLED] = begin | advance
        masks[WITHIN] = go_on
        return masks

    def new_state(self) -> Ids:
        """Return the state before the first token ``(FIELDS,)``."""
        state = np.zeros(FIELDS, np.int64)
        state[IMPLIED] = self._implied
        return state

    def follow(self, ids: Ids) -> Followed:
        """Return the states, the features and the symbols of any ids ``(N,)``."""
        states = np.zeros((len(ids) + 1, FIELDS), np.int64)
        states[0] = self.new_state()
        rows = np.zeros((len(ids) + 1, 3), np.int64)
        text = np.zeros(len(ids) + 1, np.int64)
        follow(np.asarray(ids, np.int64), self.ends, self.silent, states, rows, text)
        features = rows if self.alphabet else rows[:, :0]
        return Followed(states, features, text[: int(states[-1, ANNOUNCED])])

    def situations(self, ids: Ids) -> Ids:
        """Return the situation at every position of ids ``(N + 1,)``, a row of `grammar`."""
        found, text = np.empty(len(ids) + 1, np.int64), np.zeros(len(ids) + 1, np.int64)
        ids = np.asarray(ids, np.int64)
        situations(ids, self.ends, self.silent, self.new_state(), text, found)
        return found

    def masks(self, ids: Ids) -> NDArray[np.uint8]:
        """Return which ids may come at every position of ids, as bits ``(N + 1, W)``."""
        return self._packed.take(self.situations(ids), axis=0)

    def numbers(self, text: Sequence[str]) -> Ids:
        """Return the symbols of a text, as numbers in the alphabet ``(S,)``.

        Raises
        ------
        DataError
            If a symbol is not in the alphabet.
        """
        for symbol in text:
            if symbol not in self._numbers:
                raise DataError(
                    f"this model does not know the symbol {symbol!r}, only "
                    f"{' '.join(map(repr, self.alphabet))}; use --unknown skip or --unknown "
                    f"nearest, or train on pieces that have it"
                )
        return np.array([self._numbers[symbol] for symbol in text], np.int64)

    def announce(self, text: Sequence[str]) -> list[list[int]]:
        """Return for each word of a text its symbols' tokens, and the ``advance`` that opens it.

        Raises
        ------
        DataError
            If a symbol is not in the alphabet.
        """
        numbers = self.numbers(text)
        silent = self.silent[numbers]  # (S,)
        seams = np.flatnonzero(silent[:-1] & ~silent[1:]) + 1
        words = np.split(numbers, seams) if len(numbers) else []
        return [[*(self.first + word).tolist(), self.advance] for word in words]

    def spell(self, text: Sequence[str], contents: Sequence[Ids]) -> Ids:
        """Return the ids ``(N,)`` of a text and the content tokens of each of its S symbols.

        Raises
        ------
        DataError
            If a symbol is not in the alphabet.
        """
        parts: list[Any] = [np.zeros(0, np.int64)]
        given = iter(contents)
        for word in self.announce(text):
            parts.append(word)
            for _ in word[:-1]:
                parts += [next(given), [self.advance]]
        return np.concatenate(parts).astype(np.int64)

    def spelled(self, ids: Ids) -> tuple[Ids, list[Ids]] | None:
        """Return the symbols ``(S,)`` and the content of each, so that `spell` gives these ids.

        None if the ids ``(N,)`` are not whole words, or have content without a symbol.
        """
        followed = self.follow(ids)
        text, is_content = followed.begun, ids < self.first
        of = followed.places[1:][is_content]
        contents = np.split(ids[is_content], np.searchsorted(of, np.arange(1, len(text))))
        symbols = [self.alphabet[number] for number in text]
        if not len(text) or not np.array_equal(self.spell(symbols, contents), ids):
            return None
        return text, contents

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the ids from `start` on, after the symbols that are announced but not left."""
        followed = self.follow(ids[:start])
        last, rest = followed.states[-1], np.asarray(ids[start:], np.int64)
        again = self.first + followed.announced[int(last[DONE]) :]
        if self.separator and not len(again):
            [opening] = self.announce([self.separator])
            if rest[: len(opening) + 1].tolist() == [*opening, self.advance]:
                # What the tracker put between the prompt and the requested text.
                rest = rest[len(opening) + 1 :]
        opened = np.full(int(last[OPEN]), self.advance)
        return np.concatenate([again, opened, rest])

    def request(self, text: Sequence[str]) -> list[int]:
        """Return the tokens that announce the words of a text, for `tracker`.

        Raises
        ------
        DataError
            If a symbol is not in the alphabet, or no symbol has content.
        """
        words = self.announce(text)
        if self.silent[self.numbers(text)].all():
            raise DataError("the requested text is empty")
        return [token for word in words for token in word]

    def most_tokens(self, request: Sequence[int], tokens_per_unit: int = 1) -> int:
        """Return an upper bound for the tokens of a piece with the text of a `request`."""
        tokens = np.array(request, np.int64)
        symbols = tokens[tokens != self.advance] - self.first
        # Three tokens per symbol: announced, opened and left. One more symbol: the separator.
        return 3 * (len(symbols) + 1) + tokens_per_unit * int(self.most[symbols].sum())

    def tracker(self, request: Sequence[int] | None = None) -> DictationTracker:
        """Return the tracker of one piece; `request` is the text that is written after a prompt."""
        return DictationTracker(self, request)


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
