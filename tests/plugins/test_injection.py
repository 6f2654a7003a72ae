"""What a piece says of itself (texts, writers, names of tracks) stays text in every format."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import seqgen_handwriting
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink
from seqgen_music.domain import MusicDomain
from seqgen_music.music import Music, Track, make_notes

#: Elements that drawings, piano rolls and players are made of.
HARMLESS = {"svg", "title", "style", "path", "div", "audio", "g", "rect", "text", "line"}

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</title></svg><svg onload=alert(1)>",
    "--><script>1</script><!--",
    "]]><script>1</script><![CDATA[",
    "javascript:alert(1)",
    "&lt;script&gt;&#60;script&#62;",
    "a\nM112\rG0 X9999 ; b",
    "%\n! ~ ? \x18 \x00\x1b[2J\u2028\u202e",
    "../../etc/passwd",
]


class Elements(HTMLParser):
    """Collects the elements and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.add(tag)
        self.attributes += attributes

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def is_harmless(self) -> bool:
        return not self.tags & {
            "script",
            "img",
            "iframe",
            "foreignobject",
            "a",
            "image",
        } and not any(
            name.startswith("on") or "javascript" in (value or "")
            for name, value in self.attributes
            if name not in ("data-writer", "aria-label")
        )


def ink(text: str) -> Ink:
    return Ink((np.array([[0.0, 0.0], [10.0, 5.0]]), np.array([[3.0, 3.0]])), text, writer=text)


def music(name: str) -> Music:
    tracks = (Track(name, 0), Track(name, 0, drums=True))
    return Music(make_notes([(0, 480, 60, 80, 0), (0, 480, 36, 80, 1)]), tracks, 480)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("suffix", [".svg", ".anim.svg", ".inkml"])
def test_ink_is_only_ink(text: str, suffix: str, tmp_path: Path) -> None:
    domain, path = Handwriting(), tmp_path / f"ink{suffix}"
    domain.write(ink(text), path)
    content = path.read_text("utf-8")
    tree = ElementTree.fromstring(content)
    plain = {
        element.tag for element in domain_tree(ink("plain"), tmp_path / f"plain{suffix}").iter()
    }
    assert {element.tag for element in tree.iter()} <= plain
    assert Elements(content).is_harmless
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", content)
    [again] = domain.read(path)
    assert again.text.split() == re.sub(r"[\x00-\x08\x0b-\x1f\r]", "", text).split()


def domain_tree(piece: Ink, path: Path) -> ElementTree.Element:
    Handwriting().write(piece, path)
    return ElementTree.fromstring(path.read_text("utf-8"))


@pytest.mark.parametrize("text", HOSTILE)
def test_notebooks_and_pages_show_ink_and_music_only(text: str) -> None:
    shown = [
        ink(text)._repr_html_(),
        music(text)._repr_html_(),
        *(str(form) for form in Handwriting().preview(ink(text)).values()),
        MusicDomain().preview(music(text))["image/svg+xml"],
    ]
    for html in shown:
        assert Elements(html).is_harmless
        assert {"svg"} <= Elements(html).tags <= HARMLESS


@pytest.mark.parametrize("text", HOSTILE)
def test_a_plotter_gets_no_command_from_a_text(text: str, tmp_path: Path) -> None:
    Handwriting().write(ink(text), tmp_path / "a.gcode")
    Handwriting().write(ink(""), tmp_path / "b.gcode")
    data, plain = (tmp_path / "a.gcode").read_bytes(), (tmp_path / "b.gcode").read_bytes()
    comment, rest = data.split(b"\n", 1)
    assert comment.startswith(b"; ") and rest == plain
    # Machines act on these wherever they stand; what is not ASCII as well.
    assert not set(comment) & {*b"!~?%()", *range(32), *range(127, 256)}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("suffix", [".mid", ".musicxml", ".svg"])
def test_names_of_tracks_are_names(text: str, suffix: str, tmp_path: Path) -> None:
    domain, path = MusicDomain(), tmp_path / f"music{suffix}"
    domain.write(music(text), path)
    if suffix == ".mid":
        assert len(next(iter(domain.read(path))).notes) == 2
        return
    content = path.read_text("utf-8")
    ElementTree.fromstring(content)
    assert not [tag for tag in ("<script", "<img", "<svg onload") if tag in content]


def test_the_text_fields_of_a_tune_are_not_kept(tmp_path: Path) -> None:
    fields = "".join(f"{field}:{HOSTILE[0]}\n" for field in "TCONZ")
    (tmp_path / "tune.abc").write_text(f"X:1\n{fields}M:4/4\nL:1/4\nK:C\nCDEF|w:{HOSTILE[1]}\n")
    tune, _ = MusicDomain().read(tmp_path / "tune.abc")
    assert Elements(tune._repr_html_()).is_harmless
    MusicDomain().write(tune, tmp_path / "tune.musicxml")
    assert "<script" not in (tmp_path / "tune.musicxml").read_text("utf-8")


def test_the_page_on_which_to_write_makes_no_elements_of_text() -> None:
    page = (Path(seqgen_handwriting.__file__).parent / "capture.html").read_text("utf-8")
    for maker in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert maker not in page
