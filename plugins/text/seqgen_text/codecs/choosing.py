"""Which codec fits a corpus of texts: `characters`, unless there are too many."""

from __future__ import annotations

from collections.abc import Iterable

#: Different characters from which on frequent ones share tokens and rare ones become bytes:
#: measured in docs/text.md.
MANY = 1000

#: Characters that are looked at.
SAMPLED = 2**22


def suggest(pieces: Iterable[str]) -> tuple[str, str]:
    """Return the name of the codec, and the reason."""
    alphabet, read = set[str](), 0
    for piece in pieces:
        alphabet.update(piece[: SAMPLED - read])
        read += len(piece)
        if read >= SAMPLED:
            break
    found = f"the texts have {len(alphabet):,} different characters"
    if len(alphabet) >= MANY:
        return "subwords", f"{found}; from {MANY:,} on subwords learn faster"
    return "characters", f"{found}; below {MANY:,} all codecs learn about as fast"
