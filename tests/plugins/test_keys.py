"""Keys: found in notes, read from words, and as signatures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from music21 import note, stream
from music21.analysis import discrete
from seqgen_music.chords import chord_named
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.melody.line import MelodyOptions
from seqgen_music.domain import MusicDomain
from seqgen_music.keys import NAMES, SHIFTS, key_of, named, signature, signed
from seqgen_music.music import Music, Track, make_notes

SCALE = (0, 2, 4, 5, 7, 9, 11)


@pytest.mark.parametrize("key", range(24))
def test_a_scale_with_its_triad_is_in_its_key(key: int) -> None:
    tonic, minor = key % 12, key // 12
    counts = np.zeros(12, np.int64)
    counts[np.add(SCALE, tonic + 3 * minor) % 12] = 4
    counts[np.add((0, 4 - minor, 7), tonic) % 12] = 12
    assert key_of(counts) == key


@pytest.mark.parametrize("interval", range(12))
def test_the_key_moves_with_the_notes(interval: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 1000, 12)
        key, moved = key_of(counts), key_of(np.roll(counts, interval))
        assert (moved % 12, moved // 12) == ((key + interval) % 12, key // 12)


def test_no_notes_are_in_c_major() -> None:
    assert NAMES[key_of(np.zeros(12, np.int64))] == "C major"


def test_without_its_shift_a_key_has_no_sharps() -> None:
    for key, shift in enumerate(SHIFTS.tolist()):
        scale = {(tone + shift) % 12 for tone in SCALE}
        assert key % 12 in scale and (key + (3 if key >= 12 else 4)) % 12 in scale
        sharps, minor = signature(key)
        # Seven fifths from the tonic of the major key.
        assert (7 * sharps - shift) % 12 == 0 and -6 < sharps < 7 and minor == (key >= 12)
    assert sorted(set(SHIFTS.tolist())) == list(range(-5, 7))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C minor", "C minor"),
        ("gb Major", "F# major"),
        ("Cb  major", "B major"),
        ("e# minor", "F minor"),
    ],
)
def test_keys_are_read(text: str, key: str) -> None:
    assert NAMES[named(text)] == key


@pytest.mark.parametrize("text", ["", "C", "H minor", "Cx minor", "C dorian", "C# "])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a key such as C minor or F# major"):
        named(text)


@pytest.mark.parametrize("seed", range(6))
def test_music21_finds_the_same_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pitches = rng.integers(0, 12) + rng.choice(SCALE, 30, p=(0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.1))
    melody = stream.Stream([note.Note(60 + int(pitch), quarterLength=1) for pitch in pitches])
    found = discrete.TemperleyKostkaPayne().getSolution(melody)
    counts = np.bincount(pitches % 12, minlength=12)
    assert key_of(counts) == named(f"{found.tonic.name.replace('-', 'b')} {found.mode}")


def test_a_tune_comes_back_with_the_signature_of_its_key() -> None:
    ode = Path(__file__).parents[2] / "examples" / "ode-to-joy.abc"
    [tune] = MusicDomain().read(ode)
    codec = MelodyCodec.fit([tune], MelodyOptions())
    for transposed, signature_of in ((0, (1, False)), (1, (-4, False)), (-2, (-1, False))):
        notes = tune.notes.copy()
        notes["pitch"] += np.uint8(transposed % 256)
        moved = MelodyCodec.fit([replace(tune, notes=notes)], MelodyOptions())
        again = moved.decode(moved.encode(replace(tune, notes=notes, keys=())))
        assert again.keys == ((0, *signature_of),)
    assert codec.decode(np.zeros(0, np.int64)).keys == ()


@pytest.mark.parametrize(
    ("chords", "sharps", "minor"),
    [
        ("Am Dm E7 Am", 0, True),
        ("C F G7 C", 0, False),
        ("G D7 G", 1, False),
        ("Bb Eb F7", -2, False),
    ],
)
def test_chords_count_in_the_key(chords: str, sharps: int, minor: bool) -> None:
    symbols = tuple((1920 * at, chord_named(name)) for at, name in enumerate(chords.split()))
    # The roots alone are in several keys.
    rows = [(tick, 1920, 60 + chord.root, 80, 0) for tick, chord in symbols if chord]
    notes = make_notes(rows)
    music = signed(Music(notes, (Track(),), 480, chords=symbols))
    assert music.keys == ((0, sharps, minor),)
    [no_chord] = signed(Music(notes, (Track(),), 480, chords=((0, None),))).keys
    assert (no_chord,) == signed(Music(notes, (Track(),), 480)).keys
