"""Chord symbols: their names, and what files keep of them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from seqgen_music.accompaniment import accompanied
from seqgen_music.chords import KINDS, Chord, chord_named
from seqgen_music.domain import MusicDomain, WriteOptions
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.musicxml_reading import read_musicxml
from seqgen_music.files.notation_writing import musicxml, write_notation
from seqgen_music.music import Music, Track, make_notes
from seqgen_music.render.piano_roll import svg_roll

from seqgen.plugin import Note

EVERY = [Chord(root, kind, bass) for kind in KINDS for root in (0, 6, 10) for bass in (-1, 4)]


def tune(*chords: tuple[Fraction | int, Chord | None], quarters: int = 8) -> Music:
    """Return quarter notes with chords at some quarters."""
    rows = [(480 * at, 480, 60 + at % 12, 80, 0) for at in range(quarters)]
    symbols = tuple((int(480 * at), chord) for at, chord in chords)
    return Music(make_notes(rows), (Track("Tune"),), 480, chords=symbols)


@pytest.mark.parametrize("sharps", [-5, 0, 6])
def test_names_are_read_back(sharps: int) -> None:
    for chord in EVERY:
        assert chord_named(chord.name(sharps)) == chord


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[("Am", "Am"), ("F#m", "F#m"), ("B♭", "Bb"), ("D/f+", "D/F#"), ("Gm/bb", "Gm/Bb")],
        *[("A7/c+", "A7/C#"), ("Gd", "Gdim"), ("C#d", "C#dim"), ("Ea", "Eaug"), ("Fa7", "Faug7")],
        *[("E7b9", "E7"), ("(E7)", "E7"), ("G(Em)", "G"), ("Cm(maj7)", "Cmmaj7"), ("C6/9", "C6")],
        *[("Cadd9", "C"), ("A7sus4", "Asus4"), ("Dm7(b5)", "Dm7b5"), ("C/c", "C"), ("F+", "Faug")],
        *[("CM7", "Cmaj7"), ("Cmin7", "Cm7"), ("C-7", "Cm7"), ("Cø", "Cm7b5"), ("Co7", "Cdim7")],
    ],
)
def test_other_spellings(text: str, name: str) -> None:
    chord = chord_named(text)
    assert chord is not None and chord.name() == name


@pytest.mark.parametrize("text", ["H7", "Fine", "", "am", "C/", "C/H", "/C", "A" * 1000, "C9999"])
def test_what_is_no_chord(text: str) -> None:
    with pytest.raises(ValueError, match="expected a chord such as Am7"):
        chord_named(text)


def test_no_chord_and_pitches() -> None:
    assert chord_named("N.C.") is None and chord_named(" nc ") is None
    assert Chord(9, "minor-seventh").pitch_classes == (9, 0, 4, 7)


def test_abc() -> None:
    body = '"Am"A2 "^slow"B2|"D7/f+"d>"E7"d "Fine"e2|["G"GB]4 "_x" "N.C." z4|\n'
    [music, note] = read_abc(f"X:1\nM:4/4\nL:1/4\nK:C\n{body}")
    assert isinstance(music, Music)
    quarters = music.ticks_per_quarter
    found = [(tick / quarters, chord and chord.name()) for tick, chord in music.chords]
    assert found == [(0, "Am"), (4, "D7/F#"), (5.5, "E7"), (8, "G"), (12, None)]
    assert isinstance(note, Note) and "left out: chord symbol 'Fine' in line 5" in repr(note)


def test_chords_of_repeats_are_played_again() -> None:
    text = 'X:1\nM:4/4\nL:1/1\nK:C\n|:"C"c|1"G"d:|2"F"e|]\n'
    names = {}
    for played in (False, True):
        music = next(iter(read_abc(text, played)))
        assert isinstance(music, Music)
        names[played] = [chord.name() for _, chord in music.chords if chord]
    assert names == {False: ["C", "G", "F"], True: ["C", "G", "C", "F"]}


def test_musicxml_keeps_every_kind_and_music21_reads_them(tmp_path: Path) -> None:
    import music21

    given = tune(*enumerate([*EVERY, None]), quarters=len(EVERY) + 1)
    write_notation(given, tmp_path / "tune.musicxml")
    [back] = MusicDomain().read(tmp_path / "tune.musicxml")
    assert [chord for _, chord in back.chords] == [chord for _, chord in given.chords]
    ticks = np.array([tick for tick, _ in back.chords]) / back.ticks_per_quarter
    np.testing.assert_array_equal(ticks, np.arange(len(EVERY) + 1))
    score = music21.converter.parse(tmp_path / "tune.musicxml")
    symbols = list(score.recurse().getElementsByClass("ChordSymbol"))
    assert len(symbols) == len(EVERY) + 1
    for symbol, chord in zip(symbols, EVERY, strict=False):
        bass = chord.root if chord.bass < 0 else chord.bass
        assert (symbol.root().pitchClass, symbol.bass().pitchClass) == (chord.root, bass)
        assert set(symbol.pitchClasses) == {*chord.pitch_classes, bass}


def test_musicxml_of_others(tmp_path: Path) -> None:
    """Chords of a transposing part sound lower, and a kind that is none by itself is said."""
    text = musicxml(tune((0, Chord(0)), (1, Chord(2, "minor", 5)))).decode()
    transposed = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    text = text.replace("<clef>", f"{transposed}<clef>", 1)
    text = text.replace(">major</kind>", ">Tristan</kind>")
    path = tmp_path / "other.musicxml"
    path.write_text(text)
    [music, note] = read_musicxml(path)
    assert isinstance(music, Music)
    assert [chord and chord.name() for _, chord in music.chords] == ["Cm/Eb"]
    assert "left out: chord symbol 'Tristan' in bar 1" in repr(note)


def test_the_roll_names_them() -> None:
    roll = svg_roll(replace(tune((0, Chord(7)), (4, None)), keys=((0, 1, False),)))
    assert ">G</text>" in roll and ">N.C.</text>" in roll


def test_chords_are_played_only_if_they_should_be(tmp_path: Path) -> None:
    music = tune((0, Chord(9, "minor-seventh", 4)), (6, Chord(0)), (7, None))
    domain = MusicDomain()
    domain.write(music, tmp_path / "plain.mid")
    domain.write(music, tmp_path / "played.mid", WriteOptions("played"))
    [plain], [played] = (domain.read(tmp_path / f"{name}.mid") for name in ("plain", "played"))
    assert [track.name for track in plain.tracks] == ["Tune"]
    assert [track.name for track in played.tracks] == ["Tune", "Chords"]
    guitar = played.notes[played.notes["track"] == 1]
    strokes = sorted({(note["onset"] / 480, note["duration"] / 480) for note in guitar})
    assert strokes == [(0, 4), (4, 2), (6, 1)], "again at the bar line; none with N.C."
    first = guitar["pitch"][guitar["onset"] == 0]
    assert first.tolist() == [40, 52, 55, 57, 60]
    np.testing.assert_array_equal(accompanied(tune()).notes, tune().notes)
