"""Lyrics: ABC, MusicXML and MIDI into `Music.lyrics`, and from there into scores."""

from pathlib import Path

import pytest
from seqgen_music.domain import MusicDomain
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.lyrics import kinds_of
from seqgen_music.files.musicxml_reading import read_musicxml
from seqgen_music.music import Music, Track, make_notes

DOMAIN = MusicDomain()


def tune(body: str) -> Music:
    [piece] = [p for p in read_abc(f"X:1\nL:1/4\nM:4/4\nK:C\n{body}\n") if isinstance(p, Music)]
    return piece


def sung(body: str) -> list[tuple[float, str]]:
    """Return the beat and the text of each syllable."""
    piece = tune(body)
    return [(tick / piece.ticks_per_quarter, text) for tick, _, text in piece.lyrics]


@pytest.mark.parametrize(
    "line, expected",
    [
        ("syll-a-ble word", [(0, "syll-"), (1, "a-"), (2, "ble "), (3, "word ")]),
        ("time__ and", [(0, "time "), (3, "and ")]),
        ("a * b", [(0, "a "), (2, "b ")]),
        ("of~the day\\-light", [(0, "of the "), (1, "day-light ")]),
        ("one | two three", [(0, "one "), (4, "two "), (5, "three ")]),
        ("a b c d | e", [(0, "a "), (1, "b "), (2, "c "), (3, "d "), (4, "e ")]),
        ("| || one", []),
        ("a b c d e f g h too many", [(n, f"{c} ") for n, c in enumerate("abcdefgh")]),
        ("hy-- phen", [(0, "hy-"), (2, "phen ")]),
    ],
)
def test_syllables_of_abc_meet_their_notes(line: str, expected: list) -> None:
    assert sung(f"CDEF|GABc|\nw:{line}") == expected


def test_rests_grace_notes_and_overlays_have_no_syllable() -> None:
    body = 'C z {e}D "Am"[EG] & G4 | !f!F4|\nw:one two three four'
    assert sung(body) == [(0, "one "), (2, "two "), (3, "three "), (4, "four ")]


def test_words_belong_to_the_line_before_them() -> None:
    lines = ["CDEF|", "w:a b c d", "w:second verse is not read", "GABc|", "cBAG|", "w:e f"]
    expected = [*enumerate(["a ", "b ", "c ", "d "]), (8, "e "), (9, "f ")]
    assert sung("\n".join(lines)) == expected
    assert sung("CD\\\nEF|\nw:a b c d") == expected[:4]
    assert sung("CDEF|\nw:a b\n+:c d") == expected[:4]


def test_each_voice_has_its_words() -> None:
    piece = tune("V:1\nC2D2|\nw:high up\nV:2\nE,4|\nw:low\nV:1\nE4|\nw:end")
    quarter = piece.ticks_per_quarter
    assert piece.lyrics == (
        *((0, 0, "high "), (0, 1, "low "), (2 * quarter, 0, "up "), (4 * quarter, 0, "end ")),
    )


def test_a_score_has_the_words_of_its_first_verse(tmp_path: Path) -> None:
    def lyric(number: int, text: str) -> str:
        return f'<lyric number="{number}"><text>{text}</text></lyric>'

    texts = [
        lyric(1, "one") + lyric(2, "uno"),
        lyric(2, "dos"),
        lyric(2, "tres") + lyric(1, "three"),
        lyric(1, "four"),
    ]
    notes = "".join(
        f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration>{text}</note>"
        for text in texts
    )
    (tmp_path / "a.musicxml").write_text(
        '<score-partwise><part-list><score-part id="P1"/></part-list><part id="P1"><measure>'
        f"<attributes><divisions>1</divisions></attributes>{notes}</measure></part></score-partwise>"
    )
    [piece] = [each for each in read_musicxml(tmp_path / "a.musicxml") if isinstance(each, Music)]
    assert [text.strip() for _, _, text in piece.lyrics] == ["one", "three", "four"]


@pytest.mark.parametrize(
    "texts, expected",
    [
        (["A-", "ve ", "Ma-", "ri-", "a"], ["begin", "end", "begin", "middle", "end"]),
        (["\\A", "ve ", "/Ma", "ri", "a"], ["begin", "end", "begin", "middle", "end"]),
        (["A", "ve", " Ma", "ri", "a"], ["begin", "end", "begin", "middle", "end"]),
        (["Oh", "my", "love"], ["single"] * 3),
        ([], []),
    ],
)
def test_words_of_midi_end_at_hyphens_or_spaces(texts: list[str], expected: list[str]) -> None:
    assert [kind for _, kind in kinds_of(texts)] == expected
    assert all(text.isalpha() for text, _ in kinds_of(texts))


def test_lyrics_go_through_scores_and_midi(tmp_path: Path) -> None:
    piece = tune("C>D E- | E2 F/G/ A/B/ | c8|\nw:A-ve__ Ma-ri-a,~oh glo-ry be")
    assert len(piece.lyrics) == 7
    for name in ("a.musicxml", "a.mid"):
        DOMAIN.write(piece, tmp_path / name)
        [again] = [p for p in DOMAIN.read(tmp_path / name) if isinstance(p, Music)]
        scale = again.ticks_per_quarter / piece.ticks_per_quarter
        wanted = [(tick * scale, track, text) for tick, track, text in piece.lyrics]
        assert [*again.lyrics] == wanted, name


def test_free_lyrics_are_the_singers(tmp_path: Path) -> None:
    notes = [(0, 480, 40, 80, 0), (240, 480, 60, 80, 1), (720, 480, 62, 80, 1)]
    lyrics = ((240, -1, "/La"), (722, -1, " li"))
    tracks = Track("Bass", 33), Track("Voice", 52)
    DOMAIN.write(Music(make_notes(notes), tracks, 480, lyrics=lyrics), tmp_path / "a.musicxml")
    [again] = [p for p in read_musicxml(tmp_path / "a.musicxml") if isinstance(p, Music)]
    quarter = again.ticks_per_quarter
    assert again.lyrics == ((quarter // 2, 1, "La "), (3 * quarter // 2, 1, "li "))
