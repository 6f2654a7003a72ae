"""Where a note stands in its piece decides nothing about how it is rounded, in any codec."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.melody.line import MelodyOptions
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.music import Music, Track, make_notes
from seqgen_music.rounding import nearest, rounded

VOICES = tuple(Track(name) for name in ("Soprano", "Alto", "Tenor", "Bass"))
QUARTER, BAR = 480, 4 * 480

#: Pitch of the notes around the run, and what is compared beside onsets.
AROUND, OTHERS = 90, ("duration", "pitch", "track")

#: With this tempo a tick is a millisecond, and ten are a step of a performance.
TEMPO = 125.0

CODECS: dict[str, tuple[Callable, int]] = {
    "chorale": (lambda pieces: ChoraleCodec.fit(pieces, ChoraleOptions()), 120),
    "melody": (lambda pieces: MelodyCodec.fit(pieces, MelodyOptions()), 120),
    "multitrack": (lambda pieces: MultitrackCodec.fit(pieces, MultitrackOptions()), 40),
    "performance": (lambda pieces: PerformanceCodec.fit(pieces, PerformanceOptions()), 10),
}

#: Onset in quarters of a step after the beginning of the run, length in the same, and pitch.
NOTES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(60, 72)), min_size=1, max_size=8
)


def piece(run: list[tuple[int, int, int]], voices: int, unit: int, begin: int) -> Music:
    """Return a run in all voices, with a long note before it and another one after it."""
    rows = []
    for voice in range(voices):
        rows.append((0, begin, AROUND, 80, voice))
        rows += [
            (begin + onset * unit, length * unit, pitch - 12 * voice, 80, voice)
            for onset, length, pitch in run
        ]
        rows.append((begin + BAR, BAR, AROUND, 80, voice))
    return Music(make_notes(rows), VOICES[:voices], QUARTER, ((0, TEMPO),), ((0, 4, 4),))


def run_of(codec, music: Music) -> list[tuple[int, int, int, int]]:
    """Return the run's notes as the codec has them, from its first onset on."""
    notes = codec.decode(codec.encode(music)).notes
    notes = notes[notes["pitch"] != AROUND]
    columns = (notes["onset"] - notes["onset"].min(), *(notes[name] for name in OTHERS))
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None, max_examples=30)
@given(run=NOTES, shift=st.integers(0, 48))
def test_a_run_that_is_moved_by_steps_has_the_same_notes(name, run, shift) -> None:
    """Halves and quarters of a step among its onsets: a run of 32nds moved by a 16th, too."""
    fit, step = CODECS[name]
    voices = 4 if name == "chorale" else 1
    # Quarters of a step, but halves of one of ten ticks.
    unit = 5 if step == 10 else step // 4
    first, moved = (piece(run, voices, unit, 2 * BAR + late) for late in (0, shift * step))
    codec = fit([first, moved])
    assert run_of(codec, first) == run_of(codec, moved)


def test_a_run_of_32nds_is_the_same_a_16th_later() -> None:
    """Rounded to even, every other note of one was lost, and the others of the other."""
    run = [(2 * number, 2, 60 + number) for number in range(8)]
    for name, (fit, step) in CODECS.items():
        voices = 4 if name == "chorale" else 1
        pieces = [
            piece(run, voices, 5 if step == 10 else step // 4, 2 * BAR + late) for late in (0, step)
        ]
        codec = fit(pieces)
        first, second = (run_of(codec, music) for music in pieces)
        assert first == second and len(first) >= 4 * voices, name


@given(st.integers(0, 10**7), st.integers(1, 96), st.integers(1, 10**4), st.integers(0, 1000))
def test_exact_ticks_are_rounded_up_at_half_a_step(ticks, steps, quarter, late) -> None:
    exact = Fraction(ticks * steps, quarter)
    step = rounded(ticks, steps, quarter)
    assert Fraction(-1, 2) < step - exact <= Fraction(1, 2)
    assert rounded(ticks + late * quarter, steps, quarter) == step + late * steps


@given(st.integers(0, 10**5), st.integers(0, 9))
def test_floats_are_rounded_as_what_they_stand_for(whole, tenth) -> None:
    """1.005 * 100 is 100.49999999999999."""
    value = np.array([(whole + tenth / 10) / 100]) * 100
    assert nearest(value)[0] == whole + (tenth >= 5)
