"""Novelty: how much of a piece was copied from the training corpus, and from where.

The piece becomes a suffix automaton (Blumer et al. 1985), which reads the corpus once. Time is
proportional to both, memory to the piece alone. Comes from: `seqgen.data.corpus`. Next:
`seqgen.report.samples` writes it into the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import CountOrZero, checked
from seqgen.compiling import compiled
from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError
from seqgen.generation.pieces import Generated
from seqgen.plugin import Ids
from seqgen.plugins.faults import naming_faults
from seqgen.wording import brief

#: Lengths of the n-grams whose copied share is measured.
LENGTHS = (4, 8, 16, 32)

#: Tokens of the corpus that are read at once.
STRIDE = 2**20


@dataclass(frozen=True)
class Novelty:
    """The passages that a piece shares with training pieces.

    Attributes
    ----------
    longest : int
        Tokens of the longest passage that also occurs in a training piece.
    start : int
        First token of the passage in the piece.
    place : str
        The same in the codec's words, such as "bar 12".
    source : str
        File of the training piece.
    source_start : int
        First token of the passage in the training piece.
    source_place : str
        The same in the codec's words.
    copied : dict of int to float
        For each n of `LENGTHS`, the fraction of the piece's n-grams that occur in training pieces.
    """

    longest: int
    start: int
    place: str
    source: str
    source_start: int
    source_place: str
    copied: dict[int, float]


@naming_faults
@checked
def measure_novelty(
    corpus: Corpus,
    ids: NDArray[np.int64] | Generated,
    prompt: CountOrZero = 0,
    most: CountOrZero = 0,
) -> Novelty:
    """Compare a piece with training pieces.

    Parameters
    ----------
    corpus : Corpus
    ids : int64 array (N,) or Generated
        Ids of the corpus's vocabulary; a new piece says itself which of them were given.
    prompt : int
        Number of ids at the beginning that were given; they are not compared.
    most : int
        Tokens of training pieces that are read, about; pieces are left out evenly. 0 reads all.
    """
    if isinstance(ids, Generated):
        prompt, ids = prompt or ids.prompt, ids.ids
    if not isinstance(ids, np.ndarray):
        raise ConfigError(f"ids must be an int64 array or a new piece, found {brief(ids)}")
    symbols, local = np.unique(ids[prompt:], return_inverse=True)
    automaton = build(local.astype(np.int64), len(symbols))
    passage = _followed(corpus, automaton, symbols, most)
    lengths = copied_lengths(automaton, local.astype(np.int64))
    copied = {n: float((lengths[n - 1 :] >= n).mean()) for n in LENGTHS if n <= len(lengths)}
    if not passage.tokens:
        return Novelty(0, 0, "", "", 0, "", copied)
    original = np.asarray(corpus.piece(passage.piece), np.int64)
    return Novelty(
        passage.tokens,
        prompt + passage.start,
        corpus.codec.place(ids, prompt + passage.start),
        corpus.source(passage.piece),
        passage.source_start,
        corpus.codec.place(original, passage.source_start),
        copied,
    )


class Passage(NamedTuple):
    """A passage that a piece shares with a training piece.

    Attributes
    ----------
    tokens : int
    start : int
        Its first token in the piece.
    piece : int
        The training piece.
    source_start : int
        Its first token in the training piece.
    """

    tokens: int
    start: int
    piece: int
    source_start: int


def longest_passage(corpus: Corpus, ids: Ids, most: int = 0) -> Passage:
    """Return the longest passage of ids ``(N,)`` that occurs in a training piece.

    `most` is that of `measure_novelty`.
    """
    symbols, local = np.unique(ids, return_inverse=True)
    return _followed(corpus, build(local.astype(np.int64), len(symbols)), symbols, most)


def _followed(corpus: Corpus, automaton: Automaton, symbols: Ids, most: int) -> Passage:
    """Return the longest passage after an automaton of `symbols` has read training pieces."""
    place = np.full(corpus.vocab.size, -1)
    place[symbols] = np.arange(len(symbols))
    longest = Passage(0, 0, -1, 0)
    segments = corpus.segments("train")
    step = max(-(-segments.tokens // most), 1) if most else 1
    for segment in segments[::step]:
        tokens = corpus.piece(segment.piece)[segment.start : segment.stop]
        tokens = tokens[: most or None]
        state = matched = 0
        for low in range(0, len(tokens), STRIDE):
            some = place[np.asarray(tokens[low : low + STRIDE], np.int64)]
            state, matched, found, at = follow(automaton, some, state, matched)
            if found > longest.tokens:
                start = int(automaton.ends[at[0]]) + 1 - found
                source_start = segment.start + low + at[1] + 1 - found
                longest = Passage(found, start, segment.piece, source_start)
    return longest


class Automaton(NamedTuple):
    """The suffix automaton of N symbols: at most 2 N states; the first is the empty sequence.

    Attributes
    ----------
    following : int32 array (states, symbols)
        The state after one more symbol, or -1.
    links : int64 array (states,)
        The state of the longest suffix that also occurs elsewhere; -1 for the first state.
    lengths : int64 array (states,)
        Length of the longest sequence that leads to a state.
    ends : int64 array (states,)
        Position at which that sequence first ends.
    matched : int64 array (states,)
        Length of the longest sequence of the corpus that led to a state; filled in by `follow`.
    """

    following: NDArray[np.int32]
    links: Ids
    lengths: Ids
    ends: Ids
    matched: Ids


def build(symbols: Ids, kinds: int) -> Automaton:
    """Return the automaton of symbols ``0 .. kinds - 1`` ``(N,)``."""
    most = 2 * len(symbols) + 1
    automaton = Automaton(
        following=np.full((most, kinds), -1, np.int32),
        links=np.full(most, -1),
        lengths=np.full(most, -1),
        ends=np.full(most, -1),
        matched=np.zeros(most, np.int64),
    )
    _build(automaton, symbols)
    return automaton


@compiled
def _build(automaton: Automaton, symbols: Ids) -> None:
    following, links, lengths, ends, _ = automaton
    lengths[0] = 0
    last, states = 0, 1
    for position, symbol in enumerate(symbols):
        new = states
        states += 1
        lengths[new], ends[new] = position + 1, position
        state = last
        while state >= 0 and following[state, symbol] < 0:
            following[state, symbol] = new
            state = links[state]
        if state < 0:
            links[new] = 0
        else:
            other = following[state, symbol]
            if lengths[other] == lengths[state] + 1:
                links[new] = other
            else:
                # Longer sequences also lead to the other state: shorter ones get a clone.
                clone = states
                states += 1
                lengths[clone], ends[clone] = lengths[state] + 1, ends[other]
                following[clone], links[clone] = following[other], links[other]
                while state >= 0 and following[state, symbol] == other:
                    following[state, symbol] = clone
                    state = links[state]
                links[other] = links[new] = clone
        last = new


@compiled
def follow(
    automaton: Automaton, symbols: Ids, state: int, matched: int
) -> tuple[int, int, int, tuple[int, int]]:
    """Read symbols of the corpus; -1 stands for a symbol that the piece does not have.

    Returns
    -------
    state, matched : int
        The state to continue from, and how many of the last symbols are a passage of the piece.
    longest : int
        The highest `matched` on the way.
    at : (int, int)
        The state and the position at which it was reached.
    """
    longest, at = 0, (0, 0)
    for position, symbol in enumerate(symbols):
        if symbol < 0:
            state = matched = 0
            continue
        while state > 0 and automaton.following[state, symbol] < 0:
            state = automaton.links[state]
            matched = automaton.lengths[state]
        if automaton.following[state, symbol] >= 0:
            state = automaton.following[state, symbol]
            matched += 1
        automaton.matched[state] = max(automaton.matched[state], matched)
        if matched > longest:
            longest, at = matched, (state, position)
    return state, matched, longest, at


@compiled
def copied_lengths(automaton: Automaton, symbols: Ids) -> Ids:
    """Return for each position ``(N,)`` the length of the longest match that ends there."""
    matched = automaton.matched
    # All suffixes of a match are matches as well; longest states first.
    for state in np.argsort(-automaton.lengths):
        link = automaton.links[state]
        if link > 0 and matched[state]:
            matched[link] = automaton.lengths[link]
    lengths = np.zeros(len(symbols), np.int64)
    state = 0
    for position, symbol in enumerate(symbols):
        state = automaton.following[state, symbol]
        holder = state
        while holder > 0 and not matched[holder]:
            holder = automaton.links[holder]
        lengths[position] = matched[holder] if holder > 0 else 0
    return lengths
