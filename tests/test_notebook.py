"""The notebook of the examples runs as it stands, with less training."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "first-steps.ipynb"


def outputs(cell: nbformat.NotebookNode) -> str:
    """Return what a cell shows, as one text."""
    return "".join(
        part.get("text", "") + "".join(map(str, part.get("data", {}).values()))
        for part in cell.outputs
    )


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    minutes, prepare, train, generate, dull, score, save = (
        cell for cell in notebook.cells if cell.cell_type == "code"
    )
    assert minutes.source.startswith("MINUTES = 1 ")
    minutes.source = "MINUTES = 0.02"
    (tmp_path / "lines.txt").write_text("The quick brown fox jumps over the lazy dog.\n" * 200)
    assert prepare.source.count('seqgen.prepare("text")') == 1
    prepare.source = prepare.source.replace('"text")', '"text", "lines.txt")')
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    assert "characters to learn from" in outputs(prepare)
    assert '<progress value="1.000"></progress>' in outputs(train)
    assert "<pre>The " in outputs(generate) and "<pre>The " in outputs(dull)
    assert outputs(score).count("nats per character") == 2
    assert "first-piece.txt" in outputs(save)
    assert (tmp_path / "first-piece.txt").read_text().startswith("The ")
