"""MusicXML: hymns, drums, dynamics, transposition, repeats, and files that are none."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from seqgen_music.codecs.choosing import kind_of
from seqgen_music.codecs.chorale.raster import raster_of
from seqgen_music.domain import MusicDomain, ReadOptions
from seqgen_music.files.mei_reading import read_mei
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.files.notation_reading import read_notation
from seqgen_music.files.notation_writing import write_notation
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.errors import DataError
from seqgen.plugin import Note

Rows = list[tuple[float, float, int, int, int]]


def score(*parts: str, listed: str = "") -> str:
    """Return a score of parts; each is the content of its measures."""
    names = listed or "".join(
        f'<score-part id="P{number}"><part-name>Part {number}</part-name></score-part>'
        for number in range(len(parts))
    )
    written = "".join(f'<part id="P{number}">{part}</part>' for number, part in enumerate(parts))
    return (
        '<?xml version="1.0"?><!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 '
        'Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd"><score-partwise><part-list>'
        f"{names}</part-list>{written}</score-partwise>"
    )


def measure(content: str, number: int = 1, metre: str = "4/4", extra: str = "") -> str:
    beats, unit = metre.split("/")
    attributes = (
        f"<attributes><divisions>2</divisions><time><beats>{beats}</beats>"
        f"<beat-type>{unit}</beat-type></time>{extra}</attributes>"
        if number == 1
        else ""
    )
    return f'<measure number="{number}">{attributes}{content}</measure>'


def note(name: str, length: int = 2, inside: str = "", attributes: str = "") -> str:
    """Return a note such as ``F#4`` or a rest, its length in eighths."""
    if name == "rest":
        return f"<note><rest/><duration>{length}</duration>{inside}</note>"
    alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(name[1:-1], "")
    pitch = f"<pitch><step>{name[0]}</step>{alter}<octave>{name[-1]}</octave></pitch>"
    return f"<note {attributes}>{pitch}<duration>{length}</duration>{inside}</note>"


def read(text: str, tmp_path: Path, **options: str) -> list[Music | DataError | Note]:
    path = tmp_path / "score.musicxml"
    path.write_text(text)
    return list(MusicDomain().read(path, ReadOptions(**options)))  # type: ignore[arg-type]


def rows(piece: object) -> Rows:
    assert isinstance(piece, Music)
    quarter = piece.ticks_per_quarter
    return [(o / quarter, d / quarter, p, v, t) for o, d, p, v, t in piece.notes.tolist()]


def voice(number: int, staff: int) -> str:
    return f"<voice>{number}</voice><staff>{staff}</staff>"


def closed(bars: int = 2) -> str:
    """Return a hymn on two staves, with voices 1, 2, 5 and 6."""
    measures = []
    for number in range(1, bars + 1):
        back = "<backup><duration>8</duration></backup>"
        voices = [
            "".join(note(name, 4, voice(*place)) for name in names)
            for names, place in (
                (("G4", "A4"), (1, 1)),
                (("E4", "F4"), (2, 1)),
                (("C4", "C4"), (5, 2)),
                (("C3", "F2"), (6, 2)),
            )
        ]
        measures.append(measure(back.join(voices), number, extra="<staves>2</staves>"))
    return score("".join(measures))


def test_a_hymn_on_two_staves_is_a_chorale(tmp_path: Path) -> None:
    [hymn] = read(closed(), tmp_path)
    assert [row[2:] for row in rows(hymn)[:4]] == [
        *((67, 80, 0), (64, 80, 1), (60, 80, 2), (48, 80, 3))
    ]
    assert isinstance(hymn, Music) and len(hymn.tracks) == 4 and kind_of(hymn) == "parts"
    assert raster_of(hymn).sounding[0].tolist() == [67, 64, 60, 48]


def test_a_hymn_of_two_parts_too(tmp_path: Path) -> None:
    back = "<backup><duration>8</duration></backup>"
    upper, lower = (
        measure(
            back.join(note(name, 8, f"<voice>{place}</voice>") for place, name in enumerate(names))
        )
        for names in (("G4", "E4"), ("C4", "C3"))
    )
    [hymn] = read(score(upper, lower), tmp_path)
    assert isinstance(hymn, Music) and len(hymn.tracks) == 4


def test_the_staves_of_a_piano_are_two_tracks(tmp_path: Path) -> None:
    chord = note("C4", 8, voice(1, 1)) + note("E4", 8, voice(1, 1)).replace(">", "><chord/>", 1)
    back = "<backup><duration>8</duration></backup>"
    bar = chord + back + note("G4", 8, voice(2, 1)) + back + note("C3", 8, voice(5, 2))
    [piece] = read(score(measure(bar)), tmp_path)
    assert [(row[2], row[4]) for row in rows(piece)] == [(60, 0), (64, 0), (67, 0), (48, 1)]


def test_drums_are_told_by_their_instrument(tmp_path: Path) -> None:
    drums = {"K": 36, "S": 38, "H": 42}
    listed = (
        '<score-part id="P0"><part-name>Kit</part-name>'
        + "".join(f'<score-instrument id="{name}"/>' for name in drums)
        + "".join(
            f'<midi-instrument id="{name}"><midi-channel>10</midi-channel>'
            f"<midi-unpitched>{pitch + 1}</midi-unpitched></midi-instrument>"
            for name, pitch in drums.items()
        )
        + "</score-part>"
    )
    strokes = "".join(
        "<note><unpitched><display-step>B</display-step><display-octave>4</display-octave>"
        f'</unpitched><duration>2</duration><instrument id="{name}"/></note>'
        for name in "KSHK"
    )
    [piece] = read(score(measure(strokes), listed=listed), tmp_path)
    assert isinstance(piece, Music) and piece.tracks[0].drums
    assert piece.notes["pitch"].tolist() == [36, 38, 42, 36]


def test_drums_are_written_without_pitch(tmp_path: Path) -> None:
    strokes = [
        (0, 480, 36, 90, 0),
        (0, 480, 42, 90, 0),
        (480, 480, 56, 90, 0),
        (960, 960, 36, 50, 0),
    ]
    kit = Music(make_notes(strokes), (Track("Kit", 0, True), Track("Flute", 73)), 480)
    write_notation(kit, tmp_path / "kit.musicxml")
    text = (tmp_path / "kit.musicxml").read_text()
    assert "<!DOCTYPE score-partwise" in text and "<instrument-name>Cowbell<" in text
    assert (
        text.count("<unpitched>") == 4 and "<midi-unpitched>57<" in text and "<pitch>" not in text
    )
    [again] = read_notation(tmp_path / "kit.musicxml")
    assert [(o * 480, d * 480, *more) for o, d, *more in rows(again)] == strokes
    assert isinstance(again, Music) and again.tracks == (Track("Kit", 0, True),)


def test_dynamics_are_velocities(tmp_path: Path) -> None:
    def direction(mark: str, extra: str = "") -> str:
        return (
            f"<direction><direction-type><dynamics><{mark}/></dynamics></direction-type>{extra}"
            "</direction>"
        )

    music = (
        note("C4") + direction("pp") + note("C4") + direction("ff", "<staff>1</staff>") + note("C4")
    )
    music += note("C4", attributes='dynamics="50"')
    [piece] = read(score(measure(music)), tmp_path)
    assert [row[3] for row in rows(piece)] == [80, 33, 112, 45]


def test_sounding_pitch_key_and_tempo(tmp_path: Path) -> None:
    transpose = (
        "<key><fifths>2</fifths><mode>minor</mode></key>"
        "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic>"
        "<octave-change>-1</octave-change></transpose>"
    )
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>ca. 50</per-minute></metronome></direction-type></direction>"
    )
    music = mark + note("F#4") + '<sound tempo="90"/>' + note("Bb4", 6)
    [piece] = read(score(measure(music, extra=transpose)), tmp_path)
    assert [row[2] for row in rows(piece)] == [52, 56]
    assert isinstance(piece, Music) and piece.keys == ((0, 0, True),)
    assert piece.tempos.tolist() == [(0, 75.0), (480, 90.0)]
    # A later key has no transposition of its own.
    later = "<attributes><key><fifths>-1</fifths></key></attributes>" + note("F4", 8)
    [piece] = read(score(measure(note("F#4", 8), extra=transpose) + measure(later, 2)), tmp_path)
    assert isinstance(piece, Music) and piece.keys == ((0, 0, True), (1920, -3, False))


@pytest.mark.parametrize(
    ("fifths", "moves", "sounding"),
    [
        (4, "<chromatic>4</chromatic>", -4),
        (-3, "<diatonic>3</diatonic><chromatic>6</chromatic>", 3),
        (7, "<chromatic>11</chromatic>", 0),
        (5, "<diatonic>-1</diatonic><chromatic>-2</chromatic>", 3),
    ],
)
def test_a_transposed_key_has_at_most_seven_signs(
    fifths: int, moves: str, sounding: int, tmp_path: Path
) -> None:
    extra = f"<key><fifths>{fifths}</fifths></key><transpose>{moves}</transpose>"
    [piece] = read(score(measure(note("C4", 8), extra=extra)), tmp_path)
    assert isinstance(piece, Music) and piece.keys == ((0, sounding, False),)


def test_ties_grace_and_cue_notes(tmp_path: Path) -> None:
    grace = note("D4").replace("<duration>2</duration>", "").replace("<note >", "<note><grace/>")
    cue = note("E4").replace("<note >", "<note><cue/>")
    first = grace + note("C4", 6) + note("C4", 2, '<tie type="start"/>')
    second = note("C4", 4, '<tie type="stop"/>') + cue + note("rest", 2)
    [piece] = read(score(measure(first) + measure(second, 2)), tmp_path)
    assert [row[:3] for row in rows(piece)] == [(0, 3, 60), (3, 3, 60)]


def test_repeats_are_played_out_on_request(tmp_path: Path) -> None:
    def ending(number: str, close: bool) -> tuple[str, str]:
        repeat = '<repeat direction="backward"/>' if close else ""
        return (
            f'<barline location="left"><ending number="{number}" type="start"/></barline>',
            f'<barline location="right"><ending number="{number}" type="stop"/>{repeat}</barline>',
        )

    (one, one_end), (two, two_end) = ending("1", True), ending("2", False)
    bars = [
        note("C4", 8),
        one + note("D4", 8) + one_end,
        two + note("E4", 8) + two_end,
        note("F4", 8),
    ]
    text = score("".join(measure(bar, number) for number, bar in enumerate(bars, 1)))
    [once] = read(text, tmp_path)
    [played] = read(text, tmp_path, repeats="played")
    assert [row[2] for row in rows(once)] == [60, 62, 64, 65]
    assert [row[2] for row in rows(played)] == [60, 62, 60, 64, 65]


def test_bars_begin_together_and_what_is_missing_is_said(tmp_path: Path) -> None:
    upper = measure(note("C5", 8)) + measure(note("D5", 8), 2)
    lower = measure(note("C3", 6)) + measure(note("D3", 8), 2)
    piece, said = read(score(upper, lower), tmp_path)
    assert [row[0] for row in rows(piece)] == [0, 0, 4, 4]
    assert isinstance(said, Note)
    assert said.text == "Part 1, bars shorter than in other parts: 1 quarters in bar 1"


def test_compressed_scores_in_any_encoding(tmp_path: Path) -> None:
    text = closed().replace('version="1.0"', 'version="1.0" encoding="UTF-16"')
    with zipfile.ZipFile(tmp_path / "a.mxl", "w") as archive:
        archive.writestr("cover.xml", "<picture/>")
        archive.writestr("hymn.xml", text.encode("utf-16"))
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="hymn.xml"/></rootfiles></container>',
        )
    [hymn] = read_notation(tmp_path / "a.mxl")
    assert len(rows(hymn)) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<mei/>", r"expected MusicXML by parts \(score-partwise\), found 'mei'"),
        ("<score-partwise><part>", "the file is not XML"),
        (score(measure(note("C4", 2), metre="922/4")), "922/4 is no metre"),
        (score(measure(note("H4", 2))), "bar 1 of Part 0: expected a step from A to G, found 'H'"),
        (score(measure(note("C4", 10**10))), "expected a duration, found '10000000000'"),
        (score(measure(note("C4", 10**8))), "more than 50,000 quarters"),
        (score(measure(note("rest", 8))), "the file has no note"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><score-partwise>&b;</score-partwise>',
            "the file declares entities",
        ),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(text, tmp_path)


def test_karaoke_riff_and_mei_are_read(tmp_path: Path, midi_bytes: bytes) -> None:
    (tmp_path / "a.kar").write_bytes(midi_bytes)
    (tmp_path / "a.rmi").write_bytes(b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + midi_bytes)
    for name in ("a.kar", "a.rmi"):
        [piece] = MusicDomain().read(tmp_path / name)
        assert [row[2] for row in rows(piece)] == [60]
    (tmp_path / "a.mei").write_text(MEI)
    [piece] = MusicDomain().read(tmp_path / "a.mei")
    assert [row[:3] for row in rows(piece)] == [(0, 1, 67), (0, 3, 55), (1, 2, 66)]


def test_a_slow_or_bad_mei_file_costs_only_itself(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.mei").write_text(MEI)
    (tmp_path / "b.abc").write_text("X:1\nK:C\n" + "CDEF GABc|" * 20)
    (tmp_path / "c.mei").write_text("<mei>")
    monkeypatch.setattr("seqgen_music.files.mei_reading.MEI_SECONDS", 0.01)
    corpus = seqgen.prepare("music", [tmp_path], codec="melody", jobs=1)
    reasons = [entry["reason"] for entry in corpus.info["skipped"]]
    assert corpus.info["pieces"] == 1 and len(reasons) == 2
    assert "music21 takes longer than 0.01 seconds" in reasons[0]
    monkeypatch.undo()
    with pytest.raises(DataError, match="music21 cannot read it"):
        MusicDomain().read(tmp_path / "c.mei")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no memory")
def test_mei_takes_little_memory(monkeypatch) -> None:
    monkeypatch.setattr("seqgen_music.files.mei_reading.MEI_BYTES", 2**29)
    large = MEI.replace("<music>", f"<!--{' ' * 2**27}--><music>")
    with pytest.raises(DataError, match="more than 512 MB of memory for this MEI; convert it"):
        read_mei(large)


def test_only_metres_of_mei_count_beats(tmp_path: Path) -> None:
    (tmp_path / "a.mei").write_text(MEI.replace("<music>", '<perfRes count="300"/><music>'))
    assert len(MusicDomain().read(tmp_path / "a.mei")[0].notes) == 3
    (tmp_path / "b.mei").write_text(MEI.replace('meter.count="3"', 'meter.count="300"'))
    with pytest.raises(DataError, match="more than 255 beats"):
        MusicDomain().read(tmp_path / "b.mei")


@pytest.fixture
def midi_bytes() -> bytes:
    track = b"\0\x90\x3c\x50\x60\x80\x3c\0\0\xff\x2f\0"
    return b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big") + track


MEI = """<?xml version="1.0" encoding="UTF-8"?>
<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score>
<scoreDef meter.count="3" meter.unit="4" key.sig="1s"><staffGrp>
<staffDef n="1" lines="5" clef.shape="G" clef.line="2"/>
<staffDef n="2" lines="5" clef.shape="F" clef.line="4"/></staffGrp></scoreDef><section>
<measure n="1"><staff n="1"><layer n="1"><note pname="g" oct="4" dur="4"/>
<note pname="f" oct="4" dur="2" accid.ges="s"/></layer></staff>
<staff n="2"><layer n="1"><note pname="g" oct="3" dur="2" dots="1"/></layer></staff></measure>
</section></score></mdiv></body></music></mei>
"""


FERMATA = "<notations><fermata/></notations>"


def test_fermatas_are_read_written_and_read(tmp_path: Path) -> None:
    tied = '<tie type="start"/>'
    first = measure(note("C5", 4) + note("D5", 4, tied))
    second = measure(note("D5", 2, FERMATA) + note("rest", 2) + note("E5", 4, FERMATA), 2)
    bass = measure(note("C4", 8, FERMATA)) + measure(note("rest", 8), 2)
    [piece] = read(score(first + second, bass), tmp_path)
    # A fermata at the end of tied notes holds for the whole note.
    assert piece.fermatas == ((0, 1), (960, 0), (2880, 0))
    write_notation(piece, tmp_path / "again.musicxml")
    [again] = read_notation(tmp_path / "again.musicxml")
    assert again.fermatas == piece.fermatas and again.notes.tolist() == piece.notes.tolist()
    assert (tmp_path / "again.musicxml").read_text().count("<fermata") == 3
    write_midi(piece, tmp_path / "again.mid")
    [again] = MusicDomain().read(tmp_path / "again.mid")
    assert again.fermatas == piece.fermatas
