"""The sample of a corpus that codebooks are learned from."""

from __future__ import annotations

import hashlib
import heapq

from seqgen_speech.sound import Samples, Sound

#: Seconds of a section, and of all sections that are kept.
SECTION, ENOUGH = 10.0, 600.0


class SectionSample:
    """Keeps some sections of sounds; which ones does not depend on the order of the sounds.

    Sounds are cut into sections, of which those with the smallest digests are kept.
    """

    def __init__(self) -> None:
        self._seconds, self._added = 0.0, 0
        #: Negated digest, number and section: a heap with the largest digest on top.
        self._kept: list[tuple[int, int, Sound]] = []

    def add(self, sound: Sound) -> None:
        """Keep those sections that belong to the sample, and drop those that they replace."""
        size = round(SECTION * sound.rate)
        for first in range(0, len(sound.samples), size):
            section = Sound(sound.samples[first : first + size].copy(), sound.rate)
            heapq.heappush(self._kept, (-_digest(section.samples), self._added, section))
            self._seconds, self._added = self._seconds + section.seconds, self._added + 1
            while self._seconds - self._kept[0][2].seconds >= ENOUGH:
                self._seconds -= heapq.heappop(self._kept)[2].seconds

    def sections(self) -> list[Sound]:
        """Return the sections, sorted by digest."""
        return [one for _, _, one in sorted(self._kept, key=lambda kept: kept[:2], reverse=True)]


def _digest(samples: Samples) -> int:
    return int.from_bytes(hashlib.sha256(samples.tobytes()).digest()[:8], "little")
