"""The codec `subwords`: frequent parts of words as tokens, and bytes for rare characters."""

from __future__ import annotations

import codecs
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from seqgen.errors import ConfigError, DataError
from seqgen.grammar import IndexedMasks
from seqgen.plugin import Ids, OpenEnd, Tracker, Within, check_fields
from seqgen_text.codecs.automaton import Automaton
from seqgen_text.codecs.bytes import CONTINUING, NAMES, structure_of_bytes, utf8_states
from seqgen_text.codecs.chunks import chunks
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.merging import LONGEST_SUBWORD, learned_subwords, merged
from seqgen_text.codecs.structured import StructuredCodec
from seqgen_text.codecs.text_codec import check_whole_characters, is_whole
from seqgen_text.grammars.structure import Grammar

#: The first tokens: each character of ASCII, and each byte that UTF-8 has of other characters.
ASCII, BYTES = 128, (*range(0x80, 0xC0), *range(0xC2, 0xF5))
BASE = (*(bytes([byte]) for byte in range(ASCII)), *(bytes([byte]) for byte in BYTES))

#: Characters of a corpus for each occurrence that a token needs by default: docs/text.md.
RARITY = 10_000

#: Most different chunks of a corpus from which subwords are learned.
MOST_CHUNKS = 2**17

#: Most tokens with a grammar, which has a table of a verdict for each token and situation.
MOST_WITH_GRAMMAR = 2**15

#: Chunks whose tokens are remembered.
MOST_CACHED = 2**16


@dataclass(frozen=True)
class SubwordOptions:
    """Options of the codec `subwords`."""

    most: Annotated[int, Within(len(BASE) + 1, 2**20)] = 4096
    """Most tokens: 243 bytes, and the most frequent characters and subwords."""
    rarest: Annotated[int, Within(0, 10**15)] = 0
    """Fewest occurrences of a character or subword that is a token. 0 chooses a ten-thousandth of
    the characters of the corpus, and at least 2."""
    grammar: Grammar = "none"
    """Language whose brackets, strings, environments or tags new pieces close if they open them."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.grammar != "none" and self.most > MOST_WITH_GRAMMAR:
            raise ConfigError(
                f"grammar={self.grammar} needs most={MOST_WITH_GRAMMAR} or less, found "
                f"most={self.most}; leave out one of them"
            )


class SubwordCodec(StructuredCodec):
    """Characters and subwords of the corpus as tokens; rare characters are bytes of UTF-8.

    Lossless, and no text has an unknown symbol. Bytes that are no character decode to U+FFFD; one
    that is cut at the end of the ids is left out.

    Parameters
    ----------
    characters : str
        Characters that are tokens, besides those of ASCII.
    subwords : sequence of str
        In the order in which they were learned.
    options : SubwordOptions

    Raises
    ------
    DataError
        If two tokens are the same.
    """

    options_type: ClassVar[type[Any]] = SubwordOptions
    # Chosen by counting faults: docs/sampling.md.
    temperature = 0.7

    def __init__(self, characters: str, subwords: Iterable[str], options: SubwordOptions) -> None:
        self.options = options
        self._characters, self._subwords = characters, tuple(subwords)
        whole = (*characters, *self._subwords)
        self.vocab = (*(NAMES[byte] for [byte] in BASE), *whole)
        if len(set(self.vocab)) < len(self.vocab):
            raise DataError("characters and subwords must differ from each other and from bytes")
        self._bytes = (*BASE, *(text.encode() for text in whole))
        self._ids = {text: token for token, text in enumerate(self._bytes)}
        self._ranks = {text: rank for rank, text in enumerate(self._subwords)}
        # To the grammar of UTF-8 a text is like a character of one byte.
        kinds = [text[0] if len(text) == 1 else 0 for text in self._bytes]
        self._utf8 = Automaton(kinds, *utf8_states())
        if options.grammar != "none":
            self.set_structure(structure_of_bytes(options.grammar, self._bytes))
        #: Tokens of chunks that were encoded before.
        self._cache: dict[str, tuple[int, ...]] = {}

    @classmethod
    def fit(cls, pieces: Iterable[str], options: SubwordOptions) -> Self:
        """Count characters and chunks, and learn subwords."""
        characters = Counter[str]()
        with Counts() as counts:
            for piece in filter(is_whole, pieces):
                characters.update(piece)
                counts.add(chunks(piece))
            frequent = counts.largest(MOST_CHUNKS)
        room = options.most - len(BASE)
        rarest = options.rarest or max(characters.total() // RARITY, 2)
        ranks = sorted((-count, each) for each, count in characters.items() if ord(each) >= ASCII)
        kept = [each for count, each in ranks[:room] if -count >= rarest]
        alphabet = {*kept, *map(chr, range(ASCII))}
        subwords = learned_subwords(frequent, alphabet, room - len(kept), rarest)
        return cls("".join(sorted(kept)), subwords, options)

    def state(self) -> dict[str, Any]:
        """Return characters and subwords, and what the corpus has against the grammar."""
        learned = {"characters": self._characters, "subwords": [*self._subwords]}
        return learned | self.structure_state()

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: SubwordOptions) -> Self:
        """Rebuild the codec."""
        characters, subwords = state["characters"], state["subwords"]
        if not isinstance(characters, str) or not is_whole(characters):
            raise DataError("characters must be a text")
        if not isinstance(subwords, list) or not all(map(_is_subword, subwords)):
            raise DataError(f"subwords must be texts of 2 to {LONGEST_SUBWORD} characters")
        codec = cls(characters, subwords, options)
        codec.restore_structure(state)
        return codec

    def encode(self, piece: str) -> Ids:
        """Return the ids of a text ``(N,)``.

        Raises
        ------
        DataError
            For a lone surrogate, which UTF-8 has no bytes for, with its position.
        """
        check_whole_characters(piece)
        ids = array("q")
        for chunk in chunks(piece):
            ids.extend(self._cache.get(chunk) or self._spelled(chunk))
        return np.array(ids, np.int64)

    def _spelled(self, chunk: str) -> tuple[int, ...]:
        """Return the tokens of a chunk, and remember them."""
        ids: list[int] = []
        for text in merged(chunk, self._ranks):
            encoded = text.encode()
            known = self._ids.get(encoded)
            ids += [self._ids[bytes([byte])] for byte in encoded] if known is None else [known]
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[chunk] = tuple(ids)
        return self._cache[chunk]

    def text_stream(self) -> Callable[[int], str]:
        """Return an incremental decoder: the last byte of a character adds the character."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: decoder.decode(self._bytes[token])

    def open_end(self, ids: Ids) -> OpenEnd | None:
        """Return the last chunk of a prompt: other subwords may spell it with what follows."""
        text = ""
        for chunk in chunks(self.decode(ids)):
            text = chunk
        if not text:
            return None
        return OpenEnd(len(ids) - len(self.encode(text)), text, lambda ids: self._bytes)

    def decode(self, ids: Ids) -> str:
        """Return the text that `text_stream` shows."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(b"".join([self._bytes[token] for token in np.asarray(ids).tolist()]))

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest from the next whole character on."""
        # A character continues for at most three bytes.
        head = [self._bytes[token] for token in np.asarray(ids[start : start + 3]).tolist()]
        whole = (at for at, text in enumerate(head) if len(text) > 1 or text[0] not in CONTINUING)
        return ids[start + next(whole, len(head)) :]

    def masks(self, ids: Ids) -> IndexedMasks | None:
        """Return what may come: bytes that are valid UTF-8; texts and END between characters."""
        return self._utf8.masks(ids) if self.structure is None else super().masks(ids)

    def tracker(self, condition: Any = None) -> Tracker:
        """Return the grammar's tracker; subwords take no condition."""
        return super().tracker(condition) or self._utf8.tracker()


def _is_subword(text: object) -> bool:
    return isinstance(text, str) and 2 <= len(text) <= LONGEST_SUBWORD and is_whole(text)
