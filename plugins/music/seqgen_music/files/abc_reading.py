"""Reading ABC: the tunes of a collection become pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.files.abc_tune import Tune
from seqgen_music.files.assembling import QUOTED, Part, assembled, disagreements
from seqgen_music.music import Music


def read_abc(text: str, play_repeats: bool = False) -> Iterator[Music | DataError | Note]:
    """Read the tunes of a file.

    Voices are tracks; a voice with several programs is several tracks. Accidentals hold to the end
    of the bar in all octaves, unless ``%%propagate-accidentals`` says otherwise. Grace notes, which
    have no length, are left out.

    Parameters
    ----------
    text : str
    play_repeats : bool
        Play repeats, endings and parts in the order of a performance; else each bar is read once.

    Yields
    ------
    Music, DataError or Note
        A piece for each tune with notes, followed by a note about what does not add up; an error
        for each tune that cannot be read.
    """
    shared, tunes = split_tunes(text)
    for first_line, lines in tunes:
        tune = Tune(first_line)
        try:
            tune.read_header(shared)
            tune.read(lines)
            parts = _parts(tune)
            piece = assembled(parts, play_repeats, tune.order)
        except DataError as error:
            yield DataError(f"{_name(tune)}: {error}")
            continue
        if len(piece.notes):
            yield piece
        if faults := [*_unreadable(tune), *disagreements(parts)]:
            yield Note(f"{_name(tune)}: {'; '.join(faults)}")


def split_tunes(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header of a file, and the lines of its tunes with the number of the first.

    A tune begins with ``X:``. It ends at an empty line after which no music and no field of a body
    follows. Without ``X:`` the file is one tune.
    """
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if re.match(r"\s*X:", line)]
    if not starts:
        return [], [(1, lines)]
    header = [line for line in lines[: starts[0]] if re.match(r"%%|%abc-\d|[A-WYZm]:", line)]
    tunes = []
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        tune = _without_text(lines[start:stop])
        # Without a key it is text between tunes.
        if any(re.match(r"\s*K:", line) for line in tune):
            tunes.append((start + 1, tune))
    return header, tunes


def _without_text(lines: list[str]) -> list[str]:
    """Cut off what follows the tune after an empty line."""
    key = next((at for at, line in enumerate(lines) if line.lstrip().startswith("K:")), len(lines))
    stop = len(lines)
    following = ""
    for at in range(len(lines) - 1, key, -1):
        if lines[at].strip():
            following = lines[at]
        elif not re.match(r"%|[KLMQVPwIsW]:|\[[KLMQVP]:", following) and "|" not in following:
            stop = at
    return lines[:stop]


def _name(tune: Tune) -> str:
    title = f" {tune.title[:60]!r}" if tune.title else ""
    return f"tune {tune.number[:20] or '1'}{title}"


def _parts(tune: Tune) -> list[Part]:
    return [Part(tune.names.get(name, ""), voice.finish()) for name, voice in tune.voices.items()]


def _unreadable(tune: Tune) -> list[str]:
    """Say what is not ABC."""
    faults = list(tune.unknown)
    for voice in tune.voices.values():
        faults += voice.faults
    return [f"left out: {', '.join(faults[:QUOTED])}"] if faults else []
