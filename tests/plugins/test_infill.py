"""Pieces of which some bars or tracks stay: what is kept comes back, and only that."""

from dataclasses import replace

import numpy as np
import pytest
from seqgen_music.chords import Chord
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.raster import chorale_gap, raster_of
from seqgen_music.codecs.melody.codec import MelodyCodec, MelodyOptions
from seqgen_music.codecs.melody.line import line_of
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.keeping import gap_of, names_of
from seqgen_music.music import Music, Track, make_notes

from seqgen.errors import DataError
from seqgen.plugin import Codec, Kept
from seqgen.plugins.checks import next_mask

VOICES = (Track("Soprano", 73), Track("Alto", 70), Track("Tenor", 60), Track("Bass", 43))
LOWEST, QUARTER = (70, 60, 52, 40), 96


def piece_of(seed: int, bars: int = 8, tracks: tuple[Track, ...] = VOICES) -> Music:
    """Return a piece off the grid by up to a fiftieth of a quarter; some notes cross bar lines."""
    rng, rows = np.random.default_rng(seed), []
    for number, low in enumerate(LOWEST[: len(tracks)]):
        at = 0
        while at < 4 * bars * QUARTER:
            length = QUARTER * int(rng.integers(1, 7)) // 2
            length = min(length, 4 * bars * QUARTER - at)
            if rng.random() < 0.9 or not at:
                onset = at + int(rng.integers(-2, 3)) * (at > 0)
                velocity, pitch = int(rng.integers(20, 127)), low + int(rng.integers(9))
                rows.append((onset, length - int(rng.integers(0, 5)), pitch, velocity, number))
            at += length
    metres, keys = ((0, 4, 4),), ((0, -3, True),)
    return Music(make_notes(rows), tracks, QUARTER, ((0, 96.0), (300, 101.5)), metres, keys)


def written(codec: Codec, condition: Kept, seed: int) -> Music:
    """Let the tracker choose a piece at random."""
    tracker, rng, ids = codec.tracker(condition), np.random.default_rng(seed), list[int]()
    assert tracker is not None
    while True:
        token = int(rng.choice(np.flatnonzero(next_mask(codec, tracker))))
        if token == len(codec.vocab):
            return codec.answer(codec.decode(np.array(ids)), condition)
        tracker.push(token)
        ids.append(token)


def rows_of(music: Music, quarter: int) -> set[tuple[int, ...]]:
    """Return the notes of a piece with so many ticks to the quarter."""
    scale = quarter // music.ticks_per_quarter
    return {(row[0] * scale, row[1] * scale, *row[2:]) for row in music.notes.tolist()}


CHORALES = [ChoraleOptions(), ChoraleOptions("grid")]
#: Words, the first and last bar that are rewritten, and the tracks.
GAPS = [
    ("bars 1-4, 7-", (5, 6), (0, 1, 2, 3)),
    ("bars 3-", (1, 2), (0, 1, 2, 3)),
    ("bars -6", (7, 8), (0, 1, 2, 3)),
    ("tracks soprano, Bass", (1, 8), (1, 2)),
    ("bars 1-4, 6-8; tracks soprano, tenor, bass", (5, 5), (1,)),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("parts", "bars", "tracks"), GAPS, ids=[gap[0] for gap in GAPS])
@pytest.mark.parametrize("options", CHORALES, ids=["held", "grid"])
def test_what_is_kept_of_a_chorale_stays_tick_for_tick(
    options: ChoraleOptions, parts: str, bars: tuple[int, int], tracks: tuple[int, ...], seed: int
) -> None:
    given = piece_of(seed)
    codec = ChoraleCodec.fit([given], options)
    new = written(codec, Kept(given, parts), seed)
    quarter, first, last = new.ticks_per_quarter, 4 * (bars[0] - 1), 4 * bars[1]
    ours, theirs = rows_of(new, quarter), rows_of(given, quarter)
    margin = quarter // 16
    start, stop = first * quarter - margin, last * quarter - margin
    for row in theirs:
        end = row[0] + row[1]
        if row[4] not in tracks or row[0] >= stop or end <= start:
            assert row in ours
        elif row[0] < start:
            # A note across the beginning of the gap keeps its beginning.
            assert (row[0], *row[2:]) in {(each[0], *each[2:]) for each in ours}
    changed = ours - theirs
    assert changed
    assert {row[4] for row in changed} <= set(tracks)
    assert all(row[0] + row[1] > start and row[0] < stop + 2 * margin for row in changed)
    scale = quarter // given.ticks_per_quarter
    assert new.tempo_changes()["tick"].tolist() == [0, 300 * scale]
    assert (new.tracks, new.keys, new.metres) == (given.tracks, given.keys, given.metres)
    # What stays is what the model saw: the raster of the result is the raster that it wrote.
    before, after = raster_of(given).sounding, raster_of(new).sounding
    outside = np.ones(before.shape, bool)
    outside[4 * first : 4 * last, list(tracks)] = False
    np.testing.assert_array_equal(after[outside], before[outside])


MELODIES = [("bars 1-4, 7-", (5, 6)), ("bars 3-", (1, 2)), ("bars -6", (7, 8))]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("parts", "bars"), MELODIES, ids=[parts for parts, _ in MELODIES])
def test_what_is_kept_of_a_melody_stays_tick_for_tick(
    parts: str, bars: tuple[int, int], seed: int
) -> None:
    given = piece_of(seed, tracks=(Track("Tune", 40), Track("Second", 24)))
    codec = MelodyCodec.fit([given], MelodyOptions())
    new = written(codec, Kept(given, parts), seed)
    quarter = new.ticks_per_quarter
    ours, theirs = rows_of(new, quarter), rows_of(given, quarter)
    margin = quarter // 16
    start, stop = (4 * bar * quarter - margin for bar in (bars[0] - 1, bars[1]))
    for row in theirs:
        if row[4] or row[0] >= stop or row[0] + row[1] <= start:
            assert row in ours
    changed = ours - theirs
    assert changed and {row[4] for row in changed} == {0}
    assert all(row[0] + row[1] > start and row[0] < stop + 2 * margin for row in changed)
    before, after = (line_of(music, codec.steps).events for music in (given, new))
    steps = 4 * codec.steps
    outside = np.ones(len(before), bool)
    outside[steps * (bars[0] - 1) : steps * bars[1] + 1] = False
    np.testing.assert_array_equal(after[outside], before[outside])


BAND = (Track("Lead", 80), Track("", 0, drums=True), Track("Left", 0), Track("Right", 0))
#: Words, the first and last bar that are rewritten, and the tracks.
BAND_GAPS = [
    ("bars 1-4, 7-", (5, 6), (0, 1, 2, 3)),
    ("bars 3-", (1, 2), (0, 1, 2, 3)),
    ("bars -6", (7, 8), (0, 1, 2, 3)),
    ("bars 2-4, 6", (1, 8), (0, 1, 2, 3)),
    ("tracks lead, drums", (1, 8), (2, 3)),
    ("tracks Right, lead, 2", (1, 8), (2,)),
    ("bars 1-4, 7-; tracks synth lead, piano", (5, 6), (1,)),
]


def band_of(seed: int, bars: int = 8) -> Music:
    """Return a piece with chords and drums off the grid; two tracks have one program."""
    rng, rows = np.random.default_rng(seed), []
    for track, low in enumerate((70, 35, 40, 60)):
        for at in range(0, 4 * bars * QUARTER, QUARTER // 2):
            if rng.random() < 0.6 or not at:
                for pitch in low + rng.choice(9, 1 + int(rng.integers(2)), replace=False):
                    length, loud = int(rng.integers(20, 2 * QUARTER)), int(rng.integers(30, 120))
                    onset = at + int(rng.integers(-1, 2)) * (at % (4 * QUARTER) > 0)
                    rows.append((onset, length, int(pitch), loud, track))
    tempos, metres, keys = ((0, 96.0), (300, 130.0)), ((0, 4, 4),), ((0, -3, True),)
    return Music(make_notes(rows), BAND, QUARTER, tempos, metres, keys)


@pytest.mark.parametrize(("parts", "bars", "tracks"), BAND_GAPS, ids=[gap[0] for gap in BAND_GAPS])
def test_what_is_kept_of_a_band_stays_tick_for_tick(
    parts: str, bars: tuple[int, int], tracks: tuple[int, ...]
) -> None:
    given = band_of(0)
    codec = MultitrackCodec.fit([given, band_of(1)], MultitrackOptions())
    new = written(codec, Kept(given, parts), 0)
    quarter = new.ticks_per_quarter
    ours, theirs = rows_of(new, quarter), rows_of(given, quarter)
    margin = quarter // 24
    start, stop = (4 * bar * quarter - margin for bar in (bars[0] - 1, bars[1]))
    inner = [bar for bar in range(8) if bar in (1, 2, 3, 5)] if parts == "bars 2-4, 6" else []
    for row in theirs:
        bar = (row[0] + margin) // (4 * quarter)
        if row[4] not in tracks or row[0] >= stop or row[0] < start or bar in inner:
            assert row in ours
    changed = ours - theirs
    assert changed and {row[4] for row in changed} <= set(tracks)
    assert all(start <= row[0] < stop for row in changed)
    assert not any((row[0] + margin) // (4 * quarter) in inner for row in changed)
    assert (new.tracks, new.keys, new.metres) == (given.tracks, given.keys, given.metres)
    assert new.tempo_changes()["qpm"].tolist() == [96.0, 130.0]


def test_bars_of_a_band_are_those_of_its_metres() -> None:
    """Bars 3 and 4 have two quarters each, and bar 6 is silent before it is written."""
    metres = ((0, 4, 4), (8 * QUARTER, 2, 4), (12 * QUARTER, 4, 4))
    given = replace(band_of(0), metres=metres)
    silent = abs(given.notes["onset"] // QUARTER - 17.5) < 2
    given = replace(given, notes=given.notes[~silent])
    codec = MultitrackCodec.fit([given], MultitrackOptions())
    new = written(codec, Kept(given, "bars 1-2, 5, 7-"), 1)
    quarter = new.ticks_per_quarter
    changed = rows_of(new, quarter) - rows_of(given, quarter)
    at = np.array([row[0] for row in changed]) / quarter + 1 / 24
    assert set(np.unique(at // 2).tolist()) == {4, 5, 8, 9}
    assert [metre[1:] for metre in new.metres] == [metre[1:] for metre in metres]


def test_a_band_refuses_a_gap_that_its_codec_leaves_out() -> None:
    given = band_of(0)
    late = replace(given, notes=given.notes[given.notes["onset"] > 6 * QUARTER])
    codec = MultitrackCodec.fit([given], MultitrackOptions())
    with pytest.raises(DataError, match="leaves bars before the first note"):
        codec.tracker(Kept(late, "bars 2-"))
    with pytest.raises(DataError, match="writes the tracks lead, 2, left, right, synth lead"):
        codec.tracker(Kept(given, "tracks violin"))


def test_a_melody_keeps_its_chords_where_its_bars_stay() -> None:
    rows = [(96 * at, 96, 60 + at % 5, 80, 0) for at in range(24)]
    chords = tuple((192 * half, Chord(5 * (half % 2))) for half in range(12))
    metres = ((0, 4, 4),)
    given = Music(make_notes(rows), (Track("Tune"),), 96, (), metres, chords=chords)
    codec = MelodyCodec.fit([given], MelodyOptions(chords="on"))
    found = set()
    for seed in range(8):
        new = written(codec, Kept(given, "bars 1-2, 4-"), seed)
        scale = new.ticks_per_quarter // 96
        stays = [(tick * scale, chord) for tick, chord in chords if not 768 <= tick < 1152]
        ours = [each for each in new.chords if not 768 * scale <= each[0] < 1152 * scale]
        assert ours == stays
        found.update(str(chord) for tick, chord in new.chords if 768 * scale <= tick < 1152 * scale)
    assert len(found) > 2


def test_a_chord_that_begins_in_the_gap_goes_on_as_it_was() -> None:
    rows = [(96 * at, 96, 60 + at % 5, 80, 0) for at in range(16)]
    chords = ((0, Chord(7)), (384, Chord(0, bass=4)))
    given = Music(make_notes(rows), (Track("Tune"),), 96, (), ((0, 4, 4),), chords=chords)
    new = written(
        MelodyCodec.fit([given], MelodyOptions(chords="on")), Kept(given, "bars 1, 3-"), 0
    )
    scale = new.ticks_per_quarter // 96
    assert new.chords[-1] == (768 * scale, Chord(0, bass=4))


def test_fermatas_of_notes_that_are_rewritten_are_gone() -> None:
    given = replace(piece_of(0), fermatas=((0, 0), (0, 1)))
    given = replace(given, fermatas=tuple((int(on), int(at)) for on, _, _, _, at in given.notes))
    codec = ChoraleCodec.fit([given], ChoraleOptions())
    new = written(codec, Kept(given, "bars 1-4"), 0)
    scale = new.ticks_per_quarter // QUARTER
    stays = {(on * scale, at) for on, _, _, _, at in given.notes.tolist() if on < 16 * QUARTER - 2}
    begun = {(on, at) for on, _, _, _, at in new.notes.tolist()}
    assert stays <= {*new.fermatas} <= begun


def test_free_lyrics_of_notes_that_are_rewritten_are_gone() -> None:
    given = piece_of(0)
    onsets = sorted({int(onset) for onset in given.notes["onset"]})
    given = replace(given, lyrics=tuple((onset, -1, "la ") for onset in onsets))
    codec = ChoraleCodec.fit([given], ChoraleOptions())
    new = written(codec, Kept(given, "bars 1-4"), 0)
    scale = new.ticks_per_quarter // QUARTER
    stays = {onset * scale for onset in onsets if onset < 16 * QUARTER - 2}
    assert {tick for tick, _, _ in new.lyrics} == stays
    # A voice that stays keeps the words of its notes.
    new = written(codec, Kept(given, "bars 1-4; tracks soprano"), 0)
    sung = {int(note["onset"]) * scale for note in given.notes if note["track"] == 0}
    assert sung | stays <= {tick for tick, _, _ in new.lyrics} | stays


def test_a_name_with_a_comma_stands_in_quotes() -> None:
    tracks = (Track("Strings, high"), Track('The "low; ones"'), Track("Bass"))
    given = Music(make_notes([(0, 480, 60, 80, 0)] * 9), tracks, 480)
    names = names_of(given, range(3))
    assert gap_of(Kept(given, 'tracks "strings, HIGH", bass'), names).tracks == (1,)
    assert gap_of(Kept(given, 'tracks bass; tracks "the low; ones"'), names).tracks == (0,)
    with pytest.raises(DataError, match='the tracks "strings, high", "the low; ones", bass'):
        gap_of(Kept(given, "tracks strings, high"), names)


def test_a_melody_keeps_long_silences_outside_the_gap() -> None:
    """The codec shortens them."""
    rows = [(96 * at, 96, 60 + at % 5, 80, 0) for at in (*range(8), *range(32, 48))]
    given = Music(make_notes(rows), (Track("Tune"),), 96, (), ((0, 4, 4),))
    codec = MelodyCodec.fit([given], MelodyOptions())
    new = written(codec, Kept(given, "bars 1-10, 12"), 0)
    scale = new.ticks_per_quarter // 96
    changed = rows_of(new, new.ticks_per_quarter) - rows_of(given, new.ticks_per_quarter)
    assert changed and all(10 * 384 * scale <= row[0] <= 11 * 384 * scale for row in changed)
    with pytest.raises(DataError, match="leaves bars with a silence of 2 bars or more"):
        codec.tracker(Kept(given, "bars 1-2, 9-"))


def test_a_note_that_is_held_into_what_stays_goes_on_or_begins_there() -> None:
    """Bar 2 is rewritten; the soprano holds a note of it into bar 3."""
    rows = [(0, 384, 72, 80, 0), (384, 576, 74, 80, 0), (960, 192, 76, 80, 0)]
    rows += [(384 * bar, 384, 60 - 8 * voice, 80, voice) for bar in range(3) for voice in (1, 2, 3)]
    given = Music(make_notes(rows), VOICES, 96, ((0, 80.0),), ((0, 4, 4),))
    codec = ChoraleCodec.fit([given], ChoraleOptions())
    ends = set()
    for seed in range(40):
        new = written(codec, Kept(given, "bars 1, 3"), seed)
        scale = new.ticks_per_quarter // 96
        mine = [row for row in rows_of(new, new.ticks_per_quarter) if row[4] == 0]
        [(onset, length)] = {row[:2] for row in mine if row[0] < 960 * scale < row[0] + row[1] + 1}
        assert onset + length == 960 * scale
        ends.add(onset == 768 * scale)
    assert ends == {True, False}


def test_a_piece_may_be_silent_where_it_is_written() -> None:
    given = piece_of(0)
    at = given.notes["onset"]
    empty = Music(given.notes[(at < 768 - 3) | (at >= 1920 - 3)], VOICES, QUARTER)
    codec = ChoraleCodec.fit([given], ChoraleOptions())
    new = written(codec, Kept(empty, "bars 1-2, 6-"), 0)
    assert (np.diff(np.sort(new.notes["onset"])) < 4 * new.ticks_per_quarter).all()


def test_an_upbeat_belongs_to_the_first_bar() -> None:
    rows = [(0, 96, 72, 80, 0), *((96 + 384 * bar, 384, 72, 80, 0) for bar in range(3))]
    piece = Music(make_notes(rows), (Track("Tune"),), 96, (), ((0, 1, 4), (96, 4, 4)))
    assert gap_of(Kept(piece, "bars 2-"), {"tune": [0]}).spans.tolist() == [[0, 480]]
    assert gap_of(Kept(piece, "bar 1"), {"tune": [0]}).spans.tolist() == [[480, 1248]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("bars 1-9", "bars '1-9': the piece has the bars 1 to 8"),
        ("bars 0-2", "the piece has the bars 1 to 8"),
        ("bars 5-4", "the piece has the bars 1 to 8"),
        ("bars one", "expected numbers such as 3, 1-4 or 9-"),
        ("bars 3 5", "expected numbers such as 3, 1-4 or 9-"),
        ("bars 1,,2", "expected bars or tracks and a list"),
        ("", "expected bars or tracks and a list"),
        ("pages 1", "expected bars or tracks and a list"),
        ("tracks violin", "this model writes the tracks soprano, alto, tenor, bass"),
        ("bars -", "expected numbers"),
        ("bars 1-", "nothing left to write: 'bars 1-' keeps every bar"),
        ("tracks soprano, alto, tenor, bass", "keeps every track"),
    ],
)
def test_words_that_cannot_be_followed_are_refused(parts: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        chorale_gap(Kept(piece_of(0), parts))
