"""Reading notation: the share of scores that are read as they were made, in three formats.

The benchmark makes `SCORES` random scores of one to four voices: keys, metres, accidentals that
hold to the bar line, ties, triplets, rests. It writes each as ABC, kern and MusicXML. A score
counts if all onsets, lengths, pitches, metres and keys are equal. Baseline: the same texts by
music21.
"""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import music21
from harness import Benchmark
from seqgen_music.files import mei_reading, notation_reading
from seqgen_music.files.notation_values import TICKS
from seqgen_music.files.score_bars import SEMITONES, signature
from seqgen_music.music import Music

SCORES = 100

METRES = ((4, 4), (3, 4), (6, 8), (2, 2), (5, 8))

#: Lengths in quarters; a triplet is three notes of a third each.
LENGTHS = (*map(Fraction, (1, 2, "1/2", "3/2", "1/4", "3/4")), Fraction(1, 3))

SIGNS = {2: "^^", 1: "^", 0: "=", -1: "_", -2: "__"}


@dataclass
class Written:
    """A note or rest: its letter, octave, sounding alteration, written sign and length."""

    letter: str
    octave: int
    alter: int
    sign: str
    length: Fraction
    tied: bool = False
    stops: bool = False

    @property
    def pitch(self) -> int:
        return SEMITONES[self.letter] + self.alter + 12 * (self.octave + 1)


@dataclass
class Score:
    """A score: number of sharps, metre, and bars of notes for each voice."""

    sharps: int
    metre: tuple[int, int]
    voices: list[list[list[Written]]]


def made(generator: random.Random) -> Score:
    sharps, metre = generator.randint(-5, 5), generator.choice(METRES)
    voices = []
    for _ in range(generator.randint(1, 4)):
        bars = [bar(generator, sharps, metre) for _ in range(generator.randint(2, 8))]
        tie(generator, bars)
        voices.append(bars)
    shortest = min(map(len, voices))
    voices = [bars[:shortest] for bars in voices]
    for bars in voices:
        bars[-1][-1].tied = False
    return Score(sharps, metre, voices)


def bar(generator: random.Random, sharps: int, metre: tuple[int, int]) -> list[Written]:
    left, held, notes = 4 * Fraction(*metre), {}, []
    while left:
        length = generator.choice([each for each in LENGTHS if each <= left])
        if length == Fraction(1, 3) and left < 1:
            length = left
        for _ in range(3 if length == Fraction(1, 3) else 1):
            notes.append(note(generator, sharps, held, length))
            left -= length
    return notes


def note(generator: random.Random, sharps: int, held: dict[str, int], length: Fraction) -> Written:
    if generator.random() < 0.1:
        return Written("", 4, 0, "", length)
    letter = generator.choice("ABCDEFG")
    if generator.random() < 0.2:
        held[letter] = generator.choice([-1, 0, 1])
        return Written(letter, generator.randint(3, 5), held[letter], SIGNS[held[letter]], length)
    alter = held.get(letter, signature(sharps)[letter])
    return Written(letter, generator.randint(3, 5), alter, "", length)


def tie(generator: random.Random, bars: list[list[Written]]) -> None:
    """Tie some bars to the next one, whose first note takes the pitch without a sign."""
    for before, after in pairwise(bars):
        first, last = after[0], before[-1]
        same = [each for each in after[1:] if each.letter == last.letter and not each.sign]
        if (
            generator.random() < 0.3
            and last.letter
            and first.letter
            and not first.sign
            and not same
        ):
            first.letter, first.octave, first.alter = last.letter, last.octave, last.alter
            last.tied = first.stops = True


def as_abc(score: Score) -> str:
    keys = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
    beats, unit = score.metre
    lines = ["X:1", f"M:{beats}/{unit}", "L:1/4", f"K:{keys[score.sharps + 7]}"]
    for number, bars in enumerate(score.voices):
        lines += [f"V:{number}", "|".join(" ".join(abc_bar(notes)) for notes in bars) + "|"]
    return "\n".join(lines) + "\n"


def abc_bar(notes: list[Written]) -> Iterator[str]:
    triplet = 0
    for each in notes:
        third = each.length == Fraction(1, 3)
        opens = "(3" if third and triplet % 3 == 0 else ""
        triplet += third
        length = Fraction(1, 2) if third else each.length
        name = each.letter if each.octave < 5 else each.letter.lower()
        marks = "," * (4 - each.octave) if each.octave < 4 else ""
        yield f"{opens}{each.sign}{name or 'z'}{marks}{length}{'-' * each.tied}"


def as_kern(score: Score) -> str:
    signs = "".join(f"{letter}#" for letter in "fcgdaeb"[: max(score.sharps, 0)])
    signs += "".join(f"{letter}-" for letter in "beadgcf"[: max(-score.sharps, 0)])
    spines = len(score.voices)
    heads = ("**kern", f"*M{score.metre[0]}/{score.metre[1]}", f"*k[{signs}]")
    rows = [[head] * spines for head in heads]
    for number in range(len(score.voices[0])):
        rows.append([f"={number + 1}"] * spines)
        starts: dict[Fraction, list[str]] = {}
        for voice, bars in enumerate(reversed(score.voices)):
            at = Fraction(0)
            for each in bars[number]:
                starts.setdefault(at, ["."] * spines)[voice] = kern_token(each)
                at += each.length
        rows += [row for _, row in sorted(starts.items())]
    return "".join("\t".join(row) + "\n" for row in [*rows, ["=="] * spines, ["*-"] * spines])


def kern_token(each: Written) -> str:
    dots = {3: "."}.get(each.length.numerator, "")
    plain = each.length * Fraction(2, 3) if dots else each.length
    recip = str(Fraction(4) / plain)
    if not each.letter:
        return f"{recip}{dots}r"
    name = {3: each.letter, 4: each.letter.lower(), 5: each.letter.lower() * 2}[each.octave]
    sign = "#" * each.alter + "-" * -each.alter or "n"
    opening = "" if each.stops and each.tied else "[" * each.tied
    closing = "_" if each.stops and each.tied else "]" * each.stops
    return f"{opening}{recip}{dots}{name}{sign}{closing}"


def as_musicxml(score: Score) -> str:
    parts = range(len(score.voices))
    names = "".join(f'<score-part id="P{n}"><part-name>{n}</part-name></score-part>' for n in parts)
    body = ""
    for voice, bars in enumerate(score.voices):
        measures = ""
        for number, notes in enumerate(bars):
            head = (
                f"<attributes><divisions>12</divisions><key><fifths>{score.sharps}</fifths></key>"
                f"<time><beats>{score.metre[0]}</beats><beat-type>{score.metre[1]}</beat-type>"
                "</time></attributes>"
            )
            content = "".join(map(xml_note, notes))
            measures += f'<measure number="{number + 1}">{head * (not number)}{content}</measure>'
        body += f'<part id="P{voice}">{measures}</part>'
    return f'<score-partwise version="4.0"><part-list>{names}</part-list>{body}</score-partwise>'


def xml_note(each: Written) -> str:
    pitch = "<rest/>"
    if each.letter:
        pitch = (
            f"<pitch><step>{each.letter}</step><alter>{each.alter}</alter>"
            f"<octave>{each.octave}</octave></pitch>"
        )
    ties = '<tie type="stop"/>' * each.stops + '<tie type="start"/>' * each.tied
    return f"<note>{pitch}<duration>{each.length * 12}</duration>{ties}</note>"


def expected(score: Score) -> set[tuple[int, int, int]]:
    """Return onset, length in ticks and pitch of the notes, tied ones as one."""
    rows = []
    for bars in score.voices:
        at = Fraction(0)
        for each in (each for notes in bars for each in notes):
            if each.stops:
                rows[-1] = (rows[-1][0], rows[-1][1] + int(each.length * TICKS), rows[-1][2])
            elif each.letter:
                rows.append((int(at * TICKS), int(each.length * TICKS), each.pitch))
            at += each.length
    return set(rows)


def is_equal(piece: Music, score: Score) -> bool:
    rows = set(piece.notes[["onset", "duration", "pitch"]].tolist())
    keys = [key[1] for key in piece.keys]
    return rows == expected(score) and (piece.metres, keys) == (
        ((0, *score.metre),),
        [score.sharps],
    )


FORMATS: dict[str, tuple[str, str, Callable[[Score], str]]] = {
    "ABC": (".abc", "abc", as_abc),
    "kern": (".krn", "humdrum", as_kern),
    "MusicXML": (".musicxml", "musicxml", as_musicxml),
}


def ours(text: str, suffix: str, folder: Path) -> Music:
    path = folder / f"score{suffix}"
    path.write_text(text)
    return next(each for each in notation_reading.read_notation(path) if isinstance(each, Music))


def by_music21(text: str, form: str) -> Music | None:
    try:
        parsed = music21.converter.parse(text, format=form, forceSource=True, storePickle=False)
        score = parsed.scores[0] if isinstance(parsed, music21.stream.Opus) else parsed
        return mei_reading.music_of(score)
    except Exception:
        return None


def main() -> None:
    benchmark = Benchmark("notation", "share of scores read as they were made", minutes=0.0)
    warnings.simplefilter("ignore")
    generator = random.Random(benchmark.seed)
    scores = [made(generator) for _ in range(SCORES)]
    shares, baselines = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, form, write) in FORMATS.items():
            texts = [write(score) for score in scores]
            read = [ours(text, suffix, Path(folder)) for text in texts]
            others = [by_music21(text, form) for text in texts]
            shares[name] = sum(map(is_equal, read, scores)) / SCORES
            equal = [
                piece is not None and is_equal(piece, score)
                for piece, score in zip(others, scores, strict=True)
            ]
            baselines[f"music21, {name}"] = sum(equal) / SCORES
            benchmark.say(
                f"{name}: {shares[name]:.2f}, music21 {baselines[f'music21, {name}']:.2f}"
            )
    benchmark.finish(min(shares.values()), baselines, shares=shares, scores=SCORES)


if __name__ == "__main__":
    main()
