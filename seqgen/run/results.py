"""The results in a run folder: what its weights reached, and the reports of its training.

Weights carry what they reached in their own file, so no kill can part the two; ``run.json`` says
the same, and may be older after a kill.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqgen.errors import RunError
from seqgen.run.description import Reached, ReportLine
from seqgen.storage.checked_json import check, parse
from seqgen.storage.tensors import TensorFile

WEIGHTS = "model.safetensors"
INITIAL = "initial.safetensors"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"


def reached(folder: Path, told: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the weights in a run folder reached, and how.

    Parameters
    ----------
    folder : Path
        The run folder.
    told : dict or None
        What ``run.json`` says: of older weights, if a kill came between the two.
    """
    known = _known(folder / WEIGHTS)
    if known is None or (told is not None and known.items() <= told.items()):
        return told
    reports = [row for row in read_reports(folder) if row["step"] == known["step"]]
    return (reports[-1] if reports else {"seconds": 0.0, "loss": known["valid_loss"]}) | known


def _known(path: Path) -> dict[str, Any] | None:
    """Return what weights say of themselves, or None if they do not."""
    if not path.exists():
        return None
    try:
        known: dict[str, Any] = parse(TensorFile(path).about.get("reached", "null"))
        check(known, Reached)
    except ValueError:
        return None  # who needs the weights will say so
    return known


def read_reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of a training so far.

    Raises
    ------
    RunError
        If a line is no report.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    if not path.is_file():
        raise RunError(f"{path} is no file; delete it")
    reports = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        # A line without an end was being written when the training was killed.
        if line.endswith(b"\n"):
            try:
                report = parse(line)
                check(report, ReportLine)
            except ValueError as error:
                raise RunError(f"{path}, line {number}: {error}; delete this line") from error
            reports.append(report)
    return reports


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("*.safetensors"))
