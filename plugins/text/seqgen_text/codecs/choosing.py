"""Which codec fits a corpus: `characters`, unless many texts have very many of them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

#: Different characters in `SHARE` of the texts, and length of the texts, from which on subwords are
#: better: docs/text.md.
MANY, SHARE, LONG = 100, 0.9, 250_000

#: Characters that are looked at.
SAMPLED = 2**22


def suggest(pieces: Iterable[str]) -> tuple[str, str]:
    """Return the name of the codec, and the reason."""
    counts = Counter[str]()
    left = SAMPLED
    for piece in pieces:
        counts.update(piece[:left])
        left -= min(len(piece), left)
        if not left:
            break
    covered = list(accumulate(sorted(counts.values(), reverse=True)))
    frequent = bisect_left(covered, SHARE * counts.total()) + bool(covered)
    found = f"{frequent:,} different characters make up {SHARE:.0%} of the texts"
    if frequent < MANY:
        return "characters", f"{found}; subwords learn faster from {MANY} on"
    if counts.total() < LONG:
        return "characters", f"{found}, which are too short to learn subwords from"
    return "subwords", f"{found}; subwords learn faster from {MANY} on"
