"""The examples that learn drawings run, on files that are made here."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.files.json_files import as_json
from seqgen_handwriting.ink import Ink

import seqgen

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def house(seed: int) -> Ink:
    """Draw a wall, a roof and a window, never twice alike."""
    rng = np.random.default_rng(seed)
    wide, tall = rng.integers(60, 120, 2)
    wall = np.array([[0, 0], [0, tall], [wide, tall], [wide, 0]])
    roof = np.array([[0, 0], [wide / 2, -40], [wide, 0], [0, 0]])
    window = np.array([[20, 20], [35, 20], [35, 40], [20, 40], [20, 20]])
    return Ink(
        tuple((part + rng.normal(0, 2, part.shape)).round() for part in (wall, roof, window))
    )


def run_example(name: str, monkeypatch: pytest.MonkeyPatch, path: Path, out: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr("seqgen.generation.limits.LONGEST_PIECE", 100)
    module = __import__(name)
    sys.modules.pop(name)
    module.main(path, 0.02, out)
    return module


@pytest.mark.slow
def test_sketches_are_learned_and_drawn(tmp_path: Path, monkeypatch, capsys) -> None:
    # Drawings with writers: the corpus has a label.
    houses = [as_json(replace(house(seed), writer="ab"[seed % 2])) for seed in range(40)]
    path = tmp_path / "house.json"
    path.write_text(f"[{','.join(houses)}]")
    run_example("sketches", monkeypatch, path, tmp_path / "out")
    printed = capsys.readouterr().out
    assert "% of a drawing's side" in printed and "strokes: new " in printed
    *drawn, page = map(Path, printed.splitlines()[-13:])
    for each in drawn:
        [ink] = Handwriting().read(each)
        assert isinstance(ink, Ink) and ink.points > 1
    assert page.read_text().count("<figure") == 12


@pytest.mark.slow
def test_characters_are_made_up_and_finished(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = tmp_path / "characters"
    folder.mkdir()
    for seed in range(30):
        Handwriting().write(house(seed), folder / f"{seed}.json")
    out = tmp_path / "out"
    run_example("kanji", monkeypatch, folder, out)
    assert len(list(out.glob("new-*.anim.svg"))) == 12
    [real] = Handwriting().read(out / "held-out.svg")
    for number in range(1, 7):
        [ink] = Handwriting().read(out / f"finished-{number}.svg")
        assert len(ink.strokes) >= 2
    assert capsys.readouterr().out.count("strokes more, ends by") == 6
    assert seqgen.load(out, "cpu").info["corpus"]["pieces"] == 30
    assert len(real.strokes) == 3
