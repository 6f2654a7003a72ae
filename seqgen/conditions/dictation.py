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

Comes from: codecs of plugins. Next: `seqgen.conditions.dictation_tracker` dictates,
`seqgen.conditions.dictation_states` is the compiled state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.dictation_states import (
    ANNOUNCED,
    BARE,
    BETWEEN,
    DONE,
    FIELDS,
    FILLED,
    IMPLIED,
    MOST_UNITS,
    OPEN,
    SILENT,
    SITUATIONS,
    SPELLING,
    START,
    UNITS,
    WITHIN,
    Ids,
    follow,
    situations,
)
from seqgen.errors import DataError
from seqgen.grammar import packed
from seqgen.unknown import unknown_text


@dataclass(frozen=True)
class Followed:
    """What ids say, position by position.

    Attributes
    ----------
    states : int64 array (N + 1, FIELDS)
        Before and after each token; columns are those of `seqgen.conditions.dictation_states`.
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
    def symbols(self) -> Ids:
        """The open symbol as its number in the alphabet, or -1 for none ``(N + 1,)``."""
        known = np.append(self.announced, -1)
        is_open = self.states[:, OPEN] > 0
        return np.asarray(known[np.where(is_open, self.states[:, DONE], -1)])

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
    is_guess : bool
        Whether pieces do not say which content belongs to which symbol, so that the codec guesses,
        such as evenly. Training then finds it (`seqgen.training.rounds`).

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
        Sizes of the features: current symbol and next symbol, from 1 on, or 0; the current symbol
        with its units so far.
    feature_values : tuple of K sequences
        As for `Codec.feature_values`: symbols, and pairs of symbol and units.
    most : int64 array (A,)
    silent : bool array (A,)
    grammar : bool array (SITUATIONS, V + 1)
        Which ids may come in each situation of `seqgen.conditions.dictation_states`, END last.
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
        is_guess: bool = False,
    ) -> None:
        self.alphabet, self.separator, self._implied = tuple(alphabet), separator, implied
        self._numbers = {symbol: number for number, symbol in enumerate(self.alphabet)}
        self.most, self.is_guess = np.array(most, np.int64), is_guess
        self.silent = self.most == 0
        self.begins = np.ones(contents, bool) if begins is None else np.array(begins, bool)
        self.ends = np.ones(contents, bool) if ends is None else np.array(ends, bool)
        self.first, self.advance = contents, contents + len(self.alphabet)
        advance = ["advance"] * bool(self.alphabet)
        self.tokens = (*(f"symbol {symbol}" for symbol in self.alphabet), *advance)
        self.size = contents + len(self.tokens)
        symbol_values = [None, *self.alphabet]
        units = [(symbol, count) for symbol in symbol_values for count in range(MOST_UNITS + 1)]
        self.feature_values: tuple[Sequence[Any], ...] = (
            (symbol_values, symbol_values, units) if self.alphabet else ()
        )
        self.feature_sizes = tuple(len(values) for values in self.feature_values)
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

    def units(self, ids: Ids) -> Ids:
        """Return the largest number of units of each symbol in ids ``(A,)``."""
        followed = self.follow(ids)
        states = followed.states[followed.states[:, OPEN] > 0]
        most = np.zeros(len(self.alphabet), np.int64)
        np.maximum.at(most, followed.announced[states[:, DONE]], states[:, UNITS])
        return most

    def raise_most(self, most: Sequence[int] | Ids) -> None:
        """Allow symbols more units ``(A,)``; silent ones stay silent.

        Raises
        ------
        ValueError
            If it is another number of symbols.
        """
        if len(most) != len(self.alphabet):
            raise ValueError(f"expected {len(self.alphabet)} symbols, found {len(most)}")
        self.most = np.where(self.silent, 0, np.maximum(self.most, most))

    def situations(self, ids: Ids) -> Ids:
        """Return the situation at every position of ids ``(N + 1,)``, a row of `grammar`."""
        found, text = np.empty(len(ids) + 1, np.int64), np.zeros(len(ids) + 1, np.int64)
        ids = np.asarray(ids, np.int64)
        situations(ids, self.ends, self.silent, self.new_state(), text, found)
        return found

    def is_symbol(self, ids: Ids) -> NDArray[np.bool_]:
        """Return which of any ids ``(N,)`` announce a symbol."""
        return np.asarray((ids >= self.first) & (ids < self.advance))

    def beginnings(self, ids: Ids) -> Ids:
        """Return the positions in any ids ``(N,)`` at which a word is announced, rising."""
        is_symbol = self.is_symbol(ids)
        return np.flatnonzero(is_symbol & ~np.append(False, is_symbol[:-1]))

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
        if unknown := {*text} - self._numbers.keys():
            raise DataError(
                f"this model does not know the symbol{'s' * (len(unknown) > 1)} "
                f"{unknown_text(text, unknown)}, only {' '.join(map(repr, self.alphabet))}; use "
                f'`unknown="skip"` or `unknown="nearest"`, or train on pieces that have '
                f"{'them' if len(unknown) > 1 else 'it'}"
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

    def read(self, ids: Ids) -> tuple[list[str], list[Ids]]:
        """Return the S symbols that any ids ``(N,)`` open, and the content tokens of each.

        Content after a symbol that was left belongs to that one. Content without any symbol is
        not returned.
        """
        ids, followed = np.asarray(ids, np.int64), self.follow(ids)
        text, is_content = followed.begun, ids < self.first
        of = followed.places[1:][is_content]
        contents = np.split(ids[is_content], np.searchsorted(of, np.arange(1, len(text))))
        return [self.alphabet[number] for number in text], contents[: len(text)]

    def spelled(self, ids: Ids) -> tuple[Ids, list[Ids]] | None:
        """Return the symbols ``(S,)`` and the content of each, so that `spell` gives these ids.

        None if the ids ``(N,)`` are not whole words, or have content without a symbol.
        """
        symbols, contents = self.read(ids)
        if not symbols or not np.array_equal(self.spell(symbols, contents), ids):
            return None
        return self.numbers(symbols), contents

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
        """Return the tokens that announce the words of a text, for `DictationTracker`.

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
