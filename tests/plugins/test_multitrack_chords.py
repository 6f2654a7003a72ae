"""Chords of multitrack pieces: read, found in notes, learned, requested and kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.chords import Chord, chord_named
from seqgen_music.codecs.multitrack.bar_chords import SOUGHT, bar_chords, known_chords
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.multitrack.score import score_of
from seqgen_music.domain import MusicDomain
from seqgen_music.music import Music, Track, make_notes

from seqgen.conformance.subject import fitted
from seqgen.errors import DataError
from seqgen.grammar import unpacked
from seqgen.plugin import Kept
from seqgen.plugins.checks import next_mask

QUARTER = 480
BAND = (Track("Kit", 0, drums=True), Track("Bass", 33), Track("Piano", 0))


def band(symbols: str, metre: tuple[int, int] = (4, 4), *, shown: bool = False) -> Music:
    """Return a bass with roots and a piano with chords, over drums; no chord is silence."""
    rows, chords, bar = [], [], 4 * QUARTER * metre[0] // metre[1]
    for number, part in enumerate(symbols.split("|")):
        names = part.split()
        for place, name in enumerate(names):
            at, length = number * bar + place * bar // len(names), bar // len(names)
            chord = chord_named(name)
            chords.append((at, chord))
            if chord is not None:
                rows.append((at, 120, 36, 100, 0))
                rows.append((at, length, 36 + chord.root, 80, 1))
                rows += [(at, length, 60 + pitch, 70, 2) for pitch in chord.pitch_classes]
    found = tuple(chords) if shown else ()
    return Music(make_notes(rows), BAND, QUARTER, ((0, 120.0),), ((0, *metre),), chords=found)


def heard(music: Music) -> str:
    """Return the chords that are found in a piece, bar by bar."""
    names = ("N.C.", *map(str, known_chords(SOUGHT)))
    numbers = bar_chords(music, score_of(music, 12), SOUGHT).tolist()
    return " | ".join(" ".join(dict.fromkeys(names[each] for each in bar)) for bar in numbers)


SYMBOLS = "C | F G | Am Dm | G7 | N.C. | Bdim | C"
ON = MultitrackOptions(chords="on")
CODEC = fitted(MultitrackCodec, [band(SYMBOLS), band("C | Dm", (3, 4))], ON)


def test_chords_are_found_in_the_notes() -> None:
    assert heard(band(SYMBOLS)) == SYMBOLS
    assert heard(band("C | F G | Am", (6, 8))) == "C | F G | Am"
    # A bar of three beats has one chord.
    assert heard(band("C | Am | G7", (3, 4))) == "C | Am | G7"


@pytest.mark.parametrize("interval", range(12))
def test_chords_move_with_the_notes(interval: int) -> None:
    given = band(SYMBOLS)
    notes = given.notes.copy()
    notes["pitch"] += np.where(notes["track"] > 0, interval, 0).astype(np.uint8)
    moved = CODEC.decode(CODEC.encode(replace(given, notes=notes)))
    chords = CODEC.decode(CODEC.encode(given)).chords
    assert moved.chords == tuple((at, chord and chord.moved(interval)) for at, chord in chords)


def test_symbols_of_a_piece_count_more_than_its_notes() -> None:
    shown = band("C | F G | Am7 | Dm", shown=True)
    other = replace(shown, notes=band("G | C D | F | E7").notes)
    codec = MultitrackCodec.fit([other], ON)
    assert codec.learned.kinds == ["major", "minor", "minor-seventh"]
    read = codec.decode(codec.encode(other))
    scale = read.ticks_per_quarter / QUARTER
    assert read.chords == tuple((int(at * scale), chord) for at, chord in shown.chords)
    assert codec.vocab == type(codec).from_state(codec.state(), ON).vocab


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["C", "Am", "F G", "Bdim E7", "N.C."]), min_size=1, max_size=9))
def test_a_piece_with_chords_comes_back_as_it_was_encoded(bars: list[str]) -> None:
    piece = band(" | ".join(["C", *bars]))
    ids = CODEC.encode(piece)
    again = CODEC.encode(CODEC.decode(ids))
    np.testing.assert_array_equal(ids, again)
    tracker, rows = CODEC.tracker(), [CODEC.tracker().features()]
    plan = CODEC.layout.planned(ids)
    for token in plan.tolist():
        tracker.push(token)
        rows.append(tracker.features())
    np.testing.assert_array_equal(rows, CODEC.features(plan))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, len(CODEC.vocab) - 1), max_size=60))
def test_any_ids_have_the_features_of_the_tracker_and_give_a_piece(tokens: list[int]) -> None:
    ids, tracker = np.array(tokens, np.int64), CODEC.tracker()
    chords = slice(len(CODEC.feature_sizes) - 2, None)
    rows = [tracker.features()[chords]]
    masks = unpacked(CODEC.masks(ids), len(CODEC.vocab) + 1)
    for row, token in zip(masks, tokens, strict=False):
        assert (tracker.allowed() <= row).all()
        tracker.push(token)
        rows.append(tracker.features()[chords])
    np.testing.assert_array_equal(rows, CODEC.features(ids)[:, chords])
    assert CODEC.encode(piece) is not None if len((piece := CODEC.decode(ids)).notes) else True


def walk(condition: object, seed: int) -> Music:
    """Let the tracker choose a piece at random."""
    tracker, rng, ids = CODEC.tracker(condition), np.random.default_rng(seed), list[int]()
    while True:
        token = int(rng.choice(np.flatnonzero(next_mask(CODEC, tracker))))
        if token == len(CODEC.vocab):
            return CODEC.answer(CODEC.decode(np.array(ids)), condition)
        tracker.push(token)
        ids.append(token)


@pytest.mark.parametrize("key", ["", ", key=Eb minor", ", key=D major"])
def test_requested_chords_come_in_any_key(key: str) -> None:
    for seed in range(3):
        music = walk(f"chords=Am | Dm G | E7, bars=5, metre=4/4{key}", seed)
        bar, wanted = 4 * music.ticks_per_quarter, ["Am", "Dm", "G", "E7", "Am", "Dm", "G"]
        assert [str(chord) for _, chord in music.chords] == wanted
        assert [tick / bar for tick, _ in music.chords] == [0, 1, 1.5, 2, 3, 4, 4.5]


def test_without_a_key_it_fits_the_chords() -> None:
    assert walk("chords=Dm | Gm | A7 | Dm, metre=4/4", 0).keys == ((0, -1, True),)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("chords=C | F G, metre=3/4", "a bar of 3/4 has no halves"),
        ("chords=C | F G", "a bar of 3/4 has no halves"),
        ("chords=C F G C", "one chord or two"),
        ("chords=C | F, bars=1", "chords are requested for 2 bars, and 1 bars"),
        # No array of so many bars is made, and none of a number beyond 64 bits.
        (
            "chords=C, bars=1000000000, metre=4/4",
            "from 1 to 100,000, such as 8, found '1000000000'",
        ),
        (f"chords=C, bars={10**30}", "expected a whole number from 1 to 100,000"),
        (f"bars={'9' * 5000}", "expected a whole number from 1 to 100,000"),
        ("chords=Cmaj7", "knows chords such as C, Cm, Cdim, C7"),
        ("chords=H", "expected a chord"),
    ],
)
def test_chords_that_cannot_be_say_why(condition: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CODEC.tracker(condition)


def test_bars_that_stay_keep_their_chords() -> None:
    given, found = band(SYMBOLS), set()
    bar = CODEC.decode(CODEC.encode(given)).ticks_per_quarter * 4
    for seed in range(4):
        tracker = CODEC.tracker(kept := Kept(given, "bars 1-2, 5-"))
        rng, ids = np.random.default_rng(seed), list[int]()
        while (token := int(rng.choice(np.flatnonzero(next_mask(CODEC, tracker))))) < len(
            CODEC.vocab
        ):
            tracker.push(token)
            ids.append(token)
        new = CODEC.decode(np.array(ids))
        before = dict(CODEC.decode(CODEC.encode(given)).chords)
        for tick, chord in new.chords:
            if 2 * bar <= tick < 4 * bar:
                found.add(chord)
            elif tick != 4 * bar:
                assert before[tick] == chord
        assert len(CODEC.answer(new, kept).notes)
    assert len(found) > 3


def test_rewritten_bars_keep_the_symbols_of_the_piece() -> None:
    given = band("C | F G | Am | G7", shown=True)
    music = walk(kept := Kept(given, "bars 1, 4"), 0)
    assert (music.chords, len(music.notes) > 0) == (kept.piece.chords, True)
    tracker, chosen = CODEC.tracker(kept), list[str]()
    rng = np.random.default_rng(1)
    while (token := int(rng.choice(np.flatnonzero(next_mask(CODEC, tracker))))) < len(CODEC.vocab):
        tracker.push(token)
        chosen += [CODEC.vocab[token]] * CODEC.vocab[token].startswith("chord")
    assert chosen == ["chord C", "chord F", "chord G", "chord Am", "chord G7"]


def test_what_follows_a_prompt_begins_with_the_chords_of_its_bar() -> None:
    ids = CODEC.encode(band(SYMBOLS))
    whole = CODEC.decode(ids)
    for start in range(len(ids)):
        rest = CODEC.continuation(ids, start)
        tracker = CODEC.tracker()
        for token in rest.tolist():
            is_missing = tracker.allowed()[CODEC.table.mask("bars")].any()
            assert tracker.allowed()[token] or is_missing, start
            tracker.push(token)
        assert CODEC.decode(rest).chords[-1][1] == whole.chords[-1][1]


def test_chords_are_written_as_symbols(tmp_path) -> None:
    music, domain = walk("chords=Am | Dm | E7, metre=4/4", 1), MusicDomain()
    for suffix in (".mid", ".musicxml"):
        [path] = domain.write(music, tmp_path / f"one{suffix}", domain.write_options())
        [again] = domain.read(path, domain.read_options())
        assert [str(chord) for _, chord in again.chords] == ["Am", "Dm", "E7"]


def test_without_the_option_there_are_no_chords() -> None:
    codec = MultitrackCodec.fit([band(SYMBOLS, shown=True)], MultitrackOptions())
    assert "chords" not in codec.requests
    assert not any(name.startswith("chord") for name in codec.vocab)
    assert codec.decode(codec.encode(band(SYMBOLS))).chords == ()
    assert Chord(0) in known_chords(SOUGHT)
