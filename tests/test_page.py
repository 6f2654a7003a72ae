"""The page: everything in one file, nothing from a network."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import seqgen
from seqgen.config import LimitConfig
from seqgen.errors import ConfigError, DataError
from seqgen.report.curves import loss_curves
from seqgen.report.page import NOTES, RECORDED, loss_curve, write_page
from seqgen.report.reading_back import read_samples
from seqgen.report.samples import write_samples
from seqgen.view import View


class Collector(HTMLParser):
    """Collects tags, addresses and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append(tag)
        self.names += [name for name, _ in attributes]
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_piece_and_needs_no_network(run, tmp_path: Path) -> None:
    new = list(seqgen.generate(run, 3, limit=LimitConfig(length=80)))
    samples = write_samples(run, new, tmp_path / "samples")
    path = write_page(run, samples, tmp_path / "index.html")
    page = Collector()
    page.feed(path.read_text())
    for piece in new:
        assert piece.piece in page.text
    assert page.tags.count("figure") == 3 and page.tags.count("svg") == 1
    for address in page.addresses:
        assert address.startswith("data:") or (tmp_path / address).exists(), address


def test_pieces_are_escaped(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        "seqgen_text.domain.Text.preview", lambda self, piece: {"text/plain": "<script>"}
    )
    samples = write_samples(run, seqgen.generate(run, 1), tmp_path / "samples")
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_binary_previews_are_embedded(run, tmp_path: Path, monkeypatch) -> None:
    shown = {"image/png": b"\x89PNG", "audio/wav": b"RIFF", "image/svg+xml": "<svg/>"}
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: shown)
    samples = write_samples(run, seqgen.generate(run, 1), tmp_path / "samples")
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    assert '<img alt="the piece" src="data:image/png;base64,' in html
    assert '<audio controls src="data:audio/wav;base64,' in html
    assert "<svg/>" in html


@pytest.mark.parametrize(("box", "narrow"), [("-5 -5 100 90", 2), ("0 0 300.5 100", 0), ("", 0)])
def test_pictures_that_are_not_wide_stand_in_a_row(
    run, tmp_path: Path, monkeypatch, box: str, narrow: int
) -> None:
    shown = {"image/svg+xml": f'<svg viewBox="{box}"></svg>'}
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: shown)
    samples = write_samples(run, seqgen.generate(run, 2), tmp_path / "samples")
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    assert html.count('<figure class="narrow">') == narrow and html.count("<figure") == 2


@pytest.fixture
def heard(monkeypatch) -> None:
    roll = '<svg viewBox="0 0 100 50" data-x0="10" data-x1="90" data-seconds="4"></svg>'
    shown = {"image/svg+xml": roll, "audio/wav": b"RIFF"}
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: shown)


def test_pieces_that_are_seen_and_heard_get_a_player(run, tmp_path: Path, heard) -> None:
    samples = write_samples(run, seqgen.generate(run, 2), tmp_path / "samples")
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    page = Collector()
    page.feed(html)
    # Picture and sound are plain elements, there without the script.
    assert page.tags.count("audio") == 2 and html.count('data-seconds="4"') == 2
    assert page.tags.count("script") == 1 and "src" not in html.split("<script", 1)[1]


class Silent(dict[str, str]):
    """Forms whose sound is not to be made."""

    def __getitem__(self, kind: str) -> str:
        assert not kind.startswith("audio/"), "the sound was made"
        return super().__getitem__(kind)


def test_a_large_page_holds_notes_in_place_of_sound(run, tmp_path: Path, monkeypatch) -> None:
    forms = Silent({"image/svg+xml": "<svg></svg>", "audio/wav": ""})
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: forms)
    about = {"tracks": [{"name": "</script><b>"}]}
    view = View("roll", [[0.0, 1.5, 60, 80, 0]], about)
    monkeypatch.setattr("seqgen_text.domain.Text.view", lambda self, piece: view, raising=False)
    samples = write_samples(run, seqgen.generate(run, RECORDED + 1), tmp_path / "samples")
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    assert "<audio" not in html
    held = re.findall(re.escape(NOTES) + "(.*)</script>", html)
    assert [json.loads(each) for each in held] == [{"notes": view.parts, **about}] * len(samples)


def test_every_ending_has_words(run, tmp_path: Path) -> None:
    from typing import get_args

    from seqgen.generation.pieces import StoppedBy

    new = list(seqgen.generate(run, 1, limit=LimitConfig(length=30)))
    for ending in get_args(StoppedBy):
        samples = write_samples(run, new, tmp_path / ending)
        samples.manifest["pieces"][0]["stopped_by"] = ending
        write_page(run, samples, tmp_path / f"{ending}.html")


def test_the_page_says_what_was_copied(run, corpus, tmp_path: Path) -> None:
    new = list(seqgen.generate(run, 1, limit=LimitConfig(length=80)))
    samples = write_samples(run, new, tmp_path / "samples", compare=corpus)
    html = write_page(run, samples, tmp_path / "index.html").read_text()
    found = samples.manifest["pieces"][0]["novelty"]
    assert f"Longest copied span: {found['longest']:,} tokens from {found['place']} on" in html
    assert f"{found['source']}, {found['source_place']}" in html


def test_the_page_shows_what_was_measured(run, tmp_path: Path) -> None:
    import numpy as np

    from seqgen.evaluation.comparison import Comparison
    from seqgen.plugin import Metric

    samples = write_samples(run, seqgen.generate(run, 1), tmp_path / "samples")
    one = Comparison("height", Metric("cm", np.array([3.0]), np.array([2.0, 4.0, 6.0])), 0.25, 1.0)
    page = Collector()
    page.feed(write_page(run, samples, tmp_path / "index.html", [one]).read_text())
    assert page.tags.count("svg") == 2 and "height" in page.text
    assert "4 ± 1.6" in page.text and "0.25" in page.text


def test_the_curve_stays_inside_its_frame() -> None:
    metrics = [
        {"seconds": float(at), "loss": 5.0 / (1 + at), "valid_loss": 1.0 if at % 10 == 9 else None}
        for at in range(100)
    ]
    curve = loss_curve(loss_curves(metrics))
    assert len(points(curve)) == 110
    assert all(48 <= x <= 720 and 0 <= y <= 228 for x, y in points(curve))
    assert "No training" in loss_curve(loss_curves([]))


def test_the_baseline_is_a_line_across() -> None:
    metrics = [{"seconds": float(at), "loss": 2.0, "valid_loss": 1.0} for at in range(1, 11)]
    plain = loss_curve(loss_curves(metrics))
    curve = loss_curve(loss_curves(metrics, {"order": 5, "valid_loss": 1.5}))
    [(left, level), (right, same)] = [
        point for point in points(curve) if point not in points(plain)
    ]
    # Half way between the two losses.
    assert level == same == pytest.approx((8 + 228) / 2) and (left, right) == (48, 712)
    assert ">5-gram</tspan> 1.500" in curve and "gram" not in plain


def points(curve: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, p.split(","))) for p in re.findall(r"[\d.-]+,[\d.-]+", curve)]


HOSTILE = """"'><script>alert(1)</script></title></pre><img src=x onerror=alert(1)>"""


def test_nothing_that_a_run_says_becomes_an_element(run, tmp_path: Path, monkeypatch) -> None:
    import numpy as np

    from seqgen.evaluation.comparison import Comparison
    from seqgen.plugin import Metric

    forms = {
        "text/plain": HOSTILE,
        f"image/{HOSTILE}": b"x",
        f"audio/{HOSTILE}": b"x",
        HOSTILE: b"x",
    }
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: forms)
    folder = tmp_path / "#a?%41 <script>"
    samples = write_samples(run, seqgen.generate(run, 1), folder, settings={HOSTILE: HOSTILE})
    entry = samples.manifest["pieces"][0]
    entry["novelty"] = {
        "longest": 3,
        "copied": {},
        "place": HOSTILE,
        "source": HOSTILE,
        "source_place": HOSTILE,
    }
    about = {**run.info, "domain": HOSTILE}
    about["baseline"] = {"order": HOSTILE, "valid_loss": 0.0, "uniform": 9.0}  # Better than ours.
    about |= {"versions": {HOSTILE: HOSTILE}, "vocab": [HOSTILE]}
    monkeypatch.setattr(run, "info", about)
    values = np.array([3.0, 4.0])
    compared = [Comparison(HOSTILE, Metric(HOSTILE, values, values), 0.5, 1.0)]
    html = write_page(run, samples, tmp_path / "index.html", compared).read_text()
    page = Collector()
    page.feed(html)
    # Without a picture there is no player, our only script.
    assert page.tags.count("script") == html.count("</script>") == 0
    assert page.tags.count("img") == page.tags.count("audio") == page.tags.count("title") == 1
    assert not [name for name in page.names if name.startswith("on")]
    for address in page.addresses:
        assert address.startswith("data:") or (tmp_path / unquote(address)).is_file(), address


def test_a_link_is_never_a_script(run, tmp_path: Path) -> None:
    samples = write_samples(run, seqgen.generate(run, 1), tmp_path / "samples")
    samples.manifest["pieces"][0]["files"] = ["javascript:alert(1).txt"]
    page = Collector()
    page.feed(write_page(run, samples, tmp_path / "samples" / "index.html").read_text())
    assert page.addresses == ["javascript%3Aalert%281%29.txt"]


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt", "..", ""])
def test_samples_are_read_from_their_own_folder_only(run, tmp_path: Path, name: str) -> None:
    import json

    samples = write_samples(run, seqgen.generate(run, 1), tmp_path / "samples")
    (tmp_path / "secret.txt").write_text("my diary")
    samples.manifest["pieces"][0]["files"] = [name]
    (tmp_path / "samples" / "manifest.json").write_text(json.dumps(samples.manifest))
    with pytest.raises(DataError, match="names a file outside its folder"):
        read_samples(run, tmp_path / "samples")


@pytest.mark.parametrize("suffix", ["../x", "/tmp/x.txt", ".txt/../../x", "txt\0", ".TXT\n"])
def test_a_format_is_no_way_out_of_the_folder(run, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ConfigError, match=r"text is written as .txt, not"):
        write_samples(run, seqgen.generate(run, 1), tmp_path / "samples", suffix)
    assert not list(tmp_path.iterdir())
