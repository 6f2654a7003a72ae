"""The page of the playground, in a real browser that reaches nothing but the server."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mido
import pytest

import seqgen
from seqgen.serve import session
from seqgen.serve.app import FILES
from seqgen.serve.playground import Playground
from seqgen.serve.server import Server
from seqgen.view import View

pytestmark = pytest.mark.slow

DONE = "!document.getElementById('result').hidden"
TEXT = "[...document.querySelectorAll('[data-at]')].map((span) => span.textContent).join('')"


@contextmanager
def served(run: seqgen.Run) -> Iterator[str]:
    """Serve a run; yield the address of the page."""
    expected(run, length=1)  # What is compiled at first is not waited for.
    logged: list[str] = []
    server = Server(Playground(run, logged.append), 0, logged.append)
    thread = threading.Thread(target=server.listen)
    thread.start()
    try:
        yield server.address
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive() and not logged, logged


@pytest.fixture(scope="module")
def address(run) -> Iterator[str]:
    with served(run) as place:
        yield place


@pytest.fixture
def desktop(open_browser) -> Iterator[Any]:
    """A wide window, in which the console must not complain."""
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    open_browser.emulate("Emulation.setDeviceMetricsOverride", **size)
    open_browser.complaints()
    yield open_browser
    assert open_browser.complaints() == []


@pytest.fixture
def browser(desktop, address) -> Any:
    """The same with the page of a model of text."""
    visit(desktop, address)
    return desktop


def visit(browser: Any, address: str) -> None:
    browser.open("about:blank")  # Another part after # alone would not load the page again.
    browser.open(address)
    browser.wait("document.getElementById('write') && !document.getElementById('write').disabled")


def write(browser: Any, **fields: Any) -> None:
    """Fill fields, write a piece, and wait for its end."""
    for name, value in fields.items():
        browser.run(f"document.getElementById('{name}').value = {json.dumps(value)}")
    browser.click("write")
    browser.wait(DONE)


def expected(run: seqgen.Run, prompt: str | None = None, **options: Any) -> seqgen.Generated:
    options["limit"] = seqgen.LimitConfig(length=options.pop("length"))
    [piece] = seqgen.generate(run, prompt=prompt, **options)
    return piece


def test_a_text_is_written_and_goes_on_from_another_token(browser, run) -> None:
    write(browser, prompt="7 green", temperature=1.8, length=60, seed=4)
    sample = seqgen.SampleConfig(temperature=1.8)
    first = expected(run, "7 green", length=60, seed=4, sample=sample).piece
    assert browser.run(f"return {TEXT}") == first
    command = "seqgen generate RUN --prompt '7 green' --temperature 1.8 --length 60 --seed 4"
    assert browser.text("command") == command
    assert browser.run("return document.getElementById('seed').value") == "5"
    tints = browser.run(
        "return [...document.querySelectorAll('[data-at]')].map((span) => span.className + "
        "span.style.getPropertyValue('--s'))"
    )
    assert tints[:7] == ["given"] * 7 and len(set(tints[7:])) > 3
    assert browser.run("return document.getElementById('spoken').textContent") in first
    # By keyboard: the ninth token, its alternatives, the second of them.
    browser.run("document.querySelector('.text').focus()")
    for _ in range(9):
        browser.press("\ue014")
    browser.press("\ue007")
    browser.wait("document.activeElement.closest('.others')")
    shown = browser.run(
        "return [...document.querySelectorAll('.others b')].map((each) => each.textContent)"
    )
    assert len(shown) > 2 and first[8].replace(" ", "␣") in shown
    before = browser.run("return location.hash")
    browser.press("\ue015")
    browser.press("\ue007")
    browser.wait(f"location.hash !== '{before}' && {DONE}")
    branch = browser.run(f"return {TEXT}")
    assert branch[:8] == first[:8] and branch[8].replace(" ", "␣").replace("\n", "↵") in shown
    assert branch == expected(run, branch[:9], length=60, seed=5, sample=sample).piece
    browser.click("undo")
    browser.wait(f"{TEXT} === {json.dumps(first)}")
    browser.wait(DONE)
    # After a reload the piece is there, and so it is in another tab.
    again = browser.run("return location.href")
    visit(browser, again)
    browser.wait(f"{TEXT} === {json.dumps(first)}")
    # The file is the text.
    link = "document.querySelector('#downloads a').href"
    assert browser.run(f"return fetch({link}).then((answer) => answer.text())") == first


def test_two_settings_are_compared_and_a_piece_is_kept(browser, run) -> None:
    browser.click("compare")
    write(browser, temperature=1.5, temperature2=0, length=40, seed=3)
    browser.wait("!document.getElementById('result2').hidden")
    for mark, temperature in (("", 1.5), ("2", 0)):
        piece = expected(run, length=40, seed=3, sample={"temperature": temperature})
        spans = f"[...document.querySelectorAll('#view{mark} [data-at]')]"
        assert (
            browser.run(f"return {spans}.map((each) => each.textContent).join('')") == piece.piece
        )
    assert "--temperature 0 " in browser.text("command2")
    browser.run("document.querySelector('#view [data-at]').click()")
    browser.wait("!document.querySelector('#view .others').hidden")
    assert browser.accessibility_faults() == []
    browser.click("keep2")
    browser.wait("document.getElementById('keep2').disabled")
    [folder] = re.findall(r"Kept as text-1\.txt in RUN/(samples/\d+)\.", browser.text("status2"))
    assert (run.folder / folder / "text-1.txt").read_text() == piece.piece
    browser.click("novelty2")
    browser.wait("document.getElementById('status2').textContent.includes('Longest copied span')")


def test_a_piece_is_stopped_and_a_fault_is_told(browser, monkeypatch) -> None:
    has_to_stop = session.Session._has_to_stop

    def slowly(self: session.Session, count: int) -> bool:
        time.sleep(0.5)
        return has_to_stop(self, count)

    monkeypatch.setattr(session.Session, "_has_to_stop", slowly)
    for name in ("length", "least_length"):
        browser.run(f"document.getElementById('{name}').value = 10000")
    browser.click("write")
    browser.wait("document.querySelectorAll('[data-at]').length > 10")
    browser.click("stop")
    browser.wait(DONE)
    assert "was stopped" in browser.text("status")
    assert browser.run("return document.getElementById('stop').disabled")
    browser.run("document.getElementById('prompt').value = '\u1234'")
    browser.click("write")
    browser.wait("document.getElementById('status').classList.contains('wrong')")
    assert "\u1234" in browser.text("status") and browser.accessibility_faults() == []
    [refusal] = browser.complaints()
    assert "422" in refusal


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_telephone_and_every_field_has_a_name(browser, scheme) -> None:
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.emulate("Emulation.setEmulatedMedia", features=features)
    browser.emulate(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=844,
        deviceScaleFactor=1,
        mobile=True,
    )
    browser.run("document.querySelector('details').open = true")
    write(browser, length=200)
    assert browser.run("return document.documentElement.scrollWidth") == 390
    assert browser.accessibility_faults() == []
    nameless = browser.run(
        "return [...document.querySelectorAll('input, textarea, select, button, a')]"
        ".filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))"
        ".map((each) => each.outerHTML)"
    )
    assert nameless == []
    ids = browser.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_notes_sound_when_they_are_due(browser, address, run, monkeypatch) -> None:
    """Each character is a note; their onsets are heard in what is rendered."""

    def view(self: object, piece: str) -> View:
        notes = [[0.5 * at, 0.2, 60 + ord(sign) % 12, 100, 0] for at, sign in enumerate(piece)]
        tracks = [{"name": "Letters", "program": 0, "drums": False}]
        return View("roll", notes, {"tracks": tracks, "bars": [0.0, 2.0, 4.0]})

    monkeypatch.setattr(type(run.codec), "text_stream", lambda self: None)
    monkeypatch.setattr(type(run.domain), "view", view)
    visit(browser, address)
    write(browser, length=9, seed=1)
    slider = "document.querySelector('[role=slider]')"
    assert browser.run(f"return {slider}.getAttribute('aria-valuemax')") == "4.2"
    browser.run(f"{slider}.focus()")
    browser.press("\ue014")
    assert browser.run(f"return {slider}.getAttribute('aria-valuetext')") == "bar 2, 2.0 seconds"
    browser.press(" ")
    browser.wait(f"Number({slider}.getAttribute('aria-valuenow')) > 2.1")
    browser.press(" ")
    assert browser.run("return document.querySelector('.play').textContent") == "Play"
    heard = browser.run("""
        const url = (name) => new URL(name, location.href.split("#")[0]).href;
        return Promise.all([import(url("player.js")), import(url("roll.js"))]).then(
          async ([{ schedule }, { RollView }]) => {
            const view = new RollView(document.createElement("div"));
            view.show();
            view.draw({ at: 0, about: { tracks: [{ program: 0 }], bars: [0] },
              parts: [[0.25, 0.2, 60, 100, 0], [0.8, 0.2, 72, 100, 0], [1.5, 0.2, 50, 100, 0]] });
            view.finish();
            const context = new OfflineAudioContext(1, 2.2 * 44100, 44100);
            schedule(view, context, context.destination, [0, 3, true], 0);
            const sound = (await context.startRendering()).getChannelData(0), found = [];
            let quiet = 1e9;
            sound.forEach((value, at) => {
              if (Math.abs(value) < 0.01) quiet += 1;
              else {
                if (quiet > 0.1 * 44100) found.push(at / 44100);
                quiet = 0;
              }
            });
            return found;
          });
    """)
    assert heard == pytest.approx([0.25, 0.8, 1.5], abs=0.02)


MELODY = [64, 67]  # pitches of quarters


def drag(browser: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw with the mouse from one point of the window to another."""
    moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in (begin, end)]
    actions = [moves[0], {"type": "pointerDown"}, moves[1], {"type": "pointerUp"}]
    mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
    browser.act([{**mouse, "actions": [each | {"button": 0} for each in actions]}])


def notes_of(browser: Any) -> list[list[int]]:
    """Return pitches and tracks of the finished piece, by onset, from the file that is offered."""
    link = "document.querySelector('#downloads a').href"
    sent = browser.run(
        f"return fetch({link}).then((answer) => answer.arrayBuffer()).then((content) => "
        "btoa(String.fromCharCode(...new Uint8Array(content))))"
    )
    file = mido.MidiFile(file=io.BytesIO(base64.b64decode(sent)))
    found = []
    for number, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found.append([tick * 4 // file.ticks_per_beat, number, message.note])
    return sorted(found)


def test_notes_are_drawn_and_dropped_and_bars_rewritten(desktop) -> None:
    """The model that comes with music: four voices, which one voice cannot begin."""
    browser = desktop
    with served(seqgen.load("music", "cpu")) as place:
        visit(browser, place)
        browser.run("document.querySelector('#sketch summary').click()")
        left, top, width = browser.run(
            "const { left, top, width } = document.getElementById('notes').getBoundingClientRect();"
            "return [left, top, width]"
        )
        for number, pitch in enumerate(MELODY):
            height, quarter = top + (84 - pitch) * 8 + 4, width / 16
            begin = left + number * quarter
            drag(browser, (begin + 2, height), (begin + quarter - 2, height))
        browser.wait("document.getElementById('status').textContent.includes('was read')")
        slider = "document.querySelector('[role=slider]')"
        browser.wait(f"{slider}.getAttribute('aria-valuemax') === '1.0'")
        write(browser, seed=2)
        drawn = notes_of(browser)
        voices = {track for _, track, _ in drawn}
        assert len(voices) == 4
        soprano = [(at, pitch) for at, track, pitch in drawn if track == min(voices)]
        assert soprano == [(4 * at, pitch) for at, pitch in enumerate(MELODY)]
        assert browser.accessibility_faults() == []
        # The piece and the notes are taken back, one step at a time.
        for left in ("1.0", "0.5", "0.0"):
            browser.press("\ue009", "z")
            browser.wait(f"{slider}.getAttribute('aria-valuemax') === '{left}'")
        assert browser.run("return document.getElementById('undo').disabled")
        # Bars are rewritten; the others stay.
        fields = {"given-bars": "4", "given-metre": "4/4"}
        write(browser, **fields, seed=5)
        first = notes_of(browser)
        browser.run(f"{slider}.focus()")
        for _ in range(2):
            browser.press("\ue008", "\ue014")
        assert browser.text("status") == "Selected: bars 1 to 2."
        browser.run("document.querySelector('.rewrite').click()")
        browser.wait(f"document.getElementById('command').textContent.includes('3-') && {DONE}")
        other = notes_of(browser)
        # An upbeat belongs to bar 1, and a note that is tied into bar 3 begins there anew.
        ends = [[note for note in notes if note[0] >= 40] for notes in (first, other)]
        assert ends[0] == ends[1] != [] and first != other
        # A file that is dropped is a beginning.
        browser.click("undo")
        browser.wait(DONE)
        browser.run("""
            const link = document.querySelector("#downloads a").href;
            return fetch(link).then((answer) => answer.blob()).then((content) => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([content], "tune.mid"));
              document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
            });
        """)
        browser.wait("/was read: [1-9]/.test(document.getElementById('status').textContent)")
        write(browser, **dict.fromkeys(fields, ""), length=40, seed=1)
        assert "--prompt tune.mid" in browser.text("command")
        assert notes_of(browser)[: len(first)] == first


def test_the_page_needs_no_network() -> None:
    for path in FILES.values():
        assert not re.findall(r"https?:|@import|url\(|\bsrc=\"(?!app)", path.read_text("utf-8"))
