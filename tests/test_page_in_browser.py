"""The page of pieces in a real browser: sound, keys, and accessibility."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest

import seqgen
from seqgen.report.page import RECORDED, write_page
from seqgen.report.samples import write_samples
from seqgen.view import View

pytestmark = pytest.mark.slow

ROLL = '<svg viewBox="0 0 100 50" width="900" data-x0="10" data-x1="90" data-seconds="4"></svg>'
NOTES = [[0.0, 2.0, 60, 80, 0], [2.0, 2.0, 64, 80, 0]]


def silence(seconds: int) -> bytes:
    """Return a WAV file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * seconds))
    return content.getvalue()


@pytest.fixture
def shown(run, open_browser, tmp_path: Path, monkeypatch):
    """Return a function that opens the page of pieces that are seen and heard."""
    forms = {"image/svg+xml": ROLL, "audio/wav": silence(4)}
    monkeypatch.setattr("seqgen_text.domain.Text.preview", lambda self, piece: forms)
    view = View("roll", NOTES, {"tracks": [{"name": "</script>", "program": 0, "drums": False}]})
    monkeypatch.setattr("seqgen_text.domain.Text.view", lambda self, piece: view, raising=False)

    def show(count: int) -> Any:
        new = seqgen.generate(run, count, limit=10)
        path = write_page(run, write_samples(run, new, tmp_path / "s"), tmp_path / "index.html")
        open_browser.complaints()
        open_browser.open(path.as_uri())
        return open_browser

    return show


def place(number: int) -> str:
    """Return the expression of where a piece is, in whole seconds."""
    picture = f"document.querySelectorAll('figure')[{number}].querySelector('svg')"
    return f"Number({picture}.getAttribute('aria-valuenow'))"


@pytest.mark.parametrize("count", [RECORDED, RECORDED + 1])
def test_one_piece_sounds_at_a_time(shown, count: int) -> None:
    browser = shown(count)
    assert browser.run("return document.querySelectorAll('audio').length") == (
        count if count == RECORDED else 0
    )
    browser.run("document.querySelector('svg').focus()")
    browser.press("\ue014")
    browser.wait(f"{place(0)} === 2")
    browser.press(" ")
    browser.wait(f"{place(0)} >= 3")
    browser.press("\ue011")
    # A click on another picture: that piece plays from there, and this one is silent.
    browser.run("""
        const picture = document.querySelectorAll("svg")[1];
        const { left, top, width } = picture.getBoundingClientRect();
        const place = { clientX: left + 0.3 * width, clientY: top + 5, bubbles: true };
        picture.dispatchEvent(new MouseEvent("click", place));
    """)
    browser.wait(f"{place(1)} >= 2")
    assert browser.run(f"return {place(0)}") == 0
    assert browser.complaints() == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_can_be_used_by_everybody(shown, scheme: str, width: int) -> None:
    browser = shown(RECORDED + 1)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.emulate("Emulation.setEmulatedMedia", features=features)
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 400}
    browser.emulate("Emulation.setDeviceMetricsOverride", **size)
    assert browser.accessibility_faults() == []
    root = "document.documentElement"
    assert browser.run(f"return {root}.scrollWidth <= {root}.clientWidth")
    browser.emulate("Emulation.setEmulatedMedia", features=[])
