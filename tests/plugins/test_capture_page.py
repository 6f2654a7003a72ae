"""The page on which to write, in a real browser: what was written there is what is read here.

Chromium is driven by the W3C's WebDriver protocol, which is JSON over HTTP, through chromedriver.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
import seqgen_handwriting
from seqgen_handwriting.files.json_files import read_json
from seqgen_handwriting.ink import Ink

PAGE = Path(seqgen_handwriting.__file__).parent / "capture.html"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1000,900",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with chromedriver (Debian: apt-get install chromium chromium-driver)",
    ),
]

#: Where a pen goes on the paper, in CSS pixels from its corner: strokes of (x, y).
Places = Sequence[tuple[int, int]]
HOOK: Places = ((100, 60), (110, 90), (130, 100), (160, 80))
BAR: Places = ((200, 50), (200, 120))
DOT: Places = ((240, 70),)


class Browser:
    """A session of the browser.

    Parameters
    ----------
    port : int
        Where chromedriver listens.
    folder : Path
        For the profile, which is empty at first, and for what is saved.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._address = f"http://127.0.0.1:{port}/session"
        self.saved = folder / "saved"
        options = {
            "binary": CHROMIUM,
            "args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"],
            "prefs": {"download.default_directory": str(self.saved)},
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        made = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._address += f"/{made['sessionId']}"

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if method == "DELETE" else json.dumps(content or {}).encode()
        request = Request(self._address + path, body, method=method)
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def close(self) -> None:
        self._ask("DELETE", "")

    def open(self, path: Path) -> None:
        self._ask("POST", "/url", {"url": path.as_uri()})

    def run(self, script: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def text(self, name: str) -> str:
        return str(self.run(f"return document.getElementById('{name}').textContent"))

    def click(self, name: str) -> None:
        self._ask("POST", f"/element/{self._element(name)}/click")

    def type(self, name: str, text: str) -> None:
        self._ask("POST", f"/element/{self._element(name)}/value", {"text": text})

    def _element(self, name: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": f"#{name}"})
        return str(next(iter(found.values())))

    def press(self, *keys: str) -> None:
        """Press keys together, wherever the focus is."""
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self._act([{"type": "key", "id": "keys", "actions": actions}])

    def write(self, places: Places, kind: str = "mouse") -> None:
        """Write a stroke on the paper with a mouse, pen or finger (touch)."""
        self._act([self._pointer(kind, kind, places)])

    def write_together(self, one: Places, other: Places) -> None:
        """Write two strokes at once, with two fingers; the first comes down first."""
        later = self._pointer("second", "touch", other)
        later["actions"].insert(0, {"type": "pause", "duration": 20})
        self._act([self._pointer("first", "touch", one), later])

    def _pointer(self, name: str, kind: str, places: Places) -> dict[str, Any]:
        left, top = self.run(
            "const paper = document.getElementById('paper'), box = paper.getBoundingClientRect();"
            "return [box.left + paper.clientLeft, box.top + paper.clientTop]"
        )
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "duration": 40, "x": round(x + left), "y": round(y + top)}
            for x, y in places
        ]
        moves.insert(1, {"type": "pointerDown", "button": 0})
        moves.append({"type": "pointerUp", "button": 0})
        about = {"type": "pointer", "id": name, "parameters": {"pointerType": kind}}
        return {**about, "actions": moves}

    def _act(self, actions: list[dict[str, Any]]) -> None:
        self._ask("POST", "/actions", {"actions": actions})

    def ink(self) -> int:
        """Return how many pixels of the paper are black."""
        return int(
            self.run(
                "const paper = document.getElementById('paper');"
                "const all = paper.getContext('2d').getImageData(0, 0, paper.width, paper.height);"
                "let black = 0;"
                "for (let i = 0; i < all.data.length; i += 4)"
                "  black += all.data[i + 3] > 128 && all.data[i] + all.data[i + 1] < 100;"
                "return black"
            )
        )

    def saved_file(self) -> Path:
        """Wait for the file that was saved."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            files = list(self.saved.glob("*.json"))
            if files and not list(self.saved.glob("*.crdownload")):
                [path] = files
                return path
            time.sleep(0.1)
        raise AssertionError("nothing was saved within a minute")

    def file(self) -> list[Ink]:
        """Wait for the file that was saved, and read it as a corpus is read."""
        path = self.saved_file()
        inks = list(read_json(path))
        path.unlink()
        assert all(isinstance(ink, Ink) for ink in inks), inks
        return [ink for ink in inks if isinstance(ink, Ink)]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with subprocess.Popen(
        [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as driver:
        assert driver.stdout is not None
        started = (re.search(r"started successfully on port (\d+)", line) for line in driver.stdout)
        browser = None
        try:
            port = next((int(found[1]) for found in started if found), 0)
            assert port, "chromedriver does not start"
            browser = Browser(port, tmp_path_factory.mktemp("browser"))
            yield browser
        finally:
            if browser is not None:
                browser.close()
            driver.terminate()


@pytest.fixture
def browser(session: Browser) -> Browser:
    session.open(PAGE)
    # What an earlier test wrote is kept otherwise. Chromium opens some pages of a disk with
    # another, empty localStorage; what is cleared there is not the one with content.
    for _ in range(20):
        session.run("sessionStorage.clear(); localStorage.clear()")
        session.open(PAGE)
        if session.run("return !kept.length && !strokes.length && !at && !$('writer').value"):
            return session
    raise AssertionError("the page is not empty")


def test_what_is_written_is_saved_and_read(browser: Browser) -> None:
    asked = browser.text("sentence")
    browser.type("writer", "Ann O'Nym")
    began = time.monotonic()
    for places in (HOOK, BAR, DOT):
        browser.write(places)
    lasted = time.monotonic() - began
    browser.click("next")
    assert "1 kept" in browser.text("status") and browser.ink() == 0
    second = browser.text("sentence")
    browser.write(BAR, "pen")
    browser.click("save")
    first, other = browser.file()

    assert (first.text, other.text) == (asked, second) and asked != second
    assert first.writer == other.writer == "Ann O'Nym"
    assert [len(ink.strokes) for ink in (first, other)] == [3, 1]
    for stroke, places in zip(first.strokes, (HOOK, BAR, DOT), strict=True):
        # Whole pixels of the window are not quite those of the paper.
        np.testing.assert_allclose(stroke[0], places[0], atol=1.1)
        np.testing.assert_allclose(stroke[-1], places[-1], atol=1.1)
        for place in places:
            assert np.hypot(*(stroke - place).T).min() < 1.6
    assert first.times is not None
    times = np.concatenate(first.times)
    assert (np.diff(times) >= 0).all()
    # Moving took 40 ms from place to place.
    assert 0.12 <= times[-1] - times[0] <= lasted


@pytest.mark.parametrize("kind", ["mouse", "pen", "touch"])
def test_every_pointer_writes(browser: Browser, kind: str) -> None:
    assert browser.ink() == 0
    browser.write(HOOK, kind)
    assert browser.ink() > 100
    browser.click("save")
    [ink] = browser.file()
    assert len(ink.strokes) == 1 and ink.points >= len(HOOK)


def test_what_is_not_saved_is_there_after_a_reload(browser: Browser) -> None:
    browser.type("writer", "Zoë")
    browser.write(HOOK)
    browser.click("next")
    asked = browser.text("sentence")
    browser.write(BAR)
    drawn = browser.ink()
    browser.open(PAGE)
    assert browser.text("sentence") == asked and browser.ink() == drawn > 0
    assert "1 kept" in browser.text("count") and "2 of " in browser.text("count")
    browser.write(DOT)
    browser.click("undo")
    browser.click("save")
    inks = browser.file()
    assert [len(ink.strokes) for ink in inks] == [1, 1] and inks[0].writer == "Zoë"
    # What was kept by another program, or was damaged, does no harm.
    for damaged in ("{", "null", '{"sentences": [], "strokes": [[]], "kept": 1}'):
        for store in ("sessionStorage", "localStorage"):
            browser.run(f"{store}.setItem('seqgen-handwriting', {json.dumps(damaged)})")
        browser.open(PAGE)
        assert browser.text("sentence") and browser.ink() == 0


def test_a_pen_has_pressure_and_a_palm_writes_nothing(browser: Browser) -> None:
    browser.write(HOOK, "pen")
    browser.write(BAR, "touch")
    browser.click("save")
    path = browser.saved_file()
    [drawing] = json.loads(path.read_text("utf-8"))
    [ink] = browser.file()
    assert len(drawing["strokes"]) == 1 and {len(point) for point in drawing["strokes"][0]} == {4}
    assert all(0 <= pressure <= 1 for *_, pressure in drawing["strokes"][0])
    assert ink.times is not None and len(ink.strokes[0]) == len(drawing["strokes"][0])


def test_starting_again_forgets_all(browser: Browser) -> None:
    browser.run("window.confirm = () => true")
    browser.write(HOOK)
    browser.click("next")
    browser.click("forget")
    assert browser.ink() == 0 and "0 kept" in browser.text("count")
    browser.open(PAGE)
    assert "1 of " in browser.text("count") and "0 kept" in browser.text("count")


def test_sentences_have_accents_digits_and_signs() -> None:
    [inner] = re.findall(r"const SENTENCES = \[(.*?),\s*\];", PAGE.read_text("utf-8"), re.DOTALL)
    assert {*"0123456789éüñçß°€“”’–…()[]%&@#/+=*;:!?"} <= {*"".join(json.loads(f"[{inner}]"))}


def test_a_second_finger_does_not_disturb_the_first(browser: Browser) -> None:
    browser.write_together(HOOK, ((400, 150), (420, 160), (440, 150), (450, 120)))
    browser.write(BAR, "touch")
    browser.click("save")
    [ink] = browser.file()
    assert len(ink.strokes) == 2
    assert ink.bounds[2] < 300


def test_strokes_are_taken_back_one_by_one(browser: Browser) -> None:
    browser.write(HOOK)
    one = browser.ink()
    browser.write(BAR)
    assert browser.ink() > one
    browser.click("undo")
    assert browser.ink() == one
    # The button has the focus now, and the keys work all the same.
    browser.write(BAR)
    browser.press("\ue009", "z")
    assert browser.ink() == one
    browser.write(DOT)
    browser.click("save")
    [ink] = browser.file()
    assert [len(stroke) > 2 for stroke in ink.strokes] == [True, False]


def test_keys_in_a_field_are_those_of_the_field(browser: Browser) -> None:
    browser.write(HOOK)
    drawn = browser.ink()
    browser.type("writer", "Zoe")
    browser.press("\ue009", "z")
    assert browser.ink() == drawn


def test_clearing_and_another_sentence_leave_nothing(browser: Browser) -> None:
    first = browser.text("sentence")
    browser.write(HOOK)
    browser.click("clear")
    assert browser.ink() == 0 and browser.text("sentence") == first
    browser.write(HOOK)
    browser.click("skip")
    assert browser.ink() == 0 and browser.text("sentence") != first
    for button in ("undo", "next", "save"):
        browser.click(button)
    assert "Nothing is written" in browser.text("status")
    browser.write(BAR)
    browser.click("save")
    [ink] = browser.file()
    assert len(ink.strokes) == 1 and ink.bounds[0] > 190


def test_own_sentences_are_asked_for_next(browser: Browser) -> None:
    browser.run("document.querySelector('details').open = true")
    browser.type("own", "  Zwölf Äpfel\n\nœuf\n")
    browser.click("use")
    assert browser.text("sentence") == "Zwölf Äpfel"
    browser.run("scrollTo(0, 0)")
    browser.write(HOOK)
    browser.click("next")
    assert browser.text("sentence") == "œuf"
    browser.write(BAR)
    browser.click("save")
    assert [ink.text for ink in browser.file()] == ["Zwölf Äpfel", "œuf"]


def test_the_page_needs_no_network() -> None:
    assert not re.findall(r"https?:|@import|url\(|<link|\ssrc=", PAGE.read_text("utf-8"))
