"""Which codec fits a corpus: `characters`, unless many texts have very many of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

#: Different characters in `SHARE` of the texts, and length of the texts, from which on subwords are
#: better: docs/text.md.
MANY, SHARE, LONG = 100, 0.9, 250_000

#: Characters that are looked at, and those in which marks of languages are counted.
SAMPLED, READ = 2**22, 2**17

#: What shows that a text is in a language that has a grammar.
MARKS = {
    "xml": re.compile(r"</[\w:.-]+>|<\?xml|/>"),
    "latex": re.compile(r"\\(?:begin|end|section|label|ref)\{"),
    "wiki": re.compile(r"\[\[|\{\{"),
    "c": re.compile(r"^\s*#\s*(?:include|define|ifn?def|endif)\b|\);$|^\}", re.MULTILINE),
    "python": re.compile(r"^\s*(?:def|class|if|for) .*:$|^(?:import|from) \w|self\.", re.MULTILINE),
    "json": re.compile(r'"\s*:\s*["{\[\d]'),
}

#: Most characters for each mark of a text in a language.
SPARSE = 400


def suggest(pieces: Iterable[str]) -> tuple[str, str]:
    """Return the name of the codec, and the reason, with the grammar that may fit."""
    counts, marks, left = Counter[str](), Counter[str](), SAMPLED
    for piece in pieces:
        if SAMPLED - left < READ:
            marks.update({name: len(mark.findall(piece, 0, READ)) for name, mark in MARKS.items()})
        counts.update(piece[:left])
        left -= min(len(piece), left)
        if not left:
            break
    name, reason = _by_characters(counts)
    language, most = max(marks.items(), key=lambda found: found[1], default=("", 0))
    if most * SPARSE > min(SAMPLED - left, READ):
        reason += f'; for structure add `options={{"grammar": "{language}"}}`'
    return name, reason


def _by_characters(counts: Counter[str]) -> tuple[str, str]:
    """Return the name of the codec by the counts of characters, and the reason."""
    covered = list(accumulate(sorted(counts.values(), reverse=True)))
    frequent = bisect_left(covered, SHARE * counts.total()) + bool(covered)
    found = f"{frequent:,} different characters make up {SHARE:.0%} of the texts"
    if frequent < MANY:
        return "characters", f"{found}; subwords learn faster from {MANY} on"
    if counts.total() < LONG:
        return "characters", f"{found}, which are too short to learn subwords from"
    return "subwords", f"{found}; subwords learn faster from {MANY} on"
