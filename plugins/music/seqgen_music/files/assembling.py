"""Bars of parts become a piece: repeats, ties, bar lines, and what does not add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from seqgen.errors import DataError
from seqgen_music.bars import Metre, metre_of
from seqgen_music.chords import Chord
from seqgen_music.files.held_notes import sustained
from seqgen_music.files.lyrics import Sung, numbered, verses_left_out
from seqgen_music.files.notation_values import TICKS
from seqgen_music.files.repeats import played_out
from seqgen_music.files.score_bars import Bar
from seqgen_music.music import LONGEST_QUARTERS, Music, Track, changes, make_notes

#: Faults of a piece that its note quotes.
QUOTED = 3

#: Most beats of a metre: MIDI has one byte for them.
MOST_BEATS = 255


@dataclass
class Part:
    """A part or voice of a score.

    Attributes
    ----------
    name : str
        The name of its tracks.
    bars : list of Bar
    """

    name: str
    bars: list[Bar]


def assembled(parts: Sequence[Part], play_repeats: bool = False, order: str = "") -> Music:
    """Return the piece of some parts.

    The notes of one lane, program and kind of a part are a track. A bar that is longer or shorter
    than its metre has a metre of its own. Where parts disagree on metre, key or chords, the first
    counts.

    Parameters
    ----------
    parts : sequence of Part
    play_repeats : bool
        Play repeats, endings and sections as in a performance; else each bar comes once.
    order : str
        The order of the sections, such as ``ABA``.

    Raises
    ------
    DataError
        If the piece is too long.
    """
    written = [part.bars for part in parts]
    if play_repeats:
        written = _played(written, order)
    rows: list[tuple[int, int, int, int, int]] = []
    tracks: dict[tuple[int, tuple[int, str], int, bool], int] = {}
    fermatas: set[tuple[int, int]] = set()
    sung: Sung = defaultdict(dict)
    metres: list[tuple[int, int, int]] = []
    keys: list[tuple[int, int, bool]] = []
    tempos: list[tuple[int, float]] = []
    chords: list[tuple[int, Chord | None]] = []
    for number, bars in enumerate(written):
        starts = _starts(bars)
        if 4 * starts[-1] > LONGEST_QUARTERS:
            raise DataError(
                f"the piece is {float(4 * starts[-1]):,.0f} quarters long; "
                f"{LONGEST_QUARTERS:,} is the most"
            )
        rows += _notes(number, bars, starts, tracks, fermatas, sung)
        metres = metres or _metres(bars, starts)
        keys = keys or _keys(bars, starts)
        tempos += _tempos(bars, starts)
        chords = chords or _chords(bars, starts)
    # By staff, whichever sounds first.
    ordered = sorted(tracks, key=lambda kind: kind[:2])
    place = {tracks[kind]: at for at, kind in enumerate(ordered)}
    rows = [(*row[:4], place[row[4]]) for row in rows]
    fermatas = {(tick, place[track]) for tick, track in fermatas}
    named = [
        Track(parts[number].name or f"Part {number + 1}", program, drums)
        for number, _, program, drums in ordered
    ]
    lyrics, verses = numbered({(place[track], of): each for (track, of), each in sung.items()})
    music = Music(
        make_notes(rows),
        tuple(named),
        TICKS,
        changes(tempos),
        changes(metres),
        changes(keys),
        lyrics=lyrics,
        verses=verses,
        fermatas=tuple(sorted(fermatas)),
        chords=changes(chords),
    )
    signs = {number: _pedals(bars) for number, bars in enumerate(written)}
    return sustained(music, signs, [number for number, *_ in ordered])


def disagreements(parts: Sequence[Part]) -> list[str]:
    """Say which bars do not add up to their metre or to other parts, and which parts end early.

    Verses that are left out are said too.
    """
    listed = []
    for number, part in enumerate(parts):
        where = f"{part.name or f'part {number + 1}'}, " if len(parts) > 1 else ""
        wrong = _wrong_bars(part.bars) if len(part.bars) > 1 else []
        short = [f"{_count(bar.gap * 4)} quarters in {bar.place}" for bar in part.bars if bar.gap]
        for what, places in (
            ("bars that do not add up", wrong),
            ("bars shorter than in other parts", short),
        ):
            if places:
                more = f" and {len(places) - QUOTED} more" if len(places) > QUOTED else ""
                listed.append(f"{where}{what}: {', '.join(places[:QUOTED])}{more}")
        verses = {verse for bar in part.bars for sound in bar.sounds for verse, _ in sound.lyrics}
        listed += [f"{where}{each}" for each in verses_left_out(len(verses))]
    lengths = [_starts(part.bars)[-1] for part in parts]
    if len(set(lengths)) > 1:
        ends = ", ".join(
            f"{part.name or number} {_count(length * 4)}"
            for number, (part, length) in enumerate(zip(parts, lengths, strict=True), 1)
        )
        listed.append(f"parts of unequal length, in quarters: {ends}")
    return listed


def _played(written: Sequence[list[Bar]], order: str) -> list[list[Bar]]:
    """Return the bars of each part as they are played.

    A part without repeats follows the first part that has some and as many bars.
    """

    def is_marked(bars: list[Bar]) -> bool:
        return any(bar.opens or bar.closes or bar.ending or bar.part for bar in bars)

    marked = [bars for bars in written if is_marked(bars)]
    played = []
    for bars in written:
        model = next((each for each in marked if len(each) == len(bars)), bars)
        model = bars if is_marked(bars) else model
        played.append([bars[at] for at in played_out(model, order)])
    return played


def _starts(bars: Sequence[Bar]) -> list[Fraction]:
    """Return the start of each bar and the end of the last one, in whole notes."""
    starts = [Fraction(0)]
    for bar in bars:
        starts.append(starts[-1] + bar.length)
    return starts


def _notes(
    part: int,
    bars: Sequence[Bar],
    starts: Sequence[Fraction],
    tracks: dict[tuple[int, tuple[int, str], int, bool], int],
    fermatas: set[tuple[int, int]],
    sung: Sung,
) -> list[tuple[int, int, int, int, int]]:
    """Return the notes of a part as rows, tied notes as one.

    Add its tracks to `tracks`, the onset and track of notes with a fermata to `fermatas`, and the
    first syllable of each verse there to `sung`.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    # Row of each note with an open tie, by pitch and end.
    tied: dict[tuple[int, Fraction], int] = {}
    for bar, start in zip(bars, starts, strict=False):
        for sound in bar.sounds:
            onset, end = start + sound.at, start + sound.at + sound.length
            row = tied.pop((sound.pitch, onset), None)
            if row is None:
                kind = part, sound.lane, sound.program, sound.drums
                track = tracks.setdefault(kind, len(tracks))
                row = len(rows)
                rows.append((_ticks(onset), 0, sound.pitch, sound.velocity, track))
            rows[row] = (rows[row][0], max(_ticks(end) - rows[row][0], 1), *rows[row][2:])
            if sound.tied:
                tied[sound.pitch, end] = row
            if sound.fermata:
                fermatas.add((rows[row][0], rows[row][4]))
            for verse, text in sound.lyrics:
                sung[rows[row][4], verse].setdefault(_ticks(onset), text)
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


def _chords(bars: Sequence[Bar], starts: Sequence[Fraction]) -> list[tuple[int, Chord | None]]:
    """Return the chord symbols by tick."""
    return [
        (_ticks(start + at), chord)
        for bar, start in zip(bars, starts, strict=False)
        for at, chord in bar.chords
    ]


def _pedals(bars: Sequence[Bar]) -> list[tuple[int, bool]]:
    """Return where the pedal goes down and comes up, by tick."""
    return [
        (_ticks(start + at), down)
        for bar, start in zip(bars, _starts(bars), strict=False)
        for at, down in bar.pedals
    ]


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
                f"in {bars[number].place}"
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
