"""The codec `melody`: the line it takes from a piece, what it loses, its grammar and features."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.chorale.raster import REST
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.melody.line import HOLD, Line, MelodyOptions, line_of
from seqgen_music.codecs.moves import Moves, choose_grid
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.errors import ConfigError, DataError

SIXTEENTHS = MelodyOptions(steps=4)


def tune(*notes: tuple[float, float, int], metres=((0, 4, 4),), tempo: float = 100.0) -> Music:
    """Return a melody of (quarter, quarters, pitch)."""
    rows = [(round(at * 480), round(long * 480), pitch, 90, 0) for at, long, pitch in notes]
    return Music(make_notes(rows), (Track("Tune"),), 480, ((0, tempo),), metres)


#: A bar of quarters, a half, a rest, repeated notes; and a waltz with an upbeat.
MARCH = tune(*((beat, 1, 60 + beat) for beat in range(4)), (4, 2, 67), (7, 0.5, 67), (7.5, 0.5, 67))
WALTZ = tune(
    *((0, 1, 62), (1, 2, 67), (3, 1, 71), (4, 3, 74)),
    metres=((0, 1, 4), (480, 3, 4)),
    tempo=150.0,
)
CODEC = MelodyCodec.fit([MARCH, WALTZ], SIXTEENTHS)
END = len(CODEC.vocab)


def names(codec: MelodyCodec, ids: np.ndarray) -> list[str]:
    return [codec.vocab[token] for token in ids]


def walk(codec: MelodyCodec, choose: Callable[[int], int], condition=None, most: int = 300):
    """Follow the tracker: `choose` picks one of so many ids; return them and whether it ended."""
    tracker, ids = codec.tracker(condition), []
    while len(ids) < most:
        forced = tracker.forced()
        possible = np.flatnonzero(tracker.allowed()) if forced is None else [forced]
        token = int(possible[choose(len(possible))])
        if token == len(codec.vocab):
            return np.array(ids), True
        tracker.push(token)
        ids.append(token)
    return np.array(ids), False


# The line ---------------------------------------------------------------------------------------


def test_tokens_read_like_music() -> None:
    assert names(CODEC, CODEC.encode(WALTZ)) == [
        *("metre 3/4", "upbeat 4"),
        *("pitch D4", *["hold"] * 3, "pitch G4", *["hold"] * 7, "pitch B4", *["hold"] * 3),
        *("pitch D5", *["hold"] * 11),
    ]


@pytest.mark.parametrize("piece", [MARCH, WALTZ], ids=["march", "waltz"])
def test_what_is_on_the_grid_comes_back(piece: Music, tmp_path) -> None:
    write_midi(CODEC.decode(CODEC.encode(piece)), tmp_path / "a.mid")
    again = read_pieces(tmp_path / "a.mid")[0]
    for name in ("onset", "duration", "pitch"):
        np.testing.assert_array_equal(again.notes[name], piece.notes[name])
    assert again.metres == piece.metres
    assert again.tempos.tolist() == [(0, 125.0)], "the median of 100 and 150"
    assert again.tracks == (Track("Melody", 73),)


def test_of_many_tracks_the_highest_or_the_first_is_the_melody() -> None:
    notes = make_notes([(0, 480, 48, 80, 0), (0, 480, 72, 80, 1), (0, 480, 99, 80, 2)])
    music = Music(notes, (Track("Bass"), Track("Flute"), Track("Kit", drums=True)), 480)
    assert line_of(music, 4).events[0] == 72
    assert line_of(music, 4, "first").events[0] == 48
    drums = Music(notes[notes["track"] == 2], music.tracks, 480)
    with pytest.raises(DataError, match="no note besides drums"):
        line_of(drums, 4)
    with pytest.raises(DataError, match="no piece has a melody"):
        MelodyCodec.fit([drums], SIXTEENTHS)


def test_of_a_chord_the_highest_note_goes_on_until_the_next_onset() -> None:
    music = tune((0, 4, 60), (0, 1, 72), (0, 4, 64), (0.5, 2, 48))
    assert line_of(music, 4).events.tolist()[:11] == [72, HOLD, 48, *[HOLD] * 7, REST]


def test_triplets_need_twelve_steps() -> None:
    music = tune(*((number / 3, 1 / 3, 60 + number) for number in range(6)))
    fine = MelodyCodec.fit([music], MelodyOptions(steps=12))
    assert names(fine, fine.encode(music))[2:11:4] == ["pitch C4", "pitch C#4", "pitch D4"]
    back = fine.decode(fine.encode(music))
    assert (back.notes["onset"] * 480 // back.ticks_per_quarter).tolist() == [
        *(0, 160, 320, 480, 640, 800)
    ]
    coarse = MelodyCodec.fit([music], SIXTEENTHS)
    assert coarse.decode(coarse.encode(music)).notes["onset"].tolist() == [
        *(0, 120, 360, 480, 600, 840)
    ]


def test_halves_are_rounded_up() -> None:
    music = tune((0, 1, 60), (1.125, 1, 62), (2.375, 1, 64))
    assert np.flatnonzero(line_of(music, 4).events >= 0).tolist() == [0, 5, 10]


@pytest.mark.parametrize("steps", [4, 12])
@pytest.mark.parametrize("late", [0.25, 1 / 3, 1.0, 3.75, 9.5])
def test_silence_in_front_is_upbeat(late: float, steps: int, tmp_path) -> None:
    codec = MelodyCodec.fit([MARCH], MelodyOptions(steps=steps))
    music = tune((late, 1, 60), (late + 1, 1, 62))
    ids = codec.encode(music)
    assert codec.vocab[ids[1]] == f"upbeat {int(-late * steps) % (4 * steps)}"
    assert codec.vocab[ids[2]] == "pitch C4"
    # A twelfth of a quarter is no metre: then the upbeat is written as the end of a whole bar.
    write_midi(codec.decode(ids), tmp_path / "a.mid")
    np.testing.assert_array_equal(codec.encode(read_pieces(tmp_path / "a.mid")[0]), ids)


@pytest.mark.parametrize(("silence", "kept"), [(7, 7), (8, 4), (11, 7), (400_000, 4)])
def test_long_silences_lose_whole_bars(silence: int, kept: int) -> None:
    music = tune((0, 1, 60), (1 + silence, 1, 62))
    assert np.flatnonzero(line_of(music, 4).events >= 0).tolist() == [0, 4 + 4 * kept]


def test_a_damaged_time_does_not_fill_the_memory() -> None:
    music = Music(make_notes([(0, 2**50, 60, 80, 0)]), (Track(),), 480)
    with pytest.raises(DataError, match=r"steps long; 65,536 is the most"):
        line_of(music, 4)


def test_metres_that_fit_no_grid_are_refused() -> None:
    with pytest.raises(DataError, match="set the codec option steps to a multiple of 8"):
        line_of(tune((0, 1, 60), metres=((0, 5, 32),)), 4)
    assert line_of(tune((0, 1, 60), metres=((0, 5, 32),)), 8).metre == (5, 32)
    with pytest.raises(DataError, match="longer than 12 quarters"):
        line_of(tune((0, 1, 60), metres=((0, 255, 1),)), 4)
    with pytest.raises(ConfigError, match="steps must be from 0 to 24, found -1"):
        MelodyOptions(steps=-1)


# The grid ---------------------------------------------------------------------------------------

TRIPLET = tune(*((at / 12, 1 / 3, 60 + at) for at in range(0, 12, 4)))


def test_the_grid_has_triplets_where_the_corpus_has_them() -> None:
    codec = MelodyCodec.fit([MARCH, TRIPLET], MelodyOptions())
    assert codec.steps == 12
    np.testing.assert_array_equal(
        codec.decode(codec.encode(TRIPLET)).notes["onset"] * 4, TRIPLET.notes["onset"] * 12
    )
    assert codec.fit_note == (
        "the grid of 12 steps a quarter moves none of 10 onsets; 4 steps would move 20 %"
    )
    again = MelodyCodec.from_state(codec.state(), codec.options)
    np.testing.assert_array_equal(again.encode(TRIPLET), codec.encode(TRIPLET))


def test_few_triplets_are_moved_and_counted() -> None:
    codec = MelodyCodec.fit([MARCH] * 20 + [TRIPLET], MelodyOptions())
    assert codec.steps == 4
    assert codec.fit_note == (
        "the grid of 4 steps a quarter moves 1.4 % of 143 onsets, by 0.0833 quarters on average "
        "and 0.0833 at most; steps=12 would move 0 %"
    )


@given(st.lists(st.integers(0, 480), min_size=40, max_size=60), st.integers(0, 9))
def test_a_performance_has_no_triplets(ticks: list[int], shift: int) -> None:
    """Where a piece begins makes no difference to what is moved."""
    moves = [Moves(steps) for steps in (4, 12, 4)]
    onsets = np.array([13, 29, 31, 227, *ticks]) | 1  # odd ticks are on no grid
    for each, late in zip(moves, (0, 0, 120 * shift), strict=True):
        each.add(onsets + late, 480)
    assert moves[0].moved == moves[1].moved == len(onsets)
    assert choose_grid({4: moves[0], 12: moves[1]})[0] == 4
    assert str(moves[0]) == str(moves[2])


def test_what_the_corpus_did_not_have_is_refused() -> None:
    with pytest.raises(DataError, match="pitch C7 is outside C4 to D5"):
        CODEC.encode(tune((0, 1, 96)))
    with pytest.raises(DataError, match=r"metre 6/8 is not one of .*: 3/4, 4/4"):
        CODEC.encode(tune((0, 1, 60), metres=((0, 6, 8),)))


NOTES = st.lists(
    st.tuples(
        st.integers(0, 9000), st.integers(1, 4000), st.integers(0, 127), st.integers(0, 2)
    ).map(lambda note: (*note[:3], 80, note[3])),
    min_size=1,
    max_size=20,
)


@settings(deadline=None)
@given(
    NOTES,
    st.sampled_from([480, 96, 7, 1]),
    st.sampled_from([(), ((0, 3, 4),), ((0, 1, 8), (48, 6, 8)), ((0, 5, 16), (999, 2, 4))]),
    st.sampled_from([1, 4, 12]),
    st.sampled_from(["highest", "first"]),
)
@example([(492, 1, 0, 80, 0)], 96, ((0, 1, 8), (48, 6, 8)), 12, "highest")  # an upbeat of a third
def test_any_piece_is_kept_once_it_is_on_the_grid(rows, ticks, metres, steps, track) -> None:
    music = Music(
        make_notes(rows), (Track(), Track("b"), Track("c", drums=True)), ticks, (), metres
    )
    try:
        codec = MelodyCodec.fit([music], MelodyOptions(steps, track))
    except DataError:
        with pytest.raises(DataError):
            line_of(music, steps, track)
        return
    ids = codec.encode(music)
    np.testing.assert_array_equal(codec.encode(codec.decode(ids)), ids)
    follow(codec, ids)
    steps = codec.units(ids)["bars"] * codec.layout.bar(codec.layout.read_header(ids)[0])
    assert steps == pytest.approx(len(ids) - 2)


def follow(codec: MelodyCodec, ids: np.ndarray) -> None:
    """Check that the tracker allows a piece and its end, and gives the features."""
    tracker, rows = codec.tracker(), codec.features(ids)
    for position, token in enumerate([*ids.tolist(), len(codec.vocab)]):
        assert tuple(tracker.features()) == tuple(rows[position])
        assert tracker.allowed()[token], (position, (*codec.vocab, "END")[token])
        if token < len(codec.vocab):
            tracker.push(token)


# Grammar and features ---------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, END - 1), max_size=60))
def test_decoding_random_ids_is_a_fixed_point(tokens: list[int]) -> None:
    ids = np.array(tokens, np.int64)
    tracker = CODEC.tracker()
    for row, token in zip(CODEC.features(ids), tokens, strict=False):
        assert tuple(tracker.features()) == tuple(row)
        tracker.push(token)
    music = CODEC.decode(ids)
    if len(music.notes):
        again = CODEC.encode(music)
        np.testing.assert_array_equal(CODEC.encode(CODEC.decode(again)), again)


@settings(deadline=None, max_examples=50)
@given(st.randoms(use_true_random=False))
def test_whatever_the_tracker_allows_comes_back(random) -> None:
    ids, ended = walk(CODEC, random.randrange)
    if ended:
        np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)


def test_no_silence_lasts_two_bars() -> None:
    tracker, cells = CODEC.tracker("bars=9, metre=3/4"), []
    tracker.push(CODEC.layout.table.id("metre", (3, 4)))
    tracker.push(CODEC.layout.table.id("upbeat", 0))
    while tracker.forced() is None:
        mask = tracker.allowed()
        requests = [CODEC.layout.table.id("rest", None), CODEC.layout.table.id("hold", None), 2]
        token = next(token for token in requests if mask[token])
        tracker.push(token)
        cells.append(token)
    assert len(cells) == 9 * 12
    onsets = np.flatnonzero(np.array(cells) >= 2)
    assert np.diff(onsets).max() == 24 and onsets[-1] >= 8 * 12


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.sampled_from(["3/4", "4/4"]))
def test_bars_and_metre_are_what_was_asked_for(random, bars: int, metre: str) -> None:
    ids, ended = walk(CODEC, random.randrange, f"bars={bars}, metre={metre}", most=1000)
    assert ended
    (beats, unit), upbeat = CODEC.layout.read_header(ids)
    assert f"{beats}/{unit}" == metre
    assert len(ids) - 2 - upbeat == bars * 4 * beats
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)


def test_a_prompt_longer_than_the_requested_bars_ends_at_its_bar_line() -> None:
    tracker = CODEC.tracker("bars=1")
    ids = CODEC.encode(MARCH)
    for token in ids.tolist():
        tracker.push(token)
    assert tracker.forced() == END


def test_a_prompt_in_another_metre_than_requested_is_refused() -> None:
    tracker, ids = CODEC.tracker("metre=3/4"), CODEC.encode(MARCH)
    with pytest.raises(
        DataError, match="has 'metre 4/4', not 'metre 3/4'; leave out one of the two"
    ):
        tracker.push(int(ids[0]))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("bars=0", "cannot follow 'bars=0' in 'bars=0': expected a whole number from 1 to 100,000"),
        ("metre=6/8", "this model knows 3/4, 4/4"),
        ("length=3", "cannot follow 'length=3' .* one of bars, key, metre, such as"),
        ("bars=3,bars=4", "bars is given twice"),
        ("", "cannot follow ''"),
        (MARCH, "this model has learned no chords"),
    ],
)
def test_conditions_that_are_not_understood(condition, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(condition)


def test_features_tell_what_came_some_bars_ago() -> None:
    bar = [60, HOLD, 62, REST]
    line = Line(np.array(bar * 5), (1, 4), 0)
    codec = MelodyCodec(60, 62, [(1, 4)], 100.0, 4, SIXTEENTHS)
    ids = codec.encode(line.to_music(4, 100.0))
    rows = codec.features(ids)[2:]
    assert rows[:6, 0].tolist() == [2, 3, 4, 5, 2, 3], "the place in the bar"
    assert rows[::4, 2].tolist() == [0, 1, 2, 3, 0, 1]
    assert rows[::4, 3].tolist() == [0, 0, 0, 0, 1, 1]
    assert rows[:5, 4].tolist() == [0, 1, 2, 1, 33], "how long: a note, and a silence from 32 on"
    assert rows[:5, 5:7].tolist() == [[0, 0], [1, 0], [1, 0], [3, 1], [3, 1]]
    assert rows[3:9, 7].tolist() == [0, 3, 2, 5, 1, 3], "one bar ago: C4, hold, D4, rest, C4"
    assert rows[3:9, 8].tolist() == [0, 0, 1, 2, 3, 4], "repeated for so long"
    assert rows[7:10, 9].tolist() == [0, 3, 2], "two bars ago"
    assert rows[-1, 11] == 3 and rows[-1, 12] == 4 and rows[-1, 13] == 0


def test_transposition_stays_in_range_and_keeps_the_grammar() -> None:
    wide = MelodyCodec(50, 80, CODEC.layout.metres, 100.0, 4, SIXTEENTHS)
    ids, shifts = wide.encode(WALTZ), set()
    for seed in range(60):
        new = wide.augment(ids, np.random.default_rng(seed))
        follow(wide, new)
        pitches = wide.decode(new).notes["pitch"].astype(np.int64)
        [shift] = set((pitches - (62, 67, 71, 74)).tolist())
        shifts.add(shift)
    assert len(shifts) > 10 and -12 <= min(shifts) < 0 < max(shifts) <= 6


@pytest.mark.parametrize("steps", [1, 4, 6, 21, 27])
def test_a_continuation_keeps_its_place_in_the_bar(steps: int) -> None:
    ids = CODEC.encode(WALTZ)
    rest = CODEC.continuation(ids, 2 + steps)
    assert len(rest) == len(ids) - steps
    whole, part = CODEC._line(ids), CODEC._line(rest)
    assert part.metre == whole.metre and (whole.upbeat - steps - part.upbeat) % 12 == 0
    np.testing.assert_array_equal(part.events[1:], whole.events[steps + 1 :])
    sounds = whole.events[: steps + 1]
    assert part.events[0] == sounds[sounds != HOLD][-1]


def test_a_model_writes_as_many_bars_as_are_asked_for(tmp_path) -> None:
    for number in range(6):
        scale = tune(*((beat, 1, 60 + number + beat) for beat in range(16)))
        MusicDomain().write(scale, tmp_path / f"{number}.mid")
    corpus = seqgen.prepare("music", [tmp_path], codec="melody")
    model = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.0)
    config = seqgen.TrainConfig(tokens=2000, batch_size=2, window=16, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    for new in seqgen.generate(run, 3, condition="bars=3"):
        assert new.stopped_by == "end"
        upbeat = run.codec.layout.read_header(new.ids)[1]
        assert len(new.ids) == 2 + upbeat + 3 * 16
