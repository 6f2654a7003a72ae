"""Tunes are known again in another key, and other tunes are not taken for them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.choosing import kind_of, suggest
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.raster import REST, Raster
from seqgen_music.codecs.passages import (
    FEWEST_MOVES,
    NOTES,
    SPAN,
    passages,
    played_passages,
    skyline,
)
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.domain import MusicDomain
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.data.splits import SPLITS

CODECS = ("chorale", "melody", "performance", "multitrack")


#: What ``corpus.json`` counts of near-duplicates.
COUNTS = ("near_duplicates", "near_duplicate_groups", "near_duplicates_across_splits")

#: Of pieces that may go round in loops for ever.


def tune(seed: int, notes: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return pitches and onsets of a line that wanders in a scale."""
    rng = np.random.default_rng(seed)
    degrees = 14 + np.abs(np.cumsum(rng.integers(-2, 3, notes)) % 16 - 8)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    pitches = 48 + 12 * (degrees // 7) + scale[degrees % 7]
    return pitches, np.cumsum(rng.choice([2, 4, 4, 4, 8], notes))


def chorale_on(line: tuple[np.ndarray, np.ndarray], shift: int = 0, seed: int = 0) -> Music:
    """Return a chorale with a tune as its soprano, over three voices drawn at random."""
    pitches, onsets = line
    steps = int(onsets[-1]) + 8
    sounding = np.full((steps, 4), REST)
    begins = np.zeros((steps, 4), bool)
    begins[onsets, 0], begins[0] = True, True
    sounding[onsets[0] :, 0] = np.repeat(pitches, np.diff(onsets, append=steps)) + shift
    lower = np.random.default_rng(seed).integers((57, 50, 40), (62, 55, 45), (steps // 8 + 1, 3))
    sounding[:, 1:] = np.repeat(lower, 8, axis=0)[:steps] + shift
    begins[::8, 1:] = True
    return Raster(sounding, begins, (4, 4), 0).to_music()


# Passages ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(-24, 24), st.integers(0, 100))
def test_transposing_and_shifting_change_no_passage(seed: int, interval: int, steps: int) -> None:
    pitches, onsets = tune(seed)
    found = passages(pitches, onsets)
    assert len(found) and found.dtype == np.int64
    np.testing.assert_array_equal(passages(pitches + interval, onsets + steps), found)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 100), st.integers(0, 100))
def test_lines_that_share_enough_notes_share_a_passage(seed: int, before: int, after: int) -> None:
    """However much stands before and after in each, and in another key."""
    pitches, onsets = tune(seed, NOTES + SPAN - 1)
    other, times = tune(seed + 1, before + after)
    longer = np.concatenate([other[:before], pitches + 5, other[before:]])
    start = times[before - 1] if before else 0
    end = start + onsets[-1]
    shifted = times[before:] - start + end if after else times[before:]
    long_onsets = np.concatenate([times[:before], onsets + start, shifted])
    assert np.isin(passages(pitches, onsets), passages(longer, long_onsets)).any()


def test_other_tunes_share_nothing() -> None:
    lists = [passages(*tune(seed, 200)) for seed in range(200)]
    found = np.concatenate(lists)
    assert len(np.unique(found)) == len(found) > 200 * 200 / 6


def test_an_ornamented_line_keeps_the_passages_that_are_plain() -> None:
    """A turn in one bar hides that bar; turns everywhere hide the tune."""
    pitches, onsets = tune(3, 100)
    found = passages(pitches, onsets)

    def ornamented(at: np.ndarray) -> np.ndarray:
        turns = np.insert(pitches, at + 1, pitches[at] + 2)
        return passages(turns, np.insert(onsets, at + 1, onsets[at] + 1))

    assert np.isin(ornamented(np.array([50])), found).any()
    assert not np.isin(ornamented(np.arange(0, 99, 5)), found).any()


def test_the_same_notes_in_another_rhythm_are_another_tune() -> None:
    pitches, onsets = tune(4)
    assert not np.isin(passages(pitches, np.arange(60) * 4), passages(pitches, onsets)).any()


@pytest.mark.parametrize(
    "pitches",
    [np.full(80, 60), np.arange(20, 100), np.tile([60, 64, 67, 72], 20), np.zeros(0, np.int64)],
    ids=["drone", "scale", "arpeggio", "nothing"],
)
def test_figures_are_no_passages(pitches: np.ndarray) -> None:
    assert len(np.unique(np.diff(pitches))) < FEWEST_MOVES
    assert not len(passages(pitches, np.arange(len(pitches)) * 2))


def test_hashes_stay_what_they_are() -> None:
    """They decide the split, which must not change with a version of Python or numpy."""
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 69, 65, 60, 67, 64, 60, 62, 59])
    assert passages(scale, np.arange(16) * 4).tolist() == [-4606396575454574652]
    notes = np.concatenate([scale, scale[::-1] - 5])
    assert played_passages(notes, np.arange(32) * 12, 3).tolist() == [
        *(2401897234212820217, 4787143811695701353),
    ]


def test_the_skyline_is_what_is_heard_on_top() -> None:
    rows = [
        (0, 480, 60, 80, 0),  # below a note that begins with it
        (0, 480, 72, 80, 1),
        (240, 240, 64, 80, 0),  # below a note that still sounds
        (480, 240, 67, 80, 0),
        (600, 480, 74, 80, 1),  # above one that still sounds
        (1200, 240, 55, 80, 0),
        (1200, 240, 90, 80, 2),  # a drum
    ]
    music = Music(make_notes(rows), (Track(), Track(), Track("", 0, True)), 480)
    pitches, onsets = skyline(music, 120)
    assert pitches.tolist() == [72, 67, 74, 55]
    assert onsets.tolist() == [0, 4, 5, 10]
    nothing = Music(make_notes(rows)[:0], (), 480)
    assert not len(passages(*skyline(nothing, 120)))


def test_the_skyline_of_a_chorale_is_its_soprano() -> None:
    pitches, onsets = tune(5)
    music = chorale_on((pitches, onsets))
    np.testing.assert_array_equal(
        np.isin(passages(pitches + 7, onsets), passages(*skyline(music, 120))), True
    )


# Chorales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["held", "grid"])
def test_a_chorale_keeps_its_passages_in_every_key(form) -> None:
    pieces = [chorale_on(tune(1), shift) for shift in range(-5, 6)]
    codec = ChoraleCodec.fit(pieces, ChoraleOptions(form))
    ids = codec.encode(pieces[5])
    found = codec.passages(ids)
    assert len(found)
    keys = set()
    for seed in range(20):
        varied = codec.augment(ids, np.random.default_rng(seed))
        keys.add(varied.tobytes())
        np.testing.assert_array_equal(codec.passages(varied), found)
    assert len(keys) > 5


def test_harmonisations_of_a_tune_stay_on_one_side(tmp_path) -> None:
    """Thirty tunes, three times each, in other keys and with other lower voices."""
    for number in range(90):
        music = chorale_on(tune(number // 3), number % 3 - 1, seed=number)
        MusicDomain().write(music, tmp_path / f"{number:02}.mid")
    corpus = seqgen.prepare("music", [tmp_path], codec="chorale", jobs=1)
    counts = [corpus.info[key] for key in COUNTS]
    assert counts == [90, 30, 0]
    rows = [(s.piece, split) for split in SPLITS for s in corpus.segments(split)]
    assert [piece for piece, _ in sorted(rows)] == list(range(90))
    assert len({(piece // 3, split) for piece, split in rows}) == 30


# Performances ------------------------------------------------------------------------------------


def recital(seed: int, **how: float) -> Music:
    """Return chords and single notes, as a player of this `key`, `pace` and `care` plays them."""
    rng, hand = np.random.default_rng(seed), np.random.default_rng(round(1000 * how["pace"]))
    sizes = rng.choice([1, 1, 2, 3, 4], 150)
    onsets = np.repeat(np.cumsum(rng.choice([120, 240, 480], 150)), sizes) * how["pace"]
    onsets = onsets + hand.uniform(0, how["care"], len(onsets))
    pitches = np.concatenate([rng.choice(np.arange(36, 84), size, False) for size in sizes])
    loud = hand.integers(30, 100, len(pitches))
    rows = zip(np.rint(onsets).astype(int).tolist(), pitches.tolist(), loud.tolist(), strict=True)
    notes = [(at, 200, pitch + int(how["key"]), velocity, 0) for at, pitch, velocity in rows]
    return Music(make_notes(sorted(notes)), (Track("piano"),), 500)


def heard(music: Music) -> np.ndarray:
    codec = PerformanceCodec(20, 100, 0, PerformanceOptions())
    return codec.passages(codec.encode(music))


def test_a_performance_is_known_in_another_key_and_by_another_player() -> None:
    """Chords that one player breaks a little the other strikes at once."""
    found = heard(recital(0, key=0, pace=1, care=0))
    np.testing.assert_array_equal(heard(recital(0, key=-7, pace=1, care=0)), found)
    other = heard(recital(0, key=3, pace=0.8, care=25))
    assert np.isin(found, other).mean() > 0.5
    dropped = recital(0, key=0, pace=1.2, care=25)
    kept = np.arange(len(dropped.notes)) % 60 != 30
    wrong = Music(dropped.notes[kept], dropped.tracks, 500)
    assert 0.1 < np.isin(found, heard(wrong)).mean() < 0.8


def test_other_performances_share_nothing() -> None:
    lists = [heard(recital(seed, key=0, pace=1, care=20)) for seed in range(40)]
    found = np.concatenate(lists)
    assert len(np.unique(found)) == len(found) > 40 * 40
    figure = np.tile([48, 55, 52, 55], 100)
    assert not len(played_passages(figure, np.arange(400) * 12, 3))
    assert not len(played_passages(figure[:0], figure[:0], 3))


def test_recordings_of_a_piece_stay_on_one_side(tmp_path) -> None:
    for number in range(60):
        music = recital(number // 2, key=number % 5, pace=1 + number % 2 / 10, care=20)
        MusicDomain().write(music, tmp_path / f"{number:02}.mid")
    corpus = seqgen.prepare("music", [tmp_path], codec="performance", jobs=1, seed=1)
    counts = [corpus.info[key] for key in COUNTS]
    assert counts == [60, 30, 0]


# Which codec fits -------------------------------------------------------------------------------


def band() -> Music:
    rows = [(480 * beat, 240, 36, 90, 0) for beat in range(8)]
    rows += [(480 * beat, 480, 60 + beat, 90, 1) for beat in range(8)]
    return Music(make_notes(rows), (Track("kit", 0, True), Track("bass", 33)), 480)


def song() -> Music:
    pitches, onsets = tune(6)
    # Sung legato: each note lasts a little into the next.
    spans = np.diff(onsets, append=onsets[-1] + 4) * 120 + 30
    rows = zip((onsets * 120).tolist(), spans.tolist(), pitches.tolist(), strict=True)
    return Music(make_notes([(*row, 80, 0) for row in rows]), (Track("voice"),), 480)


def played() -> Music:
    rng = np.random.default_rng(0)
    onsets = np.cumsum(rng.integers(0, 90, 300)).tolist()
    notes = [
        (onset, 400, int(rng.integers(40, 80)), int(rng.integers(30, 110)), 0) for onset in onsets
    ]
    return Music(make_notes(notes), (Track("piano"),), 480)


def sonata() -> Music:
    rows = [
        (120 * step, 480, 60 + step % 7 * hand, 50 + step % 40, 0)
        for step in range(64)
        for hand in (1, 2)
    ]
    return Music(make_notes(rows), (Track("piano"),), 480)


@pytest.mark.parametrize(
    ("make", "kind", "codec"),
    [
        (lambda: chorale_on(tune(0)), "parts", "chorale"),
        (song, "line", "melody"),
        (played, "performance", "performance"),
        (band, "drums", "multitrack"),
        (sonata, "other", "multitrack"),
    ],
    ids=(*CODECS, "sonata"),
)
def test_the_codec_fits_the_pieces(make: Callable[[], Music], kind: str, codec: str) -> None:
    assert kind_of(make()) == kind
    name, reason = suggest([make()] * 4, CODECS)
    assert name == codec
    assert "4" in reason


def test_most_pieces_decide_and_the_reason_counts_them() -> None:
    chorales = [chorale_on(tune(0))] * 9
    assert suggest([*chorales, song(), band()], CODECS) == (
        "chorale",
        "9 of 11 pieces have four monophonic parts",
    )
    mixed = [*chorales[:2], song(), song(), band(), band(), band()]
    expected = "of 7 pieces 3 have drums, 2 are a single line, 2 have four monophonic parts"
    assert suggest(mixed, CODECS) == ("multitrack", expected)
    assert suggest(mixed[::-1], CODECS) == ("multitrack", expected)


def test_without_the_codec_that_fits_another_is_taken() -> None:
    assert suggest([song()], ("chorale", "multitrack"))[0] == "multitrack"
    assert suggest([song()], ("chorale",)) == ("chorale", "")
    assert suggest([], CODECS) == ("chorale", "")


def test_the_domain_suggests_one_of_its_codecs() -> None:
    name, _ = MusicDomain().suggest([chorale_on(tune(0))])
    assert name == "chorale"
