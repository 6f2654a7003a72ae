"""Reading: every type of MIDI file, the pedal, what is damaged or too large, and notation."""

import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.domain import MusicDomain
from seqgen_music.files import midi_reading
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.music import Music, Track

from seqgen.errors import DataError
from seqgen.plugin import Note


def on(time: int, pitch: int, channel: int = 0, velocity: int = 80) -> mido.Message:
    return mido.Message("note_on", time=time, note=pitch, channel=channel, velocity=velocity)


def off(time: int, pitch: int, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", time=time, note=pitch, channel=channel)


def pedal(time: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", time=time, control=64, value=value, channel=channel)


def metre(time: int, beats: int, unit: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=beats, denominator=unit, time=time)


def program(time: int, number: int, channel: int = 0) -> mido.Message:
    return mido.Message("program_change", time=time, program=number, channel=channel)


def saved(path: Path, *tracks: list, kind: int = 1) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=100)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    file.save(path)
    return path


def rows(music: Music) -> list[tuple[int, int, int, int]]:
    """Return onset, duration, pitch and track of every note."""
    return [
        (int(n["onset"]), int(n["duration"]), int(n["pitch"]), int(n["track"])) for n in music.notes
    ]


# Types and tracks -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 1])
def test_channels_and_programs_of_a_track_are_tracks_of_their_own(kind: int, tmp_path) -> None:
    track = [mido.MetaMessage("track_name", name="All"), program(0, 5), program(0, 40, 1)]
    track += [on(0, 60), on(10, 64, 1), on(0, 36, 9), off(10, 60), off(0, 64, 1), off(0, 36, 9)]
    track += [program(0, 7), on(0, 62), program(5, 9), off(5, 62)]
    music = read_pieces(saved(tmp_path / "a.mid", track, kind=kind))[0]
    assert music.tracks == (
        Track("All", 5),
        Track("All", 40),
        Track("All", 0, drums=True),
        Track("All", 7),
    )
    assert rows(music) == [(0, 20, 60, 0), (10, 10, 64, 1), (10, 10, 36, 2), (20, 10, 62, 3)]


def test_all_tracks_are_read_and_tempo_and_metre_of_any(tmp_path: Path) -> None:
    second = [
        mido.MetaMessage("set_tempo", tempo=400_000, time=50),
        mido.MetaMessage("time_signature", numerator=3, denominator=8, time=10),
        on(0, 72),
        off(10, 72),
    ]
    first = [mido.MetaMessage("set_tempo", tempo=1_000_000), on(0, 60), off(30, 60)]
    music = read_pieces(saved(tmp_path / "a.mid", first, second))[0]
    assert rows(music) == [(0, 30, 60, 0), (60, 10, 72, 1)]
    assert music.tempos.tolist() == [(0, 60.0), (50, 150.0)] and music.metres == ((60, 3, 8),)


def test_each_track_of_type_2_is_a_piece(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mid", [on(0, 60), off(5, 60)], [on(0, 62), off(5, 62)], kind=2)
    assert [rows(music) for music in read_pieces(path)] == [[(0, 5, 60, 0)], [(0, 5, 62, 0)]]


def test_a_note_off_ends_the_oldest_note_and_the_last_bar_all(tmp_path: Path) -> None:
    track = [on(0, 60), on(10, 60), off(10, 60), off(10, 60), on(0, 61), off(0, 61), on(5, 62)]
    track += [mido.MetaMessage("end_of_track", time=40_000)]
    path = saved(tmp_path / "a.mid", track)
    quarter = read_pieces(path)[0].ticks_per_quarter
    bar = 4 * quarter
    assert rows(read_pieces(path)[0]) == [(0, 20, 60, 0), (10, 20, 60, 0), (35, bar - 35, 62, 0)]
    metres = [metre(0, 3, 4), metre(3 * quarter, 1, 4), on(0, 50), off(quarter + 1, 50)]
    path = saved(tmp_path / "b.mid", [on(0, 48)], metres)
    assert rows(read_pieces(path)[0]) == [
        (0, 5 * quarter, 48, 0),
        (3 * quarter, quarter + 1, 50, 1),
    ]


@pytest.mark.parametrize("control", [120, 123, 124, 127])
def test_all_notes_of_a_channel_end_together(control: int, tmp_path: Path) -> None:
    stop = mido.Message("control_change", control=control, value=0)
    track = [on(0, 60), on(5, 60), on(0, 64), on(0, 67, 1), stop.copy(time=10), on(5, 60)]
    track += [off(10, 60), off(0, 67, 1)]
    music = read_pieces(saved(tmp_path / "a.mid", track))[0]
    assert sorted(rows(music)) == [
        *[(0, 15, 60, 0), (5, 10, 60, 0), (5, 10, 64, 0), (5, 25, 67, 1), (20, 10, 60, 0)]
    ]


@pytest.mark.parametrize(("part", "channel"), [(0, 9), (1, 0), (9, 8), (10, 10), (15, 15)])
def test_a_part_of_a_roland_may_be_drums(part: int, channel: int, tmp_path: Path) -> None:
    def rhythm(value: int) -> mido.Message:
        return mido.Message("sysex", data=(0x41, 16, 0x42, 0x12, 0x40, 16 + part, 0x15, value, 0))

    setup = [rhythm(1 if channel != 9 else 0)]
    track = [on(0, 36, channel), off(10, 36, channel), on(0, 40, 3), off(10, 40, 3)]
    drums = [one.drums for one in read_pieces(saved(tmp_path / "a.mid", setup, track))[0].tracks]
    assert drums == [channel != 9, False]
    # The first mark alone, cut before its value, says nothing.
    short = mido.Message("sysex", data=rhythm(1).data[:7])
    path = saved(tmp_path / "b.mid", [short], track)
    assert [one.drums for one in read_pieces(path)[0].tracks] == [channel == 9, False]


XG_ON = (0x43, 0x10, 0x4C, 0, 0, 0x7E, 0)
GM2_ON = (0x7E, 0x7F, 9, 3)


@pytest.mark.parametrize(
    ("system", "banks", "channel", "expected"),
    [
        (XG_ON, [127], 2, [True]),
        (XG_ON, [126], 2, [True]),
        (XG_ON, [0], 9, [True]),
        (XG_ON, [64], 2, [False]),
        # In GS files this bank has the sounds of an older instrument.
        (GM2_ON, [127], 2, [False]),
        (GM2_ON, [120], 2, [True]),
        (GM2_ON, [121], 9, [False]),
        (GM2_ON, [120, 121], 2, [True, False]),
        (XG_ON, [127, 0], 2, [True, False]),
        (XG_ON, [127, 0], 9, [True, True]),
    ],
)
def test_banks_of_drum_kits_are_drums(
    system: tuple[int, ...], banks: list[int], channel: int, expected: list[bool], tmp_path: Path
) -> None:
    track = []
    for number, bank in enumerate(banks):
        track += [
            mido.Message("control_change", control=0, value=bank, channel=channel),
            program(0, 20 + number, channel),
            *(on(0, 36, channel), off(10, 36, channel)),
        ]
    track += [on(0, 60, 5), off(10, 60, 5)]
    path = saved(tmp_path / "a.mid", [mido.Message("sysex", data=system)], track)
    assert [one.drums for one in read_pieces(path)[0].tracks] == [*expected, False]


def test_drums_and_an_instrument_of_one_program_are_two_tracks(tmp_path: Path) -> None:
    def bank(value: int) -> list[mido.Message]:
        return [mido.Message("control_change", control=0, value=value), program(0, 25)]

    track = []
    for number in (120, 121, 0, 120):
        track += [*bank(number), on(0, 36 + number % 7), off(10, 36 + number % 7)]
    [music] = read_pieces(saved(tmp_path / "a.mid", track))
    assert [(one.program, one.drums) for one in music.tracks] == [
        *((25, True), (25, False), (25, False))
    ]
    assert music.notes["track"].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_a_part_of_a_yamaha_may_be_drums(mode: int, tmp_path: Path) -> None:
    part_mode = mido.Message("sysex", data=(0x43, 0x10, 0x4C, 8, 3, 7, mode))
    path = saved(tmp_path / "a.mid", [part_mode], [on(0, 36, 3), off(9, 36, 3)])
    assert [one.drums for one in read_pieces(path)[0].tracks] == [mode > 0]


def test_a_track_without_program_has_that_of_its_channel(tmp_path: Path) -> None:
    setup = [program(0, 40), program(0, 32, 1), program(50, 41)]
    first, second = [on(0, 60), off(10, 60)], [program(0, 73, 1), on(0, 50, 1), off(10, 50, 1)]
    late = [on(60, 62), off(10, 62)]
    music = read_pieces(saved(tmp_path / "a.mid", setup, first, second, late))[0]
    assert [track.program for track in music.tracks] == [40, 73, 41]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ピアノ".encode("cp932"), "ピアノ"),
        ("Guitar ギター 2".encode("cp932"), "Guitar ギター 2"),
        ("主旋律".encode("cp932"), "主旋律"),
        ("ピアノ".encode(), "ピアノ"),
        ("Mélodie à deux".encode("latin-1"), "Mélodie à deux"),
        (b"Drummer\x92s kit", "Drummer\x92s kit"),
        (b"\x81", "\x81"),
    ],
)
def test_names_are_read_in_the_encodings_of_their_time(name, text, tmp_path: Path) -> None:
    events = b"\x00\xff\x03" + bytes([len(name)]) + name + NOTE_BYTES
    (tmp_path / "a.mid").write_bytes(HEADER + chunk(events))
    assert read_pieces(tmp_path / "a.mid")[0].tracks[0].name == text


def test_the_words_of_a_song_are_its_lyrics(tmp_path: Path) -> None:
    words = [mido.MetaMessage("track_name", name="Words")]
    words += [mido.MetaMessage("text", text=text, time=5) for text in ("@T", "Oh ", "say")]
    sung = [on(0, 60), mido.MetaMessage("lyrics", text="la", time=3), off(10, 60)]
    other = [mido.MetaMessage("text", text="copyright")]
    music = read_pieces(saved(tmp_path / "a.mid", words, sung, other))[0]
    assert music.lyrics == ((3, 0, "la"), (10, -1, "Oh "), (15, -1, "say"))
    write_midi(music, tmp_path / "b.mid")
    assert read_pieces(tmp_path / "b.mid")[0].lyrics == music.lyrics


def test_keys_and_pedals_are_written_as_they_were_played(tmp_path: Path) -> None:
    right = [pedal(0, 70), on(0, 60), off(10, 60), on(10, 64), pedal(5, 0), pedal(5, 127)]
    right += [off(10, 64)]
    left = [on(5, 60), off(10, 60), on(40, 48), off(10, 48)]
    music = read_pieces(saved(tmp_path / "a.mid", right, left))[0]
    assert rows(music) == [(0, 10, 60, 0), (5, 20, 60, 1), (20, 45, 64, 0), (55, 10, 48, 1)]
    write_midi(music, tmp_path / "b.mid")
    again = read_pieces(tmp_path / "b.mid")[0]
    assert rows(again) == rows(music)
    assert again.pressed.tolist() == music.pressed.tolist() == [10, 10, 20, 10]
    assert again.pedals.tolist() == music.pedals.tolist()
    moves = [(message.time, message.value) for message in by_time(tmp_path / "b.mid", 0)]
    assert moves == [(0, 70), (25, 0), (30, 127), (65, 0)]


def by_time(path: Path, channel: int) -> list[mido.Message]:
    """Return the moves of the pedal in one track of a channel, at the ticks of the piece."""
    for track in mido.MidiFile(path).tracks:
        time, moves = 0, []
        for message in track:
            time += message.time
            if message.type == "control_change" and message.channel == channel:
                moves.append(message.copy(time=time))
        if moves:
            return moves
    return []


EVENTS = st.tuples(
    st.sampled_from(["on", "off", "program"]),
    st.integers(0, 20),
    st.integers(60, 63),
    st.sampled_from([0, 1, 9]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(EVENTS, max_size=25), min_size=1, max_size=3))
def test_notes_are_those_that_symusic_reads(tmp_path_factory, tracks: list) -> None:
    make = {"on": on, "off": off, "program": program}
    messages = []
    for track in tracks:
        # symusic does not know programs that another track has set.
        heard = {event[3] for event in track if event[0] == "on"}
        kept = [event for event in track if event[0] != "program" or event[3] in heard]
        messages.append([make[name](*rest) for name, *rest in kept])
    for track in messages:
        # symusic drops notes without end.
        track += [off(3, pitch, channel) for pitch in range(60, 64) for channel in (0, 1, 9)] * 25
    path = saved(tmp_path_factory.mktemp("symusic") / "a.mid", *messages)
    theirs = Counter(
        (note.time, note.duration, note.pitch, track.program, track.is_drum)
        for track in symusic.Score(path).tracks
        for note in track.notes
        if note.duration > 0
    )
    try:
        music = read_pieces(path)[0]
    except DataError:
        assert not theirs
        return
    ours = Counter(
        (*row[:3], music.tracks[row[3]].program, music.tracks[row[3]].drums) for row in rows(music)
    )
    assert ours == theirs


# The pedal --------------------------------------------------------------------------------------


def test_the_pedal_holds_notes_until_it_comes_up_or_they_are_played_again(tmp_path: Path) -> None:
    track = [on(0, 50), pedal(0, 64), off(10, 50), on(0, 60), on(0, 62), off(10, 60), off(0, 62)]
    track += [on(10, 60), off(10, 60), pedal(60, 63), on(0, 64), off(10, 64)]
    music = read_pieces(saved(tmp_path / "a.mid", track))[0]
    assert rows(music) == [
        (0, 100, 50, 0),
        (10, 20, 60, 0),
        (10, 90, 62, 0),
        (30, 70, 60, 0),
        (100, 10, 64, 0),
    ]


def test_a_pedal_counts_in_its_channel_in_every_track_but_not_for_drums(tmp_path: Path) -> None:
    left = [on(0, 40), on(0, 41, 1), off(10, 40), off(0, 41, 1), on(90, 42), off(10, 42)]
    drums = [pedal(0, 127, 9), on(0, 36, 9), off(10, 36, 9), pedal(50, 0, 9)]
    feet = [pedal(5, 90), pedal(10, 70), pedal(10, 0)]
    music = read_pieces(saved(tmp_path / "a.mid", left, drums, feet))[0]
    assert [(n[1], n[2]) for n in rows(music)] == [(25, 40), (10, 41), (10, 36), (10, 42)]


def test_a_pedal_that_stays_down_ends_with_the_last_note(tmp_path: Path) -> None:
    track = [pedal(0, 127), on(0, 60), off(10, 60), on(30, 62), off(10, 62)]
    assert rows(read_pieces(saved(tmp_path / "a.mid", track))[0]) == [
        (0, 50, 60, 0),
        (40, 10, 62, 0),
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([60, 61, 0, 127])), max_size=40))
def test_the_pedal_does_what_a_plain_loop_does(tmp_path_factory, moves: list) -> None:
    track, sounding = [], set()
    for time, what in moves:
        if what in (0, 127):
            track.append(pedal(time, what))
        elif what in sounding:
            track.append(off(time, what))
            sounding.remove(what)
        else:
            track.append(on(time, what))
            sounding.add(what)
    path = saved(tmp_path_factory.mktemp("pedal") / "a.mid", [*track, on(1, 99), off(1, 99)])
    tick, down, notes, held = 0, False, [], []
    for message in [*track, on(1, 99), off(1, 99)]:
        tick += message.time
        if message.type == "control_change":
            down = message.value >= 64
            if not down:
                for note in held:
                    note[1] = tick
                held = []
        elif message.type == "note_on":
            for note in [note for note in held if note[2] == message.note and note[0] < tick]:
                note[1] = tick
                held.remove(note)
            notes.append([tick, None, message.note])
        else:
            [note] = [n for n in notes if n[2] == message.note and n[1] is None]
            note[1] = tick
            if down:
                held.append(note)
    music = read_pieces(path)[0]
    if any(note[1] is None for note in notes):
        bar = 4 * music.ticks_per_quarter
        tick = -(-tick // bar) * bar
    for note in notes:
        note[1] = tick if note in held or note[1] is None else note[1]
    expected = sorted((a, b - a, pitch) for a, b, pitch in notes if b > a)
    assert sorted(row[:3] for row in rows(music)) == expected


# What is damaged or too large -------------------------------------------------------------------

HEADER = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x64"
NOTE_BYTES = b"\x00\x90\x3c\x50\x60\x80\x3c\x00"


FAR = b"\xff\xff\xff\x7f"
LATE = "track 1 has an event after more than 50,000 quarters, the longest allowed, at byte"


def chunk(events: bytes, length: int | None = None) -> bytes:
    return b"MTrk" + (len(events) if length is None else length).to_bytes(4) + events


@pytest.mark.parametrize(
    ("tracks", "errors"),
    [
        (chunk(b"\x00\xb0\x07\xff" + NOTE_BYTES), []),
        (chunk(NOTE_BYTES), []),
        (b"XFIH\x00\x00\x00\x02ab" + chunk(NOTE_BYTES), []),
        (chunk(NOTE_BYTES, 500), ["track 1 is damaged at byte 30"]),
        (chunk(NOTE_BYTES + b"\x00\x90"), ["track 1 is damaged at byte 30"]),
        (chunk(NOTE_BYTES + b"\x00\xff\x03\x70a"), ["track 1 is damaged at byte 30"]),
        (chunk(b"\x00\x3c\x50") + chunk(NOTE_BYTES), ["track 1 is damaged at byte 22"]),
        (chunk(NOTE_BYTES + b"\xff" * 5 + NOTE_BYTES), ["track 1 is damaged at byte 30"]),
        (chunk(b"", 90) + chunk(NOTE_BYTES), ["track 1 is damaged at byte 22"]),
        (chunk(NOTE_BYTES + FAR + NOTE_BYTES[1:]), [f"{LATE} 30"]),
        (
            chunk(FAR + NOTE_BYTES[1:]) + chunk(NOTE_BYTES),
            [f"{LATE} 22"],
        ),
    ],
)
def test_what_comes_before_damage_is_kept(tracks: bytes, errors: list, tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(HEADER + tracks)
    music, *found = read_pieces(path)
    assert rows(music) == [(0, 96, 60, 0)]
    assert [str(error).partition(";")[0] for error in found] == errors


def test_a_note_that_was_cut_off_ends_with_its_bar(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(HEADER + chunk(b"\x00\x90\x3c\x50\x10\xb0\x07\x00\x20\x90"))
    assert rows(read_pieces(tmp_path / "a.mid")[0]) == [(0, 400, 60, 0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER[:12], "no header"),
        (HEADER, "there is no track"),
        (HEADER[:12] + b"\x00\x00" + chunk(NOTE_BYTES), "counts no ticks .* none at all"),
        (HEADER[:12] + b"\xe7\x28" + chunk(NOTE_BYTES), "counts no ticks .* frames of a film"),
        (
            HEADER + chunk(FAR + NOTE_BYTES[1:]),
            "50,000 quarters.*byte 22",
        ),
        (HEADER + chunk(NOTE_BYTES) * 1025, "1,025 tracks; 1,024 is the most"),
        (HEADER + chunk(b"\x00\x90\x3c"), "track 1 is damaged at byte 22"),
    ],
)
def test_what_cannot_be_a_piece_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pieces(tmp_path / "a.mid")


def test_too_much_is_refused_before_it_is_read(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(HEADER + chunk(NOTE_BYTES * 100))
    monkeypatch.setattr(midi_reading, "MOST_NOTES", 99)
    with pytest.raises(DataError, match=r"track 1 has more than .* notes"):
        read_pieces(path)
    monkeypatch.setattr(midi_reading, "MOST_BYTES", 800)
    with pytest.raises(DataError, match="the file has 822 bytes; 800 is the most"):
        read_pieces(path)


def test_a_damaged_track_is_listed_and_its_beginning_kept(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(HEADER + chunk(NOTE_BYTES, 500))
    music, damage = MusicDomain().read(tmp_path / "a.mid")
    assert len(music.notes) == 1 and isinstance(damage, DataError)


MUTATE = """
import random, resource, sys
from pathlib import Path
from seqgen.errors import DataError
from seqgen.plugin import Note
from seqgen_music.files.midi_reading import read_pieces
from seqgen_music.files.midi_writing import write_midi

folder = Path(sys.argv[1])
seeds = [path.read_bytes() for path in sorted(folder.glob("seed*"))]
read_pieces(next(folder.glob("seed*")))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000,) * 2)
rng = random.Random(0)
read = 0
for number in range(300):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0: data[at] = rng.randrange(256)
            case 1: data[at:at] = rng.randbytes(rng.randint(1, 9))
            case 2: del data[at : at + rng.randint(1, 9)]
            case 3: data[at] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        del data[rng.randrange(1, len(data)) :]
    path = folder / "mutated.mid"
    path.write_bytes(data)
    try:
        pieces = read_pieces(path)
    except DataError as error:
        assert str(error)
    else:
        read += 1
        for piece in pieces:
            if not isinstance(piece, DataError):
                assert (piece.notes["duration"] > 0).all() and (piece.notes["pitch"] < 128).all()
                assert piece.notes["track"].max() < len(piece.tracks)
print("READ", read)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as on Linux")
def test_no_damage_fills_the_memory_or_ends_in_another_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        tracks = []
        for channel in (0, 1, 9):
            track = [mido.MetaMessage("set_tempo", tempo=500_000), program(0, seed, channel)]
            for _ in range(80):
                pitch = int(rng.integers(30, 90))
                track += [on(int(rng.integers(0, 300)), pitch, channel), pedal(0, 90, channel)]
                track += [off(int(rng.integers(1, 300)), pitch, channel), pedal(0, 0, channel)]
            tracks.append(track)
        saved(tmp_path / f"seed{seed}.mid", *tracks)
    command = [sys.executable, "-c", MUTATE, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) > 50


# Notation ---------------------------------------------------------------------------------------

SCORE = """<?xml version="1.0"?><score-partwise version="3.1"><part-list>
<score-part id="P1"><part-name>Clarinet</part-name></score-part>
<score-part id="P2"><part-name>Drums</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>2</divisions><time><beats>4</beats>
<beat-type>4</beat-type></time><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic>
</transpose></attributes><direction><sound tempo="90"/></direction>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>8</duration></note></measure>
<measure number="2"><attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>
<direction><sound tempo="132"/></direction>
<note><grace/><pitch><step>A</step><octave>5</octave></pitch></note>
<note><pitch><step>E</step><octave>5</octave></pitch><duration>6</duration></note></measure></part>
<part id="P2"><measure number="1"><attributes><divisions>2</divisions><time><beats>4</beats>
<beat-type>4</beat-type></time><clef><sign>percussion</sign></clef></attributes>
<note><unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched>
<duration>4</duration></note><note><unpitched><display-step>C</display-step>
<display-octave>5</display-octave></unpitched><duration>4</duration></note></measure>
</part></score-partwise>"""


def test_a_score_sounds_as_it_is_played(tmp_path: Path) -> None:
    """A clarinet in B flat, drums, a grace note, two metres and two tempos."""
    (tmp_path / "a.musicxml").write_text(SCORE)
    music, note = read_notation(tmp_path / "a.musicxml")
    assert isinstance(note, Note) and "in quarters: Clarinet 7, Drums 4" in note.text
    assert rows(music) == [
        (0, 1920, 72, 0),
        (0, 960, 36, 1),
        (960, 960, 38, 1),
        (1920, 1440, 74, 0),
    ]
    assert [(track.name, track.drums) for track in music.tracks] == [
        ("Clarinet", False),
        ("Drums", True),
    ]
    assert music.metres == ((0, 4, 4), (1920, 3, 4))
    assert music.tempos.tolist() == [(0, 90.0), (1920, 132.0)]


TUNE = "M:4/4\nL:1/4\nK:C\nCDEF|\n"


def test_a_bad_tune_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    bad = "M:4/4\nL:1/4\nK:C\nGA c99999|\n"
    path.write_text(f"% a book\nX:1\n{TUNE}\nX:2\nT:Broken\n{bad}\nX:3\n{TUNE}")
    first, second, third = read_notation(path)
    assert rows(first) == rows(third) and len(first.notes) == 4
    assert isinstance(second, DataError) and "tune 2 'Broken': line 13: the number" in str(second)
    path.write_text(f"X:2\n{bad}")
    with pytest.raises(DataError, match="tune 2: line 5: the number '99999' is too large"):
        read_notation(path)


def test_notation_has_its_limits(tmp_path: Path) -> None:
    (tmp_path / "long.abc").write_text("X:1\nM:4/4\nL:1\nK:C\nC4096|C4096|C4096|C4096|\n")
    with pytest.raises(DataError, match=r"65,536 quarters long; 50,000 is the most"):
        read_notation(tmp_path / "long.abc")
    with zipfile.ZipFile(tmp_path / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * 70_000_000)
    with pytest.raises(DataError, match=r"70,000,000 bytes; 67,108,864 is the most"):
        read_notation(tmp_path / "bomb.mxl")
