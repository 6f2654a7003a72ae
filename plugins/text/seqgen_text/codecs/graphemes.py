"""Graphemes: characters with what belongs to them, such as accents, and emoji of several parts.

Nearly the extended grapheme clusters of Unicode (UAX #29), and exactly invertible: joined, the
graphemes are the text. Not joined are conjuncts of Indic scripts, and more than 31 marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from seqgen_text.codecs.word_parts import combining_marks

#: Letters of flags, which come in pairs.
_FLAGS = "\U0001f1e6-\U0001f1ff"

#: What a joiner may join to an emoji.
_EMOJI = "\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"

#: The joiners, skin colours, and tags of regions.
_ADDED = "\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"

#: Korean syllables in parts: initials, vowels, finals.
_KOREAN = "[\u1100-\u115f]+[\u1160-\u11a7]+[\u11a8-\u11ff]*"


@cache
def _grapheme() -> re.Pattern[str]:
    added = f"(?:[{combining_marks()}{_ADDED}]|(?<=\u200d)[{_EMOJI}]){{0,31}}"
    return re.compile(rf"[\x00-\x1f]|(?:[{_FLAGS}]{{2}}|{_KOREAN}|[^\x00-\x1f]){added}")


def graphemes(text: str) -> Iterator[str]:
    """Yield the graphemes of a text."""
    return (found[0] for found in _grapheme().finditer(text))
