"""The page on which to write, in a real browser: what was written there is what is read here.

The browser is that of `tests/conftest.py`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqgen_handwriting
from seqgen_handwriting.files.json_files import read_json
from seqgen_handwriting.ink import Ink

PAGE = Path(seqgen_handwriting.__file__).parent / "capture.html"
pytestmark = pytest.mark.slow

#: Where a pen goes on the paper, in CSS pixels from its corner: strokes of (x, y).
Places = Sequence[tuple[int, int]]
HOOK: Places = ((100, 60), (110, 90), (130, 100), (160, 80))
BAR: Places = ((200, 50), (200, 120))
DOT: Places = ((240, 70),)


def write(browser, places: Places, kind: str = "mouse") -> None:
    """Write a stroke on the paper with a mouse, pen or finger (touch)."""
    browser.act([pointer(browser, kind, kind, places)])


def write_together(browser, one: Places, other: Places) -> None:
    """Write two strokes at once, with two fingers; the first comes down first."""
    later = pointer(browser, "second", "touch", other)
    later["actions"].insert(0, {"type": "pause", "duration": 20})
    browser.act([pointer(browser, "first", "touch", one), later])


def pointer(browser, name: str, kind: str, places: Places) -> dict[str, Any]:
    left, top = browser.run(
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


def black(browser) -> int:
    """Return how many pixels of the paper are black."""
    return int(
        browser.run(
            "const paper = document.getElementById('paper');"
            "const all = paper.getContext('2d').getImageData(0, 0, paper.width, paper.height);"
            "let black = 0;"
            "for (let i = 0; i < all.data.length; i += 4)"
            "  black += all.data[i + 3] > 128 && all.data[i] + all.data[i + 1] < 100;"
            "return black"
        )
    )


def read_saved(browser) -> list[Ink]:
    """Wait for the file that was saved, and read it as a corpus is read."""
    path = browser.saved_file("*.json")
    inks = list(read_json(path))
    path.unlink()
    assert all(isinstance(ink, Ink) for ink in inks), inks
    return [ink for ink in inks if isinstance(ink, Ink)]


@pytest.fixture
def browser(open_browser):
    session = open_browser
    session.open(PAGE.as_uri())
    # What an earlier test wrote is kept otherwise. Chromium opens some pages of a disk with
    # another, empty localStorage; what is cleared there is not the one with content.
    for _ in range(20):
        session.run("sessionStorage.clear(); localStorage.clear()")
        session.open(PAGE.as_uri())
        if session.run("return !kept.length && !strokes.length && !at && !$('writer').value"):
            return session
    raise AssertionError("the page is not empty")


def test_what_is_written_is_saved_and_read(browser) -> None:
    asked = browser.text("sentence")
    browser.type("writer", "Ann O'Nym")
    began = time.monotonic()
    for places in (HOOK, BAR, DOT):
        write(browser, places)
    lasted = time.monotonic() - began
    browser.click("next")
    assert "1 kept" in browser.text("status") and black(browser) == 0
    second = browser.text("sentence")
    write(browser, BAR, "pen")
    browser.click("save")
    first, other = read_saved(browser)

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
def test_every_pointer_writes(browser, kind: str) -> None:
    assert black(browser) == 0
    write(browser, HOOK, kind)
    assert black(browser) > 100
    browser.click("save")
    [ink] = read_saved(browser)
    assert len(ink.strokes) == 1 and ink.points >= len(HOOK)


def test_what_is_not_saved_is_there_after_a_reload(browser) -> None:
    browser.type("writer", "Zoë")
    write(browser, HOOK)
    browser.click("next")
    asked = browser.text("sentence")
    write(browser, BAR)
    drawn = black(browser)
    browser.open(PAGE.as_uri())
    assert browser.text("sentence") == asked and black(browser) == drawn > 0
    assert "1 kept" in browser.text("count") and "2 of " in browser.text("count")
    write(browser, DOT)
    browser.click("undo")
    browser.click("save")
    inks = read_saved(browser)
    assert [len(ink.strokes) for ink in inks] == [1, 1] and inks[0].writer == "Zoë"
    # What was kept by another program, or was damaged, does no harm.
    for damaged in ("{", "null", '{"sentences": [], "strokes": [[]], "kept": 1}'):
        for store in ("sessionStorage", "localStorage"):
            browser.run(f"{store}.setItem('seqgen-handwriting', {json.dumps(damaged)})")
        browser.open(PAGE.as_uri())
        assert browser.text("sentence") and black(browser) == 0


def test_a_pen_has_pressure_and_a_palm_writes_nothing(browser) -> None:
    write(browser, HOOK, "pen")
    write(browser, BAR, "touch")
    browser.click("save")
    path = browser.saved_file("*.json")
    [drawing] = json.loads(path.read_text("utf-8"))
    [ink] = read_saved(browser)
    assert len(drawing["strokes"]) == 1 and {len(point) for point in drawing["strokes"][0]} == {4}
    assert all(0 <= pressure <= 1 for *_, pressure in drawing["strokes"][0])
    assert ink.times is not None and len(ink.strokes[0]) == len(drawing["strokes"][0])


def test_starting_again_forgets_all(browser) -> None:
    browser.run("window.confirm = () => true")
    write(browser, HOOK)
    browser.click("next")
    browser.click("forget")
    assert black(browser) == 0 and "0 kept" in browser.text("count")
    browser.open(PAGE.as_uri())
    assert "1 of " in browser.text("count") and "0 kept" in browser.text("count")


def test_sentences_have_accents_digits_and_signs() -> None:
    [inner] = re.findall(r"const SENTENCES = \[(.*?),\s*\];", PAGE.read_text("utf-8"), re.DOTALL)
    assert {*"0123456789éüñçß°€“”’–…()[]%&@#/+=*;:!?"} <= {*"".join(json.loads(f"[{inner}]"))}


def test_a_second_finger_does_not_disturb_the_first(browser) -> None:
    write_together(browser, HOOK, ((400, 150), (420, 160), (440, 150), (450, 120)))
    write(browser, BAR, "touch")
    browser.click("save")
    [ink] = read_saved(browser)
    assert len(ink.strokes) == 2
    assert ink.bounds[2] < 300


def test_strokes_are_taken_back_one_by_one(browser) -> None:
    write(browser, HOOK)
    one = black(browser)
    write(browser, BAR)
    assert black(browser) > one
    browser.click("undo")
    assert black(browser) == one
    # The button has the focus now, and the keys work all the same.
    write(browser, BAR)
    browser.press("\ue009", "z")
    assert black(browser) == one
    write(browser, DOT)
    browser.click("save")
    [ink] = read_saved(browser)
    assert [len(stroke) > 2 for stroke in ink.strokes] == [True, False]


def test_keys_in_a_field_are_those_of_the_field(browser) -> None:
    write(browser, HOOK)
    drawn = black(browser)
    browser.type("writer", "Zoe")
    browser.press("\ue009", "z")
    assert black(browser) == drawn


def test_clearing_and_another_sentence_leave_nothing(browser) -> None:
    first = browser.text("sentence")
    write(browser, HOOK)
    browser.click("clear")
    assert black(browser) == 0 and browser.text("sentence") == first
    write(browser, HOOK)
    browser.click("skip")
    assert black(browser) == 0 and browser.text("sentence") != first
    for button in ("undo", "next", "save"):
        browser.click(button)
    assert "Nothing is written" in browser.text("status")
    write(browser, BAR)
    browser.click("save")
    [ink] = read_saved(browser)
    assert len(ink.strokes) == 1 and ink.bounds[0] > 190


def test_own_sentences_are_asked_for_next(browser) -> None:
    browser.run("document.querySelector('details').open = true")
    browser.type("own", "  Zwölf Äpfel\n\nœuf\n")
    browser.click("use")
    assert browser.text("sentence") == "Zwölf Äpfel"
    browser.run("scrollTo(0, 0)")
    write(browser, HOOK)
    browser.click("next")
    assert browser.text("sentence") == "œuf"
    write(browser, BAR)
    browser.click("save")
    assert [ink.text for ink in read_saved(browser)] == ["Zwölf Äpfel", "œuf"]


def test_the_page_needs_no_network() -> None:
    assert not re.findall(r"https?:|@import|url\(|<link|\ssrc=", PAGE.read_text("utf-8"))
