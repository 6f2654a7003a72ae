"""The demo of speech: sentences that a synthesiser says."""

from itertools import islice
from pathlib import Path

import pytest
from seqgen_speech import demo
from seqgen_speech.domain import Speech
from seqgen_speech.espeak import Voice, speak

from seqgen.errors import PluginError
from seqgen.plugin import Labelled


def test_sentences_differ_and_are_the_same_every_time() -> None:
    first, second = (list(islice(demo.sentences(), 700)) for _ in range(2))
    assert first == second and len({*first}) == 700
    assert not any(set(text) - set("abcdefghijklmnopqrstuvwxyz ,.?") for text in first)


def test_the_demo_is_made_once_with_texts_and_speakers(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(demo, "SENTENCES", 12)
    paths = Speech().demo(tmp_path / "demo")
    made = [path.read_bytes() for path in paths]
    assert len(paths) == 12
    [piece] = Speech().read(paths[0])
    assert isinstance(piece, Labelled) and piece.labels == {"speaker": "ada"}
    assert piece.content.text == next(demo.sentences())
    assert 1 < piece.content.seconds < 5 and abs(piece.content.samples).max() > 0.1
    changed = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in Speech().demo(tmp_path / "demo")] == changed
    # One that is missing is made again, the same.
    paths[3].unlink()
    assert [path.read_bytes() for path in Speech().demo(tmp_path / "demo")] == made


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(PluginError, match="with the voice 'of nobody'"):
        list(speak([(Voice("x", "of nobody", 160, 50), "hello")]))
