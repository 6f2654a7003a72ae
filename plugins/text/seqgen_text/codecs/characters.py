"""The codec `characters`: one token for each Unicode character, optionally one for a blank line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import ConfigError, DataError
from seqgen.plugin import Ids, OpenEnd, Within, check_fields
from seqgen.unknown import Mended, Unknown, mend_text
from seqgen_text.codecs.counting import Counts
from seqgen_text.codecs.graphemes import graphemes
from seqgen_text.codecs.structured import StructuredCodec
from seqgen_text.codecs.text_codec import numbered_letters, unknown_characters
from seqgen_text.grammars.structure import Grammar, Structure

#: Characters counted or encoded at a time; their arrays fit in the processor's cache.
CHUNK = 2**16

#: Last tokens of a prompt that are looked at; a grapheme has fewer.
LONGEST_END = 64

#: Most graphemes of several characters that are tokens.
MOST_CLUSTERS = 2**16

#: In place of an id: a rare character that is dropped, and one that the corpus does not have.
DROPPED, UNKNOWN = -1, -2

#: The text of each kind of boundary.
BOUNDARIES = {"none": "", "line": "\n", "paragraph": "\n\n", "page": "\f"}


@dataclass(frozen=True)
class CharacterOptions:
    """Options of the codec `characters`."""

    rarest: Annotated[int, Within(0, 10**15)] = 1
    """Drop characters that occur less often than this in the corpus."""
    boundary: Literal["none", "line", "paragraph", "page"] = "none"
    """The model forgets everything after a line, a paragraph (two newlines, which become one token)
    or a page (a form feed)."""
    unit: Literal["character", "grapheme"] = "character"
    """`grapheme` makes a letter with its accents one token, and an emoji of several characters."""
    grammar: Grammar = "none"
    """Language whose brackets, strings, environments or tags new pieces close if they open them."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.grammar != "none" and self.boundary != "none":
            raise ConfigError(
                f"grammar={self.grammar} needs boundary=none, found boundary={self.boundary}; "
                f"leave out one of them"
            )


class CharacterCodec(StructuredCodec):
    """One token for each character of the corpus, in the order of code points.

    Lossless, except that characters rarer than the option `rarest` are dropped. Characters of a
    `boundary` are kept, however rare. With "paragraph" the last token is two newlines, paired from
    the left: three newlines are a boundary and a newline. Its name is these two newlines, which no
    character has.

    With the option `unit` a grapheme of several characters is one token, too. One that is none is
    spelled by its characters.

    Parameters
    ----------
    characters : str
        The alphabet, sorted.
    dropped : str
        Characters of the corpus that are not in the alphabet.
    options : CharacterOptions
    clusters : sequence of str
        Graphemes of several characters that are tokens.
    """

    options_type: ClassVar[type[Any]] = CharacterOptions

    def __init__(
        self,
        characters: str,
        dropped: str,
        options: CharacterOptions,
        clusters: Sequence[str] = (),
    ) -> None:
        boundary = BOUNDARIES[options.boundary]
        self.options = options
        self.vocab = (*characters, *clusters, *([boundary] if len(boundary) > 1 else []))
        self._clusters = {each: len(characters) + at for at, each in enumerate(clusters)}
        self.boundaries = (self.vocab.index(boundary),) if boundary else ()
        self.word_numbers = numbered_letters(self.vocab)
        self._characters = characters
        self._dropped = dropped
        if options.grammar != "none":
            self.set_structure(Structure.of_characters(options.grammar, self.vocab))
        self._lengths = np.array([len(text) for text in self.vocab], np.int64)
        sizes = [len(text.encode("utf-8", "surrogatepass")) for text in self.vocab]
        self._bytes = np.array(sizes, np.int64)
        self._blank = np.array([text.isspace() for text in self.vocab], bool)

    @classmethod
    def fit(cls, pieces: Iterable[str], options: CharacterOptions) -> Self:
        """Collect the alphabet."""
        counts, clusters = np.zeros(sys.maxunicode + 1, np.int64), list[str]()
        with Counts() as found:
            for piece in pieces:
                for low in range(0, len(piece), CHUNK):
                    part = np.unique(_points(piece[low : low + CHUNK]), return_counts=True)
                    counts[part[0]] += part[1]
                if options.unit == "grapheme":
                    found.add(each for each in graphemes(piece) if len(each) > 1)
            if options.unit == "grapheme":
                clusters = found.most_frequent(MOST_CLUSTERS, max(options.rarest, 1))
        common = counts >= max(options.rarest, 1)
        common[[ord(character) for character in BOUNDARIES[options.boundary]]] = True
        kept, dropped = (np.flatnonzero(each).tolist() for each in (common, ~common & (counts > 0)))
        alphabet = set(map(chr, kept))
        clusters = [each for each in clusters if alphabet.issuperset(each)]
        return cls("".join(map(chr, kept)), "".join(map(chr, dropped)), options, clusters)

    @cached_property
    def _table(self) -> NDArray[np.int64]:
        """The id of every code point up to the highest in the corpus, then `UNKNOWN`."""
        points = [ord(character) for character in self._characters]
        dropped = [ord(character) for character in self._dropped]
        table = np.full(max([*points, *dropped], default=0) + 2, UNKNOWN)
        table[points] = np.arange(len(points))
        table[dropped] = DROPPED
        return table

    def encode(self, piece: str) -> NDArray[np.int64]:
        """Return one id for each character, or for two newlines if they are the boundary.

        Raises
        ------
        DataError
            For characters that the corpus does not have, with their positions.
        """
        ids = np.empty(len(piece), np.int64)
        for low in range(0, len(piece), CHUNK):
            points = _points(piece[low : low + CHUNK])
            ids[low : low + CHUNK] = self._table[np.minimum(points, len(self._table) - 1)]
        lowest = ids.min(initial=0)
        if lowest == UNKNOWN:
            unknown = set(piece).difference(self._characters, self._dropped)
            raise unknown_characters(piece, unknown, len(self._characters))
        ids = ids[ids >= 0] if lowest == DROPPED else ids
        ids = self._clustered(ids) if self._clusters else ids
        return self._paired(ids) if self.options.boundary == "paragraph" else ids

    def _clustered(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Replace the characters of graphemes by these."""
        clustered, left, place = ids.copy(), np.ones(len(ids), bool), 0
        for each in graphemes(self.decode(ids)):
            if each in self._clusters:
                clustered[place] = self._clusters[each]
                left[place + 1 : place + len(each)] = False
            place += len(each)
        return clustered[left]

    def _paired(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Replace pairs of newlines by the boundary, from the left in every run of newlines."""
        places = np.flatnonzero(ids == self._characters.index("\n"))
        numbers = np.arange(len(places))
        begins = np.diff(places, prepend=-2) > 1
        before = numbers - np.maximum.accumulate(np.where(begins, numbers, 0))  # in the same run
        first = places[(before % 2 == 0) & (np.diff(places, append=-2) == 1)]
        paired = ids.copy()
        paired[first] = self.boundaries[0]
        return np.delete(paired, first + 1)

    def mend_prompt(self, piece: str, unknown: Unknown) -> Mended:
        """Drop unknown characters or replace them by the nearest known ones.

        Characters dropped by the option `rarest` count as unknown here.
        """
        return mend_text(piece, self._characters, unknown)

    def decode(self, ids: NDArray[np.int64]) -> str:
        """Return the text of all tokens."""
        return "".join(self.vocab[token] for token in ids)

    def text_stream(self) -> Callable[[int], str]:
        """Return the function from an id to its text."""
        return self.vocab.__getitem__

    def open_end(self, ids: Ids) -> OpenEnd | None:
        """Return the last grapheme of a prompt, or the newline that another may follow."""
        parts = [*graphemes(self.decode(ids[-LONGEST_END:]))]
        if not parts or ids[-1] in self.boundaries:
            return None
        text = parts[-1]
        if not self._clusters and not (text == "\n" and self.options.boundary == "paragraph"):
            return None
        kept = len(ids) - len(self.encode(text))
        texts = [each.encode("utf-8", "surrogatepass") for each in self.vocab]
        return OpenEnd(kept, text, lambda ids: texts)

    def state(self) -> dict[str, Any]:
        """Return the alphabet, and what the corpus has against the grammar."""
        clusters = [*self._clusters]
        alphabet = {"characters": self._characters, "dropped": self._dropped, "clusters": clusters}
        return alphabet | self.structure_state()

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: CharacterOptions) -> Self:
        """Rebuild the codec."""
        characters, dropped = state["characters"], state["dropped"]
        if not isinstance(characters, str) or not isinstance(dropped, str):
            raise DataError("characters and dropped must be texts")
        clusters, alphabet = state.get("clusters", []), set(characters)
        if not isinstance(clusters, list) or not all(
            isinstance(each, str) and len(each) > 1 and alphabet.issuperset(each)
            for each in clusters
        ):
            raise DataError("clusters must be texts of several of these characters")
        codec = cls(characters, dropped, options, clusters)
        codec.restore_structure(state)
        return codec

    def units(self, ids: NDArray[np.int64]) -> dict[str, float]:
        """Count words (what is between blanks), characters and UTF-8 bytes."""
        counts = np.bincount(ids, minlength=len(self._bytes))
        blank = np.append(True, self._blank[ids])  # (N + 1,)
        return {
            "words": float(np.count_nonzero(blank[:-1] & ~blank[1:])),
            "characters": float(counts @ self._lengths),
            "bytes": float(counts @ self._bytes),
        }


def _points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
