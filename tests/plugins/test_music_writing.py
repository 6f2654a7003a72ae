"""What is written is read by others: MIDI and MusicXML by every library, sound, pictures."""

import io
import re
import sys
import wave
from dataclasses import replace
from fractions import Fraction
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import mido
import music21
import numpy as np
import pretty_midi
import pytest
import soundfile
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.domain import MusicDomain
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.midi_writing import channels, playable, write_midi
from seqgen_music.files.notation_grid import DIVISIONS, GRID, on_grid
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.files.notation_writing import write_notation
from seqgen_music.files.staves import with_two_staves
from seqgen_music.music import PEDAL, Music, Track, make_notes
from seqgen_music.render.piano_roll import COLOURS, bar_lines, beat_starts, png_roll, svg_roll
from seqgen_music.render.synthesis import PEAK, preview, sound, synthesise
from seqgen_music.spelling import spelled

from seqgen.errors import DataError

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


def read_alike(music: Music, path: Path, *, slow: bool = True) -> None:
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
    if slow:
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
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@UNHURRIED
@given(pieces())
def test_any_piece_is_read_alike(tmp_path: Path, music: Music) -> None:
    read_alike(music, tmp_path / "a.mid", slow=False)


@settings(UNHURRIED, max_examples=5)
@given(pieces())
def test_any_piece_is_read_alike_by_music21(tmp_path: Path, music: Music) -> None:
    # music21 lets notes begin together that are less than a 64th apart, and misplaces some that
    # go on over a bar line: all are in one bar.
    apart = max(music.ticks_per_quarter // 8, 1)
    for name in ("onset", "duration"):
        music.notes[name] *= apart
    read_alike(replace(music, metres=((0, 99, 4),)), tmp_path / "a.mid")


def test_channels_run_out_gracefully() -> None:
    def of(programs: list[int], drums: int = 0) -> list[int]:
        tracks = [Track("", program) for program in programs] + [Track("", 0, True)] * drums
        return channels(Music(make_notes([]), tuple(tracks), 480))

    assert of([0] * 15, drums=2) == [*range(9), *range(10, 16), 9, 9]
    twenty = of([number % 10 for number in range(20)])
    assert twenty[:10] == twenty[10:] and len(set(twenty)) == 10 and 9 not in twenty
    many = of(list(range(128)))
    assert 9 not in many and set(many) == set(range(16)) - {9}
    assert many[0] == many[7] != many[8]


def test_velocity_zero_is_a_note_and_no_duration_is_none(tmp_path: Path) -> None:
    music = Music(make_notes([(0, 480, 60, 0, 0), (0, 0, 64, 80, 0)]), (Track(),), 480)
    write_midi(music, tmp_path / "a.mid")
    assert by_symusic(tmp_path / "a.mid") == [[(0, 480, 60, 1)]]


def test_a_metre_that_midi_cannot_say_is_left_out(tmp_path: Path) -> None:
    music = Music(make_notes([(0, 480, 60, 80, 0)]), (Track(),), 480, (), ((0, 1, 12), (160, 3, 4)))
    write_midi(music, tmp_path / "a.mid")
    metres = [m for m in mido.MidiFile(tmp_path / "a.mid").tracks[0] if m.type == "time_signature"]
    assert [(m.time, m.numerator, m.denominator) for m in metres] == [(160, 3, 4)]


def test_what_no_midi_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pitches up to 127, found 200"):
        write_midi(Music(make_notes([(0, 1, 200, 80, 0)]), (Track(),), 480), tmp_path / "a.mid")
    with pytest.raises(DataError, match=r"1 to 32,767 ticks per quarter, found 40,000"):
        write_midi(Music(make_notes([(0, 1, 60, 80, 0)]), (Track(),), 40_000), tmp_path / "a.mid")
    assert not (tmp_path / "a.mid").exists()


# MusicXML ---------------------------------------------------------------------------------------


def written(music: Music, path: Path) -> Music:
    write_notation(music, path)
    [again] = [piece for piece in read_notation(path) if isinstance(piece, Music)]
    return again


def same_on_the_grid(music: Music, again: Music) -> None:
    music = with_two_staves(music)[0]
    notated = on_grid(music)
    scale = again.ticks_per_quarter // GRID
    for number in range(len(music.tracks)):
        wanted = rows(notated.notes[notated.notes["track"] == number])
        wanted = [(at * scale, length * scale, *more) for at, length, *more in wanted]
        assert rows(again.notes[again.notes["track"] == number]) == wanted


def busy(seed: int, metres: tuple[tuple[int, int, int], ...]) -> Music:
    rng = np.random.default_rng(seed)
    notes = [
        (int(at), *(int(rng.integers(*span)) for span in ((1, 2000), (30, 90), (1, 128), (0, 2))))
        for at in rng.integers(0, 9000, 40)
    ]
    return Music(make_notes(notes), (Track("Piano"), Track("Kit", 0, drums=True)), 480, (), metres)


@pytest.mark.parametrize(
    "metres", [(), ((0, 1, 4), (480, 7, 8)), ((0, 3, 32),), ((0, 4, 4), (1000, 3, 4))]
)
def test_notes_of_any_piece_are_notated(
    metres: tuple[tuple[int, int, int], ...], tmp_path: Path
) -> None:
    music = busy(1, metres)
    same_on_the_grid(music, written(music, tmp_path / "a.musicxml"))


def waltz(right: int, left: int) -> Music:
    """Return a waltz for piano, whose left hand begins a bar before the right."""
    hands = [(bar * 1440, 480, 43, 70, left) for bar in range(8)]
    hands += [
        (bar * 1440 + beat, 480, pitch, 60, left)
        for bar in range(8)
        for beat in (480, 960)
        for pitch in (52, 55)
    ]
    hands += [(bar * 1440 + 480 * (bar % 2), 960, 67 + bar, 90, right) for bar in range(1, 8)]
    tracks = (Track("Piano"),) * (1 + (right != left))
    return Music(make_notes(hands), tracks, 480, ((0, 90.0),), ((0, 3, 4),))


@pytest.mark.parametrize("hands", [(0, 0), (0, 1), (1, 0)], ids=["together", "sorted", "swapped"])
def test_a_piano_has_two_staves(hands: tuple[int, int], tmp_path: Path) -> None:
    music = waltz(*hands)
    codec = MultitrackCodec.fit([music], MultitrackOptions())
    for piece in (music, codec.decode(codec.encode(music))):
        again = written(piece, tmp_path / "a.musicxml")
        text = (tmp_path / "a.musicxml").read_text()
        assert text.count("<part id=") == 1 and text.count("<staves>2</staves>") == 1
        assert len(again.tracks) == 2 and again.tracks[0].name == again.tracks[1].name
        upper, lower = (again.notes[again.notes["track"] == staff] for staff in (0, 1))
        assert upper["pitch"].tolist() == [*range(68, 75)]
        assert np.unique(lower["pitch"]).tolist() == [43, 52, 55] and len(lower) == 40
        # Written again, the two tracks are the staves of one part.
        twice = written(again, tmp_path / "b.musicxml")
        np.testing.assert_array_equal(twice.notes, again.notes)
        assert (tmp_path / "b.musicxml").read_text().count("<part id=") == 1


def test_other_tracks_have_one_staff() -> None:
    music = waltz(0, 0)
    melody = replace(music, notes=music.notes[music.notes["pitch"] > 60])
    line = [(at * 480, 480, pitch, 80, 0) for at, pitch in enumerate((48, 72, 50, 74))]
    alone = replace(music, notes=make_notes(line))
    guitar = replace(music, tracks=(Track("Guitar", 25),))
    choir = replace(waltz(0, 1), tracks=(Track("Choir", 52),) * 2)
    three = replace(waltz(0, 1), tracks=(Track("Piano"),) * 3)
    for piece in (melody, alone, guitar, choir, three):
        same, uppers = with_two_staves(piece)
        assert not uppers and same.tracks == piece.tracks
        np.testing.assert_array_equal(same.notes, piece.notes)


def test_a_score_has_names_instruments_metre_key_tempo_and_upbeat(tmp_path: Path) -> None:
    music = Music(
        make_notes([(0, 480, 60, 80, 0), (480, 1920, 63, 90, 0), (480, 480, 40, 70, 1)]),
        (Track("Flute", 73), Track("Cello", 42)),
        480,
        ((0, 72.0),),
        ((0, 1, 4), (480, 3, 4)),
        ((0, -3, True),),
    )
    for suffix in (".musicxml", ".mxl"):
        again = written(music, tmp_path / f"a{suffix}")
        same_on_the_grid(music, again)
        assert again.tracks == music.tracks
        assert again.tempos.tolist() == music.tempos.tolist()
        assert (again.metres, again.keys) == (music.metres, music.keys)
    score = music21.converter.parse(tmp_path / "a.musicxml", forceSource=True, storePickle=False)
    measures = list(score.parts[0].getElementsByClass("Measure"))
    assert [measure.number for measure in measures] == [0, 1, 2]
    # Four quarters in bars of three: a dotted half, tied to a quarter.
    lengths = [
        (n.quarterLength, n.tie.type if n.tie else "") for n in score.parts[0].flatten().notes
    ]
    assert lengths == [(1, ""), (3, "start"), (1, "stop")]


@pytest.mark.parametrize(
    ("last", "bars"),
    [("d2", [1, 4, 4, 3]), ("def", [1, 4, 4, 3]), ("d4", [1, 4, 4, 4]), ("", [1, 4, 3])],
)
def test_the_last_bar_leaves_room_for_the_upbeat(last: str, bars: list[int], tmp_path) -> None:
    third = "GABc" if last else "GAB"
    [music] = read_abc(f"X:1\nM:4/4\nL:1/4\nK:C\nG|CDEF|{third}|{last}")
    again = written(music, tmp_path / "a.musicxml")
    same_on_the_grid(music, again)
    assert again.metres == music.metres == ((0, 1, 4), (480, 4, 4))
    root = ElementTree.fromstring((tmp_path / "a.musicxml").read_bytes())
    divisions = int(root.findtext(".//divisions") or 0)
    assert bars == [
        sum(int(duration.text or 0) for duration in measure.iter("duration")) / divisions
        for measure in root.iter("measure")
    ]


def test_pedals_are_signs_where_they_move(tmp_path: Path) -> None:
    moves = [(0, 127), (200, 90), (480, 0), (480, 100), (700, 0), (2000, 64), (9999, 0)]
    pedals = np.array([(tick, 0, value) for tick, value in moves], PEDAL)
    # A piano on two staves, and a flute without a pedal.
    music = replace(waltz(0, 0), tracks=(Track("Piano"), Track("Flute", 73)), pedals=pedals)
    flute = make_notes([(0, 480, 80, 80, 1)])
    music = replace(music, notes=np.concatenate([flute, music.notes]))
    again = written(music, tmp_path / "a.musicxml")
    same_on_the_grid(music, replace(again, notes=again.played))
    root = ElementTree.fromstring((tmp_path / "a.musicxml").read_bytes())
    piano, flute_part = root.findall("part")
    assert piano.find(".//staves") is not None and flute_part.find(".//pedal") is None
    divisions = int(root.findtext(".//divisions") or 0)
    found = []
    for number, measure in enumerate(piano.findall("measure")):
        now = Fraction(3 * number)
        for child in measure:
            for pedal in child.iter("pedal"):
                offset = Fraction(int(child.findtext("offset") or 0), divisions)
                found.append((float(480 * (now + offset)), pedal.get("type")))
                assert child.findtext("staff") == "2"
            length = Fraction(int(child.findtext("duration") or 0), divisions)
            now += (
                -length if child.tag == "backup" else length if child.find("chord") is None else 0
            )
    signs = [(0, "start"), (480, "change"), (700, "stop"), (2000, "start"), (9999, "stop")]
    assert found == signs
    # Others read it.
    music21.converter.parse(tmp_path / "a.musicxml", forceSource=True, storePickle=False)


def test_the_same_piece_is_the_same_file(tmp_path: Path) -> None:
    for suffix in (".musicxml", ".mxl"):
        one, two = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        write_notation(busy(2, ()), one)
        write_notation(busy(2, ()), two)
        assert one.read_bytes() == two.read_bytes()


def test_a_note_of_the_last_moment_stays_in_the_last_bar(tmp_path: Path) -> None:
    notes = make_notes([(0, 480, 60, 80, 0), (1919, 1, 62, 80, 0)])
    path = tmp_path / "a.musicxml"
    write_notation(Music(notes, (Track("", 0),), 480, ((0, 90.0),), ((0, 4, 4),)), path)
    # A bar that does not add up would give a note, too.
    [score] = MusicDomain().read(path)
    assert score.notes["pitch"].tolist() == [60, 62]
    assert (score.notes["onset"] + score.notes["duration"]).max() <= 4 * score.ticks_per_quarter


def test_metres_and_keys_after_the_last_bar_are_left_out() -> None:
    notes = make_notes([(0, 96, 60, 80, 0), (300, 90, 60, 80, 0)])
    metres, keys = ((0, 3, 4), (576, 2, 4)), ((0, 2, False), (288, 1, False), (576, -3, True))
    notated = on_grid(Music(notes, (Track("", 0),), 96, ((0, 90.0),), metres, keys))
    assert [metre[1:] for metre in notated.metres] == [(3, 4)]
    assert [(at // GRID, sharps) for at, sharps, _ in notated.keys] == [(0, 2), (3, 1)]


def test_the_grid_takes_sixteenths_and_triplets() -> None:
    played = [(3, 118), (119, 125), (241, 230), (480, 158), (642, 160), (799, 161), (960, 1)]
    music = Music(
        make_notes([(*at, 60 + n, 80, 0) for n, at in enumerate(played)]), (Track(),), 480
    )
    notes = on_grid(music).notes
    assert (notes["onset"] * 12 // GRID).tolist() == [0, 3, 6, 12, 16, 20, 24]
    assert (notes["duration"] * 12 // GRID).tolist() == [3, 3, 6, 4, 4, 4, 3]


@pytest.mark.parametrize("quarter", [96, 480, 960])
def test_what_is_written_exactly_comes_back_exactly(quarter: int, tmp_path: Path) -> None:
    """Sixteenths, triplets, quintuplets, 32nds and more, over bar lines, with tempos between."""
    rng = np.random.default_rng(quarter)
    rows, at = [], 0
    for beat in range(24):
        parts = int(rng.choice([parts for parts in (1, 2, *DIVISIONS) if quarter % parts == 0]))
        part = quarter // parts
        for number in range(parts):
            if rng.random() < 0.7 or not rows:
                length = part * (1 if rng.random() < 0.7 else parts - number)
                rows.append((at + number * part, length, 60 + beat % 12, 80, 0))
        at += quarter
    rows += [(quarter * beat, 3 * quarter, 40 + beat, 80, 1) for beat in range(0, 20, 3)]
    tempos = ((0, 96.5), (5 * quarter // 2, 101.25))
    notes = playable(make_notes([row for row in rows if not row[4]]))
    notes = np.concatenate([notes, make_notes([row for row in rows if row[4]])])
    order = np.lexsort((notes["pitch"], notes["track"], notes["onset"]))
    tracks = (Track("One", 73), Track("Two", 42))
    music = Music(notes[order], tracks, quarter, tempos, ((0, 3, 4),))
    again = written(music, tmp_path / "a.musicxml")
    scale = again.ticks_per_quarter / quarter
    wanted = [(at * scale, length * scale, *more) for at, length, *more in columns(music)]
    assert columns(again) == wanted
    assert [(tick / scale, qpm) for tick, qpm in again.tempos.tolist()] == [*tempos]


def columns(music: Music) -> list[tuple[int, ...]]:
    return music.notes[["onset", "duration", "pitch", "velocity", "track"]].tolist()


@pytest.mark.parametrize("sharps", range(-7, 8))
def test_pitches_are_spelled_in_the_key(sharps: int) -> None:
    pitches = [spelled(pitch, sharps) for pitch in range(128)]
    midi = [music21.pitch.Pitch(name, octave=octave).midi for name, octave in pitches]
    assert midi == list(range(128))
    scale = music21.key.KeySignature(sharps).asKey("major").pitches
    assert {pitch.name for pitch in scale} <= {name for name, _ in pitches}


# Sound ------------------------------------------------------------------------------------------

RATE = 16_000


def played(program: int = 0, velocity: int = 100, pitch: int = 69, drums: bool = False):
    """Return a second of a note, beside a loud one two seconds later."""
    notes = make_notes([(0, 960, pitch, velocity, 0), (2880, 960, pitch, 127, 0)])
    [line] = synthesise(Music(notes, (Track("", program, drums),), 480), RATE, 1)
    return line


def spectrum(line: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(line[:RATE] * np.hanning(RATE)))


@pytest.mark.parametrize("family", range(16))
def test_instruments_are_in_tune_and_end(family: int) -> None:
    line = played(8 * family)
    # One second: a bin is one Hz wide.
    assert spectrum(line).argmax() == 440
    assert np.abs(line).max() <= PEAK + 1e-6
    assert line[0] == 0 and not line[int(1.5 * RATE) : 3 * RATE - 1].any() and line[-1] == 0


@pytest.mark.parametrize("program", [0, 19, 24, 48, 56, 73])
def test_louder_is_louder_and_brighter(program: int) -> None:
    lines = [spectrum(played(program, velocity)) for velocity in (30, 70, 110)]
    levels = [float(np.sqrt((line**2).sum())) for line in lines]
    centres = [float((np.arange(len(line)) * line**2).sum() / (line**2).sum()) for line in lines]
    assert levels == sorted(levels) and levels[2] > 3 * levels[0]
    assert centres == sorted(centres) and centres[2] > centres[0] + 5


def test_drums_differ_and_ignore_their_length() -> None:
    centres = []
    for pitch in (36, 45, 38, 42):
        line = spectrum(played(0, 100, pitch, drums=True))
        centres.append(float((np.arange(len(line)) * line**2).sum() / (line**2).sum()))
    assert centres == sorted(centres) and centres[0] < 150 and centres[-1] > 3000


def test_tracks_are_spread_from_left_to_right(tmp_path: Path) -> None:
    tracks = (Track("left"), Track("right"))
    music = Music(make_notes([(0, 480, 60, 80, 0), (960, 480, 60, 80, 1)]), tracks, 480)
    left, right = synthesise(music, RATE, 2)
    early, late = slice(0, RATE // 2), slice(RATE, 3 * RATE // 2)
    assert np.abs(left[early]).max() > 1.5 * np.abs(right[early]).max()
    assert np.abs(right[late]).max() > 1.5 * np.abs(left[late]).max()
    (tmp_path / "a.wav").write_bytes(sound(music))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 44_100, 2)


def test_flac_is_the_same_sound_and_mp3_a_small_one() -> None:
    music = hand_made()["drums"]
    found = {form: sound(music, form) for form in ("wav", "flac", "mp3")}
    wav, flac, mp3 = (soundfile.read(io.BytesIO(each))[0] for each in found.values())
    assert np.abs(wav - flac).max() <= 2**-15 and len(found["flac"]) < len(found["wav"])
    assert found["mp3"] == sound(music, "mp3") and len(found["mp3"]) < len(found["wav"]) / 5
    late = np.correlate(mp3[:RATE, 0], wav[: RATE // 2, 0]).argmax()
    near = mp3[late : late + len(wav) - RATE, 0]
    assert late < RATE / 10 and np.corrcoef(near, wav[: len(near), 0])[0, 1] > 0.9


def test_the_extra_sound_plays_a_sound_font(monkeypatch) -> None:
    """midirenderer is replaced: it gets a sound font and the piece, and gives a quiet wave."""
    rate, seen = 48_000, []

    def render(font: bytes, midi: bytes) -> bytes:
        assert font[:4] == b"RIFF" and font[8:12] == b"sfbk"
        seen.append(mido.MidiFile(file=io.BytesIO(midi)))
        file = io.BytesIO()
        soundfile.write(file, np.full((rate, 2), 0.25), rate, format="wav")
        return file.getvalue()

    name = "midirenderer"
    fake = ModuleType(name)
    fake.render_wave_from = render  # type: ignore[attr-defined]
    fake.__spec__ = ModuleSpec(name, None)
    monkeypatch.setitem(sys.modules, name, fake)
    music = Music(make_notes([(0, 960, 60, 80, 0)]), (Track("Flute", 73),), 480)
    played, found = soundfile.read(io.BytesIO(sound(music)))
    assert (played.shape, found) == ((rate, 2), rate)
    np.testing.assert_allclose(played, PEAK, atol=1e-4)
    [file] = seen
    assert [each.note for each in file if each.type == "note_on"] == [60]
    assert file.length == pytest.approx(1 + 2), "the last note fades"
    preview(music)
    assert len(seen) == 1, "previews are synthesised"


def test_silence_is_a_sound_and_an_hour_is_not() -> None:
    assert not synthesise(Music(make_notes([]), (), 480), RATE, 1).any()
    with pytest.raises(DataError, match=r"lasts 5,000 seconds; sound is made of 3,600 at most"):
        sound(Music(make_notes([(0, 480 * 9_999, 60, 80, 0)]), (Track(),), 480))


# Pictures ---------------------------------------------------------------------------------------


def test_time_in_the_roll_is_linear_in_seconds() -> None:
    notes = [(0, 480, 60, 80, 0), (480, 480, 62, 80, 0), (960, 480, 36, 80, 1)]
    tracks = (Track("A & B"), Track("Kit", 0, drums=True))
    music = Music(make_notes(notes), tracks, 480, ((0, 60.0), (480, 120.0)))
    root = ElementTree.fromstring(svg_roll(music))
    first, last = float(root.get("data-x0")), float(root.get("data-x1"))
    assert float(root.get("data-seconds")) == 2
    paths = [element.get("d") for element in root.iter() if element.get("stroke") in COLOURS[:2]]
    starts = [[float(x) for x in re.findall(r"M([\d.]+) ", path)] for path in paths]
    assert starts[0] == pytest.approx([first, first + (last - first) / 2], abs=0.1)
    assert starts[1] == pytest.approx([first + 0.75 * (last - first)], abs=0.1)
    texts = [element.text for element in root.iter() if element.text]
    assert {"A & B", "Kit", "drums", "1"} <= set(texts)


def test_bars_and_beats_follow_the_metre() -> None:
    music = Music(make_notes([(0, 3360, 60, 80, 0)]), (Track(),), 480, (), ((0, 1, 8), (240, 6, 8)))
    assert beat_starts(music).tolist() == [0, 240, 960, 1680, 2400, 3120]
    bars, numbers = bar_lines(music)
    assert (bars.tolist(), numbers.tolist()) == ([0, 240, 1680, 3120], [0, 1, 2, 3])
    long = Music(make_notes([(0, 1920 * 500, 60, 80, 0)]), (Track(),), 480)
    bars, numbers = bar_lines(long)
    assert len(bars) <= 80 and numbers[:3].tolist() == [1, 9, 17]


@pytest.mark.parametrize("music", [Music(make_notes([]), (), 480), *hand_made().values()])
def test_every_piece_has_its_pictures(music: Music) -> None:
    ElementTree.fromstring(svg_roll(music))
    assert png_roll(music).startswith(b"\x89PNG")


def test_a_score_is_engraved_page_by_page(tmp_path: Path) -> None:
    notes = make_notes([(480 * at, 480, 60 + at % 12, 80, 0) for at in range(800)])
    music, domain = Music(notes, (Track("Flute", 73),), 480), MusicDomain()
    pages = domain.write(music, tmp_path / "a.score.svg")
    assert [page.name for page in pages[:2]] == ["a.score.svg", "a-page-2.score.svg"]
    roots = [ElementTree.parse(page).getroot() for page in pages]
    kinds = [element.get("class") for root in roots for element in root.iter()]
    assert kinds.count("note") == 800
    again = domain.write(music, tmp_path / "b.score.svg")
    assert [page.read_bytes() for page in again] == [page.read_bytes() for page in pages]


def test_without_verovio_it_is_said_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(DataError, match=r'pip install "seqgen-music\[score\]"'):
        MusicDomain().write(hand_made()["drums"], tmp_path / "a.score.svg")


def test_a_notebook_shows_and_plays_a_piece() -> None:
    html = hand_made()["drums"]._repr_html_()
    assert "<svg" in html and '<audio controls src="data:audio/mpeg;base64,/' in html


def test_every_format_is_written(tmp_path: Path) -> None:
    domain = MusicDomain()
    for suffix in domain.formats:
        [path] = domain.write(hand_made()["drums"], tmp_path / f"a{suffix}")
        assert path.stat().st_size > 100
