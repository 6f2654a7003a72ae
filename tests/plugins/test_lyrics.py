"""Lyrics: every format into `Music.lyrics` and `Music.verses`, and from there into scores."""

from pathlib import Path

import pytest
from seqgen_music.domain import MusicDomain
from seqgen_music.files.abc_reading import read_abc
from seqgen_music.files.kern_reading import read_kern
from seqgen_music.files.lyrics import MOST_VERSES, kinds_of
from seqgen_music.files.mei_reading import read_mei
from seqgen_music.files.musicxml_reading import read_musicxml
from seqgen_music.joining import beginning
from seqgen_music.music import Music, Track, make_notes

from seqgen.plugin import Note

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
    lines = ["CDEF|", "w:a b c d", "w:another verse", "GABc|", "cBAG|", "w:e f"]
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


def verses(piece: Music) -> dict[int, list[tuple[float, str]]]:
    """Return the beat and the text of the syllables of each further verse."""
    found: dict[int, list[tuple[float, str]]] = {}
    for tick, _, text, verse in piece.verses:
        found.setdefault(verse, []).append((tick / piece.ticks_per_quarter, text))
    return found


def test_each_further_line_of_words_is_a_verse() -> None:
    first = "CDEF|\nw:a b c d\nw:e-f * g\n+:h\nw:* | z\n"
    piece = tune(f"{first}GABc|\nw:i\nw:\nw:j k\nw:too many words in it")
    assert [text for _, _, text in piece.lyrics] == ["a ", "b ", "c ", "d ", "i "]
    assert verses(piece) == {
        2: [(0, "e-"), (1, "f "), (3, "g ")],
        3: [(4, "j "), (5, "k ")],
        4: [(4, "too "), (5, "many "), (6, "words "), (7, "in ")],
    }


def scored(tmp_path: Path, lyrics: list[str]) -> list[Music | Note]:
    """Return what is read of a score with lyrics below its notes, a quarter each."""
    notes = "".join(
        f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration>{text}</note>"
        for text in lyrics
    )
    (tmp_path / "a.musicxml").write_text(
        '<score-partwise><part-list><score-part id="P1"/></part-list><part id="P1"><measure>'
        f"<attributes><divisions>1</divisions></attributes>{notes}</measure></part></score-partwise>"
    )
    return [*read_musicxml(tmp_path / "a.musicxml")]


def lyric(number: object, text: str) -> str:
    return f'<lyric number="{number}"><text>{text}</text></lyric>'


def test_verses_of_a_score_are_told_by_their_numbers(tmp_path: Path) -> None:
    [piece] = scored(
        tmp_path,
        [
            lyric("chorus", "la") + lyric(1, "one") + lyric(3, "uno"),
            lyric(3, "dos"),
            lyric(3, "tres") + lyric(1, "three") + lyric(3, "again"),
            "<lyric><text>four</text></lyric>",
        ],
    )
    assert isinstance(piece, Music)
    assert [text.strip() for _, _, text in piece.lyrics] == ["one", "three", "four"]
    assert verses(piece) == {2: [(0, "uno "), (1, "dos "), (2, "tres ")], 3: [(0, "la ")]}


def test_the_report_says_which_verses_are_left_out(tmp_path: Path) -> None:
    many = "".join(lyric(number, "la") for number in range(MOST_VERSES, 0, -1))
    [piece] = scored(tmp_path, [many])
    assert isinstance(piece, Music) and max(verses(piece)) == MOST_VERSES
    piece, note = scored(tmp_path, [many + lyric("a", "lo") + lyric("b", "li")])
    assert isinstance(piece, Music) and isinstance(note, Note)
    assert max(verses(piece)) == MOST_VERSES
    assert f"verses after the first {MOST_VERSES} of {MOST_VERSES + 2} left out" in note.text


MEI = """<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score>
<scoreDef meter.count="3" meter.unit="4"><staffGrp><staffDef n="1" lines="5" clef.shape="G"
clef.line="2"/></staffGrp></scoreDef><section><measure n="1"><staff n="1"><layer n="1">
<note pname="g" oct="4" dur="4"><verse n="1"><syl wordpos="i" con="d">A</syl></verse>
<verse n="2"><syl>so</syl><syl>it</syl></verse></note>
<note pname="f" oct="4" dur="4"><verse n="1"><syl wordpos="t">ve</syl></verse></note>
<note pname="e" oct="4" dur="4"><verse n="2"><syl>goes</syl></verse></note>
</layer></staff></measure></section></score></mdiv></body></music></mei>"""


def test_verses_of_mei_are_read() -> None:
    [piece] = read_mei(MEI)
    assert [text for _, _, text in piece.lyrics] == ["A-", "ve "]
    assert verses(piece) == {2: [(0, "so it "), (2, "goes ")]}


def test_the_report_says_which_verses_of_mei_are_left_out() -> None:
    more = "".join(f'<verse n="{n}"><syl>la</syl></verse>' for n in range(3, MOST_VERSES + 3))
    piece, note = read_mei(MEI.replace("</verse></note>", f"</verse>{more}</note>", 1))
    assert isinstance(piece, Music) and isinstance(note, Note)
    assert max(verses(piece)) == MOST_VERSES
    assert note.text == f"verses after the first {MOST_VERSES} of {MOST_VERSES + 2} left out"


KERN = """**kern\t**dynam\t**text\t**silbe
*M4/4\t*\t*\t*
4c\tf\tA-\tso
4d\t.\t-ve\t.
4e\t.\t.\tit
4f\t.\tMa-\tgoes
==\t==\t==\t==
*-\t*-\t*-\t*-
"""


def test_each_further_spine_of_words_is_a_verse() -> None:
    [piece] = [each for each in read_kern(KERN) if isinstance(each, Music)]
    assert [text for _, _, text in piece.lyrics] == ["A-", "ve ", "Ma-"]
    assert verses(piece) == {2: [(0, "so "), (2, "it "), (3, "goes ")]}


def test_verses_go_through_scores_and_stay_with_a_prompt(tmp_path: Path) -> None:
    words = "w:one two\nw:| eins * zwei-te~Zeit\nw:*\nw:* * * last"
    piece = tune(f"CDEF|GABc|cBAG|FEDC|\n{words}")
    assert verses(piece).keys() == {2, 3}
    for name in ("a.musicxml", "a.abc"):
        DOMAIN.write(piece, tmp_path / name)
        [again] = [p for p in DOMAIN.read(tmp_path / name) if isinstance(p, Music)]
        assert (again.lyrics, again.verses) == (piece.lyrics, piece.verses), name
    DOMAIN.write(piece, tmp_path / "a.mid")
    [again] = [p for p in DOMAIN.read(tmp_path / "a.mid") if isinstance(p, Music)]
    assert again.lyrics == piece.lyrics and not again.verses
    half = beginning(piece, piece.notes["onset"] < 4 * 480, 4 * 480)
    assert half.verses == tuple(each for each in piece.verses if each[0] < 4 * 480) != ()


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
