"""Contexts of words: the beginning of the current word, alone and with the words before it.

An n-gram of characters forgets where a word began. A codec says which ids are parts of words
(`Codec.word_numbers`). Between two words the ids since the last one take the place of a beginning.
Next: `seqgen.evaluation.geometric_mixture`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.evaluation.ngram_table import longer
from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Number of contexts: no word before, one, two.
CONTEXTS = 3

#: Hashes of an empty word and an empty gap, and factors of the words before.
_WORD, _GAP = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Words(NamedTuple):
    """Where a reader is among words.

    Attributes
    ----------
    numbers : int64 array (V,)
        Number of each id inside words; 0 for ids between words.
    hashes : uint64 array (CONTEXTS,)
        Of the current word or gap so far, the word before, and the word before that.
    inside : bool array (1,)
        Whether the last id was part of a word.
    contexts : uint64 array (CONTEXTS,)
        Hashes of the contexts; (0,) if the codec knows no words.
    """

    numbers: Ids
    hashes: NDArray[np.uint64]
    inside: NDArray[np.bool_]
    contexts: NDArray[np.uint64]


def words_of(numbers: Sequence[int], vocab: Vocab) -> Words:
    """Return the reader of a codec's words, at the beginning of a piece."""
    every = np.zeros(vocab.size, np.int64)
    every[: len(numbers)] = numbers
    count = CONTEXTS if every.any() else 0
    words = Words(
        every,
        np.empty(CONTEXTS, np.uint64),
        np.empty(1, np.bool_),
        np.empty(count, np.uint64),
    )
    open_words(words)
    return words


@compiled
def open_words(words: Words) -> None:
    """Begin a piece."""
    words.hashes[:] = _GAP
    words.inside[0] = False
    _join(words)


@compiled
def follow_words(words: Words, token: int) -> None:
    """Read an id."""
    if not len(words.contexts):
        return
    number, hashes = words.numbers[token], words.hashes
    if number and words.inside[0]:
        hashes[0] = longer(hashes[0], number)
    elif number:
        hashes[0] = longer(_WORD, number)
    elif words.inside[0]:
        hashes[2], hashes[1] = hashes[1], hashes[0]
        hashes[0] = longer(_GAP, token)
    else:
        hashes[0] = longer(hashes[0], token)
    words.inside[0] = number > 0
    _join(words)


@compiled
def _join(words: Words) -> None:
    """Fill in the contexts: each has one word more than the last."""
    for number in range(len(words.contexts)):
        key = words.hashes[0]
        for before in range(number):
            key = np.uint64(key * _FACTORS[0] + words.hashes[1 + before] * _FACTORS[1])
        words.contexts[number] = key
