"""kern: rows, spines that split and join, bars, and rows that do not fit."""

from __future__ import annotations

import pytest
from seqgen_music.files.kern_reading import read_kern
from seqgen_music.files.notation_values import TICKS
from seqgen_music.music import Music

from seqgen.errors import DataError
from seqgen.plugin import Note


def table(*rows: str) -> str:
    """Return rows with tabs for blanks; an underline stands for a blank within a token."""
    return "".join("\t".join(row.split()).replace("~", " ") + "\n" for row in rows)


def piece_of(*rows: str, played: bool = False) -> Music:
    [piece] = read_kern(table(*rows), played)
    assert isinstance(piece, Music)
    return piece


def sounds(piece: Music, track: int) -> list[tuple[float, float, int]]:
    return [
        (onset / TICKS, duration / TICKS, pitch)
        for onset, duration, pitch, _, number in piece.notes.tolist()
        if number == track
    ]


def test_notes_rests_chords_and_ties() -> None:
    piece = piece_of(
        "**kern",
        "*k[b-e-]",
        "*g:",
        "*MM90",
        '*I"Organ',
        "*Iorgan",
        "=1",
        "4.BB-",
        "8r",
        "8%3c#~8%3ee~gg",
        "16qff",
        "[8C",
        "=2",
        "_0C",
        "4C]",
        "4ccc",
        "==",
        "*-",
    )
    assert sounds(piece, 0) == [
        *((0, 1.5, 46), (2, 1.5, 61), (2, 1.5, 76), (2, 1.5, 79)),
        *((3.5, 9.5, 48), (13, 1, 84)),
    ]
    assert piece.keys == ((0, -2, True),) and piece.tempos.tolist() == [(0, 90.0)]
    assert piece.tracks[0].name == "Organ" and piece.tracks[0].program == 19


NESTED = (
    "**kern **kern",
    "*M3/4 *M3/4",
    "=1 =1",
    "*^ *",
    "4C 4E 4c",
    "* *^ *",
    "4C 4F 8A 4d",
    ". . 8B .",
    "* *v *v *",
    "4D 4G 4e",
    "=2 =2 =2",
    "4C 2ryy 4c",
    "4D . 4d",
    "4E 4E 4e",
    "*v *v *",
    "=3 =3",
    "2.C 2.c",
    "== ==",
    "*- *-",
)


def test_splits_within_splits_stay_in_time() -> None:
    piece = piece_of(*NESTED)
    upper = [(0, 1, 60), (1, 1, 62), (2, 1, 64), (3, 1, 60), (4, 1, 62), (5, 1, 64), (6, 3, 60)]
    assert sounds(piece, 0) == upper
    lower = sounds(piece, 1)
    assert [each for each in lower if each[0] in (1, 1.5)] == [
        *((1, 1, 48), (1, 1, 53), (1, 0.5, 57), (1.5, 0.5, 59))
    ]
    assert lower[-1] == (6, 3, 48) and piece.metres == ((0, 3, 4),)


def test_spines_that_are_split_throughout_are_voices() -> None:
    bar = ("2C 2E 2G 2c", "2D 2F 2A 2d")
    piece = piece_of(
        "**kern **kern", "*^ *^", "=1 =1 =1 =1", *bar, "=2 =2 =2 =2", *bar, "*- *- *- *-"
    )
    assert len(piece.tracks) == 4


def test_other_spines_and_dynamics() -> None:
    piece = piece_of(
        *("**kern **dynam **text **kern", "*M2/4 * * *M2/4", "=1 =1 =1 =1"),
        *("4c p la 2e", "* * * *", ". < . .", "4d f li .", "*x *x * *", "*- *- *- *-"),
    )
    velocities = {note[2]: note[3] for note in piece.notes.tolist()}
    assert velocities == {60: 49, 64: 80, 62: 96}


def test_repeats_are_played_out_on_request() -> None:
    rows = ("**kern", "*M1/4", "=1", "4c", "=2!|:", "4d", "=3:|!", "4e", "==", "*-")
    assert [each[2] for each in sounds(piece_of(*rows), 0)] == [60, 62, 64]
    assert [each[2] for each in sounds(piece_of(*rows, played=True), 0)] == [60, 62, 62, 64]


def test_bars_that_disagree_are_said_and_the_next_ones_begin_together() -> None:
    piece, note = read_kern(
        table("**kern **kern", "*M2/4 *M2/4", "=1 =1", "4C 2c", "=2 =2", "2D 2d", "*- *-")
    )
    assert isinstance(piece, Music) and [each[0] for each in sounds(piece, 1)] == [0, 2]
    assert isinstance(note, Note)
    assert note.text == "part 2, bars shorter than in other parts: 1 quarters in bar 1"
    _, note = read_kern(table("**kern **kern", "4C 2c", "4D 4d", "4E .", "*- *-"))
    assert isinstance(note, Note) and "while the one before it sounds" in note.text


def test_several_pieces_in_a_file() -> None:
    text = table("**kern", "4c", "*-", "**kern", "4d", "*-")
    assert [len(piece.notes) for piece in read_kern(text) if isinstance(piece, Music)] == [1, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("**kern **kern", "4c"), "line 2: 1 tokens for 2 spines"),
        (("**kern", "c"), "line 2: expected a note or rest with a length, found 'c'"),
        (("**kern", "*M922/4", "4c"), r"line 2: \*M922/4 is no metre"),
        (("**kern", *["00000c"] * 900), "more than 50,000 quarters"),
        (("**kern", *["*^ " * 2**n for n in range(10)]), "more than 256 spines"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: tuple[str, ...], message: str) -> None:
    [error] = read_kern(table(*rows))
    assert isinstance(error, DataError)
    with pytest.raises(DataError, match=message):
        raise error


def test_a_file_without_kern_is_refused() -> None:
    with pytest.raises(DataError, match=r"no \*\*kern spine"):
        list(read_kern("!!!COM: nobody\n"))


def test_fermatas_belong_to_their_spine() -> None:
    piece = piece_of("**kern **kern", "*M4/4 *M4/4", "=1 =1", "2c; 2e", "4d 2f;", "4e; .", "*- *-")
    # The last spine is the top of the score.
    assert piece.fermatas == ((0, 1), (2 * TICKS, 0), (3 * TICKS, 1))


@pytest.mark.parametrize("kind", ["**text", "**silbe"])
def test_words_belong_to_the_spine_before_them(kind: str) -> None:
    piece = piece_of(
        f"**kern {kind} **kern {kind} {kind}",
        "*M4/4 * *M4/4 * *",
        "4C 1. 4c Hal- X-",
        "4D . 4d -le- -y-",
        "[4E O_ 8eg -lu- .",
        ". . 8f | .",
        "4E] . 4g -jah. z",
        "=2 = = = =",
        "4r No 4r No .",
        "4F - 4f - .",
        "*- *- *- *- *-",
    )
    # The last spine is the first track, and further verses are left out.
    words = [(tick / 480, track, text) for tick, track, text in piece.lyrics]
    assert words == [
        *((0, 0, "Hal-"), (0, 1, "1. "), (1, 0, "le-")),
        *((2, 0, "lu-"), (2, 1, "O "), (3, 0, "jah. ")),
    ]
