"""The codec multitrack: grid, tokens, grammar, conditions, and MidiTok as a second opinion."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import miditok
import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.lengths import class_of, span_of
from seqgen_music.codecs.multitrack import memory as multitrack_memory
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.multitrack.grid import DRUMS
from seqgen_music.codecs.multitrack.memory import SIZES, Memory, expectations
from seqgen_music.codecs.multitrack.repeats import PERIODS, limit_runs, longest_runs
from seqgen_music.codecs.multitrack.score import EMPTY_BARS, STEP_TICKS, score_of
from seqgen_music.codecs.multitrack.tracker import MultitrackTracker
from seqgen_music.codecs.multitrack.values import TEMPOS
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.keys import SHIFTS
from seqgen_music.music import PITCH_NAMES, Music, Track, make_notes

import seqgen
from seqgen.conformance.subject import fitted
from seqgen.errors import ConfigError, DataError
from seqgen.grammar import unpacked

BAND = (Track("Kit", 0, drums=True), Track("Bass", 33), Track("Piano", 0), Track("Sax", 65))


def song(bars: int = 4) -> Music:
    """Return drums, bass and piano: bars of 4/4 that repeat, then one of 3/4 that is faster."""
    rows = []
    for bar in range(bars):
        at = 1920 * bar
        rows += [(at + 480 * beat, 120, 36 + 2 * (beat % 2), 100, 0) for beat in range(4)]
        rows += [(at, 960, 40, 80, 1), (at + 960, 960, 43, 80, 1)]
        rows += [(at + 160 * third, 160, 60 + third, 70, 2) for third in range(3)]
        rows += [(at + 960, 480, pitch, 90, 2) for pitch in (60, 64, 67)]
    rows.append((1920 * bars, 1440, 45, 80, 1))
    tempos = ((0, 120.0), (1920 * bars, 160.0))
    return Music(make_notes(rows), BAND[:3], 480, tempos, ((0, 4, 4), (1920 * bars, 3, 4)))


def keyed(music: Music) -> dict[tuple[int, int, int], int]:
    """Return durations by onset, program and pitch."""
    programs = [DRUMS if track.drums else track.program for track in music.tracks]
    return {
        (onset, programs[track], pitch): duration
        for onset, duration, pitch, _, track in music.notes.tolist()
    }


def names(codec: MultitrackCodec, ids: Any) -> list[str]:
    return [codec.vocab[token] for token in ids]


@st.composite
def nasty(draw: st.DrawFn) -> Music:
    """Draw pieces off the grid: overlaps, long notes, silence, and changes anywhere."""
    quarter = draw(st.sampled_from([96, 220, 480]))
    tick = st.integers(0, 20 * quarter)
    row = st.tuples(
        *(tick | st.just(60 * quarter), st.integers(1, 40 * quarter), st.integers(0, 127)),
        *(st.integers(1, 127), st.integers(0, 3)),
    )
    few = st.tuples(
        *(tick, st.integers(1, 300), st.sampled_from([36, 60]), st.integers(1, 127)),
        st.integers(0, 3),
    )
    rows = draw(st.lists(row | few, min_size=1, max_size=40))
    metre = st.tuples(tick, st.integers(1, 20), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
    tempo = st.tuples(tick, st.floats(10, 400))
    programs = st.lists(st.integers(0, 127), min_size=3, max_size=3)
    tracks = (BAND[0], *(Track("", program) for program in draw(programs)))
    changes = [sorted(draw(st.lists(kind, max_size=4))) for kind in (tempo, metre)]
    tempos, metres = ({change[0]: change for change in kind}.values() for kind in changes)
    return Music(make_notes(rows), tracks, quarter, tuple(tempos), tuple(metres))


SONG = song()
CODEC = MultitrackCodec.fit([SONG], MultitrackOptions())


# The grid ---------------------------------------------------------------------------------------


def test_what_is_on_the_grid_is_kept(tmp_path: Path) -> None:
    write_midi(CODEC.decode(CODEC.encode(SONG)), tmp_path / "song.mid")
    again = read_pieces(tmp_path / "song.mid")[0]
    expected = keyed(SONG)
    for key in expected:
        expected[key] = 120 if key[1] == DRUMS else expected[key]
    assert keyed(again) == expected
    assert [(track.program, track.drums) for track in again.tracks] == [(0, 1), (0, 0), (33, 0)]
    assert [track.name for track in again.tracks][1:] == [
        "Acoustic Grand Piano",
        "Electric Bass (finger)",
    ]
    assert again.metres == SONG.metres and again.keys == ((0, 0, False),)
    assert [tick for tick, _ in again.tempos] == [0, 7680]
    np.testing.assert_allclose([tempo for _, tempo in again.tempos], [120, 160], rtol=1e-4)
    np.testing.assert_allclose(np.unique(again.notes["velocity"]), [70, 82, 90, 102])


@settings(deadline=None)
@given(nasty(), st.sampled_from([5, 8, 12, 24]))
def test_any_piece_comes_back_as_it_was_encoded(piece: Music, steps: int) -> None:
    codec = MultitrackCodec.fit([piece], MultitrackOptions(steps=steps))
    ids = codec.encode(piece)
    again = codec.decode(ids)
    np.testing.assert_array_equal(codec.encode(again), ids)
    programs = [DRUMS if track.drums else track.program for track in piece.tracks]
    quarter = piece.ticks_per_quarter
    begun = {
        ((2 * row[0] * steps + quarter) // (2 * quarter), programs[row[4]], row[2])
        for row in piece.notes.tolist()
    }
    found = {(onset // STEP_TICKS, *rest) for (onset, *rest) in keyed(again)}
    old, new = (sorted({onset for onset, *_ in notes}) for notes in (begun, found))
    moved = dict(zip(old, new, strict=True))
    assert {(moved[onset], *rest) for onset, *rest in begun} == found
    # Only silence is cut, of more bars than are kept.
    shortest = min(4 * steps * beats / unit for _, beats, unit in again.metre_changes())
    for was, now in zip(np.diff(old), np.diff(new), strict=True):
        assert now == was or EMPTY_BARS * shortest < now < was


def test_tracks_of_a_program_are_one_in_which_a_note_ends_the_one_before() -> None:
    tracks = (Track("one", 5), Track("two", 5))
    rows = [(0, 960, 60, 80, 0), (480, 240, 60, 90, 1), (0, 480, 60, 100, 1), (0, 480, 64, 80, 1)]
    piece = Music(make_notes(rows), tracks, 480)
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    again = codec.decode(codec.encode(piece))
    assert keyed(again) == {(0, 5, 60): 480, (480, 5, 60): 240, (0, 5, 64): 480}
    assert again.notes["velocity"][0] // 4 == 80 // 4


def test_long_silence_is_cut_and_long_notes_are_not() -> None:
    rows = [(1920, 3840, 60, 80, 2), (1920 * 21, 480, 62, 80, 2)]
    piece = Music(make_notes(rows), BAND, 480)
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    assert names(codec, codec.encode(piece)).count("bar") == EMPTY_BARS + 1
    again = codec.decode(codec.encode(piece))
    assert keyed(again) == {(0, 0, 60): 3840, (1920 * (EMPTY_BARS + 1), 0, 62): 480}


def test_a_bar_that_a_metre_cuts_short_has_its_own() -> None:
    rows = [(240 * number, 240, 60, 80, 2) for number in range(24)]
    metres = ((0, 4, 4), (720, 3, 4), (2160, 255, 4), (4200, 7, 64))
    piece = Music(make_notes(rows), BAND, 480, (), metres)
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    again = codec.decode(codec.encode(piece))
    assert keyed(again) == keyed(piece)
    assert again.metres[:4] == ((0, 3, 8), (720, 3, 4), (2160, 4, 4), (4080, 1, 16))
    assert again.metres[4:] == ((4200, 1, 8),)


def test_steps_make_a_finer_grid() -> None:
    piece = Music(make_notes([(0, 60, 60, 80, 2), (60, 60, 61, 80, 2)]), BAND, 480)
    fine = MultitrackCodec.fit([piece], MultitrackOptions(steps=24))
    assert keyed(fine.decode(fine.encode(piece))) == {(0, 0, 60): 120, (120, 0, 61): 120}
    with pytest.raises(ConfigError, match="steps must be from 1 to 96, found 0"):
        MultitrackCodec.fit([piece], MultitrackOptions(steps=0))


# Tokens -----------------------------------------------------------------------------------------


def test_tokens_read_like_music() -> None:
    assert names(CODEC, CODEC.encode(SONG)[:29]) == [
        *("key C major", "density 11", "instrument drums", "instrument 0", "instrument 33"),
        *("tempo 120", "metre 4/4", "position 0", "program drums", "velocity 25", "drum 36"),
        *("program 0", "velocity 17", "pitch C4", "duration 4"),
        *("program 33", "velocity 20", "pitch E2", "duration 24"),
        *("position 4", "program 0", "pitch C#4", "duration 4"),
        *("position 8", "pitch D4", "duration 4", "position 12", "program drums", "drum 38"),
    ]
    assert names(CODEC, CODEC.encode(SONG)[-6:]) == [
        *("metre 3/4", "position 0", "tempo 160", "program 33", "pitch A2", "duration 36"),
    ]


@pytest.mark.parametrize("interval", range(-5, 7))
def test_a_piece_in_another_key_differs_in_the_key_alone(interval: int) -> None:
    ids, other = CODEC.encode(SONG), CODEC.encode(transposed(SONG, interval))
    np.testing.assert_array_equal(ids[1:], other[1:])
    assert CODEC.table.token(int(other[0])) == ("key", f"{PITCH_NAMES[interval % 12]} major")
    assert keyed(CODEC.decode(other)) == keyed(
        CODEC.decode(CODEC.encode(transposed(SONG, interval)))
    )


def test_a_pitch_that_midi_has_not_sounds_an_octave_nearer() -> None:
    ids = CODEC.encode(SONG)
    first = names(CODEC, ids).index("pitch C4")
    high = ids.copy()
    high[first] = CODEC.table.id("pitch", 130)
    low = np.append(CODEC.table.id("key", "G major"), high[1:])
    low[first] = CODEC.table.id("pitch", 3)
    assert {118} == {key[2] for key in keyed(CODEC.decode(high))} - {*range(33, 80)}
    assert {10} == {key[2] for key in keyed(CODEC.decode(low))} - {*range(28, 80)}


@settings(deadline=None)
@given(st.lists(st.integers(0, len(CODEC.vocab) - 1), max_size=120))
def test_any_ids_give_a_piece(tokens: list[int]) -> None:
    CODEC.augment(np.array(tokens, np.int64), np.random.default_rng(0))
    music = CODEC.decode(np.array(tokens, np.int64))
    try:
        ids = CODEC.encode(music)
    except DataError as error:
        assert "no note" in str(error)
        return
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pitch": 61}, None),
        ({"pitch": 90}, None),
        ({"track": 3}, "Alto Sax is not an instrument of this model's corpus: Drums, Acoustic"),
        ({"track": 0, "pitch": 50}, "has no drum 50"),
    ],
)
def test_what_the_corpus_had_not_is_refused(change: dict[str, int], message: str | None) -> None:
    notes = SONG.notes.copy()
    place = int(np.flatnonzero(notes["track"] == 2)[0])
    for field, value in change.items():
        notes[field][place] = value
    piece = Music(notes, BAND, 480, SONG.tempos, SONG.metres)
    if message is None:
        CODEC.encode(piece)
        return
    with pytest.raises(DataError, match=message):
        CODEC.encode(piece)


def test_another_metre_and_no_note_are_refused() -> None:
    with pytest.raises(DataError, match="metre 5/4 is not one of this model's corpus: 3/4, 4/4"):
        CODEC.encode(Music(SONG.notes, SONG.tracks, 480, (), ((0, 5, 4),)))
    silent = Music(make_notes([]), (), 480)
    with pytest.raises(DataError, match="no note"):
        CODEC.encode(silent)
    with pytest.raises(DataError, match="no piece has a note"):
        MultitrackCodec.fit([silent], MultitrackOptions())


def test_units_are_counted_in_bars_begun() -> None:
    units = CODEC.units(CODEC.encode(SONG))
    assert units["notes"] == len(SONG.notes) and units["bars"] == 5
    assert units["quarters"] == 19
    assert units["seconds"] == pytest.approx(16 / 2 + 3 * 60 / 160)


# Variations and continuations -------------------------------------------------------------------


def test_a_variation_is_the_piece_in_another_key_with_some_instruments_and_the_same_drums() -> None:
    ids, before = CODEC.encode(SONG), keyed(CODEC.decode(CODEC.encode(SONG)))
    intervals, bands = set(), set()
    for seed in range(200):
        varied = CODEC.augment(ids, np.random.default_rng(seed))
        after = keyed(CODEC.decode(varied))
        thinned = varied == CODEC.table.start("thinned")
        assert thinned.any() == (len(after) < len(before))
        with pytest.raises(AssertionError) if thinned.any() else nullcontext():
            follow(CODEC.tracker(), varied.tolist())
        follow(CODEC.tracker(), varied[~thinned].tolist())
        band = frozenset(program for _, program, _ in after)
        # Sorted alike, since an interval keeps the order.
        pairs = [
            (old, new)
            for old, new in zip(
                sorted(note for note in before if note[1] in band), sorted(after), strict=True
            )
            if not (old[1] == DRUMS and old == new)
        ]
        assert all(old[:2] == new[:2] for old, new in pairs)
        assert all(old[1] != DRUMS for old, _ in pairs)
        shifts = {new[2] - old[2] for old, new in pairs}
        assert len(shifts) <= 1
        bands.add(band)
        intervals |= shifts
    assert intervals >= set(range(-5, 7))
    programs = frozenset(program for _, program, _ in before)
    assert programs in bands and bands >= {programs - {program} for program in programs}


def bars_of(*shapes: int) -> Music:
    """Return a piece with a bar of 4/4 for each shape: a note of the bass, of that pitch."""
    notes = [(1920 * bar, 480, 40 + shape, 80, 0) for bar, shape in enumerate(shapes)]
    return Music(make_notes(notes), BAND[1:2], 480)


def runs_of(piece: Music) -> tuple[int, ...]:
    score = score_of(piece, 12)
    return longest_runs(score.starts, score.step, score.pitch)


def test_bars_that_come_again_are_counted_by_how_long_ago_they_were() -> None:
    def runs(*shapes: int) -> tuple[int, ...]:
        return runs_of(bars_of(*shapes))

    assert runs(0, 0, 0, 0, 5, 0, 0) == (3, 2, 2)
    assert runs(0, 5, 0, 5, 0, 5) == (0, 4, 2)
    assert runs(0, 1, 2, 3, 0, 1, 2, 5) == (0, 0, 3)
    assert runs(0) == (0, 0, 0)
    # The last bar begins like the one before.
    alike = bars_of(0, 0, 0)
    notes = np.concatenate([alike.notes, make_notes([(5000, 100, 60, 80, 0)])])
    assert runs_of(replace(alike, notes=notes))[0] == 2
    # One piece in forty that goes on and on is not what the others do.
    assert limit_runs([(1, 2, 3)] * 39 + [(15, 14, 12)]) == (1, 2, 3)
    assert limit_runs([(0, 0, 0)]) == (1, 1, 1)


def test_a_bar_is_not_repeated_for_ever() -> None:
    corpus = [bars_of(0, 0, 0, 5, 7, 0, 3), bars_of(0, 0, 0, 7, 5, 3)]
    codec = fitted(MultitrackCodec, corpus, MultitrackOptions())
    assert codec.runs == runs_of(corpus[0])
    assert codec.runs[0] == 2
    follow(codec.tracker(), codec.encode(corpus[0]).tolist())
    # What holds is not said again, so the first bar is another one.
    loop, tracker = codec.encode(bars_of(0, 0, 0, 0, 0)).tolist(), codec.tracker()
    sound = codec.table.mask("pitch")
    for token in loop[:-2]:
        tracker.push(token)
    allowed = tracker.allowed()
    assert sound[loop[-2]] and not allowed[loop[-2]]
    assert allowed[sound].sum() > 1


def transposed(piece: Music, interval: int) -> Music:
    notes = piece.notes.copy()
    pitched = notes["track"] != 0
    notes["pitch"][pitched] = notes["pitch"][pitched].astype(int) + interval
    return Music(notes, piece.tracks, piece.ticks_per_quarter, piece.tempos, piece.metres)


def test_a_prompt_and_its_continuation_are_the_piece() -> None:
    ids = CODEC.encode(SONG)
    whole = CODEC.decode(ids)
    lines = whole.bar_starts()
    for start in range(len(ids) + 1):
        rest = CODEC.continuation(ids, start)
        assert len(rest) <= len(ids)
        if not len(rest):
            continue
        follow(CODEC.tracker(), rest.tolist())
        assert names(CODEC, rest[:5]) == names(CODEC, ids[:5])
        prompt, music = keyed(CODEC.decode(ids[:start])), CODEC.decode(rest)
        bars = sum(name.startswith(("bar", "metre")) for name in names(CODEC, ids[:start]))
        if names(CODEC, ids[start : start + 1])[0].startswith(("bar", "metre")):
            bars += 1
        seam = lines[max(bars - 1, 0)]
        later = {(onset + seam, *rest): value for (onset, *rest), value in keyed(music).items()}
        assert not prompt.keys() & later.keys(), start
        assert prompt | later == keyed(whole), start
        last = max(later)[0]
        tempo = tempo_at(music.tempo_changes(), last - seam)
        assert tempo == tempo_at(whole.tempo_changes(), last)


def tempo_at(changes: list[tuple[int, float]], tick: int) -> float:
    return [tempo for at, tempo in changes if at <= tick][-1]


# Grammar and features ---------------------------------------------------------------------------


def follow(tracker: MultitrackTracker, tokens: list[int]) -> list[tuple[int, ...]]:
    """Push tokens, all of which must be allowed, and END; return the features.

    The number of bars, which new pieces have, may be missing, as in prompts.
    """
    rows, table = [tuple(tracker.features())], tracker._table
    for token in tokens:
        allowed = tracker.allowed()
        is_missing = allowed[table.mask("bars")].any() and table.token(token)[0] == "instrument"
        assert allowed[token] or is_missing, token
        tracker.push(token)
        rows.append(tuple(tracker.features()))
    assert tracker.allowed()[-1]
    return rows


@settings(deadline=None)
@given(nasty())
def test_the_tracker_allows_pieces_and_knows_their_features(piece: Music) -> None:
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    ids = codec.layout.planned(codec.encode(piece))
    np.testing.assert_array_equal(follow(codec.tracker(), ids.tolist()), codec.features(ids))


def compare_masks(codec: MultitrackCodec, ids: np.ndarray) -> None:
    """Check that rows of masks are those of the tracker, but for what new pieces may not do.

    Their header has the number of bars, in which they end; and bars do not repeat for ever.
    """
    end, sounds = len(codec.vocab), codec.table.mask("pitch", "drum")
    plan = codec.table.mask("bars")
    is_planned = plan[ids[: codec.layout.header.length(ids)]].any()
    rows, tracker = unpacked(codec.masks(ids), end + 1), codec.tracker()
    for row, token in zip(rows, [*ids.tolist(), end], strict=True):
        mask = tracker.allowed()
        assert (mask <= row).all() and mask.any()
        if plan[np.flatnonzero(mask)[0]]:
            np.testing.assert_array_equal(mask, row & plan)
        elif not is_planned:
            np.testing.assert_array_equal(mask[~sounds], row[~sounds])
            assert (row & ~mask).sum() <= len(PERIODS)
        if token < end:
            tracker.push(token)


@settings(deadline=None, max_examples=50)
@given(nasty(), st.integers(0, 2**32), st.integers(0, 60))
def test_masks_are_the_trackers_in_pieces_variations_and_parts(piece, seed: int, cut: int) -> None:
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    ids, thinned = codec.encode(piece), codec.table.start("thinned")
    for one in (ids, codec.augment(ids, np.random.default_rng(seed))):
        rows = unpacked(codec.masks(one), len(codec.vocab) + 1)
        allowed = rows[np.arange(len(one) + 1), np.append(one, len(codec.vocab))]
        np.testing.assert_array_equal(allowed, np.append(one, 0) != thinned)
        for part in (one, one[cut:], one[:cut]):
            compare_masks(codec, part)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, len(CODEC.vocab) - 1), max_size=60))
def test_masks_are_the_trackers_for_any_ids(tokens: list[int]) -> None:
    compare_masks(CODEC, np.array(tokens, np.int64))


def test_masks_leave_repeated_bars_to_the_tracker() -> None:
    codec = fitted(MultitrackCodec, [song(3)], MultitrackOptions())
    ids = codec.encode(song(12))
    rows, tracker, forbidden = unpacked(codec.masks(ids), len(codec.vocab) + 1), codec.tracker(), 0
    for row, token in zip(rows, ids.tolist(), strict=False):
        assert row[token]
        forbidden += not tracker.allowed()[token]
        tracker.push(token)
    assert forbidden


def test_features_tell_what_holds_and_what_came_here_before() -> None:
    ids = CODEC.encode(SONG)
    rows, tokens = CODEC.features(ids), names(CODEC, ids)
    second = tokens.index("bar", tokens.index("bar") + 1)
    third = tokens.index("bar", second + 1)
    # From the third bar on, which repeats the second, the last feature is the token to come.
    np.testing.assert_array_equal(rows[second + 1 : third, 7], ids[second + 1 : third] + 1)
    stroke = second + tokens[second:].index("position 24") + 1
    assert tokens[stroke : stroke + 2] == ["drum 36", "program 0"]
    place, bar, phrase, metre, program, _, sound, _, mode, density, _, following, *_ = rows[stroke]
    assert (place, bar, phrase) == (25, 2, 0)
    assert CODEC.learned.metres[metre - 1] == (4, 4)
    assert CODEC.learned.programs[program - 1] == DRUMS
    assert CODEC.vocab[CODEC.table.start("pitch") + sound - 1] == "drum 38"
    assert (mode, CODEC.table.values("density")[density - 1]) == (1, 11)
    assert CODEC.learned.programs[following - 1] == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), max_size=60), st.integers(0, 4), st.integers(1, 99))
def test_the_longest_stretch_that_came_before_says_what_is_expected(
    tokens: list[int], repeats: int, farthest: int
) -> None:
    ids = tokens * repeats + tokens[::-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multitrack_memory, "FARTHEST", farthest)
        tables = [np.zeros((size, 2), np.int64) for size in (64, 8192)]
        known, larger = (Memory(np.zeros(multitrack_memory.HEAD, np.int64), at) for at in tables)
        known.head[multitrack_memory.REACH] = farthest
        rows = [(0, 0)]
        for count, token in enumerate(ids):
            if count == 3:  # in time for a table of 64 stretches
                multitrack_memory.move(known, larger)
                known = larger
            multitrack_memory.push(known, token)
            rows.append((*known.head[multitrack_memory.EXPECTED :][:2].tolist(),))
        found = expectations(np.array(ids, np.int64))
    assert found.tolist() == [list(row) for row in rows]
    for at, row in enumerate(rows):
        wanted = (0, 0)
        for number, size in enumerate(SIZES, 1):
            before = [
                place
                for place in range(max(size, at - farthest), at)
                if size <= at and ids[place - size : place] == ids[at - size : at]
            ]
            wanted = (ids[before[-1]] + 1, number) if before else wanted
        assert row == wanted


@pytest.mark.parametrize("seed", range(4))
def test_features_tell_what_sounds(seed: int, tmp_path: Path) -> None:
    band_file(seed, tmp_path / "band.mid")
    piece = read_pieces(tmp_path / "band.mid")[0]
    codec = MultitrackCodec.fit([piece], MultitrackOptions())
    ids = codec.encode(piece)
    rows, music = codec.features(ids), codec.decode(ids)
    notes = music.notes[[not music.tracks[track].drums for track in music.notes["track"]]]
    shift, lines, found = int(SHIFTS[codec.table.number_of[ids[0]]]), music.bar_starts(), set()
    for at, token in enumerate(names(codec, ids)):
        if not token.startswith("position"):
            continue
        bar = sum(name.startswith(("bar", "metre")) for name in names(codec, ids[:at])) - 1
        tick = lines[bar] + STEP_TICKS * int(token.split()[1])
        sounds = notes[(notes["onset"] < tick) & (notes["onset"] + notes["duration"] > tick)]
        written = sorted(sounds["pitch"].astype(int) - shift)
        told = rows[at + 1, 13:16]
        tones = {tone for tone in range(12) if told[tone % 3] >> (tone // 3) & 1}
        assert tones == {pitch % 12 for pitch in written}
        assert rows[at + 1, 12] == (written[0] % 12 + 1 if written else 0)
        found.add(len(tones))
    assert len(found) > 4


def walk(codec: MultitrackCodec, condition: Any, seed: int, length: int = 600) -> list[int]:
    """Take allowed steps at random, any kind of token as likely as any other."""
    tracker, rng, ids = codec.tracker(condition), np.random.default_rng(seed), []
    while len(ids) < length:
        allowed = np.flatnonzero(tracker.allowed())
        kinds = [
            codec.table.token(token)[0] if token < len(codec.vocab) else "end" for token in allowed
        ]
        kind = rng.choice(sorted(set(kinds)))
        token = int(rng.choice([t for t, k in zip(allowed, kinds, strict=True) if k == kind]))
        if token == len(codec.vocab):
            break
        tracker.push(token)
        ids.append(token)
    return ids


@pytest.mark.parametrize("seed", range(14))
def test_random_walks_are_music(seed: int) -> None:
    ids = np.array(walk(CODEC, None, seed))
    tokens = names(CODEC, ids)
    notes = sum(token.startswith(("pitch", "drum ")) for token in tokens)
    music = CODEC.decode(ids)
    # Every note that was written sounds, but for one that was cut off at the end.
    assert notes - tokens[-1].startswith("pitch") == len(music.notes)
    for onset, program, pitch in keyed(music):
        assert program != DRUMS or pitch in (36, 38)
        assert onset >= 0 and program in (DRUMS, 0, 33)
    length, place, empty = 0, -1, 0
    for token in tokens:
        kind, _, value = token.partition(" ")
        if kind in ("bar", "metre"):
            length = {"4/4": 48, "3/4": 36}.get(value, length)
            place, empty = -1, empty + 1
            assert empty <= EMPTY_BARS + 1
        if kind == "position":
            assert place < int(value) < length
            place, empty = int(value), 0


@pytest.mark.parametrize("seed", range(10))
def test_only_instruments_of_the_header_play(seed: int) -> None:
    tokens = names(CODEC, walk(CODEC, None, seed))
    told = [token.split()[1] for token in tokens if token.startswith("instrument")]
    assert told and len(set(told)) == len(told)
    assert {token.split()[1] for token in tokens if token.startswith("program")} <= {*told}


@pytest.mark.parametrize("seed", range(10))
def test_a_condition_is_kept(seed: int) -> None:
    condition = (
        "key=f# minor, density=10, tempo=158, metre=3/4, bars=6, "
        "instruments=drums+electric bass (finger)"
    )
    ids = np.array(walk(CODEC, condition, seed, 5000))
    assert names(CODEC, ids[:5]) == [
        *("key F# minor", "density 11", "instrument drums", "instrument 33", "tempo 160"),
    ]
    music = CODEC.decode(ids)
    # The last bar may be closed by a line, with which the piece is over.
    assert CODEC.units(ids)["bars"] - (names(CODEC, ids[-1:]) == ["bar"]) == 6
    assert music.notes["onset"].max() // (3 * music.ticks_per_quarter) == 5
    assert {(track.program, track.drums) for track in music.tracks} <= {(0, True), (33, False)}
    assert music.metre_changes() == [(0, 3, 4)]
    assert music.tempo_changes().tolist() == [(0, 160.0)]
    assert CODEC.answer(music, condition).tempo_changes().tolist() == [(0, 158.0)]
    assert CODEC.answer(music, "bars=6").tempo_changes().tolist() == [(0, 160.0)]
    assert {(track.program, track.drums) for track in music.tracks} == {(0, True), (33, False)}
    assert music.keys == ((0, 3, True),)


@pytest.mark.parametrize("seed", range(6))
def test_a_new_piece_ends_in_the_bars_that_its_header_says(seed: int) -> None:
    codec = fitted(MultitrackCodec, [song(1), song(24)], MultitrackOptions())
    ids = np.array(walk(codec, None, seed, 20_000))
    [told] = [token.split()[1] for token in names(codec, ids) if token.startswith("bars")]
    shortest, longest = span_of(class_of(int(told)))
    # The last bar may be closed by a line, with which the piece is over.
    bars = codec.units(ids)["bars"] - (names(codec, ids[-1:])[0].startswith(("bar", "metre")))
    assert shortest <= bars <= longest == int(told)
    left = codec.features(ids)[:, 18]
    assert left[0] == 0 and left[-1] == longest - bars + 1


def test_augmentation_tells_three_pieces_of_four_their_bars() -> None:
    told = [
        token.split()[1]
        for seed in range(100)
        for token in names(CODEC, CODEC.augment(CODEC.encode(SONG), np.random.default_rng(seed)))
        if token.startswith("bars")
    ]
    assert {*told} == {"5"} and 60 < len(told) < 90


def test_the_default_limit_has_room_for_the_bars() -> None:
    codec = fitted(MultitrackCodec, [song(4), song(9)], MultitrackOptions())
    longest = len(codec.encode(song(9)))
    assert codec.most_tokens(None) == codec.most_tokens("bars=3") == 2 * longest
    assert codec.most_tokens("bars=30") == 6 * longest


def test_where_the_model_would_go_on_after_the_last_bar_the_piece_is_over() -> None:
    tracker, ids = CODEC.tracker("bars=1"), CODEC.encode(SONG)
    bar = names(CODEC, ids).index("bar")
    for token in ids[:bar]:
        tracker.push(int(token))
    assert tracker.allowed()[[ids[bar], -1]].all()
    tracker.push(int(ids[bar]))
    np.testing.assert_array_equal(np.flatnonzero(tracker.allowed()), [len(CODEC.vocab)])


def test_the_header_has_one_instrument_of_each_request() -> None:
    pianos = Music(SONG.notes, (BAND[0], Track("", 2), Track("", 5)), 480, SONG.tempos, SONG.metres)
    codec, seen = MultitrackCodec.fit([SONG, pianos], MultitrackOptions()), set()
    for seed in range(20):
        tokens = names(codec, walk(codec, "instruments=piano+drums", seed, 8))
        told = [token.split()[1] for token in tokens if token.startswith("instrument")]
        assert told[0] == "drums" and {*told[1:]} <= {"0", "2", "5"} and len(told) > 1
        seen.add(tuple(told))
    assert len(seen) > 3


@pytest.mark.parametrize("condition", ["bars=1, ", "bars=3, ", "bars=12, ", ""])
def test_all_requested_instruments_sound(condition: str) -> None:
    for seed in range(8):
        for asked, number in (("piano+drums+bass", 3), ("piano+bass", 2), ("piano", 1)):
            ids = np.array(walk(CODEC, f"{condition}instruments={asked}", seed, 3000))
            assert len(ids) < 3000 and len(CODEC.decode(ids).tracks) == number, (seed, asked)


def test_instruments_of_one_family_fulfil_one_request_each() -> None:
    notes = make_notes([(480 * at, 480, 60 + at, 80, at) for at in range(4)])
    tracks = tuple(Track("", program) for program in (0, 2, 33, 73))
    codec = MultitrackCodec.fit([Music(notes, tracks, 480)], MultitrackOptions())
    for seed in range(8):
        programs = {
            track.program
            for track in codec.decode(
                np.array(walk(codec, "bars=1, instruments=piano+bass", seed, 500))
            ).tracks
        }
        assert programs & {0, 2} and 33 in programs and 73 not in programs


def test_after_a_prompt_requested_instruments_play_even_if_it_had_others() -> None:
    tracker, ids = CODEC.tracker("instruments=bass"), CODEC.encode(SONG)
    header = names(CODEC, ids).index("tempo 120")
    for token in [*ids[: header - 1], *ids[header : header + 2]]:
        tracker.push(int(token))
    tracker.push(CODEC.table.id("position", 0))
    allowed = names(CODEC, np.flatnonzero(tracker.allowed()[:-1]))
    assert [name for name in allowed if name.startswith("program")] == ["program 33"]


CONDITIONS = ("instruments=piano", "instruments=bass", "tempo=158", "metre=3/4", "bars=2")


@pytest.mark.parametrize("condition", CONDITIONS)
def test_wherever_a_prompt_is_cut_the_piece_goes_on(condition: str) -> None:
    rng = np.random.default_rng(0)
    ids = CODEC.encode(SONG).tolist()
    for cut in range(len(ids) + 1):
        tracker = CODEC.tracker(condition)
        for token in ids[:cut]:
            tracker.push(token)
        for _ in range(100):
            assert tracker.allowed().any(), (cut, names(CODEC, ids[:cut]))
            token = int(rng.choice(np.flatnonzero(tracker.allowed())))
            if token == len(CODEC.vocab):
                break
            tracker.push(token)


@pytest.mark.parametrize(
    ("condition", "kinds", "wanted"),
    [("metre=3/4", ("bar", "metre"), "metre 3/4"), ("tempo=158", ("tempo",), "tempo 160")],
)
def test_after_a_prompt_the_requested_metre_and_tempo_come_next(condition, kinds, wanted) -> None:
    rng = np.random.default_rng(0)
    tracker, ids = CODEC.tracker(condition), CODEC.encode(SONG)
    following = names(CODEC, ids).index("position 0") + 1
    for token in ids[:following].tolist():
        tracker.push(token)
    while True:
        [name] = names(CODEC, rng.choice(np.flatnonzero(tracker.allowed()[:-1]), 1))
        if name.split()[0] in kinds:
            break
        tracker.push(CODEC.vocab.index(name))
    assert name == wanted


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "loud=yes",
            "cannot follow 'loud=yes' .* one of key, density, instruments, tempo",
        ),
        ("key=H minor", "cannot follow 'key=H minor' .*: expected a key such as C minor"),
        ("density=0", "cannot follow 'density=0' .*: expected a number above 0"),
        ("tempo=fast", "cannot follow 'tempo=fast' .*: expected a number above 0"),
        ("tempo=-3", "cannot follow 'tempo=-3'"),
        ("bars=0", "cannot follow 'bars=0' .*: expected a whole number"),
        ("metre=4", "cannot follow 'metre=4' .*: expected a metre such as 3/4"),
        ("metre=5/4", "cannot follow 'metre=5/4' .*: this model knows 3/4, 4/4"),
        ("composer=bach", "cannot follow 'composer=bach' .* one of key, density"),
        ("instruments=piano+zither", r"'zither' is not an instrument .*\(drums, piano, bass\)"),
        (SONG, "this codec follows words such as 'key=C minor, density="),
    ],
)
def test_a_condition_that_cannot_be_says_why(condition: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(condition)


# Composers --------------------------------------------------------------------------------------


def collections(folder: Path) -> Path:
    """Write a piece of Bach, an octave higher one of Mozart, and return the folder of both."""
    for name, interval in (("bach", 0), ("Mozart, W. A.", 12)):
        (folder / name).mkdir()
        write_midi(transposed(SONG, interval), folder / name / "one.mid")
        write_midi(transposed(song(5), interval), folder / name / "two.mid")
    return folder


@pytest.fixture(scope="module")
def composers(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Corpus:
    folder = collections(tmp_path_factory.mktemp("composers"))
    labels = {"composer": ""}
    return seqgen.prepare("music", [folder], codec="multitrack", labels=labels, jobs=1)


def test_the_composer_is_a_label(composers: seqgen.Corpus) -> None:
    for number, origin in enumerate(composers.origins()):
        composer = "bach" if "bach" in origin.source else "Mozart W. A."
        ids = composers.piece(number)
        assert names(composers.codec, ids[:2]) == [f"composer={composer}", "key C major"]
        said = composers.codec.header_values(ids)
        assert said.keys() == {"composer", "key", "density", "instruments", "tempo"}
        assert (said["composer"], said["key"]) == (composer, "C major")
        assert said["instruments"] == "drums+piano+bass"


def test_a_label_and_values_of_the_codec_are_requested_together(composers) -> None:
    codec, condition = composers.codec, "composer=bach, key=F# minor, tempo=120, instruments=bass"
    header = codec.opening(None, condition).tolist()
    tracker, rng, ids = codec.tracker(condition), np.random.default_rng(0), []
    for position in range(40):
        token = int(rng.choice(np.flatnonzero(tracker.allowed()[:-1])))
        ids.append(header[position] if position < len(header) else token)
        tracker.push(ids[-1])
    said = codec.header_values(np.array(ids))
    assert said.pop("density").isdigit()
    assert said == {
        "composer": "bach",
        "key": "F# minor",
        "instruments": "bass",
        "tempo": "120",
    }
    with pytest.raises(DataError, match=r"one of key, .*; the labels are composer"):
        codec.tracker("composers=bach")
    with pytest.raises(DataError, match=r"'composer=liszt': this model knows Mozart W. A., bach"):
        codec.opening(None, "composer=liszt, bars=2")


def test_requests_are_listed(seqgen_command) -> None:
    status, text, _ = seqgen_command("domains", "music", "--json")
    assert not status
    listed = {codec["name"]: codec["requests"] for codec in json.loads(text)["codecs"]}
    assert [each["name"] for each in listed["multitrack"]] == [*CODEC.requests]
    assert [each["example"] for each in listed["performance"]] == ["30"]
    assert "  key=C minor\n      Key of the piece.\n" in seqgen_command("domains", "music")[1]


def test_without_the_label_nothing_is_known_of_composers(composers) -> None:
    assert {*composers.codec.codec.vocab} - {*CODEC.vocab} == {"bars 6"}
    assert len(composers.codec.codec.feature_sizes) == len(CODEC.feature_sizes)


def test_the_folder_is_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(collections(tmp_path) / "Mozart, W. A.")
    [piece] = MusicDomain().read(Path("one.mid"))
    assert isinstance(piece, Music) and piece.composer == "Mozart W. A."


def test_tempos_have_twelve_to_the_octave() -> None:
    assert {60, 120, 240} <= set(TEMPOS) and len(set(TEMPOS)) == len(TEMPOS)
    assert TEMPOS[0] == 40 and TEMPOS[-1] == 254


# MidiTok ----------------------------------------------------------------------------------------


def band_file(seed: int, path: Path) -> None:
    """Write a piece on a grid of eighths of a quarter, in which no note touches its own pitch."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(len(BAND)):
        for pitch in rng.choice(np.arange(40, 80), 8, replace=False).tolist():
            at = int(rng.integers(0, 8))
            while at < 8 * 14:
                duration = 8 if number == 0 else int(rng.integers(1, 33))
                rows.append((at * 60, duration * 60, pitch, int(rng.integers(1, 128)), number))
                at += duration + int(rng.integers(0, 60))
    # A first note at the beginning: both cut silence before it, each in its own way.
    rows.append((0, 480, 39, 80, 0))
    metres = ((0, 3, 4), (3 * 1440, 4, 4))
    write_midi(Music(make_notes(rows), BAND, 480, ((0, 120.0),), metres), path)


def heard(score: symusic.Score) -> Iterator[tuple[int, int, float, float]]:
    """Yield program, pitch, onset and duration in quarters; drums have no duration."""
    for track in score.tracks:
        for note in track.notes:
            span = (note.time / score.ticks_per_quarter, note.duration / score.ticks_per_quarter)
            if track.is_drum:
                yield DRUMS, note.pitch, span[0], 0.0
            else:
                yield track.program, note.pitch, *span


@pytest.mark.parametrize("kind", ["REMI", "TSD"])
@pytest.mark.parametrize("seed", range(4))
def test_miditok_keeps_the_same_notes(kind: str, seed: int, tmp_path: Path) -> None:
    band_file(seed, tmp_path / "band.mid")
    config = miditok.TokenizerConfig(
        pitch_range=(0, 127),
        beat_res={(0, 16): 8},
        use_programs=True,
        use_tempos=True,
        use_time_signatures=True,
        time_signature_range={4: [3, 4]},
    )
    tokenizer = getattr(miditok, kind)(config)
    theirs = sorted(heard(tokenizer.decode(tokenizer.encode(tmp_path / "band.mid"))))
    piece = read_pieces(tmp_path / "band.mid")[0]
    codec = MultitrackCodec.fit([piece], MultitrackOptions(steps=8))
    ids = codec.encode(piece)
    write_midi(codec.decode(ids), tmp_path / "again.mid")
    assert sorted(heard(symusic.Score(tmp_path / "again.mid"))) == theirs
    assert len(ids) < len(tokenizer.encode(tmp_path / "band.mid").ids)
