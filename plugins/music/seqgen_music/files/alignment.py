"""Parts of a score side by side: bars begin together, and staves of two voices are four parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

from seqgen_music.files.score_bars import Bar

#: In a closed score each voice sounds in at least this share of the bars, and at most this share of
#: its notes sound with another one.
PRESENT, CHORDS = 0.5, 0.1


def align(parts: Sequence[list[Bar]]) -> None:
    """Begin each bar at the same time in all parts: bars of one number are equally long.

    An empty bar is as long as its metre.
    """
    for number in range(max(map(len, parts), default=0)):
        bars = [bars[number] for bars in parts if number < len(bars)]
        longest = max(bar.length for bar in bars)
        metre = bars[0].metre or (4, 4)
        for bar in bars:
            bar.gap = longest - bar.length if bar.length else Fraction(0)
            bar.length = longest or Fraction(*metre)


def name_lanes(parts: Sequence[list[Bar]]) -> None:
    """Give each sound its lane: its staff, or in a closed score its voice."""
    voices = defaultdict(list)
    for number, bars in enumerate(parts):
        for bar in bars:
            for sound in bar.sounds:
                voices[number, *sound.lane].append((bar, sound))
    staves = Counter(lane[:2] for lane in voices)
    count = max(map(len, parts), default=0)
    closed = len(staves) == 2 and set(staves.values()) == {2}
    for found in voices.values():
        present = len({id(bar) for bar, _ in found})
        pitched = not any(sound.drums for _, sound in found)
        chords = len(found) - len({(id(bar), sound.at) for bar, sound in found})
        closed = closed and pitched and present >= PRESENT * count and chords <= CHORDS * len(found)
    if not closed:
        for found in voices.values():
            for _, sound in found:
                sound.lane = sound.lane[0], ""
