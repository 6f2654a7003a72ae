"""Reading ABC: the tunes of a collection become pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.bars import Metre, metre_of
from seqgen_music.files.abc_bars import Bar
from seqgen_music.files.abc_fields import MOST_BEATS
from seqgen_music.files.abc_tune import Tune
from seqgen_music.files.notation_values import TICKS
from seqgen_music.files.repeats import played_out
from seqgen_music.music import LONGEST_QUARTERS, Music, Track, changes, make_notes

#: Faults of a tune that its note quotes.
QUOTED = 3


def read_abc(text: str, play_repeats: bool = False) -> Iterator[Music | DataError | Note]:
    """Read the tunes of a file.

    Voices are tracks; a voice with several programs is several tracks. Accidentals hold to the end
    of the bar in all octaves, unless ``%%propagate-accidentals`` says otherwise. Grace notes, which
    have no length, and chord symbols are left out.

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
            piece, faults = _music_of(tune, play_repeats)
        except DataError as error:
            yield DataError(f"{_name(tune)}: {error}")
            continue
        if len(piece.notes):
            yield piece
        if faults:
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
    header = [line for line in lines[: starts[0]] if re.match(r"%%|%abc-\d|[A-WYZ]:", line)]
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


def _music_of(tune: Tune, play_repeats: bool) -> tuple[Music, list[str]]:
    """Return the piece of a tune, and what does not add up."""
    written = {name: voice.finish() for name, voice in tune.voices.items()}
    faults = _faults(tune, written)
    if play_repeats:
        written = _played(written, tune.order)
    rows: list[tuple[int, int, int, int, int]] = []
    tracks: dict[tuple[str, int, bool], int] = {}
    metres: list[tuple[int, int, int]] = []
    keys: list[tuple[int, int, bool]] = []
    tempos: list[tuple[int, float]] = []
    for name, bars in written.items():
        starts = _starts(bars)
        if 4 * starts[-1] > LONGEST_QUARTERS:
            raise DataError(
                f"the tune is {float(4 * starts[-1]):,.0f} quarters long; "
                f"{LONGEST_QUARTERS:,} is the most"
            )
        rows += _notes(name, bars, starts, tracks)
        # Of two voices that disagree the first one counts.
        metres = metres or _metres(bars, starts)
        keys = keys or _keys(bars, starts)
        tempos += _tempos(bars, starts)
    parts = [
        Track(tune.names.get(name, f"Part {list(written).index(name) + 1}"), program, drums)
        for name, program, drums in tracks
    ]
    music = Music(
        make_notes(rows), tuple(parts), TICKS, changes(tempos), changes(metres), changes(keys)
    )
    return music, faults


def _played(written: dict[str, list[Bar]], parts: str) -> dict[str, list[Bar]]:
    """Return the bars of each voice as they are played.

    A voice without repeats follows the first voice that has some and as many bars.
    """
    marked = {
        name: bars
        for name, bars in written.items()
        if any(bar.opens or bar.closes or bar.ending or bar.part for bar in bars)
    }
    played = {}
    for name, bars in written.items():
        model = next((each for each in marked.values() if len(each) == len(bars)), bars)
        order = played_out(marked.get(name, model), parts)
        played[name] = [bars[at] for at in order]
    return played


def _starts(bars: Sequence[Bar]) -> list[Fraction]:
    """Return the start of each bar and the end of the last one, in whole notes."""
    starts = [Fraction(0)]
    for bar in bars:
        starts.append(starts[-1] + bar.length)
    return starts


def _notes(
    name: str,
    bars: Sequence[Bar],
    starts: Sequence[Fraction],
    tracks: dict[tuple[str, int, bool], int],
) -> list[tuple[int, int, int, int, int]]:
    """Return the notes of a voice as rows, tied notes as one; add its tracks to `tracks`."""
    rows: list[tuple[int, int, int, int, int]] = []
    # Row of each note with an open tie, by pitch and end.
    tied: dict[tuple[int, Fraction], int] = {}
    for bar, start in zip(bars, starts, strict=False):
        for sound in bar.sounds:
            onset, end = start + sound.at, start + sound.at + sound.length
            row = tied.pop((sound.pitch, onset), None)
            if row is None:
                track = tracks.setdefault((name, sound.program, sound.drums), len(tracks))
                row = len(rows)
                rows.append((_ticks(onset), 0, sound.pitch, sound.velocity, track))
            rows[row] = (rows[row][0], max(_ticks(end) - rows[row][0], 1), *rows[row][2:])
            if sound.tied:
                tied[sound.pitch, end] = row
    return rows


def _metres(bars: Sequence[Bar], starts: Sequence[Fraction]) -> list[tuple[int, int, int]]:
    """Return the metres by tick; a bar of another length has a metre of its own.

    Bars that a repeat divides are one bar: their lengths add up.
    """
    if len(bars) == 1 and bars[0].metre is not None:
        # Music without bar lines.
        return [(0, *bars[0].metre)]
    metres: list[tuple[int, int, int]] = []
    at = 0
    while at < len(bars):
        metre = bars[at].metre
        run = _run(bars, at)
        if metre is not None:
            if not _adds_up(bars[at:run], metre) and not (run == len(bars) and at):
                for number in range(at, run):
                    own = metre_of(bars[number].length)
                    fits = own is not None and own[0] <= MOST_BEATS
                    metres.append((_ticks(starts[number]), *(own if own and fits else metre)))
                at = run
                if run < len(bars) and (following := bars[run].metre) is not None:
                    metres.append((_ticks(starts[run]), *following))
                continue
            metres.append((_ticks(starts[at]), *metre))
        at = run
    return metres


def _run(bars: Sequence[Bar], at: int) -> int:
    """Return the end of the bars from `at` that are all whole, or all not, in one metre."""
    metre = bars[at].metre
    whole = metre is None or bars[at].length == Fraction(*metre)
    total, first = Fraction(0), at
    while at < len(bars) and bars[at].metre == metre:
        if (metre is None or bars[at].length == Fraction(*metre)) != whole:
            break
        total += bars[at].length
        at += 1
        if not whole and metre is not None and total % Fraction(*metre) == 0:
            break
    return max(at, first + 1)


def _adds_up(bars: Sequence[Bar], metre: Metre) -> bool:
    total = sum((bar.length for bar in bars), Fraction(0))
    return total % Fraction(*metre) == 0


def _keys(bars: Sequence[Bar], starts: Sequence[Fraction]) -> list[tuple[int, int, bool]]:
    """Return the key signatures by tick."""
    found = []
    for bar, start in zip(bars, starts, strict=False):
        found += [(start, bar.key), *((start + at, key) for at, key in bar.keys)]
    # No signature has more than seven sharps or flats.
    return [(_ticks(at), key.sharps, key.minor) for at, key in found if -7 <= key.sharps <= 7]


def _tempos(bars: Sequence[Bar], starts: Sequence[Fraction]) -> list[tuple[int, float]]:
    """Return the tempos by tick."""
    return [
        (_ticks(start + at), tempo)
        for bar, start in zip(bars, starts, strict=False)
        for at, tempo in bar.tempos
    ]


def _faults(tune: Tune, written: dict[str, list[Bar]]) -> list[str]:
    """Say which bars do not add up, which voices end early, and what is not ABC."""
    faults = list(tune.unknown)
    for voice in tune.voices.values():
        faults += voice.faults
    listed = [f"unreadable: {', '.join(faults[:QUOTED])}"] if faults else []
    for name, bars in written.items():
        wrong = _wrong_bars(bars) if len(bars) > 1 else []
        if wrong:
            where = f"voice {name[:20]}, " if len(written) > 1 else ""
            places = ", ".join(wrong[:QUOTED])
            more = f" and {len(wrong) - QUOTED} more" if len(wrong) > QUOTED else ""
            listed.append(f"{where}bars that do not add up: {places}{more}")
    lengths = {name: _starts(bars)[-1] for name, bars in written.items() if bars}
    if len(set(lengths.values())) > 1:
        ends = ", ".join(f"{name[:20]} {_count(length * 4)}" for name, length in lengths.items())
        listed.append(f"voices of unequal length, in quarters: {ends}")
    return listed


def _count(number: Fraction) -> str:
    return f"{float(number):g}"


def _wrong_bars(bars: Sequence[Bar]) -> list[str]:
    """Return the bars that are not whole and no part of one, with line and length."""
    wrong, at = [], 0
    while at < len(bars):
        run, metre = _run(bars, at), bars[at].metre
        if metre is not None and not _adds_up(bars[at:run], metre):
            wrong += [
                f"{_count(bars[number].length * 4)} quarters for {metre[0]}/{metre[1]} "
                f"in line {bars[number].line:,}"
                for number in range(at, run)
                if not _is_partial(bars, number)
            ]
        at = run
    return wrong


def _is_partial(bars: Sequence[Bar], at: int) -> bool:
    """Return whether a bar may be short: an upbeat, or beside a repeat or the end."""
    bar = bars[at]
    if bar.metre is None or bar.length > Fraction(*bar.metre):
        return False
    begins = not at or bar.opens or bool(bar.ending) or bool(bar.part) or bars[at - 1].section
    following = bars[at + 1 : at + 2]
    ends = not following or bar.section or bool(following[0].ending or following[0].opens)
    return begins or ends


def _ticks(whole_notes: Fraction) -> int:
    """Return the nearest tick."""
    above, below = whole_notes.numerator * 4 * TICKS, whole_notes.denominator
    return (2 * above + below) // (2 * below)
