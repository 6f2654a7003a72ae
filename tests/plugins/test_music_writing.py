"""What is written is read by others: MIDI and MusicXML by every library, sound, pictures."""

from pathlib import Path

import mido
import music21
import numpy as np
import pretty_midi
import pytest
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqgen_music.midi_writing import playable, write_midi
from seqgen_music.music import Music, Track, make_notes

#: Onset, duration, pitch and velocity of a note, as a file has it.
Notes = list[tuple[int, int, int, int]]


def rows(notes: np.ndarray) -> Notes:
    return sorted(zip(*(notes[name].tolist() for name in NAMES), strict=True))


NAMES = ("onset", "duration", "pitch", "velocity")

#: In the place of a drum's pitch.
UNKNOWN = -1


# MIDI -------------------------------------------------------------------------------------------


def by_mido(path: Path) -> list[Notes]:
    found = []
    for track in mido.MidiFile(path).tracks[1:]:
        tick, sounding, notes = 0, {}, []
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                assert message.note not in sounding, "two notes of a pitch at once"
                sounding[message.note] = (tick, message.velocity)
            elif message.type in ("note_on", "note_off"):
                onset, velocity = sounding.pop(message.note)
                notes.append((onset, tick - onset, message.note, velocity))
        assert not sounding
        found.append(sorted(notes))
    return [notes for notes in found if notes]


def by_pretty_midi(path: Path) -> list[Notes]:
    midi = pretty_midi.PrettyMIDI(str(path))
    tick = midi.time_to_tick
    return [
        sorted(
            (tick(note.start), tick(note.end) - tick(note.start), note.pitch, note.velocity)
            for note in instrument.notes
        )
        for instrument in midi.instruments
    ]


def by_symusic(path: Path) -> list[Notes]:
    score = symusic.Score(path)
    return [
        sorted((note.time, note.duration, note.pitch, note.velocity) for note in track.notes)
        for track in score.tracks
        if len(track.notes)
    ]


def by_music21(path: Path) -> list[Notes]:
    ticks = mido.MidiFile(path).ticks_per_beat
    # music21 rounds to sixteenths and triplets unless it is told not to.
    score = music21.converter.parse(path, quantizePost=False, forceSource=True, storePickle=False)
    parts = [notes_of_part(part, ticks) for part in score.parts]
    return [notes for notes in parts if notes]


def notes_of_part(part, ticks: int) -> Notes:
    """Join what music21 ties over bar lines; of drums it keeps beginnings and loudness only."""
    notes: dict[tuple[int, int], tuple[int, int]] = {}
    drums: Notes = []
    for element in part.flatten().notes:
        onset = round(element.offset * ticks)
        end = round((element.offset + element.quarterLength) * ticks)
        for note in getattr(element, "notes", [element]):
            continues = note.tie is not None and note.tie.type in ("continue", "stop")
            if not isinstance(note, music21.note.Unpitched):
                # By pitch and end, where a tie goes on.
                beginning = (onset, note.volume.velocity)
                beginning = notes.pop((note.pitch.midi, onset)) if continues else beginning
                notes[note.pitch.midi, end] = beginning
            elif not continues:
                drums.append((onset, UNKNOWN, UNKNOWN, note.volume.velocity))
    melodic = [
        (onset, end - onset, pitch, velocity) for (pitch, end), (onset, velocity) in notes.items()
    ]
    return sorted(melodic + drums)


def read_alike(music: Music, path: Path) -> None:
    write_midi(music, path)
    wanted, unpitched = [], []
    for number, track in enumerate(music.tracks):
        notes = rows(playable(music.notes[music.notes["track"] == number]))
        if notes:
            wanted.append(notes)
            nameless = sorted((at, UNKNOWN, UNKNOWN, loud) for at, _, _, loud in notes)
            unpitched.append(nameless if track.drums else notes)
    for reader in (by_mido, by_pretty_midi, by_symusic):
        assert reader(path) == wanted, reader.__name__
    assert by_music21(path) == unpitched


def hand_made() -> dict[str, Music]:
    plain = (Track("Flute", 73),)
    return {
        "touching notes": Music(
            make_notes([(at, 120, 60, 80, 0) for at in range(0, 960, 120)]), plain, 480
        ),
        "overlaps of a pitch": Music(
            make_notes([(0, 960, 60, 80, 0), (240, 240, 60, 70, 0), (300, 900, 60, 60, 0)]),
            plain,
            480,
        ),
        "the same note twice": Music(
            make_notes([(0, 240, 60, 80, 0), (0, 480, 60, 70, 0)]), plain, 480
        ),
        "chords of unequal length": Music(
            make_notes([(0, 480, 60, 80, 0), (0, 960, 64, 40, 0), (0, 720, 67, 60, 0)]), plain, 480
        ),
        "drums": Music(
            make_notes([(at, 60, 36 + at // 120 % 7, 90, 0) for at in range(0, 1920, 120)]),
            (Track("Kit", 0, drums=True),),
            480,
        ),
        "tempo changes": Music(
            make_notes([(at, 111, 60 + at % 12, 80, 0) for at in range(0, 5000, 111)]),
            plain,
            96,
            ((0, 33.3), (111, 250.0), (333, 61.7), (1110, 120.0)),
            ((0, 3, 8), (1440, 7, 16)),
        ),
        "twenty tracks": Music(
            make_notes([(0, 480, 40 + number, 80, number) for number in range(20)]),
            tuple(Track(f"Part {number}", number * 5) for number in range(20)),
            480,
        ),
        "an odd resolution": Music(make_notes([(1, 1, 60, 1, 0), (3, 7, 61, 127, 0)]), plain, 7),
        "very fine": Music(make_notes([(12_345, 1, 60, 80, 0)]), plain, 30_000),
    }


@pytest.mark.parametrize("name", hand_made())
def test_every_library_reads_the_same_notes(name: str, tmp_path: Path) -> None:
    read_alike(hand_made()[name], tmp_path / "a.mid")


@st.composite
def pieces(draw: st.DrawFn) -> Music:
    tracks = draw(
        st.lists(
            st.builds(Track, st.text("Aé音", max_size=3), st.integers(0, 127), st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    notes = st.tuples(
        st.integers(0, 50),
        st.integers(0, 20),
        st.integers(35, 81) | st.just(60),
        st.integers(1, 127),
        st.integers(0, len(tracks) - 1),
    )
    tempos = draw(st.dictionaries(st.integers(0, 50), st.floats(4, 900), max_size=4))
    return Music(
        make_notes(draw(st.lists(notes, min_size=1, max_size=12))),
        tuple(tracks),
        draw(st.sampled_from([1, 4, 24, 480])),
        tuple(sorted(tempos.items())),
    )


UNHURRIED = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@UNHURRIED
@given(pieces())
def test_any_piece_is_read_alike(tmp_path: Path, music: Music) -> None:
    read_alike(music, tmp_path / "a.mid")
