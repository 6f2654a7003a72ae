"""Counts of more different texts than fit in memory, in any order."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby, islice
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO

#: Different texts counted in memory; more are kept in temporary files.
MOST = 2**20

#: Texts counted between two looks at how many there are.
PART = 2**16


class Counts:
    """Counts texts exactly; the result does not depend on their order."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._files: list[IO[str]] = []
        self._open = ExitStack()

    def __enter__(self) -> Counts:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def add(self, texts: Iterable[str]) -> None:
        """Count each of some texts once."""
        left = iter(texts)
        while part := [*islice(left, PART)]:
            self._counts.update(part)
            if len(self._counts) > MOST:
                # The stack closes the file.
                file = self._open.enter_context(TemporaryFile("w+", encoding="ascii"))  # noqa: SIM115
                file.writelines(f"{key}\t{count}\n" for key, count in self._sorted())
                self._files.append(file)
                self._counts.clear()

    def most_frequent(self, most: int, rarest: int) -> list[str]:
        """Return at most `most` texts that were counted at least `rarest` times, sorted.

        Of texts with the same count the first in the order of their code points is taken.
        """
        ranks = ((-count, text) for text, count in self._totals() if count >= rarest)
        return sorted(text for _, text in heapq.nsmallest(most, ranks))

    def largest(self, most: int) -> dict[str, int]:
        """Return the counts of at most `most` texts, the most frequent, in the order of rank.

        Of texts with the same count some are taken at random, always the same: if most texts occur
        once, the selection has texts with all beginnings.
        """
        ranks = ((-count, _mixed(text), text) for text, count in self._totals())
        return {text: -count for count, _, text in heapq.nsmallest(most, ranks)}

    def _totals(self) -> Iterator[tuple[str, int]]:
        """Yield each text once with its count."""
        merged = heapq.merge(self._sorted(), *map(_lines, self._files))
        for key, group in groupby(merged, itemgetter(0)):
            yield json.loads(key), sum(count for _, count in group)

    def _sorted(self) -> Iterator[tuple[str, int]]:
        """Yield what is in memory as JSON, which has no line end, sorted."""
        return iter(sorted((json.dumps(text), count) for text, count in self._counts.items()))


def _mixed(text: str) -> bytes:
    """Return bytes that look random and depend on the text only."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _lines(file: IO[str]) -> Iterator[tuple[str, int]]:
    file.seek(0)
    for line in file:
        key, count = line.rsplit("\t", 1)
        yield key, int(count)
