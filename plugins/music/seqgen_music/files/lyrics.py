r"""Syllables of lyrics: how `Music.lyrics` says where words end, and what a score needs to know.

In MIDI files a syllable inside a word ends with a hyphen, or each word with a space; karaoke files
begin lines with ``/`` and paragraphs with ``\``. Scores are read into the first form: "A-", "ve ".
Source: MIDI recommended practice RP-017.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from seqgen_music.music import Music

#: Longest syllable that is read from a score.
LONGEST_SYLLABLE = 200

#: Most verses of a track.
MOST_VERSES = 32

#: Syllables by tick, of each track and verse.
Sung: TypeAlias = dict[tuple[int, int], dict[int, str]]

#: What `Music.lyrics` and `Music.verses` have.
Lyrics: TypeAlias = tuple[tuple[int, int, str], ...]
Verses: TypeAlias = tuple[tuple[int, int, str, int], ...]

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


def numbered(sung: Mapping[tuple[int, int], Mapping[int, str]]) -> tuple[Lyrics, Verses]:
    """Return the lyrics and the further verses of tracks.

    The verses of a track are counted from 1, in the order of their numbers; at most `MOST_VERSES`
    are kept.
    """
    of_track = defaultdict[int, list[int]](list)
    for track, number in sorted(sung):
        of_track[track].append(number)
    found = [
        (tick, track, text, verse)
        for track, numbers in of_track.items()
        for verse, number in enumerate(numbers[:MOST_VERSES], 1)
        for tick, text in sung[track, number].items()
    ]
    first = tuple(sorted(each[:3] for each in found if each[3] == 1))
    return first, tuple(sorted(each for each in found if each[3] > 1))


def verses_left_out(count: int) -> list[str]:
    """Say which of so many verses of a track are left out, if any are."""
    if count <= MOST_VERSES:
        return []
    return [f"verses after the first {MOST_VERSES} of {count:,} left out"]


def written(music: Music, track: int) -> dict[int, dict[int, tuple[str, str]]]:
    """Return the verses of a track: by tick text and kind of each syllable, as `kinds_of` does."""
    verses = defaultdict[int, list[tuple[int, str]]](list)
    for tick, of, text, verse in [*((*each, 1) for each in music.lyrics), *music.verses]:
        if of == track:
            verses[verse].append((tick, text))
    return {
        verse: dict(zip(dict(sung), kinds_of([text for _, text in sung]), strict=True))
        for verse, sung in sorted(verses.items())
    }


def by_track(music: Music) -> dict[int, list[tuple[int, str, int]]]:
    """Return tick, text and verse of the syllables of each track.

    Those of the whole piece go to the track in which most of them meet a note.
    """
    found = defaultdict(list)
    for tick, track, text, verse in [*((*each, 1) for each in music.lyrics), *music.verses]:
        found[track].append((tick, text, verse))
    if free := found.pop(-1, []):
        ticks = [tick for tick, *_ in free]
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
