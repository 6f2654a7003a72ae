"""InkML as other programs write it: contexts, values, labels, and limits."""

from pathlib import Path

import numpy as np
import pytest
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files import inkml_reading, xml_files
from seqgen_handwriting.ink import Ink

from seqgen.errors import DataError
from seqgen.plugin import Note

DOMAIN = Handwriting()

#: Channels X and Y, and those of a digitiser with its y first.
PLAIN = '<traceFormat><channel name="X"/><channel name="Y"/></traceFormat>'
SWAPPED = '<traceFormat><channel name="Y"/><channel name="X"/></traceFormat>'


def read(folder: Path, content: str) -> tuple[Ink, list[str]]:
    """Return the drawing of a document with this content, and what its reader says."""
    path = folder / "a.inkml"
    path.write_text(f'<ink xmlns="http://www.w3.org/2003/InkML">{content}</ink>', "utf-8")
    ink, *notes = DOMAIN.read(path)
    assert isinstance(ink, Ink) and all(isinstance(note, Note) for note in notes)
    return ink, [note.text for note in notes]


def strokes(folder: Path, content: str) -> list[list[list[float]]]:
    ink, notes = read(folder, content)
    assert not notes
    return [stroke.tolist() for stroke in ink.strokes]


# Labels


@pytest.mark.parametrize(
    "content, text",
    [
        ('<traceGroup><annotation type="truth">hello</annotation>{0}</traceGroup>', "hello"),
        ('<annotation type="Truth">$ x^2 $</annotation>{0}', "x^2"),
        (
            '<traceGroup><annotationXML type="Ground truth"><type>Sentence</type>'
            "<label>the war</label></annotationXML>{0}</traceGroup>",
            "the war",
        ),
        ('<annotationXML type="truth">plain</annotationXML>{0}', "plain"),
        (
            '<traceGroup><traceGroup><annotation type="label">one</annotation>{0}</traceGroup>'
            '<traceGroup><annotation type="label">two</annotation>{0}</traceGroup></traceGroup>',
            "one two",
        ),
        (
            '<traceView><annotation type="type">Textline</annotation>'
            '<annotation type="transcription">a b</annotation>'
            '<traceView><annotation type="transcription">a</annotation></traceView></traceView>'
            '<traceView><annotation type="type">Textline</annotation>'
            '<annotation type="transcription">c</annotation></traceView>{0}',
            "a b\nc",
        ),
        (
            '<annotation type="truth">whole</annotation>'
            '<traceGroup><annotation type="truth">part</annotation>{0}</traceGroup>',
            "whole",
        ),
        (
            '{0}<traceGroup><annotation type="truth">Segmentation</annotation>'
            '<traceGroup><annotation type="truth">x</annotation></traceGroup></traceGroup>',
            "x",
        ),
        ("{0}", ""),
    ],
)
def test_labels_are_found_wherever_they_are(content: str, text: str, tmp_path: Path) -> None:
    ink, _ = read(tmp_path, content.format("<trace>1 2, 3 4</trace>"))
    assert ink.text == text


# Contexts


def test_a_context_of_a_group_holds_for_its_traces(tmp_path: Path) -> None:
    found = strokes(
        tmp_path,
        f"""<definitions><context xml:id="a">{PLAIN}</context>
        <context xml:id="b">{SWAPPED}</context></definitions>
        <trace contextRef="#a">1 2, 3 4</trace><traceGroup contextRef="#b"><trace>1 2</trace>
        <traceGroup><trace>5 6</trace><trace contextRef="#a">5 6</trace></traceGroup></traceGroup>
        <trace>1 2</trace>""",
    )
    assert found == [[[1, 2], [3, 4]], [[2, 1]], [[6, 5]], [[5, 6]], [[1, 2]]]


def test_a_context_between_traces_changes_the_current_one(tmp_path: Path) -> None:
    found = strokes(
        tmp_path,
        f"""<definitions><traceFormat xml:id="f">{SWAPPED[13:-14]}</traceFormat>
        <context xml:id="c">{PLAIN}</context></definitions><context contextRef="#c"/>
        <trace>1 2</trace><context traceFormatRef="#f"/><trace>1 2</trace>
        <trace contextRef="#currentContext">3 4</trace><trace contextRef="#c">1 2</trace>
        <context brushRef="#b"/><trace>1 2</trace>""",
    )
    assert found == [[[1, 2]], [[2, 1]], [[4, 3]], [[1, 2]], [[2, 1]]]


def test_an_unknown_context_is_said(tmp_path: Path) -> None:
    ink, notes = read(tmp_path, f'{PLAIN}<trace contextRef="other.inkml#c">1 2</trace>')
    assert ink.points == 1 and notes == ["left out: contexts outside the file (1)"]


def test_contexts_that_refer_to_each_other_are_refused(tmp_path: Path) -> None:
    circle = """<definitions><context xml:id="a" contextRef="#b"/>
    <context xml:id="b" contextRef="#a"/></definitions><trace contextRef="#a">1 2</trace>"""
    with pytest.raises(DataError, match="contexts refer to each other"):
        read(tmp_path, circle)


def test_an_affine_canvas_transform_is_applied(tmp_path: Path) -> None:
    def document(transform: str) -> str:
        return f"""<definitions><canvasTransform xml:id="t">{transform}</canvasTransform>
        <context xml:id="c" canvasTransformRef="#t"/></definitions>
        <trace contextRef="#c">1 2, 3 4</trace>"""

    matrix = '<mapping type="affine"><affine>2 0 0, 0 -1 100</affine></mapping>'
    assert strokes(tmp_path, document(matrix)) == [[[2, 98], [6, 96]]]
    assert strokes(tmp_path, document('<mapping type="identity"/>')) == [[[1, 2], [3, 4]]]
    for other in (
        '<mapping type="mathml"/>',
        '<mapping type="affine"><affine>1 2, 3</affine></mapping>',
        f'<mapping type="affine"><affine>{"1 " * 9999}</affine></mapping>',
    ):
        _, notes = read(tmp_path, document(other))
        assert notes == ["left out: canvas transforms of another kind than affine (1)"]


def test_both_axes_have_one_unit(tmp_path: Path) -> None:
    channels = '<traceFormat><channel name="X" units="{}"/><channel name="Y" units="{}"/>'
    tail = "</traceFormat><trace>1 10, 2 20</trace>"
    assert strokes(tmp_path, channels.format("cm", "mm") + tail) == [[[10, 10], [20, 20]]]
    # One unit for both stays as it is, and an unknown one says nothing.
    for units in (("cm", "cm"), ("dev", "mm")):
        assert strokes(tmp_path, channels.format(*units) + tail) == [[[1, 10], [2, 20]]]
    dots = """<context><inkSource><traceFormat><channel name="X"/><channel name="Y"/></traceFormat>
    <channelProperties><channelProperty channel="X" name="resolution" value="100" units="1/cm"/>
    <channelProperty channel="Y" name="resolution" value="254" units="1/in"/></channelProperties>
    </inkSource></context><trace>100 254, 50 127</trace>"""
    np.testing.assert_allclose(strokes(tmp_path, dots), [[[10, 25.4], [5, 12.7]]])


def test_times_count_from_their_timestamp(tmp_path: Path) -> None:
    channels = '<channel name="X"/><channel name="Y"/><channel name="T" {}/>'
    content = """<definitions><timestamp xml:id="s" time="5000"/>
    <timestamp xml:id="r" timestampRef="#s" timeOffset="500"/>
    <context xml:id="c" timestampRef="#s"><traceFormat>{}</traceFormat></context></definitions>
    <trace contextRef="#c" timeOffset="100">0 0 0, 1 1 10</trace>
    <trace contextRef="#c" timeOffset="300">2 2 0, 3 3 10</trace>"""

    def times(about: str) -> list[float]:
        ink, _ = read(tmp_path, content.format(channels.format(about)))
        assert ink.times is not None
        return [round(second, 9) for second in np.concatenate(ink.times).tolist()]

    assert times("") == [5.1, 5.11, 5.3, 5.31]
    assert times('respectTo="#r"') == [5.5, 5.51, 5.5, 5.51]
    assert times('units="s"') == [5.1, 15.1, 5.3, 15.3]
    bad = content.replace('"300"', '"soon"').format(channels.format(""))
    with pytest.raises(DataError, match="timeOffset is 'soon'"):
        read(tmp_path, bad)


# Values


@pytest.mark.parametrize(
    "trace, points",
    [
        ("#A -#1f, #0 #10", [[10, -31], [0, 16]]),
        ("1 2 3 4 5 6", [[1, 2], [3, 4], [5, 6]]),
        ("1 2\n3 4\n5 6", [[1, 2], [3, 4], [5, 6]]),
        ("1 2 3 4\n5 6", [[1, 2], [3, 4], [5, 6]]),
        # With something more than X and Y.
        ("1 2 300\n3 4 310", [[1, 2], [3, 4]]),
        ("1 2 300, 3 4 310", [[1, 2], [3, 4]]),
        ("1 2 300", [[1, 2]]),
        ("1 2,", [[1, 2]]),
        (",1-2", [[1, -2]]),
        ("1 2, ? 3, * *", [[1, 2], [1, 3], [1, 3]]),
    ],
)
def test_values_may_be_written_in_many_ways(trace: str, points: list, tmp_path: Path) -> None:
    assert strokes(tmp_path, f"<trace>{trace}</trace>") == [points]


def test_values_of_intermittent_channels_may_be_missing(tmp_path: Path) -> None:
    form = """<traceFormat><channel name="X"/><channel name="Y"/><intermittentChannels>
    <channel name="F"/></intermittentChannels></traceFormat>"""
    assert strokes(tmp_path, form + "<trace>1 2, 3 4 9, 5 6</trace>") == [[[1, 2], [3, 4], [5, 6]]]


@pytest.mark.parametrize(
    "trace, reason",
    [
        ("1 2 3 4 5\n6", None),
        ("1 2 3 4\n5", "its values are not points of 2, and it has no commas"),
        ("1 2,,3 4", "the point '' has 0 values"),
        ("1 2, #G 3", "cannot read the point '#G 3'"),
        (f"1 2, 3 #{'F' * 999}", "cannot read the number #FFF"),
        (f"1 2, {'3 ' * 200}", "cannot read the point '3 3 3"),
        (",", "it has no value"),
    ],
)
def test_values_that_are_no_points_are_refused(trace: str, reason, tmp_path: Path) -> None:
    content = f"{PLAIN}<trace>9 9</trace><trace>{trace}</trace>"
    if reason is None:
        assert len(strokes(tmp_path, content)[1]) == 3
        return
    with pytest.raises(DataError, match=f"^trace 2: {reason}"):
        read(tmp_path, content)


def test_continued_traces_follow_the_one_they_name(tmp_path: Path) -> None:
    found = strokes(
        tmp_path,
        """<trace xml:id="a" continuation="begin">0 0</trace><trace xml:id="b">9 9</trace>
        <trace xml:id="c" continuation="middle" priorRef="#a">1 1</trace>
        <trace continuation="end" priorRef="#c">2 2</trace>
        <trace continuation="end" priorRef="#unknown">8 8</trace>""",
    )
    assert found == [[[0, 0], [1, 1], [2, 2]], [[9, 9], [8, 8]]]


def test_traces_that_are_not_drawn_are_counted(tmp_path: Path) -> None:
    ink, notes = read(
        tmp_path,
        """<definitions><trace>1 1</trace><traceGroup xml:id="g"><trace>2 2</trace></traceGroup>
        <trace xml:id="t">3 3</trace></definitions><trace>4 4</trace>
        <trace type="penUp">5 5</trace><traceView traceDataRef="#t"/>""",
    )
    assert [stroke.tolist() for stroke in ink.strokes] == [[[3, 3]], [[4, 4]]]
    assert notes == [
        "left out: traces in definitions that nothing shows (2), traces of a lifted pen (1)"
    ]


# Limits


def test_points_and_strokes_are_limited_while_they_are_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(inkml_reading, "MOST_POINTS", 5)
    with pytest.raises(DataError, match="more than 1,000,000 points"):
        # What follows the sixth point is not looked at.
        read(tmp_path, f"<trace>1 2, 3 4</trace><trace>{'1 2,' * 4} pear</trace>")
    monkeypatch.setattr(inkml_reading, "MOST_STROKES", 2)
    with pytest.raises(DataError, match="more than 2 strokes"):
        read(tmp_path, "<trace>1 2</trace>" * 3)


@pytest.mark.parametrize(
    "content, match",
    [
        ("<a/>" * 40, "more than 20 tags, attributes and references"),
        ("<a " + " ".join(f"b{n}=''" for n in range(30)) + "/>", "more than 20 tags, attributes"),
        ("&amp;" * 30, "more than 20 tags, attributes and references"),
        ("<trace>" + "1 2," * 30 + "</trace>", "between two tags has more than 100 characters"),
        ("<!-- " + "x" * 200 + " -->", "a tag of it has more than 100 bytes"),
        (f"<a b='{'x' * 200}'/>", "a tag of it has more than 100 bytes"),
        ("<a>" + "x" * 60 + "\U0001f600</a>", "its texts take more than 230 bytes"),
    ],
)
def test_trees_are_limited_before_they_are_built(
    content: str, match: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(xml_files, "MOST_PARTS", 20)
    monkeypatch.setattr(xml_files, "LONGEST_PART", 100)
    monkeypatch.setattr(xml_files, "PIECE", 10)
    path = tmp_path / "a.inkml"
    path.write_text(f"<ink>{content}</ink>")
    monkeypatch.setattr(xml_files, "MOST_BYTES", 230 if "text" in match else 10**6)
    with pytest.raises(DataError, match=match):
        list(DOMAIN.read(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_encodings_are_read_piece_by_piece(encoding: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(xml_files, "PIECE", 3)
    path = tmp_path / "a.inkml"
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    path.write_text(
        f'{head}<ink><annotation type="truth">é</annotation><trace>1 2</trace></ink>', encoding
    )
    [ink] = DOMAIN.read(path)
    assert isinstance(ink, Ink) and ink.text == "é"


def test_short_entities_are_read_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.inkml"

    def text(subset: str, value: str) -> str:
        path.write_text(
            f"<!DOCTYPE ink [{subset}]><ink><trace>1 2</trace>"
            f'<annotation type="truth">{value}</annotation></ink>'
        )
        [ink] = DOMAIN.read(path)
        assert isinstance(ink, Ink)
        return ink.text

    assert text('<!ENTITY ns "http://ns">', "&ns;") == "http://ns"
    assert text('<!ATTLIST annotation lang CDATA "en" type CDATA #IMPLIED>', "a") == "a"
    for subset in (
        f'<!ENTITY a "{"x" * 201}">',
        '<!ENTITY a "x"><!ENTITY b "&a;&a;">',
        '<!ENTITY a "&#60;trace>1 2&#60;/trace>">',
        '<!ENTITY % a "x">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        "".join(f'<!ENTITY a{n} "x">' for n in range(101)),
        f'<!ATTLIST trace b CDATA "{"x" * 201}">',
    ):
        with pytest.raises(DataError, match="declares entities"):
            text(subset, "a")


def test_a_deep_document_is_read(tmp_path: Path) -> None:
    deep = "<traceGroup>" * 50_000 + "<trace>1 2</trace>" + "</traceGroup>" * 50_000
    assert strokes(tmp_path, deep) == [[[1, 2]]]
    shown = '<trace xml:id="t">1 2</trace>'
    deep = "<definitions>" * 50_000 + shown + "</definitions>" * 50_000
    assert strokes(tmp_path, f'{deep}<traceView traceDataRef="#t"/>') == [[[1, 2]]]
