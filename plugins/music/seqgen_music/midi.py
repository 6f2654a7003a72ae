"""MIDI files out, by pretty_midi."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import DataError
from seqgen_music.music import Music

if TYPE_CHECKING:
    import pretty_midi

#: Tonics of the major keys by number of sharps, -7 to 7, as MIDI files name them.
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")

#: Longest piece that pretty_midi can write.
LONGEST_TICKS = 10**7


def write_midi(music: Music, path: Path) -> None:
    """Write a MIDI file with tempo, metre, key, and name and program of every track."""
    to_pretty_midi(music).write(str(path))


def to_pretty_midi(music: Music) -> pretty_midi.PrettyMIDI:
    """Return the piece as a pretty_midi object.

    Raises
    ------
    DataError
        If it is longer than `LONGEST_TICKS`.
    """
    import mido
    import pretty_midi

    if music.length > LONGEST_TICKS:
        raise DataError(f"the piece is {music.length:,} ticks long; {LONGEST_TICKS:,} is the most")
    # pretty_midi takes a map of tempos from a file only: a file without notes is made for it.
    skeleton = mido.MidiFile(ticks_per_beat=music.ticks_per_quarter)
    skeleton.tracks.append(_timing_track(music))
    midi = pretty_midi.PrettyMIDI(mido_object=skeleton, charset="utf-8")
    # By its own map of time, in which its writer finds the ticks again.
    second = midi.tick_to_time
    second(music.length)
    for number, track in enumerate(music.tracks):
        instrument = pretty_midi.Instrument(track.program, track.drums, track.name)
        instrument.notes = [
            pretty_midi.Note(velocity, pitch, second(onset), second(onset + duration))
            for onset, duration, pitch, velocity, _ in music.notes[
                music.notes["track"] == number
            ].tolist()
        ]
        midi.instruments.append(instrument)
    return midi


def _timing_track(music: Music) -> Any:
    import mido

    messages = [
        (tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(qpm)))
        for tick, qpm in music.tempo_changes()
    ]
    messages += [
        (tick, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        for tick, numerator, denominator in music.metres
    ]
    messages += [
        (tick, mido.MetaMessage("key_signature", key=_key_name(sharps, minor)))
        for tick, sharps, minor in music.keys
    ]
    messages.sort(key=lambda pair: pair[0])
    track = mido.MidiTrack()
    last = 0
    for tick, message in messages:
        track.append(message.copy(time=tick - last))
        last = tick
    return track


def _key_name(sharps: int, minor: bool) -> str:
    return _MINOR[sharps + 7] + "m" if minor else _MAJOR[sharps + 7]
