"""Byte pair encoding over characters: learns subwords, and joins the characters of a chunk.

Gage 1994; Sennrich, Haddow and Birch 2016 (https://aclanthology.org/P16-1162).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

#: Most characters of a subword.
LONGEST_SUBWORD = 32

#: Two neighbours in a chunk: characters or subwords.
Pair: TypeAlias = tuple[str, str]


def learned_subwords(
    chunks: Mapping[str, int], alphabet: Collection[str], most: int, rarest: int
) -> list[str]:
    """Return subwords, the first learned first.

    The most frequent pair of neighbours becomes a subword, again and again. Of pairs that are as
    frequent the first in the order of code points is taken.

    Parameters
    ----------
    chunks : mapping of str to int
        How often each chunk occurs.
    alphabet : collection of str
        Characters that may be in subwords.
    most : int
        Most subwords.
    rarest : int
        Fewest occurrences of a pair that becomes a subword.
    """
    amounts = list(chunks.values())
    # A character that may not be in a subword is an empty symbol, which has no pairs.
    spelled = [[each if each in alphabet else "" for each in chunk] for chunk in chunks]
    counts, places = Counter[Pair](), defaultdict[Pair, set[int]](set)
    for place, symbols in enumerate(spelled):
        for pair in _pairs(symbols):
            counts[pair] += amounts[place]
            places[pair].add(place)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    learned: dict[str, None] = {}
    while heap and len(learned) < most:
        negative, best = heapq.heappop(heap)
        if -negative != counts[best]:
            continue  # The pair was pushed again when its count changed.
        if -negative < max(rarest, 1):
            break
        learned["".join(best)] = None
        changed = set[Pair]()
        for place in places.pop(best):
            before, spelled[place] = spelled[place], _joined(spelled[place], best)
            change = Counter(_pairs(spelled[place]))
            for pair in change:
                places[pair].add(place)
            change.subtract(_pairs(before))
            for pair, times in change.items():
                counts[pair] += times * amounts[place]
            changed.update(change)
        for pair in changed:
            if counts[pair] > 0:
                heapq.heappush(heap, (-counts[pair], pair))
    return list(learned)


def _pairs(symbols: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs of neighbours that may become a subword."""
    for one, other in pairwise(symbols):
        if one and other and len(one) + len(other) <= LONGEST_SUBWORD:
            yield one, other


def _joined(symbols: Sequence[str], pair: Pair) -> list[str]:
    """Join every occurrence of a pair, from the left."""
    joined: list[str] = []
    place = 0
    while place < len(symbols):
        if tuple(symbols[place : place + 2]) == pair:
            joined.append("".join(pair))
            place += 2
        else:
            joined.append(symbols[place])
            place += 1
    return joined


def merged(chunk: str, ranks: Mapping[str, int]) -> list[str]:
    """Return a chunk as subwords and characters: neighbours are joined, the lowest rank first.

    Parameters
    ----------
    chunk : str
    ranks : mapping of str to int
        Of subwords, in the order in which they were learned.
    """
    symbols = list(chunk)
    while len(symbols) > 1:
        joined = [ranks.get(one + other, len(ranks)) for one, other in pairwise(symbols)]
        lowest = min(joined)
        if lowest == len(ranks):
            break
        place = joined.index(lowest)
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
    return symbols
