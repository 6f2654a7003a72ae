"""ABC: each symbol by what it sounds, tunes written by the test, and mutilated ones."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from seqgen_music.domain import MusicDomain, ReadOptions
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.notation_values import TICKS
from seqgen_music.music import Music

from seqgen.errors import DataError
from seqgen.plugin import Note

HEAD = "X:1\nT:t\nM:4/4\nL:1/4\nK:C\n"


def pieces(text: str, played: bool = False) -> list[Music]:
    return [piece for piece in read_abc(text, played) if isinstance(piece, Music)]


def notes_of(text: str) -> list[str]:
    return [str(piece.text) for piece in read_abc(text) if isinstance(piece, Note)]


def sounds(text: str, played: bool = False) -> list[tuple[float, float, int]]:
    """Return onset and length in quarters, and pitch, of the only tune."""
    [piece] = pieces(text if "\nK:" in text else HEAD + text, played)
    rows = piece.notes[["onset", "duration", "pitch"]].tolist()
    return [(round(o / TICKS, 4), round(d / TICKS, 4), p) for o, d, p in rows]


def pitches(text: str, played: bool = False) -> list[int]:
    return [pitch for _, _, pitch in sounds(text, played)]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        # An accidental holds to the bar line, in all octaves, and in the next bar if it is tied.
        ("^cc,=cc|c", [73, 61, 72, 72, 72]),
        ("zzz^c-|ccz2|", [73, 72]),
        ("_BB|B", [70, 70, 71]),
        ("{^f}gf|f", [79, 78, 77]),
        ("^^c__d", [74, 72]),
        ("[K:D]fc|[K:Dm]Bf|[K:HP]fcg|[K:none]fc", [78, 73, 70, 77, 78, 73, 79, 77, 72]),
        (
            "[K:Ador]f|[K:F#m]d|[K:E phr]f|[K:D exp _b ^g]fbg|[K:GMix]f",
            [78, 74, 77, 77, 82, 80, 77],
        ),
        ("[I:propagate-accidentals not]^cc", [73, 72]),
        ("[I:propagate-accidentals octave]^cc,c", [73, 60, 73]),
        # Letters and symbols before notes are decorations.
        ("Hg2 Tc uA vB !fermata!c ~d .e", [79, 72, 69, 71, 72, 74, 76]),
        ('"Am"c "^slow"d (ef) y g', [72, 74, 76, 77, 79]),
        ("C,,C c'c''|", [36, 60, 84, 96]),
    ],
)
def test_pitches(music: str, expected: list[int]) -> None:
    assert pitches(music) == expected


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        (
            "c3/2d/ e/4f3/4 g//a//",
            [(0, 1.5), (1.5, 0.5), (2, 0.25), (2.25, 0.75), (3, 0.25), (3.25, 0.25)],
        ),
        ("c>d e<f c>>d", [(0, 1.5), (1.5, 0.5), (2, 0.5), (2.5, 1.5), (4, 1.75), (5.75, 0.25)]),
        # The second note is written short already.
        ("c>d/e", [(0, 1.5), (1.5, 0.5), (2, 1)]),
        ("c-c|d2-|d", [(0, 2), (2, 3)]),
        ("c2-|c2-c", [(0, 5)]),
        ("(3cde f", [(0, 0.6667), (0.6667, 0.6667), (1.3333, 0.6667), (2, 1)]),
        ("(3:2:2c2e f", [(0, 1.3333), (1.3333, 0.6667), (2, 1)]),
        ("(2cd", [(0, 1.5), (1.5, 1.5)]),
        ("(3::2c2e(5:4:1e", [(0, 1.3333), (1.3333, 0.6667), (2, 0.8)]),
        ("Zc|x2z2|X2e", [(4, 1), (17, 1)]),
        ("c {ab}d", [(0, 1), (1, 1)]),
        ("[M:3/4]Z2|c", [(6, 1)]),
        ("[L:1/8]c2[L:1/2]c", [(0, 1), (1, 2)]),
        # Lengths with a blank, as in token files of folk tunes.
        ("c 2 d /2 e", [(0, 2), (2, 0.5), (2.5, 1)]),
    ],
)
def test_lengths(music: str, expected: list[tuple[float, float]]) -> None:
    assert [sound[:2] for sound in sounds(music)] == expected


def test_chords_and_their_ties() -> None:
    assert sounds("[C-E-G-]3|[CEG]|[CE]2-[CG]|") == [
        *((0, 4, pitch) for pitch in (60, 64, 67)),
        *((4, 3, 60), (4, 2, 64), (6, 1, 67)),
    ]
    # The first note of a chord says when the next one begins.
    assert sounds('["G"G2B]>[^c2!f!e2]') == [(0, 3, 67), (0, 1.5, 71), (3, 1, 73), (3, 1, 76)]


def test_overlays_sound_in_the_same_bar() -> None:
    assert sounds("z4|cdef & C2G,2|c4|") == [
        *((4, 2, 60), (4, 1, 72), (5, 1, 74), (6, 2, 55), (6, 1, 76), (7, 1, 77)),
        (8, 4, 72),
    ]


VOICES = {
    "blocks": "K:C\nV:1\ncdef|g4|\nV:2\nC,D,E,F,|G,4|\n",
    "inline": "V:1\nV:2 clef=bass\nK:C\n[V:1] cdef|g4|\n[V:2] C,D,E,F,|G,4|\n",
    "by line": "K:C\nV:1\ncdef|\nV:2\nC,D,E,F,|\nV:1\ng4|\nV:2\nG,4|\n",
    "named": 'V:T1 name="Tenor I" clef=treble\nV:B\nK:C\nV:T1\ncdef|g4|\nV:B\nC,D,E,F,|G,4|\n',
    "octave": "V:1 octave=1\nV:2 clef=bass-8\nK:C\nV:1\nCDEF|G4|\nV:2\nCDEF|G4|\n",
    "transposed": "V:1 transpose=2\nV:2\nK:C\nV:1\n_B=c=d_e|f4|\nV:2\nC,D,E,F,|G,4|\n",
    "undeclared": "V:2\nK:C\nC,D,E,F,|G,4|\nV:1\ncdef|g4|\n",
}


@pytest.mark.parametrize("form", VOICES)
def test_voices_sound_side_by_side(form: str) -> None:
    [piece] = pieces("X:1\nM:4/4\nL:1/4\n" + VOICES[form])
    upper = [note for note in piece.notes.tolist() if note[2] > 60]
    lower = [note for note in piece.notes.tolist() if note[2] <= 60]
    assert [note[:3] for note in upper] == [
        (onset * TICKS, length * TICKS, pitch)
        for onset, length, pitch in ((0, 1, 72), (1, 1, 74), (2, 1, 76), (3, 1, 77), (4, 4, 79))
    ]
    assert [(*note[:2], note[2] + 24) for note in lower] == [note[:3] for note in upper]
    assert len(piece.tracks) == 2 and {note[4] for note in upper} != {note[4] for note in lower}
    if form == "named":
        assert [track.name for track in piece.tracks] == ["Tenor I", "Part 2"]


def test_a_field_in_a_voice_is_for_that_voice_only() -> None:
    [piece] = pieces(HEAD + "V:1\nF4|[K:D]F4|\nV:2\nF4|F4|\n")
    assert piece.notes["pitch"].tolist() == [65, 65, 66, 65]
    assert piece.keys == ((0, 0, False), (4 * TICKS, 2, False))


def test_instruments_and_drums() -> None:
    text = (
        "X:1\nM:4/4\nL:1/4\nV:1\n%%MIDI program 40\nV:2 clef=perc\nV:3\nK:C\n"
        "V:1\nc4|\n%%MIDI program 3 73\nd4|\nV:2\nFzcz|\n"
        "V:3\n%%MIDI channel 10\n%%MIDI drummap ^g 42\nC,^gC,^g|\n"
    )
    [piece] = pieces(text)
    played = [
        (piece.tracks[track].program, piece.tracks[track].drums, pitch)
        for _, _, pitch, _, track in piece.notes.tolist()
    ]
    assert sorted(set(played)) == [
        *((0, True, 36), (0, True, 38), (0, True, 42), (0, True, 48)),
        *((40, False, 72), (73, False, 74)),
    ]


def test_dynamics_are_velocities_also_by_a_sign_of_the_file() -> None:
    [piece] = pieces("X:1\nU:W=!pp!\nL:1/4\nK:C\nc!f!d+p+eWf|\n")
    assert piece.notes["velocity"].tolist() == [80, 96, 49, 33]


@pytest.mark.parametrize(
    ("field", "tempo"),
    [
        *(("1/4=100", 100), ('"Allegro" 3/8=60', 90), ("1/4 1/8=40", 60), ("120", 60)),
        *(("C3=40", 60), ('1/2=60 "slow"', 120), ('"slow"', None), ("1/4=0", None)),
    ],
)
def test_tempos(field: str, tempo: float | None) -> None:
    [piece] = pieces(f"X:1\nL:1/8\nQ:{field}\nK:C\ncde|\n")
    assert piece.tempos["qpm"].tolist() == ([] if tempo is None else [tempo])


def test_metre_key_and_tempo_change_where_they_stand() -> None:
    [piece] = pieces(HEAD + "cdef|\nM:3/4\nQ:1/4=60\ngag|[K:G]f3|\n[M:C|]c4|[M:2+3/8]c5/2|\n")
    bar = 4 * TICKS
    assert piece.metres == (
        *((0, 4, 4), (bar, 3, 4), (bar + 6 * TICKS, 2, 2)),
        (2 * bar + 6 * TICKS, 5, 8),
    )
    assert piece.tempos.tolist() == [(bar, 60.0)]
    assert piece.keys == ((0, 0, False), (bar + 3 * TICKS, 1, False))


def test_the_unit_length_follows_the_metre() -> None:
    assert [sounds(f"X:1\n{metre}K:C\nc|\n")[0][1] for metre in ("M:2/4\n", "M:3/4\n", "")] == [
        *(0.25, 0.5, 0.5)
    ]


def test_bars_that_a_repeat_divides_are_one_bar() -> None:
    [piece] = pieces("X:1\nM:3/4\nL:1/4\nK:Em\nB,|:E2F|G2A|B3|A2:|B|G2F|E2|]\n")
    assert piece.metres == ((0, 1, 4), (TICKS, 3, 4)) and piece.keys == ((0, 1, True),)
    # A bar of another length has a metre of its own, and the bar lines after it stay right.
    [piece] = pieces(HEAD + "cdef|gab|c'bag|f4|\n")
    assert [tick // TICKS for tick in piece.bar_starts()] == [0, 4, 7, 11]


@pytest.mark.parametrize(
    ("music", "order"),
    [
        ("|:c4|d4:|e4|]", "cdcde"),
        ("c4:|d4:|e4|", "ccdde"),
        ("c4::d4:|e4|", "ccdde"),
        ("|:c4|1d4:|2e4||f4|", "cdcef"),
        ("|:c4|[1,3d4:|[2e4:|[4f4|]", "cdcecdcf"),
        ("|:c4|[1-2 d4:|3 e4||g4|", "cdcdceg"),
        ("|:c4|1d4:|2e4|]|:f4|1g4:|2a4|]", "cdcefgfa"),
        ("|::c4::|d4|", "cccd"),
        ("c4|:|d4|", "cd"),
    ],
)
def test_repeats_and_endings_are_played_out_on_request(music: str, order: str) -> None:
    names = {72: "c", 74: "d", 76: "e", 77: "f", 79: "g", 81: "a"}
    assert "".join(names[pitch] for pitch in pitches(music, played=True)) == order
    written = re.sub("[^a-g]", "", music)
    assert "".join(names[pitch] for pitch in pitches(music)) == written


def test_parts_are_played_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "a.abc"
    path.write_text("X:1\nP:AB2A\nL:1\nM:4/4\nK:C\nP:A\nc|\nP:B\nd|\n")
    [played] = MusicDomain().read(path, ReadOptions(repeats="played"))
    assert isinstance(played, Music) and played.notes["pitch"].tolist() == [72, 74, 74, 72]
    [once] = MusicDomain().read(path)
    assert isinstance(once, Music) and once.notes["pitch"].tolist() == [72, 74]


def test_a_voice_without_repeats_follows_the_first() -> None:
    text = "X:1\nL:1\nM:4/4\nK:C\nV:1\n|:c|d:|\nV:2\nC|D|\n"
    assert pitches(text, played=True) == [72, 60, 74, 62] * 2


def test_what_does_not_add_up_is_said() -> None:
    assert notes_of("X:3\nT:A\nM:3/4\nL:1/4\nK:C\nc|def|ga|c'd'e'|f2|]\n") == [
        "tune 3 'A': bars that do not add up: 2 quarters for 3/4 in line 6"
    ]
    [note] = notes_of(HEAD + "V:1\ncdef|c4|\nV:2\ncdef|\n")
    assert "parts of unequal length, in quarters: 1 8, 2 4" in note
    [note] = notes_of(HEAD + "cd?ef|\n")
    assert "left out: '?' in line 6" in note
    assert not notes_of("X:1\nM:3/4\nL:1/4\nK:C\nc|:def|d2:|c|def|1d3:|2d2||c|def|d2|]\n")


def test_versions_and_old_forms() -> None:
    assert sounds("%abc-1.6\n" + HEAD + "+CEG+c|")[:4] == [
        *((0, 1, 60), (0, 1, 64), (0, 1, 67), (1, 1, 72))
    ]
    assert pitches("%abc-2.1\n" + HEAD + "^cc +trill+d|") == [73, 73, 74]
    # Before 2.0 an exclamation mark was the end of a line.
    assert pitches(HEAD + "cd!\nef!|") == [72, 74, 76, 77]


def test_text_between_tunes_is_no_music() -> None:
    text = f"A book of tunes.\n\n{HEAD}cd|\n\nA bad egg.\n\n{HEAD}V:1\nc|\n\nV:2\ne|\n\n\n"
    first, second = pieces(text)
    assert first.notes["pitch"].tolist() == [72, 74]
    assert second.notes["pitch"].tolist() == [72, 76]
    assert pitches("T:no number\nL:1/4\nK:C\ncd\\\n% comment\nw:la la\nef|\n") == [72, 74, 76, 77]
    assert pitches(HEAD + "cd%%ef\n%%begintext\nabc\n%%endtext\n[r:gag]g|") == [72, 74, 79]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M:922/4\n", r"line 2: M:922/4 is no metre that can be read; expected one such as 6/8"),
        ("M:3/0\n", "M:3/0 is no metre"),
        ("L:0\n", "L:0 is no length"),
        ("K:C\nc/////////|", "line 3: a note of length"),
        ("K:C\nc0|", "a note of 0 whole notes"),
        ("K:C\nc99999|", "the number '99999' is too large"),
        ("K:C\nZ5000|", "a rest of 5,000 bars"),
        ("L:1\nK:C\nZ4096|Z4096|Z4096|Z4096|", "65,536 quarters long; 50,000 is the most"),
    ],
)
def test_what_cannot_be_is_refused(text: str, message: str) -> None:
    [error] = read_abc("X:1\n" + text + "\nK:C\n")
    assert isinstance(error, DataError) and re.search(message, str(error))


def written(generator: random.Random) -> tuple[str, list[tuple[int, int, int]]]:
    """Return a random tune of two voices in ABC, and the ticks and pitches that it has."""
    accidentals = {"^": 1, "_": -1, "=": 0}
    letters = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
    rows, blocks = [], []
    for voice in range(2):
        at, bars = Fraction(0), []
        for _ in range(4):
            left, held, symbols = Fraction(4), {}, []
            while left:
                length = min(
                    left, generator.choice([Fraction(1, 4), Fraction(1, 2), 1, Fraction(3, 2)])
                )
                if generator.random() < 0.2:
                    symbols.append(f"z{length}")
                else:
                    letter, sign = (
                        generator.choice("CDEFGAB"),
                        generator.choice(["", "", "^", "_", "="]),
                    )
                    octave = generator.choice([-1, 0, 1])
                    if sign:
                        held[letter] = accidentals[sign]
                    # F is sharp in the key of G.
                    semitone = held.get(letter, 1 if letter == "F" else 0)
                    name = (
                        letter.lower() + "'" * (octave > 1)
                        if octave > 0
                        else letter + "," * -octave
                    )
                    symbols.append(f"{sign}{name}{length}")
                    pitch = letters[letter] + 12 * octave + semitone
                    rows.append((int(at * TICKS), int(length * TICKS), pitch))
                at, left = at + length, left - length
            bars.append(" ".join(symbols))
        blocks.append(f"V:{voice}\n{'|'.join(bars)}|\n")
    return "X:1\nM:4/4\nL:1/4\nK:G\n" + "".join(blocks), sorted(rows)


@pytest.mark.parametrize("seed", range(20))
def test_random_tunes_are_read_as_they_were_made(seed: int) -> None:
    text, rows = written(random.Random(seed))
    [piece] = pieces(text)
    assert sorted(piece.notes[["onset", "duration", "pitch"]].tolist()) == rows
    assert not notes_of(text)


def test_mutilated_tunes_end_in_music_or_a_reason() -> None:
    generator = random.Random(0)
    signs = "|:[](){}<>^_='\"!+&-%\\/0123456789zZxyABCdefgKLMPQV \n"
    for seed in range(60):
        text = list(written(random.Random(seed))[0])
        for _ in range(30):
            at = generator.randrange(len(text))
            text[at : at + generator.randrange(3)] = generator.choice(signs)
        for piece in [*read_abc("".join(text)), *read_abc("".join(text), True)]:
            assert isinstance(piece, Music | DataError | Note)
            if isinstance(piece, Music):
                assert (piece.notes["duration"] > 0).all() and len(piece.bar_starts())


@pytest.mark.parametrize(
    "long",
    ["[" * 99_999, '["a"' * 33_333, "{" * 99_999, "(" * 99_999, ":" * 99_999, "z/|" * 33_333],
)
def test_long_lines_are_read_in_one_pass(long: str) -> None:
    # With time that grows as the square of the length, these would take hours.
    assert list(read_abc(HEAD + "c" + long + "\n"))


def test_fermatas_come_before_their_note() -> None:
    [piece] = pieces(HEAD + "U:T=!fermata!\nC HD !fermata![EG]F-|F !f!z T+invertedfermata+G H z|\n")
    assert piece.fermatas == tuple((TICKS * at, 0) for at in (1, 2, 6))


@pytest.mark.parametrize(
    ("body", "same"),
    [
        ("m:~G2 = {A}G{F}G\n~G2 A", "G G A"),
        ("m:~n2 = n/o/n/m/\n~G2 ~c2 ~B2", "G/A/G/F/ c/d/c/B/ B/c/B/A/"),
        ("m:~n2 = o/n/m/n/\n~c,2 ~^c'2", "D/C/B,/C/ d'/^c'/b/c'/"),
        # A length that is longer is no macro, and the last of two macros counts.
        ("m:~G2 = A\n~G22", "G22"),
        ("m:~G2 = A\nm:~G2 = BB\n~G2", "BB"),
        ("m:nonsense\nG2", "G2"),
        # A note of another octave is no macro.
        ("m:~G = AAA\n~G,2 ~G", "G,2 AAA"),
        ("m:~n2 = n/o/n/m/\n~^/c2 A2", "^/c/d/^/c/B/ A2"),
    ],
)
def test_macros_stand_for_notes(body: str, same: str) -> None:
    assert sounds(body) == sounds(same)


def test_macros_change_no_texts_fields_and_decorations() -> None:
    macros = "m:G = ^c\nm:trill = A\n"
    body = '"G7"C[K:G]!trill!D"^slow G"E "Fm"F["Gm"EG]|\nw: G trill\n'
    [piece] = pieces(f"{HEAD}{macros}{body}")
    assert piece.notes["pitch"].tolist() == [60, 62, 64, 66, 64, 73]
    assert [str(chord) for _, chord in piece.chords] == ["G7", "Fm", "Gm"]
    assert [text.strip() for _, _, text in piece.lyrics] == ["G", "trill"]


@pytest.mark.parametrize(
    ("header", "chords", "sharps"),
    [
        ("V:1 transpose=-2", ["C", "Dm/C", None, "A7"], [0, -2]),
        ("V:1 transpose=3 octave=-1", ["F", "Gm/F", None, "D7"], [-1, -3]),
        ("V:1 clef=treble-8", ["D", "Em/D", None, "B7"], [2, 0]),
        ("%%MIDI transpose 1", ["Eb", "Fm/Eb", None, "C7"], [-3, -5]),
        ("V:1 transpose=-10", ["E", "F#m/E", None, "C#7"], [4, 2]),
    ],
)
def test_chords_and_keys_are_those_that_sound(header: str, chords: list, sharps: list) -> None:
    music = f'{header}\n"D"D "Em/D"E "N.C."F "B7"G|[K:C]C4|'
    [piece] = pieces(HEAD.replace("K:C", "K:D") + music)
    assert [chord and str(chord) for _, chord in piece.chords] == chords
    assert [key[1] for key in piece.keys] == sharps


def test_macros_of_a_collection_hold_in_each_tune() -> None:
    assert sounds(f"m:~G2 = BB\n\n{HEAD}~G2 A") == sounds("B B A")


def test_long_macros_are_refused() -> None:
    [error] = read_abc(f"{HEAD}m:~G2 = {'G' * 300}\nG")
    assert isinstance(error, DataError) and "more than 200 characters" in str(error)
    # Each stands for two of the one before it.
    macros = [f"m:~{two} = ~{one}~{one}" for one, two in pairwise("ABCDEFG")]
    [error] = read_abc("\n".join([f"{HEAD}m:~A = {'A' * 150}", *macros, "~G" * 200]))
    assert isinstance(error, DataError) and "a line with macros" in str(error)


def test_microtones_are_rounded_and_said() -> None:
    text = HEAD + "^/C _/E ^3/2F _3/4A [_1/4Gc]|"
    assert pitches(text) == [61, 64, 67, 68, 67, 73]
    [note] = notes_of(text)
    assert "microtone '^/C', rounded to a semitone, in line 6" in note


@pytest.mark.parametrize(("key", "steps", "sharps"), [("E", 4, -4), ("Eb", 6, 3), ("C#", 11, 0)])
def test_a_transposed_key_has_at_most_seven_signs(key: str, steps: int, sharps: int) -> None:
    [piece] = pieces(HEAD.replace("K:C", f"K:{key}") + f"V:1 transpose={steps}\nCDEF|")
    assert [found[1] for found in piece.keys] == [sharps]
