"""ABC is written as it is read: notes, bars, keys, chords, words, and what abc2midi hears."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_music.chords import KINDS, Chord
from seqgen_music.domain import MusicDomain
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.abc_writing import LONGEST_WORDS, abc
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notated_voices import score_lines
from seqgen_music.files.notation_grid import GRID, on_grid
from seqgen_music.music import Music, Track, make_notes

TUNE = """X:1
T:Song
C:bach
M:3/4
L:1/8
Q:1/4=100
V:1 name="Song"
K:Em
V:1
%%MIDI program 73
"Em"B2 | "C"(3:2:3cBA G2 F2 | [Q:1/4=90]E2- E2 "N.C."z2 | "B7"^D2 D2 !fermata!z2 | G2- "C/E"G2 A2 |
w: Hal- le- lu- jah_ a\\-b~c * * to all men
[M:2/4][K:E]G2 =G2 | [EG]2- [EG]>e | f4 |]
"""


def again(music: Music) -> Music:
    # A bar that a metre cuts is noted.
    [piece] = (piece for piece in read_abc(abc(music)) if isinstance(piece, Music))
    return piece


def assert_same(music: Music, other: Music) -> None:
    """Compare a piece on the grid with one that was read."""
    played = [number for number in range(len(music.tracks)) if number in music.notes["track"]]
    assert len(other.tracks) == len(played)
    for place, number in enumerate(played):
        one, two = music.tracks[number], other.tracks[place]
        assert (one.program, one.drums) == (two.program, two.drums)
        mine, theirs = (
            sorted(piece.notes[piece.notes["track"] == of][["onset", "duration", "pitch"]].tolist())
            for piece, of in ((music, number), (other, place))
        )
        assert mine == theirs
        for kind in ("lyrics", "fermatas"):
            events = [event for event in getattr(music, kind) if event[1] == number]
            moved = [(event[0], place, *event[2:]) for event in events]
            assert moved == [event for event in getattr(other, kind) if event[1] == place]
    assert music.chords == other.chords
    assert music.bar_starts() == other.bar_starts()
    assert (music.keys or ((0, 0, False),)) == other.keys
    assert np.allclose(music.tempo_changes()["qpm"], other.tempo_changes()["qpm"], atol=1e-3)
    assert music.tempo_changes()["tick"].tolist() == other.tempo_changes()["tick"].tolist()


def test_a_lead_sheet_is_read_and_written_and_read() -> None:
    [music] = read_abc(TUNE)
    assert isinstance(music, Music) and len(music.lyrics) == 8
    assert_same(music, again(music))
    assert again(music).tracks == music.tracks and again(music).metres == music.metres
    assert abc(again(music)) == abc(music)
    # The composer of a piece is the name of its folder.
    assert abc(replace(music, composer="tunes")) == abc(music)


@pytest.mark.parametrize(
    ("metre", "bar"),
    [("9/8", "d2c BGB GBG"), ("3/8", "d2c"), ("3/4", "dc BG BG"), ("2/2", "dcBG BGBG")],
)
def test_notes_of_a_beat_share_a_beam(metre: str, bar: str) -> None:
    [music] = read_abc(f"X:1\nT:A\nM:{metre}\nL:1/8\nK:G\n{bar} |]")
    assert f"{bar} |]" in abc(music)


@st.composite
def pieces(draw: st.DrawFn) -> Music:
    """Draw two tracks of notes that overlap, off and on the beat, in any key and metre."""
    place = st.sampled_from([0, 120, 160, 240, 320, 360, 96, 60, 80, 17])
    onsets = st.builds(lambda beat, part: 480 * beat + part, st.integers(0, 14), place)
    lengths = st.builds(lambda beat, part: max(480 * beat + part, 1), st.integers(0, 3), place)
    row = st.tuples(onsets, lengths, st.integers(24, 100), st.just(80), st.integers(0, 1))
    notes = make_notes(draw(st.lists(row, min_size=1, max_size=24)))
    metres = draw(
        st.sampled_from(
            [((0, 4, 4),), ((0, 1, 4), (480, 3, 4)), ((0, 6, 8), (1440, 2, 4)), ((0, 5, 16),)]
        )
    )
    chord = st.none() | st.builds(Chord, st.integers(0, 11), st.sampled_from([*KINDS]))
    chords = draw(st.dictionaries(onsets, chord, max_size=4))
    text = st.text('ab-_*|%~ \\"', min_size=1, max_size=5)
    sung = draw(st.dictionaries(st.sampled_from(notes["onset"].tolist()), text, max_size=5))
    return Music(
        notes,
        (Track("Voice", draw(st.integers(0, 127))), Track("Drums", 0, draw(st.booleans()))),
        480,
        [(0, 90.0), (960, draw(st.sampled_from([60.0, 123.457])))],
        metres,
        ((0, draw(st.integers(-7, 7)), draw(st.booleans())),),
        lyrics=tuple((tick, 0, text) for tick, text in sorted(sung.items())),
        chords=tuple(sorted(chords.items(), key=lambda pair: pair[0])),
    )


@given(pieces())
def test_any_piece_is_read_as_it_is_notated(music: Music) -> None:
    notated, found = on_grid(music), again(music)
    # Signs that mean something in words are left out.
    places = {lyric[0] for lyric in notated.lyrics}
    assert {lyric[0] for lyric in found.lyrics} <= places
    end = score_lines(music, notated)[-1]
    tempos = [tempo for tempo in notated.tempo_changes().tolist() if tempo[0] < end]
    if len(music.metres) > 1:
        # A bar that a metre cuts has a metre of its own.
        found = replace(found, metres=notated.metres)
    assert_same(replace(notated, lyrics=(), tempos=tempos), replace(found, lyrics=()))


def test_long_words_are_several_fields() -> None:
    notes = make_notes([(number * 240, 240, 60, 80, 0) for number in range(32)])
    lyrics = tuple((number * 240, 0, f"{'la' * 90}{number} ") for number in range(32))
    music = Music(notes, (Track("Singer"),), 480, lyrics=lyrics)
    text = abc(music)
    assert max(map(len, text.splitlines())) <= LONGEST_WORDS + 200
    assert "\n+: " in text and again(music).lyrics == lyrics


@pytest.mark.skipif(shutil.which("abc2midi") is None, reason="abc2midi is not installed")
def test_abc2midi_hears_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows, at = [], 0
    for length in rng.integers(1, 12, 30).tolist():
        pitches = rng.choice(np.arange(45, 85), int(rng.integers(1, 3)), replace=False)
        rows += [(120 * at, 120 * length, int(pitch), 80, at % 2) for pitch in pitches]
        at += length
    rows += [(120 * at + number * 160, 160, 60 + number, 80, 0) for number in range(6)]
    tracks, keys = (Track("A", 73), Track("B", 40)), ((0, -3, True),)
    music = Music(make_notes(rows), tracks, 480, [(0, 96.0)], ((0, 4, 4),), keys)
    MusicDomain().write(music, tmp_path / "a.abc")
    command = ["abc2midi", tmp_path / "a.abc", "-o", tmp_path / "a.mid"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "Error" not in said and "Warning" not in said
    [heard] = read_pieces(tmp_path / "a.mid")
    scale = GRID // heard.ticks_per_quarter
    # It moves notes of chords by a few ticks.
    found = sorted((40 * round(scale * note["onset"] / 40), note["pitch"]) for note in heard.notes)
    assert found == sorted((note["onset"], note["pitch"]) for note in on_grid(music).notes)
    assert {track.program for track in heard.tracks} == {73, 40}


# Chord symbols in MIDI.


def test_a_lead_sheet_goes_through_midi(tmp_path: Path) -> None:
    [music] = read_abc(TUNE)
    assert isinstance(music, Music)
    write_midi(music, tmp_path / "a.mid")
    texts = [
        message.text
        for track in mido.MidiFile(tmp_path / "a.mid").tracks
        for message in track
        if message.type == "text"
    ]
    assert texts[:4] == ["chord: Em", "chord: C", "chord: N.C.", "chord: B7"]
    [piece] = read_pieces(tmp_path / "a.mid")
    assert piece.chords == music.chords and piece.lyrics == music.lyrics
    assert piece.notes.tolist() == music.notes.tolist()


def test_every_chord_goes_through_midi_and_abc(tmp_path: Path) -> None:
    chords = [
        Chord(root, kind, bass)
        for root in (0, 1, 6, 7, 10)
        for kind in KINDS
        for bass in (-1, (root + 4) % 12)
    ]
    symbols = tuple((480 * number, chord) for number, chord in enumerate([*chords, None]))
    notes = make_notes([(0, 480 * len(symbols), 60, 80, 0)])
    for sharps in (-7, -6, 0, 5, 7):
        music = Music(notes, (Track("Tune"),), 480, keys=((0, sharps, False),), chords=symbols)
        write_midi(music, tmp_path / "a.mid")
        assert read_pieces(tmp_path / "a.mid")[0].chords == symbols
        assert again(music).chords == symbols


def test_texts_that_are_no_chords_are_left_out(tmp_path: Path) -> None:
    def said(text: str) -> mido.MetaMessage:
        return mido.MetaMessage("text", text=text, time=10)

    texts = ["chord: H7", "chord:", "chord: " + "C" * 500, "Chord:Dm", "accord: G", "chords: G"]
    track = [*map(said, texts), mido.Message("note_on", note=60), mido.Message("note_off", time=9)]
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks.append(mido.MidiTrack([*track[:-1], mido.Message("note_off", note=60, time=9)]))
    file.save(tmp_path / "a.mid")
    assert read_pieces(tmp_path / "a.mid")[0].chords == ((40, Chord(2, "minor")),)
