"""Reading MIDI: processor time relative to pretty_midi, and whether notes agree.

Data: all MIDI files under ``music/``. The figure is the time of pretty_midi's constructor divided
by that of reading and encoding, with the first of `CODECS` that is installed; it must be at least
100. Each goes through all files `RUNS` times, by turns, and the best time of each file counts.
Without the pedal, notes are compared with pretty_midi's: same pitch, velocity and drums, onset
within a millisecond, and the same end and tempo. Differences are counted by their reason.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pretty_midi
from harness import Benchmark
from seqgen_music.domain import MusicDomain
from seqgen_music.files import midi_reading
from seqgen_music.music import Music

from seqgen.errors import DataError

CODECS = ("multitrack", "performance")

RUNS = 3

MILLISECOND = 1e-3


def seconds(function: Callable[[], object]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def pieces(path: Path) -> list[Music]:
    return [piece for piece in midi_reading.read_pieces(path) if isinstance(piece, Music)]


def fitted(files: list[Path]) -> tuple[str, Any]:
    """Return a codec for any music and its name, or None."""
    for name in CODECS:
        if (codec := MusicDomain.codecs.get(name)) is not None:
            return name, codec.fit(
                (p for file in files for p in pieces(file)), codec.options_type()
            )
    return "none", None


def encode(codec: Any, music: list[Music]) -> None:
    for piece in music:
        try:
            codec.encode(piece)
        except DataError:
            continue


def times(files: list[Path], codec: Any) -> dict[str, float]:
    """Return processor seconds of each library over all files, the best of `RUNS` for each file."""
    best: dict[tuple[str, Path], float] = defaultdict(lambda: float("inf"))

    def keep(name: str, file: Path, taken: float) -> None:
        best[name, file] = min(best[name, file], taken)

    for _ in range(RUNS):
        for file in files:
            keep("pretty_midi", file, seconds(lambda file=file: pretty_midi.PrettyMIDI(str(file))))
        # Nothing comes between two files, as when a corpus is prepared.
        for file in files:
            keep("reading", file, seconds(lambda file=file: pieces(file)))
            if codec is not None:
                music = pieces(file)
                keep("encoding", file, seconds(lambda music=music: encode(codec, music)))
    totals: dict[str, float] = defaultdict(float)
    for (name, _), taken in best.items():
        totals[name] += taken
    return dict(totals)


def differences(file: Path) -> Counter[str]:
    """Count the notes that agree with pretty_midi's, and the others by their difference."""
    music, midi = pieces(file)[0], pretty_midi.PrettyMIDI(str(file))
    ends = music.notes["onset"] + music.notes["duration"]
    heard = music.seconds(music.notes["onset"]).tolist()
    ours = defaultdict(list)
    for note, end, second in zip(music.notes, ends.tolist(), heard, strict=True):
        key = int(note["pitch"]), int(note["velocity"]), music.tracks[note["track"]].drums
        # By pretty_midi's clock, so a tempo that it ignores is counted as such.
        start, stop = midi.tick_to_time(int(note["onset"])), midi.tick_to_time(end)
        ours[key].append((start, stop, second))
    counts: Counter[str] = Counter()
    for instrument in midi.instruments:
        for note in instrument.notes:
            near = ours[note.pitch, note.velocity, instrument.is_drum]
            found = [n for n, one in enumerate(near) if abs(one[0] - note.start) < MILLISECOND]
            if not found:
                counts["only pretty_midi's"] += 1
                continue
            start, stop, second = near.pop(min(found, key=lambda n: abs(near[n][1] - note.end)))
            if abs(stop - note.end) >= MILLISECOND:
                # pretty_midi ends all notes of a pitch at a note-off, we the one that began first.
                longer = stop > note.end
                counts["longer: overlaps the same pitch" if longer else "shorter"] += 1
            elif abs(second - start) >= MILLISECOND:
                # pretty_midi takes the tempos of the first track only.
                counts["the same ticks, another tempo"] += 1
            else:
                counts["the same"] += 1
    left = sum(map(len, ours.values()))
    counts["only ours: without end, or ended by pretty_midi when it began"] += left
    return counts


def main() -> None:
    benchmark = Benchmark("ingest_midi", "times less processor time than pretty_midi", minutes=0.0)
    files = sorted(benchmark.data.joinpath("music").rglob("*.mid"))
    warnings.simplefilter("ignore")
    name, codec = fitted(files)
    pieces(files[0])
    taken = times(files, codec)
    moves = midi_reading.sorted_pedals
    midi_reading.sorted_pedals = lambda events, drums: events.pedals[:0]
    compared = sum(map(differences, files), Counter())
    midi_reading.sorted_pedals = moves
    notes = sum(len(piece.notes) for file in files for piece in pieces(file))
    benchmark.finish(
        taken["pretty_midi"] / (taken["reading"] + taken.get("encoding", 0.0)),
        baselines={"pretty_midi": 1.0},
        reading_ratio=taken["pretty_midi"] / taken["reading"],
        processor_seconds=taken,
        codec=name,
        files=len(files),
        notes=notes,
        compared=dict(compared),
    )


if __name__ == "__main__":
    main()
