"""Words between blanks and line ends as tokens, and nothing else: the form of the Penn Treebank."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from seqgen.plugin import Ids
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.text_codec import is_whole

#: Tokens of the line end, and of every word that is no token.
LINE, UNKNOWN = "\n", "<unk>"


class PlainWords:
    """The tokens of a form of text of words and lines, whose other blanks do not count.

    Parameters
    ----------
    words : sequence of str
        Words that are tokens, besides `UNKNOWN`.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self.vocab = (LINE, UNKNOWN, *words)
        self._ids = {each: at for at, each in enumerate(self.vocab)}

    @classmethod
    def of(cls, pieces: Iterable[str], most: int, rarest: int) -> PlainWords:
        """Return the frequent words of a corpus."""
        with Counts() as words:
            for piece in filter(is_whole, pieces):
                words.add(word for word in piece.split() if word != UNKNOWN)
            return cls(words.most_frequent(most, rarest))

    def encode(self, text: str) -> Ids:
        """Return the ids of all words and line ends ``(N,)``."""
        ids = array("q")
        for line in text.split(LINE):
            ids.extend(self._ids.get(word, 1) for word in line.split())
            ids.append(0)
        # No line end follows the last line.
        return np.array(ids[:-1], np.int64)

    def stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that it adds."""
        after_word = False

        def typed(token: int) -> str:
            nonlocal after_word
            blank = " " if after_word and token else ""
            after_word = token > 0
            return blank + self.vocab[token]

        return typed
