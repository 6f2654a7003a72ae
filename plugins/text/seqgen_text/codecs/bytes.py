"""The codec `bytes`: one token for each byte of UTF-8, and a grammar of what is valid."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import IndexedMasks
from seqgen.plugin import Ids, Tracker, check_fields
from seqgen_text.codecs.automaton import Automaton
from seqgen_text.codecs.structured import StructuredCodec
from seqgen_text.codecs.text_codec import check_whole_characters, numbered_letters
from seqgen_text.grammars.costs import with_costs
from seqgen_text.grammars.structure import Grammar, Structure, kinds_of
from seqgen_text.grammars.tables import Tables, by_bytes, tables_of

#: Names of tokens: the character of a byte below 128, else its number.
NAMES = tuple(chr(byte) if byte < 128 else f"0x{byte:02X}" for byte in range(256))

#: Letters without cases, which stand for the bytes beyond ASCII.
HIGH = ord("一")

#: Bytes after the first one of a character.
CONTINUING = range(0x80, 0xC0)

#: First bytes of a character, the bytes that may follow them, and how many bytes then remain
#: (The Unicode Standard, table 3-7).
WELL_FORMED = (
    (range(0xC2, 0xE0), CONTINUING, 0),
    (range(0xE0, 0xE1), range(0xA0, 0xC0), 1),
    (range(0xE1, 0xED), CONTINUING, 1),
    (range(0xED, 0xEE), range(0x80, 0xA0), 1),  # no surrogates
    (range(0xEE, 0xF0), CONTINUING, 1),
    (range(0xF0, 0xF1), range(0x90, 0xC0), 2),
    (range(0xF1, 0xF4), CONTINUING, 2),
    (range(0xF4, 0xF5), range(0x80, 0x90), 2),  # none beyond U+10FFFF
)


@dataclass(frozen=True)
class ByteOptions:
    """Options of the codec `bytes`."""

    grammar: Grammar = "none"
    """Language whose brackets, strings, environments or tags new pieces close if they open them."""

    def __post_init__(self) -> None:
        check_fields(self)


class ByteCodec(StructuredCodec):
    """One token for each byte of a text in UTF-8; lossless, and no text has an unknown symbol.

    Bytes that are no character decode to U+FFFD. A character that is cut at the end of the ids is
    left out.

    Parameters
    ----------
    options : ByteOptions
    """

    options_type: ClassVar[type[Any]] = ByteOptions
    vocab = NAMES
    # Bytes of other characters than ASCII count as letters, each with itself.
    word_numbers = numbered_letters(
        chr(byte) if byte < 0x80 else chr(HIGH + byte) for byte in range(0x100)
    )
    # Chosen by counting faults: docs/sampling.md.
    temperature = 0.7

    def __init__(self, options: ByteOptions) -> None:
        self.options = options
        if options.grammar != "none":
            self.set_structure(structure_of_bytes(options.grammar, [[each] for each in range(256)]))

    @classmethod
    def fit(cls, pieces: Iterable[str], options: ByteOptions) -> Self:
        """Return the codec; there is nothing to learn."""
        return cls(options)

    def state(self) -> dict[str, Any]:
        """Return what the corpus has against the grammar, if there is one."""
        return self.structure_state()

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: ByteOptions) -> Self:
        """Rebuild the codec."""
        codec = cls(options)
        codec.restore_structure(state)
        return codec

    def encode(self, piece: str) -> Ids:
        """Return the bytes ``(N,)``.

        Raises
        ------
        DataError
            If the text has a lone surrogate, which UTF-8 has no bytes for.
        """
        check_whole_characters(piece)
        return np.frombuffer(piece.encode("utf-8"), np.uint8).astype(np.int64)

    def text_stream(self) -> Callable[[int], str]:
        """Return an incremental decoder: the last byte of a character adds the character."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: decoder.decode(bytes([token]))

    def decode(self, ids: Ids) -> str:
        """Return the text that `text_stream` shows."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(np.asarray(ids).astype(np.uint8).tobytes())

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest from the next whole character on."""
        # A character continues for at most three bytes.
        head = np.asarray(ids[start : start + 3]).tolist()
        cut = next((at for at, byte in enumerate(head) if byte not in CONTINUING), len(head))
        return ids[start + cut :]

    def masks(self, ids: Ids) -> IndexedMasks | None:
        """Return which bytes may come: those of valid UTF-8, and END between characters."""
        return utf8().masks(ids) if self.structure is None else super().masks(ids)

    def tracker(self, condition: Any = None) -> Tracker:
        """Return the grammar's tracker; bytes take no condition."""
        return super().tracker(condition) or utf8().tracker()


@cache
def utf8() -> Automaton:
    """Return the grammar of UTF-8."""
    return Automaton(np.arange(256), *utf8_states())


def utf8_states() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return what may come in each state of the grammar of UTF-8, and where each byte leads.

    State 0 is between characters. In states 1 and 2 one or two bytes remain that may be any
    continuing ones. The others come after the first bytes of each row of `WELL_FORMED`. A byte that
    is not allowed is read as if it came between characters.
    """
    moves = np.zeros((3 + len(WELL_FORMED), 256), np.int64)
    allowed = np.zeros((len(moves), 257), bool)
    for state, (first, _, _) in enumerate(WELL_FORMED, 3):
        moves[:, first.start : first.stop] = state
        allowed[0, first.start : first.stop] = True
    allowed[0, :128] = allowed[0, -1] = True
    rows = [(1, CONTINUING, 0), (2, CONTINUING, 1)]
    rows += [(state, second, left) for state, (_, second, left) in enumerate(WELL_FORMED, 3)]
    for state, second, left in rows:
        allowed[state, second.start : second.stop] = True
        moves[state, second.start : second.stop] = left
    return allowed, moves


def structure_of_bytes(grammar: Grammar, spellings: Sequence[Sequence[int]]) -> Structure:
    """Return the grammar of a language for tokens that are bytes, or several."""
    tables = _tables(grammar, kinds_of(spellings, 255))
    return Structure(grammar, tables, spellings, len(tables_of(grammar).entries))


@cache
def _tables(grammar: Grammar, tokens: tuple[int, ...]) -> Tables:
    """Return the tables of a language for bytes, some of which are tokens of their own."""
    states, every = range(3 + len(WELL_FORMED)), range(256)
    follows = np.stack([utf8().allowed(state)[:256] for state in states])  # (U, 256)
    moves = np.array([[utf8().after(state, byte) for byte in every] for state in states])
    return with_costs(by_bytes(tables_of(grammar), follows, moves), tokens)
