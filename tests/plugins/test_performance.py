"""The codec `performance`: exact conventions, what it loses, its grammar and features."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.lengths import class_of, span_of
from seqgen_music.codecs.performance import memory
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.codecs.performance.loops import (
    FIGURES,
    STRETCHES,
    UNLIMITED,
    Limits,
    fewest_pitches,
    longest_repeats,
)
from seqgen_music.codecs.performance.memory import EXPECTED, LONGEST, NEVER, Memory
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.conformance.subject import fitted
from seqgen.errors import DataError
from seqgen.grammar import unpacked


def played(*notes: tuple[float, float, int, int]) -> Music:
    """Return a piece of (second, seconds, pitch, velocity): a tick is a millisecond."""
    rows = [(round(at * 1000), round(long * 1000), *note, 0) for at, long, *note in notes]
    return Music(make_notes(rows), (Track("Piano"),), 500)


PIECE = played((0.5, 0.5, 60, 64), (0.5, 1.0, 64, 64), (0.75, 0.5, 67, 90), (2.0, 0.3, 60, 90))
#: Of pieces that may go round in loops for ever.
CODEC = PerformanceCodec(58, 69, 0, PerformanceOptions())
END = len(CODEC.vocab)


def names(codec: PerformanceCodec, ids: np.ndarray) -> list[str]:
    return [codec.vocab[token] for token in ids]


def ids_of(codec: PerformanceCodec, *wanted: str) -> np.ndarray:
    return np.array([codec.vocab.index(name) for name in wanted], np.int64)


def columns(music: Music) -> list[tuple[int, int, int, int]]:
    return [(*note,)[:4] for note in music.notes.tolist()]


def walk(codec: PerformanceCodec, choose: Callable[[list[int]], int], condition=None, most=400):
    """Follow the tracker; return the ids and whether they ended."""
    tracker, ids = codec.tracker(condition), []
    while len(ids) < most:
        forced = tracker.forced()
        possible = np.flatnonzero(tracker.allowed()).tolist() if forced is None else [forced]
        token = choose(possible)
        if token == len(codec.vocab):
            return np.array(ids), True
        tracker.push(token)
        ids.append(token)
    return np.array(ids), False


def follow(codec: PerformanceCodec, ids: np.ndarray) -> None:
    """Check that the tracker allows a piece and its end, and gives the features."""
    tracker, rows = codec.tracker(), codec.features(ids)
    for position, token in enumerate([*ids.tolist(), len(codec.vocab)]):
        assert tuple(tracker.features()) == tuple(rows[position])
        assert tracker.allowed()[token], (position, (*codec.vocab, "END")[token])
        if token < len(codec.vocab):
            tracker.push(token)


# Conventions ------------------------------------------------------------------------------------


def test_tokens_read_like_a_performance() -> None:
    assert names(CODEC, CODEC.encode(PIECE)) == [
        *("shift 50", "velocity 16", "note on C4", "note on E4"),
        *("shift 25", "velocity 23", "note on G4"),
        *("shift 25", "note off C4", "shift 25", "note off G4", "shift 25", "note off E4"),
        *("shift 50", "note on C4", "shift 30", "note off C4"),
    ]


def test_time_is_whole_seconds_first_then_the_rest() -> None:
    ids = CODEC.encode(played((0, 2, 60, 64), (4.5, 0.01, 60, 64)))
    assert names(CODEC, ids)[2:] == [
        *("shift 100", "shift 100", "note off C4", "shift 100", "shift 100", "shift 50"),
        *("note on C4", "shift 1", "note off C4"),
    ]


def test_ends_come_before_beginnings_in_the_order_of_notes() -> None:
    music = played(
        (0, 1, 67, 64), (0.5, 0.5, 60, 64), (0, 1, 64, 64), (1, 1, 62, 64), (1, 1, 60, 64)
    )
    assert names(CODEC, CODEC.encode(music))[6:11] == [
        *("note off E4", "note off G4", "note off C4", "note on C4", "note on D4"),
    ]


@pytest.mark.parametrize(
    ("onset", "duration", "steps"),
    [(4, 10, (0, 1)), (5, 10, (1, 2)), (14, 11, (1, 3)), (10, 2, (1, 2)), (12, 1, (1, 2))],
)
def test_halves_are_rounded_up_and_nothing_lasts_no_time(onset, duration, steps) -> None:
    music = Music(make_notes([(onset, duration, 60, 64, 0)]), (Track(),), 500)
    [note] = columns(CODEC.decode(CODEC.encode(music)))
    assert (note[0] // 10, (note[0] + note[1]) // 10) == steps


@pytest.mark.parametrize(("velocity", "again"), [(1, 1), (4, 1), (5, 5), (64, 61), (127, 125)])
def test_velocities_fall_into_bins_of_four(velocity: int, again: int) -> None:
    assert columns(CODEC.decode(CODEC.encode(played((0, 1, 60, velocity)))))[0][3] == again


def test_what_is_on_the_grid_comes_back_from_a_file(tmp_path) -> None:
    music = played((0.5, 0.5, 60, 61), (0.51, 3.17, 64, 5), (4, 9.99, 69, 125), (999, 0.01, 58, 1))
    short = played(
        (0.5, 0.5, 60, 61), (0.51, 3.17, 64, 5), (4, 9.99, 69, 125), (23.99, 0.01, 58, 1)
    )
    write_midi(CODEC.decode(CODEC.encode(music)), tmp_path / "a.mid")
    again = read_pieces(tmp_path / "a.mid")[0]
    assert columns(again) == columns(short), "a silence of many minutes is cut to ten seconds"
    np.testing.assert_array_equal(CODEC.encode(again), CODEC.encode(music))


def test_time_follows_the_tempo() -> None:
    notes = make_notes([(0, 480, 60, 64, 0), (480, 480, 62, 64, 0)])
    slow = Music(notes, (Track(),), 480, ((0, 60.0), (480, 30.0)))
    assert CODEC.units(CODEC.encode(slow)) == {"tokens": 8.0, "notes": 2.0, "seconds": 3.0}


def test_a_pitch_sounds_once_at_a_time() -> None:
    again = CODEC.decode(CODEC.encode(played((0, 2, 60, 61), (1, 2, 60, 61))))
    assert columns(again) == [(0, 1000, 60, 61), (1000, 2000, 60, 61)]
    together = CODEC.decode(CODEC.encode(played((0, 2, 60, 61), (0, 3, 60, 33), (0, 1, 60, 9))))
    assert columns(together) == [(0, 3000, 60, 33)]


def test_no_note_lasts_more_than_ten_seconds() -> None:
    assert columns(CODEC.decode(CODEC.encode(played((0, 25, 60, 61))))) == [(0, 10_000, 60, 61)]


def test_what_sounds_where_a_piece_is_cut_rings_on() -> None:
    """Also what has just begun; but no note lasts for more than ten seconds."""
    ids = CODEC.encode(played((0, 9.9, 58, 61), (8.5, 3, 60, 61), (9.5, 2, 64, 61)))
    cut = ids[: np.flatnonzero(CODEC.layout.kind_of[ids] == 1)[-1] + 1]
    assert columns(CODEC.decode(cut)) == [
        *((0, 10_000, 58, 61), (8500, 3000, 60, 61), (9500, 2000, 64, 61)),
    ]
    again = CODEC.encode(CODEC.decode(cut))
    np.testing.assert_array_equal(again[: len(cut)], cut)


def test_tracks_but_drums_become_one() -> None:
    notes = make_notes([(0, 500, 60, 61, 0), (0, 500, 65, 61, 1), (0, 500, 38, 61, 2)])
    tracks = (Track("Right", 6), Track("Left", 6), Track("Kit", drums=True))
    codec = PerformanceCodec.fit([Music(notes, tracks, 500)], PerformanceOptions())
    assert (codec.layout.low, codec.layout.high, codec.program) == (60, 65, 6)
    again = codec.decode(codec.encode(Music(notes, tracks, 500)))
    assert again.notes["pitch"].tolist() == [60, 65] and again.tracks[0].program == 6
    drums = Music(notes[2:], tracks, 500)
    with pytest.raises(DataError, match="no note besides drums"):
        codec.encode(drums)
    with pytest.raises(DataError, match="no piece can be performed"):
        PerformanceCodec.fit([drums], PerformanceOptions())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="pitch C7 is outside Bb3 to A4"):
        CODEC.encode(played((0, 1, 96, 64)))
    hours = played(*((8 * number, 7, 60, 64) for number in range(1300)))
    with pytest.raises(DataError, match=r"10,399 seconds long; 10,000 is the most"):
        CODEC.encode(hours)


# Any notes, any ids -----------------------------------------------------------------------------

NOTES = st.lists(
    st.tuples(
        st.integers(0, 30_000) | st.integers(0, 40),
        st.integers(1, 20_000) | st.integers(1, 30),
        st.integers(58, 69),
        st.integers(0, 255),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None)
@given(NOTES, st.sampled_from([500, 480, 7]), st.sampled_from([(), ((0, 33.3), (1000, 250.0))]))
def test_any_notes_are_kept_once_they_are_in_steps(rows, ticks: int, tempos) -> None:
    ids = CODEC.encode(Music(make_notes(rows), (Track(), Track()), ticks, tempos))
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)
    follow(CODEC, ids)


@settings(deadline=None)
@given(NOTES)
def test_encoding_writes_the_notes_one_by_one(rows) -> None:
    """The arrays do what the plain loop of the definition does."""
    music = Music(make_notes(rows), (Track(), Track()), 500)
    clean = CODEC.decode(CODEC.encode(music))
    events = []
    for index, (onset, duration, pitch, velocity, _) in enumerate(clean.notes.tolist()):
        events.append((onset // 10, index, "note on", pitch, velocity // 4 + 1))
        events.append(((onset + duration) // 10, index, "note off", pitch, 0))
    expected, now, loudness = [], 0, 0
    for step, _, kind, pitch, velocity in sorted(events):
        while now < step:
            expected.append(CODEC.layout.table.id("shift", min(step - now, 100)))
            now += min(step - now, 100)
        if kind == "note on" and velocity != loudness:
            expected.append(CODEC.layout.table.id("velocity", velocity))
            loudness = velocity
        expected.append(CODEC.layout.table.id(kind, pitch))
    np.testing.assert_array_equal(CODEC.encode(clean), expected)


@settings(deadline=None)
@given(st.lists(st.integers(0, END - 1) | st.integers(0, 30), max_size=80))
def test_decoding_is_a_queue_for_every_pitch(tokens: list[int]) -> None:
    ids = np.array(tokens, np.int64)
    tracker, rows = CODEC.tracker(), CODEC.features(ids)
    sounding: dict[int, list[tuple[int, int]]] = {}
    expected, now, velocity = [], 0, 77
    for row, token in zip(rows, tokens, strict=False):
        assert tuple(tracker.features()) == tuple(row)
        tracker.push(token)
        kind, value = CODEC.layout.table.token(token)
        if kind == "shift":
            now += value
        elif kind == "velocity":
            velocity = 4 * value - 3
        elif kind == "note on":
            sounding.setdefault(value, []).append((now, velocity))
        elif sounding.get(value):
            start, loudness = sounding[value].pop(0)
            expected.append((start, now, value, loudness))
    for pitch, queue in sounding.items():
        expected += [(start, min(now + 200, start + 1000), pitch, loud) for start, loud in queue]
    music = CODEC.decode(ids)
    assert sorted(columns(music)) == sorted(
        (10 * start, 10 * (end - start), pitch, loudness)
        for start, end, pitch, loudness in expected
        if end > start
    )
    if len(music.notes):
        again = CODEC.encode(music)
        np.testing.assert_array_equal(CODEC.encode(CODEC.decode(again)), again)


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False), st.sampled_from(["any", "no end", "no off", "long"]))
def test_whatever_the_tracker_allows_comes_back_and_nothing_gets_stuck(random, manner) -> None:
    def choose(possible: list[int]) -> int:
        if END in possible and manner != "no end" and random.random() < 0.2:
            return END
        kinds = {"no off": ("note on", "velocity", "shift"), "long": ("shift",)}.get(manner, ())
        liked = [t for t in possible if t != END and CODEC.layout.table.token(t)[0] in kinds]
        return random.choice(liked or [token for token in possible if token != END])

    ids, _ = walk(CODEC, choose)
    music = CODEC.decode(ids)
    if len(music.notes):
        assert music.notes["duration"].max() <= 10_000
    tracker = CODEC.tracker()
    for token in ids.tolist():
        tracker.push(token)
    # From wherever it is, ending what may be ended leads to the end.
    rest: list[int] = []
    table, order = CODEC.layout.table, ("note off", "shift", "note on", "velocity")
    while not tracker.allowed()[END]:
        mask = tracker.allowed()[:END]
        kinds = (np.flatnonzero(mask & table.mask(kind)[:END]) for kind in order)
        rest.append(next(int(tokens[0]) for tokens in kinds if len(tokens)))
        tracker.push(rest[-1])
        assert len(rest) < 100
    whole = np.concatenate([ids, rest]).astype(np.int64)
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(whole)), whole)


def test_the_tracker_keeps_to_one_way_of_writing() -> None:
    def allowed(*tokens: str) -> set[str]:
        tracker = CODEC.tracker()
        for token in ids_of(CODEC, *tokens).tolist():
            tracker.push(token)
        return {(*CODEC.vocab, "END")[token] for token in np.flatnonzero(tracker.allowed())}

    assert {name.split()[0] for name in allowed()} == {"velocity", "shift"}
    begun = ("velocity 9", "note on C4")
    assert allowed("velocity 9") == {name for name in CODEC.vocab if name.startswith("note on")}
    assert not {"note on C4", "note on B3", "note off C4", "velocity 9", "END"} & allowed(*begun)
    assert {"note on C#4", "velocity 8", "shift 1", "shift 100"} <= allowed(*begun)
    assert not any(name.startswith("shift") for name in allowed(*begun, "shift 5"))
    assert {"note off C4", "shift 100", "note on B3"} <= allowed(*begun, "shift 100")
    assert "note on C4" not in allowed(*begun, "shift 100")
    assert allowed(*begun, *["shift 100"] * 10) == {"note off C4"}
    assert "shift 51" not in allowed(*begun, *["shift 100"] * 9, "shift 50", "note on D4")
    assert {"END", "note on C4", "shift 7"} <= allowed(*begun, "shift 5", "note off C4")
    two = (*begun, "note on D4", "shift 5")
    assert "note off C4" not in allowed(*two, "note off D4")
    assert not any(name.startswith("shift") for name in allowed(*["shift 100"] * 10))


def compare_masks(codec: PerformanceCodec, ids: np.ndarray) -> None:
    """Check that the rows of masks are the masks of the tracker."""
    rows = unpacked(codec.masks(ids), len(codec.vocab) + 1)
    tracker = codec.tracker()
    for row, token in zip(rows, [*ids.tolist(), END], strict=True):
        np.testing.assert_array_equal(tracker.allowed(), row)
        assert row.any()
        if token < END:
            tracker.push(token)


@settings(deadline=None)
@given(NOTES, st.integers(0, 2**32), st.integers(0, 40))
def test_masks_are_the_trackers_in_pieces_variations_and_parts(rows, seed: int, cut: int) -> None:
    ids = CODEC.encode(Music(make_notes(rows), (Track(), Track()), 500))
    for piece in (ids, CODEC.augment(ids, np.random.default_rng(seed))):
        masks = unpacked(CODEC.masks(piece), END + 1)
        assert masks[np.arange(len(piece) + 1), np.append(piece, END)].all()
        for part in (piece, piece[cut:], piece[:cut]):
            compare_masks(CODEC, part)


@settings(deadline=None)
@given(st.lists(st.integers(0, END - 1) | st.integers(0, 30), max_size=80))
def test_masks_are_the_trackers_for_any_ids(tokens: list[int]) -> None:
    compare_masks(CODEC, np.array(tokens, np.int64))


def test_masks_leave_limits_to_the_tracker() -> None:
    codec = PerformanceCodec(58, 69, 0, CODEC.options, Limits((9,) * 3, (1,) * 5, 9))
    ids = codec.encode(played(*((at / 10, 0.1, 60 + at % 2, 64) for at in range(6))))
    np.testing.assert_array_equal(codec.masks(ids), CODEC.masks(ids))
    tracker, forbidden = codec.tracker(), 0
    for row, token in zip(unpacked(codec.masks(ids), END + 1), [*ids.tolist(), END], strict=True):
        assert row[token] and (tracker.allowed() <= row).all()
        forbidden += int(not tracker.allowed()[token])
        if token < END:
            tracker.push(token)
    assert forbidden == 4, "three repeated notes, and an end after less than nine"


# Loops ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=300))
def test_the_different_pitches_of_every_stretch_are_counted(pitches) -> None:
    expected = [
        min(
            (len({*pitches[at : at + size]}) for at in range(len(pitches) - size + 1)), default=None
        )
        for size in STRETCHES
    ]
    assert fewest_pitches(np.array(pitches, int)) == expected


@given(st.lists(st.integers(0, 2), max_size=150))
def test_notes_like_those_one_figure_before_are_counted(pitches) -> None:
    expected, shorter = [], 0
    for longest in FIGURES:
        runs = [0]
        for figure in range(shorter + 1, longest + 1):
            for at in range(figure, len(pitches)):
                same = pitches[at] == pitches[at - figure]
                runs.append(runs[-1] + 1 if same and at > figure else int(same))
        expected.append(max(runs))
        shorter = longest
    assert longest_repeats(np.array(pitches, int)) == expected


def test_one_piece_in_forty_that_goes_on_and_on_is_not_what_the_others_do() -> None:
    fewest, longest = [(3, 7, 17)] * 39 + [(1, 1, 1)], [(4, 0, 9, 9, 9)] * 39 + [(99,) * 5]
    limits = Limits.of(fewest, longest, [9, *[20] * 39])
    assert limits == Limits((3, 7, 17), (4, 1, 9, 9, 9), 9)
    # What is too short tells nothing.
    short = [(2, 5, None), (2, None, None), (None, None, None)]
    assert Limits.of(short, [(0,) * 5] * 3, [7] * 3) == Limits((2, 5, 1), (1,) * 5, 7)


def melody(*pitches: int) -> Music:
    return played(*((at / 10, 0.1, pitch, 64) for at, pitch in enumerate(pitches)))


def struck(codec: PerformanceCodec, music: Music) -> int:
    """Return how many notes of a piece may come, or -1 for all."""
    tracker, count = codec.tracker(), 0
    for token in codec.encode(music).tolist():
        if not tracker.allowed()[token]:
            others = np.flatnonzero(tracker.allowed()[: len(codec.vocab)])
            assert any(codec.layout.table.token(token)[0] == "note on" for token in others)
            return count
        tracker.push(token)
        count += codec.layout.table.token(token)[0] == "note on"
    return -1


SCALE = (57, 59, 60, 62, 64, 65)


def test_a_trill_does_not_last_for_ever() -> None:
    corpus = [melody(*[69, 67] * 7, *SCALE, *[69, 67] * 7)] * 2
    codec = fitted(PerformanceCodec, corpus, PerformanceOptions())
    assert codec.limits.fewest == (4, 1, 1) and codec.limits.longest[0] == 12
    # Pieces of any length, which do not say it.
    codec = PerformanceCodec(57, 69, 0, codec.options, codec.limits)
    follow(codec, codec.encode(corpus[0]))
    assert struck(codec, melody(*[69, 67] * 20)) == 14
    # In another order it is no figure, but few pitches all the same.
    assert struck(codec, melody(*[69, 67, 67, 69, 67, 69, 69, 69, 67, 67] * 4)) == STRETCHES[0] - 1
    # If there are no other pitches it goes on.
    limits = Limits((9, 1, 1), UNLIMITED.longest, 0)
    only = PerformanceCodec(67, 69, 0, CODEC.options, limits)
    assert struck(only, melody(*[67, 68, 69] * 9)) == -1


def test_a_new_piece_is_no_shorter_than_any_of_the_corpus() -> None:
    corpus = [melody(*SCALE), melody(*SCALE[:4])]
    codec = fitted(PerformanceCodec, corpus, PerformanceOptions())
    for notes, may_end in ((3, False), (4, True), (5, True)):
        tracker = codec.tracker()
        for token in codec.encode(melody(*SCALE[:notes])).tolist():
            tracker.push(token)
        assert tracker.allowed()[-1] == may_end


def test_a_figure_does_not_come_for_ever() -> None:
    limits = Limits((1, 1, 1), (9, 12, 99, 99, 99), 0)
    codec = PerformanceCodec(57, 69, 0, CODEC.options, limits)
    assert struck(codec, melody(*SCALE * 3)) == -1
    assert struck(codec, melody(*SCALE * 4)) == 6 + 12
    # A new beginning with each.
    assert struck(codec, melody(*SCALE * 3, 69, *SCALE * 3)) == -1


# Conditions, variations, features ---------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False), st.sampled_from([0.5, 3.0, 12.25]))
def test_a_piece_ends_soon_after_the_seconds_that_were_asked_for(random, seconds: float) -> None:
    def choose(possible: list[int]) -> int:
        return random.choice([token for token in possible if token >= 24] or possible)

    ids, ended = walk(CODEC, choose, f"seconds={seconds}", most=20_000)
    assert ended
    notes = CODEC.decode(ids).notes
    assert not len(notes) or notes["onset"].max() < seconds * 1000
    assert seconds <= CODEC.units(ids)["seconds"] <= seconds + 10
    assert (CODEC.layout.kind_of[ids] == 1).sum() == (CODEC.layout.kind_of[ids] == 2).sum()


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False))
def test_a_new_piece_ends_in_the_seconds_that_it_begins_with(random) -> None:
    codec = PerformanceCodec(58, 69, 0, CODEC.options, lengths=(2, 20))

    def choose(possible: list[int]) -> int:
        return random.choice([token for token in possible if token >= 24] or possible)

    ids, ended = walk(codec, choose, None, most=20_000)
    assert ended
    kind, seconds = codec.layout.table.token(int(ids[0]))
    shortest, longest = span_of(class_of(seconds))
    assert kind == "seconds" and shortest <= codec.layout.seconds(ids) <= longest + 10
    notes = codec.decode(ids).notes
    assert not len(notes) or notes["onset"].max() < longest * 1000
    np.testing.assert_array_equal(codec.features(ids)[1, -2:], [min(seconds, 16) + 1, 1])


def test_augmentation_tells_three_pieces_of_four_their_seconds() -> None:
    codec = PerformanceCodec.fit([PIECE], CODEC.options)
    ids, rng = codec.encode(PIECE), np.random.default_rng(0)
    told = [token.startswith("seconds") for token in names(codec, ids)]
    assert not any(told)
    firsts = [names(codec, codec.augment(ids, rng)[:1])[0] for _ in range(100)]
    assert 60 < sum(first.startswith("seconds ") for first in firsts) < 90


def test_wherever_a_prompt_is_cut_a_piece_that_is_to_end_goes_on() -> None:
    notes = [(0, 9, 58, 64), *((at / 2, 0.5, 60 + at % 7, 50 + 9 * (at % 5)) for at in range(18))]
    ids = CODEC.encode(played(*notes))
    for cut in range(len(ids) + 1):
        tracker = CODEC.tracker("seconds=2")
        for token in ids[:cut].tolist():
            tracker.push(token)
        assert tracker.forced() is not None or tracker.allowed().any()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("seconds=soon", "cannot follow 'seconds=soon' .*: expected a number above 0"),
        ("bars=4", "cannot follow 'bars=4' .* one of seconds, such as 'seconds=30'"),
        (PIECE, "this codec follows words such as 'seconds=30'"),
    ],
)
def test_conditions_that_are_not_understood(condition, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(condition)


@settings(deadline=None)
@given(NOTES, st.integers(0, 2**32))
def test_variations_keep_the_grammar(rows, seed: int) -> None:
    ids = CODEC.encode(Music(make_notes(rows), (Track(), Track()), 500))
    follow(CODEC, CODEC.augment(ids, np.random.default_rng(seed)))


def test_variations_transpose_stretch_and_change_velocity() -> None:
    seen = set()
    for seed in range(300):
        new = CODEC.decode(CODEC.augment(CODEC.encode(PIECE), np.random.default_rng(seed)))
        pitches = new.notes["pitch"].astype(np.int64) - PIECE.notes["pitch"]
        [shift] = set(pitches.tolist())
        [louder] = set(((new.notes["velocity"].astype(int) + 3) // 4 - (16, 16, 23, 23)).tolist())
        seen.add((shift, int(new.notes["onset"][-1]), louder))
    assert {shift for shift, _, _ in seen} == {-2, -1, 0, 1, 2}, "Bb3 to A4 leaves no more room"
    assert {last for _, last, _ in seen} == {1900, 1950, 2000, 2050, 2100}
    assert {louder for _, _, louder in seen} == {-1, 0, 1}


def test_features_tell_what_sounds_and_since_when() -> None:
    rows = CODEC.features(CODEC.encode(PIECE))
    assert rows[:5, 0].tolist() == [0, 4, 3, 1, 1], "nothing, shift, velocity, on, on"
    c, e, g = 60 - 57, 64 - 57, 67 - 57
    assert rows[3:9, 3].tolist() == [1, 2, 2, 2, 3, 3], "how many sound"
    assert rows[2:8, 4].tolist() == [16, 16, 16, 16, 23, 23]
    assert rows[3:8, 5:7].tolist() == [[c, 0], [e, c], [e, c], [e, c], [g, e]]
    assert rows[3:12, 7].tolist() == [c, c, c, c, c, c, e, e, e], "the oldest"
    assert rows[0].tolist() == [0] * 17
    assert (np.diff(rows[4:10, 8]) >= 0).all() and rows[3, 8] == 0 < rows[5, 8]


def test_features_tell_how_a_motive_went_on_before() -> None:
    """Pitch, steps to go, velocity, and how many notes on end came as they did before."""
    motive = [(60, 0.5, 61), (62, 0.25, 65), (64, 0.5, 69), (67, 1.0, 73)]
    notes, at = [], 0.0
    for pitch, gap, velocity in [*motive, (58, 0.5, 61), *motive]:
        notes.append((at, 0.1, pitch, velocity))
        at += gap
    ids = CODEC.encode(played(*notes))
    rows = CODEC.features(ids)
    begins = np.flatnonzero(CODEC.layout.kind_of[ids] == 1)
    assert not rows[: begins[6] + 1, 9:].any(), "nothing was there before"
    e, g = 64 - 57, 67 - 57
    assert rows[begins[6] + 1, 9:13].tolist() == [e, 9 + 25, 18, 0], "after C and D"
    assert rows[begins[7] + 1, 9:15].tolist() == [g, 9 + 50, 19, 1, e, 9 + 10], (
        "E lasts 100 ms again"
    )
    assert rows[begins[7] + 2, 13:15].tolist() == [e, 9], "its end is due"
    assert rows[begins[8], 9:15].tolist() == [g, 9, 19, 1, 0, 0], "the note is due, nothing sounds"
    assert rows[begins[8] + 1, 9:15].tolist() == [1, 9 + 100, 16, 2, g, 9 + 10]


def memory_of(most: int) -> Memory:
    """Return a memory of nothing, with room for some motives."""
    ring, slots = np.zeros((most + LONGEST, memory.COLUMNS), np.int64), np.zeros(512, np.int64)
    made = Memory(np.zeros(memory.FIELDS, np.int64), ring, slots)
    memory.forget(made.head, most)
    return made


def expected(made: Memory) -> list[int]:
    """Return the pitch, gap, bin and length that are expected."""
    return made.head[EXPECTED:][[memory.PITCH, memory.GAP, memory.BIN, memory.LENGTH]].tolist()


def test_the_longest_motive_is_looked_up_and_the_last_time_counts() -> None:
    made = memory_of(99)
    for step, pitch in enumerate([1, 2, 3, 9, 2, 3, 8, 1, 2, 3]):
        memory.begin(made, 10 * step, pitch, 5)
    assert expected(made) == [9, 10, 5, 0], "after 1 2 3, though 8 came last after 2 3"
    assert made.head[memory.DUE] == 100
    for step, pitch in enumerate([7, 2, 3]):
        memory.begin(made, 100 + 20 * step, pitch, step)
    assert expected(made)[0] == 7, "after 2 3 the last time"


class ListedMotives:
    """The same as a dictionary, whose first entries are the oldest."""

    def __init__(self, most: int) -> None:
        self.most, self.known, self.recent = most, dict[tuple[int, ...], list[int]](), list[int]()
        self.started = 0

    def motives(self, recent: list[int]) -> list[tuple[int, ...]]:
        return [(*recent[-size:],) for size in range(LONGEST, 1, -1) if size <= len(recent)]

    def begin(self, step: int, pitch: int, bin: int) -> list[int]:
        note = [pitch, step - self.started, bin, 0]
        self.known |= dict.fromkeys(self.motives(self.recent), note)
        for motive in [*self.known][: max(len(self.known) - self.most, 0)]:
            del self.known[motive]
        self.recent, self.started = [*self.recent, pitch], step
        found = (self.known[each] for each in self.motives(self.recent) if each in self.known)
        self.expected = next(found, [0, NEVER, 0, 0])
        return note


@pytest.mark.parametrize("most", [1, 7, 100])
def test_an_endless_performance_forgets_its_beginning(most: int) -> None:
    rng, made, listed = np.random.default_rng(most), memory_of(most), ListedMotives(most)
    sounding: list[tuple[int, int, int, list[int]]] = []
    for step in range(0, 3000, 3):
        pitch, bin = int(rng.integers(1, 4 + step // 500)), int(rng.integers(1, 9))
        before = int(made.head[memory.RECENT])
        memory.begin(made, step, pitch, bin)
        note = listed.begin(step, pitch, bin)
        sounding.append((before, int(made.head[memory.NOTES]), step, note))
        while sounding and rng.random() < 0.5:
            before, number, began, note = sounding.pop(int(rng.integers(len(sounding))))
            note[3] = step + 1 - began
            memory.end(made, before, number, note[3])
        assert expected(made) == listed.expected
        assert made.head[memory.KEPT] == len(listed.known) <= most
        assert np.count_nonzero(made.slots) == len(listed.known)


@pytest.mark.parametrize(
    ("ahead", "number"), [(-9, 0), (-8, 1), (0, 9), (100, 109), (101, 110), (5000, 110)]
)
def test_what_is_due_is_told_until_it_is_overdue(ahead: int, number: int) -> None:
    made = memory_of(99)
    for step, pitch in ((0, 3), (10, 4), (20, 5), (10_000, 3), (10_010, 4)):
        memory.begin(made, step, pitch, 1)
    assert expected(made) == [5, 10, 1, 0] and made.head[memory.DUE] == 10_020
    assert memory.due(10_020, 10_020 - ahead) == number


def test_a_state_grows_with_its_piece() -> None:
    """Notes that sound together and motives need room; nothing is lost where it is made."""
    rng, layout = np.random.default_rng(0), CODEC.layout
    ids = np.concatenate([rng.integers(0, 3, 200), rng.integers(0, END, 2000)])
    tracker, rows = CODEC.tracker(), CODEC.features(ids)
    sizes = set()
    for token, row in zip(ids.tolist(), rows[1:], strict=True):
        tracker.push(token)
        assert tracker.features() == row.tolist()
        sizes.add(len(tracker.followed().state))
    assert len(sizes) > 3 and layout.starts[0] == 0


def test_a_continuation_begins_what_sounds_over_the_seam() -> None:
    ids = CODEC.encode(PIECE)
    rest = CODEC.continuation(ids, 7)
    assert columns(CODEC.decode(rest)) == [
        *((0, 250, 60, 89), (0, 750, 64, 89), (0, 500, 67, 89), (1250, 300, 60, 89)),
    ]


def test_a_model_plays_for_as_long_as_it_is_asked_to(tmp_path) -> None:
    for number in range(6):
        scale = played(*((beat / 2, 0.4, 60 + number, 40 + 5 * beat) for beat in range(16)))
        MusicDomain().write(scale, tmp_path / f"{number}.mid")
    corpus = seqgen.prepare("music", [tmp_path], codec="performance")
    model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    config = seqgen.TrainConfig(tokens=2000, batch_size=2, window=16, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    for new in seqgen.generate(run, 3, condition="seconds=5"):
        assert new.stopped_by == "end"
        assert 5 <= run.codec.units(new.ids)["seconds"] <= 15
