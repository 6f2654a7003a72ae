"""How much of a piece was copied from the training corpus, and from where.

The piece becomes a suffix automaton (Blumer et al. 1985), through which the corpus runs once:
time in proportion to both, memory to the piece alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import CountOrZero, checked
from seqgen.compiling import compiled
from seqgen.data.corpus import Corpus
from seqgen.plugin import Ids

#: Lengths of the n-grams that are counted.
LENGTHS = (4, 8, 16, 32)

#: Tokens of the corpus that are looked at in one go.
STRIDE = 2**20


@dataclass(frozen=True)
class Novelty:
    """What a piece has in common with the training pieces.

    Attributes
    ----------
    longest : int
        Tokens of the longest span that stands in a training piece as well.
    start : int
        Where in the piece it begins.
    place : str
        The same in words of the codec, such as a bar.
    source : str
        The training piece, by file.
    source_start : int
        Where in the training piece it begins.
    source_place : str
        The same in words.
    copied : dict of int to float
        The share of the piece's n-grams, for some n, that stand in a training piece.
    """

    longest: int
    start: int
    place: str
    source: str
    source_start: int
    source_place: str
    copied: dict[int, float]


@checked
def measure_novelty(corpus: Corpus, ids: Ids, prompt: CountOrZero = 0) -> Novelty:
    """Compare a piece with all training pieces.

    Parameters
    ----------
    corpus : Corpus
    ids : int64 array (N,)
        Of the corpus's vocabulary.
    prompt : int
        How many ids at the beginning were given, and are not compared.
    """
    symbols, local = np.unique(ids[prompt:], return_inverse=True)
    automaton = build(local.astype(np.int64), len(symbols))
    place = np.full(corpus.vocab.size, -1)
    place[symbols] = np.arange(len(symbols))
    longest, end, source, source_end = 0, 0, -1, 0
    for segment in corpus.segments("train"):
        tokens = corpus.piece(segment.piece)[segment.start : segment.stop]
        state = matched = 0
        for low in range(0, len(tokens), STRIDE):
            some = place[np.asarray(tokens[low : low + STRIDE], np.int64)]
            state, matched, found, at = follow(automaton, some, state, matched)
            if found > longest:
                longest, source = found, segment.piece
                end, source_end = automaton.ends[at[0]], segment.start + low + at[1] + 1
    lengths = copied_lengths(automaton, local.astype(np.int64))
    copied = {n: float((lengths[n - 1 :] >= n).mean()) for n in LENGTHS if n <= len(lengths)}
    if not longest:
        return Novelty(0, 0, "", "", 0, "", copied)
    start, source_start = prompt + int(end) - longest + 1, int(source_end) - longest
    original = np.asarray(corpus.piece(source), np.int64)
    return Novelty(
        longest,
        start,
        corpus.codec.place(ids, start),
        corpus.source(source),
        source_start,
        corpus.codec.place(original, source_start),
        copied,
    )


class Automaton(NamedTuple):
    """The suffix automaton of N symbols: at most 2 N states, the first of them empty.

    Attributes
    ----------
    following : int32 array (states, symbols)
        The state after another symbol, or -1.
    links : int64 array (states,)
        The state of the longest suffix that occurs elsewhere too; -1 for the first.
    lengths : int64 array (states,)
        Of the longest sequence that leads to a state.
    ends : int64 array (states,)
        Where that sequence first ends.
    matched : int64 array (states,)
        Of the longest sequence in the corpus that led here; filled in by `follow`.
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
                # The other state also ends longer sequences: its shorter ones get their own.
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
    """Run symbols, -1 for any that the piece has not, through the automaton.

    Returns
    -------
    state, matched : int
        Where to go on, and how many last symbols are a sequence of the piece.
    longest : int
        The most there were.
    at : (int, int)
        The state and the position at which it was so.
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
    """Return for each position the longest sequence that ends there and was matched."""
    matched = automaton.matched
    # What was matched, was matched with all its suffixes: longest states first.
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
