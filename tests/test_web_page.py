"""Exported pages, in a real browser without a network: they write what seqgen writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqgen
from seqgen.config import LimitConfig, ModelConfig, SampleConfig
from seqgen.errors import ConfigError, RunError
from seqgen.export import web_page
from seqgen.network.model import SequenceModel

DONE = "document.getElementById('write').disabled === false"


def like(run: seqgen.Run, monkeypatch, **options: Any) -> seqgen.Run:
    """Return a run with a random network of another shape, which never ends a piece."""
    torch.manual_seed(2)
    other = seqgen.load(run.folder, "cpu")
    config = ModelConfig(**{"hidden": 24, "embedding": 12, "dropout": 0.0, **options})
    model = SequenceModel(config, run.vocab, (), run.codec.boundaries)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
        for table in model.contexts or ():
            table.weight.normal_()
    monkeypatch.setattr(other, "model_config", config)
    return endless(other.with_model(model.eval()))


def endless(run: seqgen.Run) -> seqgen.Run:
    """Make END so unlikely that no random number draws it."""
    with torch.no_grad():
        weights = run.model.state_dict()
        weights["output_bias" if run.model_config.tied else "output.bias"][run.vocab.end] = -1000
    return run


def visit(browser: Any, path: Path, width: int = 1280) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.emulate("Emulation.setDeviceMetricsOverride", **size)
    browser.complaints()
    browser.open("about:blank")
    browser.open(path.as_uri())
    browser.wait(DONE)


def written(browser: Any, **fields: Any) -> str:
    """Fill fields, write a piece, and return its whole text."""
    for name, value in fields.items():
        browser.run(f"document.getElementById('{name}').value = {json.dumps(str(value))}")
    browser.click("write")
    browser.wait(f"{DONE} && !document.getElementById('status').textContent.startsWith('Wri')")
    text: str = browser.run("return document.getElementById('text').textContent")
    return text


@pytest.mark.parametrize(
    "options",
    [
        {"layers": 2, "skip": True, "context_rows": 101},
        {"layers": 2, "tied": True, "context_rows": 0},
        {"embedding": 0, "context_rows": 4096},
    ],
    ids=str,
)
def test_a_page_writes_a_thousand_tokens_of_seqgen(
    run, open_browser, tmp_path: Path, monkeypatch, options
) -> None:
    other = like(run, monkeypatch, **options)
    visit(open_browser, seqgen.export_web(other, tmp_path / "page.html", bits=32))
    sample, limit = SampleConfig(temperature=0.8, min_p=0.01), LimitConfig(length=1000)
    [piece] = seqgen.generate(other, prompt="7 green", sample=sample, limit=limit, seed=2**33 + 5)
    settings = {"temperature": 0.8, "min_p": 0.01, "length": 1000, "seed": 2**33 + 5}
    assert written(open_browser, prompt="7 green", **settings) == piece.piece
    assert len(piece.ids) == 1007 and open_browser.complaints() == []


def test_a_page_of_16_bits_is_that_of_the_rounded_weights(
    run, open_browser, tmp_path: Path
) -> None:
    other = seqgen.load(run.folder, "cpu")
    with torch.no_grad():
        for value in endless(other).model.state_dict().values():
            value.copy_(value.half())
    whole = seqgen.export_web(other, tmp_path / "whole.html", bits=32)
    path = seqgen.export_web(other, tmp_path / "half.html")
    assert path.stat().st_size < 0.75 * whole.stat().st_size
    visit(open_browser, path)
    [piece] = seqgen.generate(other, limit=LimitConfig(length=1000), seed=3)
    assert written(open_browser, length=1000, seed=3) == piece.piece
    assert open_browser.run("return document.getElementById('seed').value") == "4"


def test_stops_ends_and_errors(run, open_browser, seqgen_command, tmp_path: Path) -> None:
    path = tmp_path / "a <b> & $c.html"
    status, out, error = seqgen_command(
        *("export", run.folder, "--web", "--bits", "32", "--out", path, "--json")
    )
    assert status == 0, error
    assert json.loads(out) == {"file": str(path), "bytes": path.stat().st_size}
    visit(open_browser, path)
    for seed, stop, shown in ((1, "", ""), (2, "hanging", "hanging"), (3, "\n", r"\n")):
        stops = [np.array(run.codec.encode(stop))] if stop else []
        [piece] = seqgen.generate(run, prompt="9 ", stop=stops, seed=seed)
        assert written(open_browser, prompt="9 ", stop_text=shown, seed=seed) == piece.piece
    assert "stop text" in open_browser.text("status")
    for name, wrong, named in (("prompt", "9 \u1234", "\u1234"), ("temperature", "-1", "Temper")):
        before = open_browser.run(f"return document.getElementById('{name}').value")
        written(open_browser, **{name: wrong})
        assert named in open_browser.text("status")
        written(open_browser, **{name: before})
    # A policy without a network: this is refused before anything is sent.
    open_browser.complaints()
    asking = "return fetch('http://127.0.0.1:9').then(() => 'sent', () => 'refused')"
    assert open_browser.run(asking) == "refused"
    assert any("Content Security Policy" in each for each in open_browser.complaints())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_telephone_and_every_field_has_a_name(
    run, open_browser, tmp_path: Path, scheme
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    open_browser.emulate("Emulation.setEmulatedMedia", features=features)
    visit(open_browser, seqgen.export_web(run, tmp_path / "page.html"), width=390)
    written(open_browser, length=300)
    root = "document.documentElement"
    assert open_browser.run(f"return {root}.scrollWidth <= {root}.clientWidth")
    assert open_browser.accessibility_faults() == []
    fields = "[...document.querySelectorAll('input, textarea')]"
    assert open_browser.run(f"return {fields}.every((field) => field.labels.length === 1)")
    paper = open_browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    open_browser.emulate("Emulation.setEmulatedMedia", features=[])


def test_what_a_page_cannot_hold_is_refused(run, chorales, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(ConfigError, match=r"a page ends in \.html, found .*page\.txt"):
        seqgen.export_web(run, tmp_path / "page.txt")
    with pytest.raises(ConfigError, match=r"writes no text; .*such as characters"):
        seqgen.export_web(chorales, path)
    with pytest.raises(ConfigError, match="bits must be 16 or 32, found 8"):
        seqgen.export_web(run, path, bits=8)  # type: ignore[arg-type]
    large = like(run, monkeypatch)
    with torch.no_grad():
        large.model.output.weight[0, 0] = 1e6
    with pytest.raises(ConfigError, match=r"output\.weight has numbers too large for 16 bits"):
        seqgen.export_web(large, path)
    monkeypatch.setattr(web_page, "MOST", 1000)
    with pytest.raises(ConfigError, match=r"a page holds .* smaller `hidden`"):
        seqgen.export_web(run, path)
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(RunError, match="already there"):
        seqgen.export_web(run, path)


@pytest.mark.parametrize("codec", ["subwords", "words", "bytes"])
def test_codecs_whose_tokens_are_no_characters_are_named(verses: Path, tmp_path, codec) -> None:
    corpus = seqgen.prepare("text", [verses], codec=codec)
    with pytest.raises(ConfigError, match=f"the codec {codec} .* a page needs a codec such as"):
        web_page.texts_of(corpus.codec, codec)
