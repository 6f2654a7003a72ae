"""Chorales that keep what is given: voices, bars, a metre."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from seqgen_music.bars import metre_named
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.grammar import VoiceLimits
from seqgen_music.codecs.chorale.raster import REST, VOICES, Raster, given_voices, raster_of
from seqgen_music.domain import MusicDomain
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.cli import app
from seqgen.errors import DataError

ROOT = Path(__file__).parent.parent.parent
RANGES = ((60, 79), (55, 72), (48, 67), (36, 60))

LIMITS = VoiceLimits(RANGES, 64)
HELD = ChoraleCodec(36, 79, ((3, 4), (4, 4)), ChoraleOptions(), LIMITS)
GRID = ChoraleCodec(36, 79, ((4, 4),), ChoraleOptions(form="grid"), LIMITS)
SUBSETS = [given for size in (1, 2, 3) for given in itertools.combinations(range(4), size)]


def chorale(steps: int = 44, upbeat: int = 4) -> Music:
    """Return four voices in notes of all lengths, repeated notes and rests among them."""
    rng = np.random.default_rng(0)
    sounding = np.zeros((steps, 4), np.int64)
    begins = np.zeros((steps, 4), bool)
    for voice, (low, high) in enumerate(RANGES):
        step = 0
        while step < steps:
            length = int(rng.integers(1, 7))
            pitch = REST if rng.random() < 0.2 else int(rng.integers(low, high + 1))
            sounding[step : step + length, voice] = pitch
            begins[step, voice] = True
            step += length
    sounding[-1], begins[-1] = [low for low, _ in RANGES], True
    begins[1:] &= (sounding[1:] != REST) | (sounding[1:] != sounding[:-1])
    return Raster(sounding, begins, (4, 4), upbeat).to_music()


def only(piece: Music, voices: tuple[int, ...], names: tuple[str, ...] = VOICES) -> Music:
    """Return the piece without the other voices, whose tracks are gone."""
    kept = piece.notes[np.isin(piece.notes["track"], voices)].copy()
    kept["track"] = np.searchsorted(voices, kept["track"])
    tracks = tuple(Track(names[voice]) for voice in voices)
    return Music(kept, tracks, piece.ticks_per_quarter, piece.tempos, piece.metres)


def write(codec: ChoraleCodec, condition: object, seed: int = 0) -> Raster:
    """Let the tracker choose a piece at random."""
    tracker, rng, ids = codec.tracker(condition), np.random.default_rng(seed), []
    while len(ids) < 8000:
        forced = tracker.forced()
        token = int(rng.choice(np.flatnonzero(tracker.allowed()))) if forced is None else forced
        if token == len(codec.vocab):
            return raster_of(codec.decode(np.array(ids)))
        tracker.push(token)
        ids.append(token)
    raise AssertionError("the piece does not end")


def notes(piece: Music, voice: int) -> list[tuple[int, ...]]:
    mine = piece.notes[piece.notes["track"] == voice]
    return [(int(n["onset"]), int(n["duration"]), int(n["pitch"])) for n in mine]


# Tokens -----------------------------------------------------------------------------------------


def test_tokens_keep_their_names_and_ids() -> None:
    pitches = "C2", "C#2", "D2", "Eb2", "E2"
    assert HELD.vocab[:6] == ("rest", *pitches)
    upbeats = tuple(f"upbeat {steps}" for steps in range(16))
    assert HELD.vocab[44:] == ("G5", "hold", "plan end", "metre 3/4", "metre 4/4", *upbeats)
    assert GRID.vocab == HELD.vocab[:45]


# Voices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", SUBSETS, ids=str)
def test_given_voices_come_out_note_for_note(given: tuple[int, ...]) -> None:
    piece = chorale()
    new = write(HELD, only(piece, given))
    for voice in given:
        assert notes(new.to_music(), voice) == notes(piece, voice)
    assert (new.metre, new.upbeat) == ((4, 4), 4)
    last = max(at + length for voice in given for at, length, _ in notes(piece, voice))
    assert len(new.sounding) * 120 == last
    sounding = write(GRID, only(piece, given)).sounding
    np.testing.assert_array_equal(sounding[:, given], raster_of(piece).sounding[:, given])


def test_a_whole_chorale_gives_its_soprano() -> None:
    piece = chorale()
    new = write(HELD, piece).to_music()
    assert notes(new, 0) == notes(piece, 0)
    assert all(notes(new, voice) != notes(piece, voice) for voice in (1, 2, 3))


@pytest.mark.parametrize(
    ("pitches", "voice"),
    [((60, 79), 0), ((72, 90), 0), ((50, 56), 3), ((30, 40), 3), ((55, 72), 1), ((48, 67), 2)],
)
def test_one_track_is_the_voice_whose_range_it_fits(pitches: tuple[int, int], voice: int) -> None:
    rows = [(480 * at, 480, pitch, 80, 0) for at, pitch in enumerate(pitches)]
    raster, given = given_voices(Music(make_notes(rows), (Track("Cello"),), 480), RANGES)
    assert given == (voice,)
    assert raster.sounding[::4, voice].tolist() == list(pitches)


def test_of_several_tracks_the_highest_is_the_soprano_unless_names_say_otherwise() -> None:
    rows = [(0, 480, 50, 80, 0), (0, 480, 76, 80, 1), (0, 480, 90, 80, 2)]
    notes = make_notes(rows)
    kit = Track("Kit", drums=True)
    raster, given = given_voices(Music(notes, (Track(), Track(), kit), 480), RANGES)
    assert given == (0,) and raster.sounding[0].tolist() == [76, REST, REST, REST]
    raster, given = given_voices(Music(notes, (Track(" bass"), Track(), kit), 480), RANGES)
    assert given == (3,) and raster.sounding[0].tolist() == [REST, REST, REST, 50]


@pytest.mark.parametrize("given", [(0,), (3,), (0, 1, 3)], ids=str)
def test_where_given_voices_are_silent_others_sing(given: tuple[int, ...]) -> None:
    rows = [(at, 480, RANGES[v][0], 80, v) for v in given for at in (0, 480 * 40)]
    piece = only(Music(make_notes(rows), tuple(map(Track, VOICES)), 480), given)
    for codec in (HELD, GRID):
        new = write(codec, piece)
        assert len(new.sounding) == 4 * 41
        assert new.longest_silence() <= 16
        codec.encode(new.to_music())


def test_a_given_piece_must_be_known_to_the_model() -> None:
    rows = [(0, 480, 100, 80, 0)]
    with pytest.raises(DataError, match=r"pitch E7 is outside C2 to G5.* transpose the piece"):
        HELD.tracker(Music(make_notes(rows), (Track(),), 480))
    rows = [(0, 480, 60, 80, 0)]
    with pytest.raises(DataError, match=r"metre 6/8 is not one of this model's corpus: 3/4, 4/4"):
        HELD.tracker(Music(make_notes(rows), (Track(),), 480, (), ((0, 6, 8),)))
    with pytest.raises(DataError, match="no note"):
        HELD.tracker(Music(make_notes(rows)[:0], (Track(),), 480))


def test_a_prompt_must_agree_with_what_is_given() -> None:
    piece = chorale()
    tracker = HELD.tracker(only(piece, (0,)))
    for token in HELD.encode(piece)[:40]:
        tracker.push(int(token))
    tracker = HELD.tracker("metre=3/4")
    with pytest.raises(DataError, match="after 0 quarters it has 'metre 4/4' in the place of 'me"):
        tracker.push(HELD.table.id("metre", (4, 4)))
    tracker = HELD.tracker("bars=1")
    with pytest.raises(DataError, match="after 4 quarters it has 'E5' in the place of 'the end'"):
        for token in [*HELD.encode(piece)[: 3 + 16 * 4], HELD.table.id("pitch", 76)]:
            tracker.push(int(token))


# Length and metre -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_bars_are_whole_and_the_metre_is_kept(seed: int) -> None:
    new = write(HELD, "bars=3, metre=3/4", seed)
    assert (new.metre, len(new.sounding)) == ((3, 4), 36)
    assert (new.sounding[-1] != REST).any()
    new = write(HELD, "bars=5", seed)
    assert len(new.sounding) == 5 * {(3, 4): 12, (4, 4): 16}[new.metre]
    assert HELD.units(HELD.encode(new.to_music()))["bars"] == 5
    assert write(HELD, "metre=3/4", seed).metre == (3, 4)
    assert len(write(GRID, "bars=2", seed).sounding) == 32


def test_an_upbeat_is_made_good_by_the_last_bar() -> None:
    tracker = HELD.tracker("bars=2, metre=4/4")
    for token in HELD.encode(chorale())[:3]:  # metre, upbeat and the end of the plan
        tracker.push(int(token))
    for _ in range(32 * 4):
        assert tracker.forced() is None and not tracker.allowed()[-1]
        tracker.push(int(np.flatnonzero(tracker.allowed())[-1]))
    assert tracker.forced() == len(HELD.vocab)


def test_the_model_writes_as_many_bars_as_are_asked_for(chorales) -> None:
    for new in seqgen.generate(chorales, 2, condition="bars=2"):
        assert new.stopped_by == "end"
        assert chorales.codec.units(new.ids)["bars"] == 2
    limit = seqgen.LimitConfig(length=1.5, unit="bars")
    for new in seqgen.generate(
        chorales, 2, limit=limit, sample=seqgen.SampleConfig(ban=("<end>",))
    ):
        assert chorales.codec.units(new.ids)["bars"] == 1.5


def test_the_command_takes_bars(chorales, tmp_path: Path, capsys) -> None:
    given, out = ["--given", "bars=2, metre=4/4"], ["--out", str(tmp_path / "new")]
    try:
        app.meta(["generate", str(chorales.folder), *given, *out])
    except SystemExit as error:
        assert not error.code
    finally:
        app.config = ()
    [path] = (tmp_path / "new").glob("*.mid")
    [piece] = MusicDomain().read(path)
    assert len(raster_of(piece).sounding) == 2 * 16


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("la la", "words such as 'bars=8, metre=3/4', found 'la la'"),
        (7, "found 7"),
        ("tempo=90", "'tempo=90' in 'tempo=90': expected NAME=VALUE, where NAME is one of bars, m"),
        ("bars=2, metre", "cannot follow 'metre' in 'bars=2, metre': expected NAME=VALUE"),
        ("bars=2, bars=3", "bars is given twice"),
        (
            "bars=few",
            "'bars=few': expected a whole number from 1 to 100,000, such as 8, found 'few'",
        ),
        ("bars=0", "expected a whole number from 1 to 100,000"),
        ("metre=3/5", "expected a metre such as 3/4, found '3/5'"),
        ("metre=6/8", "this model knows 3/4, 4/4"),
    ],
)
def test_what_cannot_be_followed_is_refused(condition: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        HELD.tracker(condition)


def test_the_grid_knows_no_metre() -> None:
    with pytest.raises(DataError, match=r"'metre=3/4' .* NAME is one of bars, such as 'bars=8'"):
        GRID.tracker("metre=3/4")


@pytest.mark.parametrize("text", ["4", "0/4", "3/5", "3/", "/4", "-3/4", "1000/4"])
def test_what_is_no_metre(text: str) -> None:
    assert metre_named(" 12 / 8") == (12, 8)
    with pytest.raises(ValueError, match="expected a metre such as 3/4"):
        metre_named(text)


# The example ------------------------------------------------------------------------------------


def test_the_example_harmonises_a_melody(chorales, tmp_path: Path, monkeypatch) -> None:
    piece = chorales.codec.decode(np.asarray(chorales.corpus().piece(0), np.int64)[: 2 + 4 * 32])
    write_midi(only(piece, (0,), ("Flute",) * 4), tmp_path / "melody.mid")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    __import__("harmonise").main(chorales.folder, tmp_path / "melody.mid", tmp_path / "out")
    sys.modules.pop("harmonise")
    paths = sorted((tmp_path / "out").iterdir())
    assert len(paths) == 2
    for path in paths:
        [new] = MusicDomain().read(path)
        assert [n[2] for n in notes(new, 0)] == [n[2] for n in notes(piece, 0)]
        assert all(notes(new, voice) for voice in (1, 2, 3))
