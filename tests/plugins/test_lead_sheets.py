"""Melodies with chord symbols: tokens, transposition, requests, and chords to a given tune."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.chords import Chord, chord_named, nearest_kind
from seqgen_music.codecs.melody.codec import CANDIDATES, MelodyCodec
from seqgen_music.codecs.melody.line import MelodyOptions
from seqgen_music.music import Music, Track, make_notes

from seqgen.errors import DataError
from seqgen.grammar import unpacked

SIXTEENTHS = MelodyOptions(steps=4)


def sheet(pitches: list[int], *chords: tuple[float, str], metres=((0, 4, 4),)) -> Music:
    """Return quarter notes, with chords by quarter."""
    rows = [(480 * at, 480, pitch, 90, 0) for at, pitch in enumerate(pitches)]
    symbols = tuple((round(480 * at), chord_named(name)) for at, name in chords)
    return Music(make_notes(rows), (Track("Tune"),), 480, (), metres, chords=symbols)


#: Four bars of four quarters, and a waltz with an upbeat and two chords in its second bar.
MARCH = sheet(
    [60, 64, 67, 72, 65, 69, 72, 65, 67, 71, 74, 67, 72, 67, 64, 60],
    *((0, "C"), (4, "F"), (8, "G7"), (12, "C")),
)
WALTZ = sheet(
    [62, 67, 71, 74, 69, 66, 62],
    *((1, "G"), (4, "D7/F#"), (5, "Am")),
    metres=((0, 1, 4), (480, 3, 4)),
)
CODEC = MelodyCodec.fit([MARCH, WALTZ], SIXTEENTHS)
END = len(CODEC.vocab)


def symbols(music: Music) -> list[tuple[float, str]]:
    """Return the chords of a piece, by quarter."""
    return [(tick / music.ticks_per_quarter, str(chord)) for tick, chord in music.chords]


def walk(condition, seed: int, codec: MelodyCodec = CODEC) -> np.ndarray:
    """Return random ids that the tracker allows; they end."""
    tracker, rng, ids = codec.tracker(condition), np.random.default_rng(seed), list[int]()
    while len(ids) < 3000:
        token = tracker.forced()
        if token is None:
            token = int(rng.choice(np.flatnonzero(tracker.allowed())))
        if token == len(codec.vocab):
            return np.array(ids)
        ids.append(token)
        tracker.push(token)
    raise AssertionError("the piece does not end")


def follow(ids: np.ndarray) -> None:
    """Check that the tracker gives features and masks of whole pieces, which allow them."""
    tracker, rows = CODEC.tracker(), CODEC.features(ids)
    masks = unpacked(CODEC.masks(ids), END + 1)
    for position, token in enumerate([*ids.tolist(), END]):
        assert tuple(tracker.features()) == tuple(rows[position])
        np.testing.assert_array_equal(tracker.allowed(), masks[position])
        assert masks[position, token], (position, (*CODEC.vocab, "END")[token])
        if token < END:
            tracker.push(token)


def test_a_chord_comes_before_each_beat() -> None:
    ids = CODEC.encode(WALTZ)
    assert [CODEC.vocab[token] for token in ids[:20]] == [
        *("metre 3/4", "upbeat 4", "same chord", "pitch D4", *["hold"] * 3),
        *("chord G", "pitch G4", *["hold"] * 3, "same chord", "pitch B4", *["hold"] * 3),
        *("same chord", "pitch D5", "hold"),
    ]
    follow(ids)
    back = CODEC.decode(ids)
    assert symbols(back) == [(1, "G"), (4, "D7"), (5, "Am")], "without the bass"
    assert CODEC.units(ids)["quarters"] == 7 and CODEC.place(ids, len(ids) - 1) == "bar 2"
    np.testing.assert_array_equal(CODEC.encode(back), ids)


def test_chords_move_to_the_nearest_beat() -> None:
    early = replace(MARCH, chords=((0, Chord(0)), (1619, Chord(5)), (1680, Chord(7))))
    assert symbols(CODEC.decode(CODEC.encode(early))) == [(0, "C"), (3, "F"), (4, "G")]


def test_unknown_kinds_become_known_ones() -> None:
    assert nearest_kind("major-seventh", ["minor", "major"]) == "major"
    strange = replace(MARCH, chords=((0, Chord(2, "half-diminished")), (1920, Chord(9, "power"))))
    assert symbols(CODEC.decode(CODEC.encode(strange))) == [(0, "Dm"), (4, "A")]


@pytest.mark.parametrize(
    ("options", "pieces", "learned"),
    [
        (MelodyOptions(4), [MARCH, replace(MARCH, chords=())], True),
        (MelodyOptions(4), [MARCH, *[replace(MARCH, chords=())] * 2], False),
        (MelodyOptions(4, chords="on"), [MARCH, *[replace(MARCH, chords=())] * 2], True),
        (MelodyOptions(4, chords="off"), [MARCH], False),
    ],
)
def test_chords_are_learned_where_half_of_the_pieces_have_some(options, pieces, learned) -> None:
    codec = MelodyCodec.fit(pieces, options)
    assert ("chord G7" in codec.vocab) == learned == ("chords" in codec.requests)
    again = MelodyCodec.from_state(codec.state(), options)
    assert again.vocab == codec.vocab
    ids = codec.encode(MARCH)
    assert len(ids) == 2 + 64 + 16 * learned
    np.testing.assert_array_equal(again.features(ids), codec.features(ids))


def test_chords_must_be_there_to_be_learned() -> None:
    with pytest.raises(DataError, match="no piece has chord symbols"):
        MelodyCodec.fit([replace(MARCH, chords=())], MelodyOptions(4, chords="on"))


def test_transposition_moves_chords_with_the_tune() -> None:
    wide = MelodyCodec(50, 84, [(4, 4)], 100.0, 4, SIXTEENTHS, ["major", "dominant"])
    ids = wide.encode(MARCH)
    for version in [*wide.variations(ids), wide.augment(ids, np.random.default_rng(3))]:
        music = wide.decode(version)
        shift = int(music.notes["pitch"][0]) - 60
        moved = [Chord((chord.root + shift) % 12, chord.kind) for _, chord in MARCH.chords if chord]
        assert [chord for _, chord in music.chords] == moved
    assert len(wide.variations(ids)) == 84 - 74 + 60 - 50 + 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, END - 1), max_size=60))
def test_any_ids_can_be_followed_and_decoded(tokens: list[int]) -> None:
    ids, tracker = np.array(tokens, np.int64), CODEC.tracker()
    masks = unpacked(CODEC.masks(ids), END + 1)
    for row, mask, token in zip(CODEC.features(ids), masks, tokens, strict=False):
        assert tuple(tracker.features()) == tuple(row)
        np.testing.assert_array_equal(tracker.allowed(), mask)
        tracker.push(token)
    music = CODEC.decode(ids)
    if len(music.notes):
        again = CODEC.encode(music)
        np.testing.assert_array_equal(CODEC.encode(CODEC.decode(again)), again)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_tracker_allows_comes_back(seed: int) -> None:
    ids = walk("bars=3", seed)
    follow(ids)
    np.testing.assert_array_equal(CODEC.encode(CODEC.decode(ids)), ids)


def test_a_continuation_says_its_chord() -> None:
    ids = CODEC.encode(MARCH)
    for start in range(2, len(ids)):
        rest = CODEC.continuation(ids, start)
        follow(rest)
        steps = 64 - CODEC.layout.steps_before(rest, len(rest))
        sounding = [name for at, name in symbols(MARCH) if 4 * at <= steps]
        assert symbols(CODEC.decode(rest))[0] == (0, sounding[-1])


@pytest.mark.parametrize(
    ("condition", "chords"),
    [
        ("chords=Am | Dm | G7 | Am, metre=4/4", [(0, "Am"), (4, "Dm"), (8, "G7"), (12, "Am")]),
        ("chords=C | F G | %, metre=4/4", [(0, "C"), (4, "F"), (6, "G"), (8, "F"), (10, "G")]),
        ("bars=3, chords=C | D, metre=3/4", [(0, "C"), (3, "D"), (6, "C")]),
        ("chords=C Dm F | N.C., metre=3/4", [(0, "C"), (1, "Dm"), (2, "F"), (3, "None")]),
        ("chords=C/E F, metre=3/4", [(0, "C"), (2, "F")]),
    ],
)
def test_requested_chords_stand_where_they_should(condition: str, chords) -> None:
    for seed in range(4):
        ids = walk(condition, seed)
        music = CODEC.decode(ids)
        upbeat = CODEC.layout.read_header(ids)[1] / 4
        late = music.notes["onset"][0] / music.ticks_per_quarter
        assert symbols(music) == [(at + upbeat + late, name) for at, name in chords]


@pytest.mark.parametrize("seed", range(5))
def test_a_key_limits_notes_and_chords_and_is_the_signature(seed: int) -> None:
    condition = "key=G major, bars=6, metre=4/4"
    ids = walk(condition, seed)
    piece = CODEC.answer(CODEC.decode(ids), condition)
    assert piece.keys == ((0, 1, False),)
    scale = {7, 9, 11, 0, 2, 4, 6}
    pitches = (piece.notes["pitch"] % 12).tolist()
    assert set(pitches) <= scale and pitches[0] in {7, 11, 2}
    chords = [chord for _, chord in piece.chords if chord is not None]
    assert chords and all(set(chord.pitch_classes) <= scale for chord in chords)
    assert chords[0].root == 7


def test_a_key_stands_beside_chords() -> None:
    condition = "key=A minor, chords=Am | F | C7 | E7"
    seen = set[int]()
    for seed in range(8):
        ids = walk(condition, seed)
        piece = CODEC.answer(CODEC.decode(ids), condition)
        assert [str(chord) for _, chord in piece.chords] == ["Am", "F", "C7", "E7"]
        assert piece.keys == ((0, 0, True),)
        seen |= set((piece.notes["pitch"] % 12).tolist())
    # B flat is in C7, and G sharp in the harmonic scale.
    assert seen == {9, 11, 0, 2, 4, 5, 7, 8, 10}


def test_a_key_outside_the_range_is_refused() -> None:
    codec = MelodyCodec(61, 61, [(4, 4)], 120.0, 4, SIXTEENTHS)
    with pytest.raises(DataError, match=r"no note from C#4 to C#4, .*, is in C major; request"):
        codec.tracker("key=C major")
    codec.tracker("key=F minor")


def test_requested_chords_follow_a_prompt() -> None:
    tracker, ids = CODEC.tracker("chords=C | Am | G7 | C"), CODEC.encode(MARCH)
    for token in ids[: 2 + 16 + 4]:
        tracker.push(int(token))
    assert CODEC.vocab[tracker.forced()] == "chord Am", "though the prompt has F there"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("chords=C | H", "expected a chord such as Am7 or C/E, found 'H'"),
        ("chords=C || G", "bar 2 has no chord; write % to repeat a bar"),
        ("chords=%", "expected a chord"),
        ("chords=", "bar 1 has no chord"),
        ("chords=Cmaj7", "knows chords such as C, Cm, C7; found Cmaj7 in bar 1"),
        ("chords=C | D, bars=1", "requests 1 bars and chords for 2"),
        ("chords=C D C D", "has a bar of 4 chords; chords begin at beats, and a bar has 3 in"),
    ],
)
def test_requests_that_cannot_be_followed(condition: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(condition)


def test_a_given_tune_gets_chords() -> None:
    """The notes stay tick for tick; silence in front and a long one keep their place."""
    rows = [(480 * at + 1, 470, pitch, 90, 1) for at, pitch in ((5, 62), (6, 64), (18, 67))]
    bass = [(0, 480, 40, 70, 0)]
    tracks = (Track("Bass", 32), Track("Tune", 73))
    tune = Music(make_notes(rows + bass), tracks, 480, ((0, 93.0),), ((0, 4, 4),))
    ids = walk(tune, 1)
    assert CODEC.candidates(tune) == CANDIDATES and CODEC.candidates("bars=2") == 1
    piece = CODEC.answer(CODEC.decode(ids), tune)
    assert replace(piece, chords=()).notes is tune.notes and piece.tempos is tune.tempos
    assert [chord for _, chord in piece.chords] == [chord for _, chord in CODEC.decode(ids).chords]
    ticks = {tick for tick, _ in piece.chords}
    assert ticks and all(tick % 480 == 0 and 5 * 480 <= tick < 20 * 480 for tick in ticks)
    np.testing.assert_array_equal(CODEC.encode(piece), ids)
    assert CODEC.answer(CODEC.decode(ids[:3]), MARCH).chords == (), "cut before the first note"


def test_a_prompt_beside_a_given_tune_must_be_its_own() -> None:
    tracker = CODEC.tracker(MARCH)
    ids = CODEC.encode(sheet([60, 62], (0, "C")))
    with pytest.raises(DataError, match="it has 'pitch D4', not 'pitch E4'"):
        for token in ids.tolist():
            tracker.push(token)


def test_a_model_without_chords_says_so() -> None:
    plain = MelodyCodec.fit([MARCH], MelodyOptions(4, chords="off"))
    with pytest.raises(DataError, match="this model has learned no chords that it could write"):
        plain.tracker(MARCH)


def test_a_prompt_keeps_its_chords() -> None:
    """Also those that the codec changes; new ones follow."""
    given = replace(MARCH, chords=((0, Chord(0, "major-ninth", 4)), (240, Chord(9, "minor"))))
    ids, longer = CODEC.encode(given), walk("bars=8, metre=4/4", 5)
    whole = np.concatenate([ids, longer[2:]])
    piece = CODEC.keep(given, whole, len(ids))
    kept = [(0.0, "Cmaj9/E"), (0.5, "Am")]
    assert symbols(piece)[:2] == kept and len(symbols(piece)) > 4
    assert all(at >= 16 for at, _ in symbols(piece)[2:])
