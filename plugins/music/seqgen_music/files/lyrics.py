r"""Syllables of lyrics: how `Music.lyrics` says where words end, and what a score needs to know.

In MIDI files a syllable inside a word ends with a hyphen, or each word with a space; karaoke files
begin lines with ``/`` and paragraphs with ``\``. Scores are read into the first form: "A-", "ve ".
Source: MIDI recommended practice RP-017.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from seqgen_music.music import Music

#: Longest syllable that is read from a score.
LONGEST_SYLLABLE = 200

#: Signs before the first syllable of a line or paragraph.
_BREAKS = "/\\"

#: The kind of a syllable in MusicXML, by whether its word began before and goes on.
_KINDS = {
    (False, False): "single",
    (False, True): "begin",
    (True, True): "middle",
    (True, False): "end",
}


def syllable(text: str, goes_on: bool) -> str:
    """Return a syllable of a score as `Music.lyrics` has it."""
    return text[:LONGEST_SYLLABLE] + ("-" if goes_on else " ")


def kinds_of(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the text and the kind of each syllable, as MusicXML has them.

    Parameters
    ----------
    texts : sequence of str
        The syllables of a track. Where no text has a hyphen or a space at its end, each is a word.
    """
    hyphens = any(text.rstrip().endswith("-") for text in texts)
    spaces = any(text[-1:].isspace() or _begins(text) for text in texts)
    found, inside = [], False
    for text, following in pairwise([*texts, " "]):
        goes_on = text.rstrip().endswith("-")
        if not hyphens:
            goes_on = spaces and not text[-1:].isspace() and not _begins(following)
        plain = " ".join(text.strip().lstrip(_BREAKS).rstrip("-").split())
        found.append((plain, _KINDS[inside, goes_on]))
        inside = goes_on
    return found


def by_track(music: Music) -> dict[int, list[tuple[int, str]]]:
    """Return tick and text of the syllables of each track.

    Those of the whole piece go to the track in which most of them meet a note.
    """
    found = defaultdict(list)
    for tick, track, text in music.lyrics:
        found[track].append((tick, text))
    if free := found.pop(-1, []):
        ticks = [tick for tick, _ in free]
        tracks = [number for number, track in enumerate(music.tracks) if not track.drums]
        meets = {
            number: int(np.isin(ticks, music.notes["onset"][music.notes["track"] == number]).sum())
            for number in tracks
        }
        if meets:
            singer = max(tracks, key=lambda number: meets[number])
            found[singer] = sorted(found[singer] + free, key=lambda lyric: lyric[0])
    return dict(found)


def _begins(text: str) -> bool:
    return text[:1].isspace() or text[:1] in tuple(_BREAKS)
