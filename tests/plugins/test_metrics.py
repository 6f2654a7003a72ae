"""What is measured on music, on pieces whose answers are known."""

import itertools
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.parallels import parallels
from seqgen_music.codecs.chorale.raster import REST, VOICES, raster_of
from seqgen_music.domain import MusicDomain
from seqgen_music.measures import metrics, voice_leading
from seqgen_music.measures.metrics import LENGTHS, MEASURES, VOICE_MEASURES, four_voices
from seqgen_music.music import Music, Track, make_notes

QUARTER = 24
BAR = 4 * QUARTER


def music(*tracks: list[tuple[float, float, int]], names: tuple[str, ...] = (), **more) -> Music:
    """Return a piece of tracks of (onset, duration, pitch), times in quarters."""
    rows = [
        (round(onset * QUARTER), round(duration * QUARTER), pitch, 80, number)
        for number, notes in enumerate(tracks)
        for onset, duration, pitch in notes
    ]
    names = names or ("",) * len(tracks)
    return Music(make_notes(rows), tuple(Track(name) for name in names), QUARTER, **more)


def scale(*pitches: int) -> Music:
    return music([(number, 1, pitch) for number, pitch in enumerate(pitches)])


def chorale(*chords: tuple[int, int, int, int]) -> Music:
    """Return a piece of one chord a quarter, soprano first."""
    voices = [[(at, 1, chord[voice]) for at, chord in enumerate(chords)] for voice in range(4)]
    return music(*voices, names=VOICES)


G7, C, G, F = (65, 62, 59, 55), (64, 60, 55, 48), (67, 62, 59, 43), (65, 60, 57, 41)
C_MAJOR = (60, 62, 64, 65, 67, 69, 71)


def test_the_pitches_of_a_scale() -> None:
    piece = scale(*C_MAJOR, 72)
    shares = metrics.pitch_classes(piece)
    assert shares[0] == 2 / 8 and shares[[2, 4, 5, 7, 9, 11]] == pytest.approx(1 / 8)
    assert metrics.pitch_class_entropy(piece) == pytest.approx(6 / 8 * log2(8) + 2 / 8 * log2(4))
    assert metrics.pitch_range(piece) == 12
    assert metrics.scale_consistency(piece) == pytest.approx(1.0)
    # Of the seven notes and F# no scale holds all: G major lacks F.
    assert metrics.scale_consistency(scale(*C_MAJOR, 66)) == pytest.approx(7 / 8)
    found = metrics.intervals(piece)
    assert found[12 + 2] == pytest.approx(5 / 7) and found[12 + 1] == pytest.approx(2 / 7)


def test_intervals_follow_the_top_of_each_track_and_wide_ones_are_cut() -> None:
    chords = [(0, 1, 60), (0, 1, 67), (1, 1, 72), (1, 1, 50)]
    found = metrics.intervals(music(chords, [(0, 1, 40), (1, 1, 90)]))
    assert found[12 + 5] == found[24] == 0.5
    assert np.isnan(metrics.intervals(scale(60))).all()


def test_note_lengths_are_the_nearest() -> None:
    piece = music([(0, 1, 60), (1, 0.97, 60), (2, 0.5, 60), (4, 30, 60)])
    found = dict(zip(LENGTHS, metrics.note_lengths(piece), strict=True))
    assert (found["quarter"], found["8th"], found["longer"]) == (0.5, 0.25, 0.25)


@pytest.mark.parametrize(
    ("tracks", "polyphony"),
    [
        ([[(0, 1, 60), (2, 1, 62)]], 1.0),
        ([[(0, 2, 60), (1, 1, 64)]], 1.5),
        # Two tracks in unison are one pitch.
        ([[(0, 2, 60)], [(0, 1, 60), (1, 1, 60)]], 1.0),
        ([[(0, 4, 60), (1, 1, 64), (1, 1, 67), (6, 2, 60)]], 8 / 6),
    ],
)
def test_polyphony_counts_where_something_sounds(tracks, polyphony) -> None:
    assert metrics.polyphony(music(*tracks)) == pytest.approx(polyphony)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(60, 64)), min_size=1))
@settings(deadline=None, max_examples=50)
def test_polyphony_is_that_of_a_piano_roll(rows) -> None:
    roll = np.zeros((60, 128), bool)
    for onset, duration, pitch in rows:
        roll[onset : onset + duration, pitch] = True
    wanted = roll.sum() / roll.any(axis=1).sum()
    assert metrics.polyphony(music(rows)) == pytest.approx(wanted)


def test_drums_have_no_pitch() -> None:
    piece = music([(0, 1, 60)], [(0, 1, 36)])
    drummed = Music(piece.notes, (Track(), Track(drums=True)), QUARTER)
    assert metrics.pitch_range(piece) == 24 and metrics.pitch_range(drummed) == 0
    assert metrics.polyphony(drummed) == 1 and metrics.notes_per_bar(drummed) == 2


def test_bars_are_counted_and_compared() -> None:
    motif = [(0, 1, 60), (1, 1, 62), (2, 2, 64)]
    other = [(0, 2, 60), (2, 2, 62)]
    bars = [motif, other, motif, [], motif]
    piece = music([(4 * bar + at, d, p) for bar, notes in enumerate(bars) for at, d, p in notes])
    assert metrics.notes_per_bar(piece) == 11 / 5
    assert metrics.empty_bars(piece) == 1 / 5
    assert metrics.repeated_bars(piece) == 2 / 4
    # Neighbours differ at one, one, three and three positions.
    assert metrics.groove_consistency(piece) == pytest.approx(1 - 8 / (4 * 64))


def test_a_held_note_fills_the_bars_it_sounds_in() -> None:
    assert metrics.empty_bars(music([(0, 8, 60), (12, 4, 60)])) == 1 / 4


@given(st.lists(st.sets(st.integers(0, 15)), min_size=2, max_size=6))
@settings(deadline=None, max_examples=50)
def test_grooving_similarity_is_that_of_all_pairs(bars) -> None:
    bars = [bar | {0} for bar in bars]
    notes = [(4 * n + at / 4, 0.25, 60) for n, bar in enumerate(bars) for at in bar]
    pairs = list(itertools.combinations(bars, 2))
    wanted = 1 - sum(len(one ^ other) for one, other in pairs) / (64 * len(pairs))
    assert metrics.grooving_similarity(music(notes)) == pytest.approx(wanted)


def test_an_upbeat_is_no_bar_to_compare() -> None:
    metres = ((0, 1, 4), (QUARTER, 4, 4))
    notes = [(0, 0.5, 60), (0.5, 0.5, 60)] + [(1 + at, 1, 60) for at in range(8)]
    assert metrics.groove_consistency(music(notes, metres=metres)) == 1.0
    assert metrics.groove_consistency(music(notes)) < 1.0


def test_parallels_are_counted_as_rules_of_harmony_have_it() -> None:
    def count(before: list[int], after: list[int]) -> int:
        return int(parallels(np.array([before, after])).sum())

    assert count([72, 67, 60, 48], [74, 67, 62, 50]) == 3, "soprano, tenor and bass in octaves"
    assert count([71, 67, 64, 60], [73, 67, 64, 62]) == 0, "sevenths may move so"
    assert count([67, 64, REST, 60], [69, 65, REST, 62]) == 1, "a fifth"
    assert count([67, 64, REST, 60], [67, 64, REST, 60]) == 0, "nothing moves"
    assert count([67, REST, REST, 60], [60, REST, REST, 53]) == 1, "downwards too"
    assert count([67, REST, REST, 60], [74, REST, REST, 55]) == 0, "contrary motion"


def test_chords_crossings_and_ranges() -> None:
    rows = np.array([C, G7, (60, 64, 55, 48), (60, 61, 55, 48), (REST,) * 4, (64, REST, 55, 48)])
    assert voice_leading.on_chord(rows).tolist() == [True, True, True, False, False, True]
    assert voice_leading.crossed(rows).tolist() == [False, False, True, True, False, False]
    assert voice_leading.out_of_range(raster_of(chorale(C, C))) == 0
    assert voice_leading.out_of_range(raster_of(chorale(C, (59, 60, 55, 39)))) == 2 / 8


@pytest.mark.parametrize(
    ("chords", "cadence"),
    [
        ([C, G7, C], 1),
        ([C, G, C], 1),
        ([C, F, C], 0),
        ([C, G], 0),
        ([G7, (60, 55, 52, 52)], 0),
        ([G7, F, C], 1),
        ([G7, F, F, F, F, C], 0),
        # Without a fifth; without a third.
        ([G7, (64, 60, 60, 48)], 1),
        ([G7, (60, 60, 55, 48)], 0),
        # Minor.
        ([G7, (63, 60, 55, 48)], 1),
        ([C, C], 0),
    ],
)
def test_cadences(chords, cadence) -> None:
    assert voice_leading.ends_on_cadence(raster_of(chorale(*chords))) == cadence


def test_only_voices_are_asked_for_their_chords() -> None:
    piece = chorale(C, G7, C)
    assert four_voices(piece) is not None
    nameless = Music(piece.notes, (Track(),) * 4, QUARTER)
    assert four_voices(nameless) is not None
    chords = music(*[[(0, 2, 60 + n), (1, 1, 64 + n)] for n in range(4)])
    assert four_voices(chords) is None
    assert four_voices(scale(60, 62)) is None


def test_every_measure_has_a_row_a_piece_and_nothing_where_there_is_nothing() -> None:
    found = MusicDomain().metrics([chorale(C, G7, C), scale(*C_MAJOR)], iter([chorale(C, G7, C)]))
    assert found.keys() == MEASURES.keys() | VOICE_MEASURES.keys()
    for name, metric in found.items():
        bins = (len(metric.bins),) if metric.bins else ()
        assert metric.generated.shape == (2, *bins) and metric.reference.shape == (1, *bins)
        assert np.array_equal(metric.generated[0], metric.reference[0], equal_nan=True), name
    assert found["ends on a cadence"].generated[0] == 1
    assert np.isnan(found["ends on a cadence"].generated[1])
    assert found["length"].generated.tolist() == [3, 7]
    empty = Music(make_notes([]), (Track(),), QUARTER)
    lonely = MusicDomain().metrics([empty], [empty])
    assert lonely["notes per bar"].generated[0] == 0
    assert np.isnan(lonely["polyphony"].generated[0])


def test_the_chorale_codec_says_in_which_bar_a_token_is() -> None:
    notes = [[(at, 1, 72 - 8 * voice) for at in range(9)] for voice in range(4)]
    piece = music(*notes, names=VOICES, metres=((0, 1, 4), (QUARTER, 4, 4)))
    codec = ChoraleCodec.fit([piece], ChoraleOptions())
    ids = codec.encode(piece)
    steps = {"upbeat": range(4), "bar 1": range(4, 20), "bar 2": range(20, 36)}
    for words, inside in steps.items():
        for step in inside:
            assert {
                codec.place(ids, codec.layout.header_size(ids) + 4 * step + voice)
                for voice in range(4)
            } == {words}
    assert codec.place(ids, 0) == "upbeat"
