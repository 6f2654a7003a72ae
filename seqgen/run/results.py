"""The results in a run folder: the loss of its weights, and the reports of its training.

The weights file holds its own loss and step in the metadata, so a kill cannot separate them.
``run.json`` repeats them, and may be older after a kill.
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
PROOFREADER = "proofreader.safetensors"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
#: Folder with a folder for each listener of the training.
EVENTS = "events"

#: The report of weights whose own report was lost, for example by a power cut.
UNREPORTED = {
    "fraction": 1.0,
    "seconds": 0.0,
    "learning_rate": 0.0,
    "improved": True,
    "interrupted": False,
    "message": "",
}


def check_trained(folder: Path, name: str) -> None:
    """Raise `RunError` if a run folder, called by a name, holds no trained model."""
    if not (folder / WEIGHTS).exists():
        raise RunError(
            f"{name} holds no trained model: its training has not come to its first evaluation; "
            f"train it"
        )


def latest_result(folder: Path, described: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the result of the weights in a run folder, as in ``run.json``.

    Parameters
    ----------
    folder : Path
        The run folder.
    described : dict or None
        The result in ``run.json``. It is that of older weights if the process was killed between
        writing the weights and writing ``run.json``.
    """
    known = _known(folder / WEIGHTS)
    if known is None or (described is not None and known.items() <= described.items()):
        return described
    reports = [row for row in read_reports(folder) if row["step"] == known["step"]]
    report = reports[-1] if reports else UNREPORTED | {"loss": known["valid_loss"] or 0.0}
    return report | known


def _known(path: Path) -> dict[str, Any] | None:
    """Return the metadata of a weights file; None if there is no file or no metadata."""
    if not path.exists():
        return None
    try:
        known: dict[str, Any] = parse(TensorFile(path).about.get("reached", "null"))
        check(known, Reached)
    except ValueError:
        return None  # the error comes when the weights are read
    return known


def read_reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of a training so far.

    Raises
    ------
    RunError
        If a line is not a report.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    if not path.is_file():
        raise RunError(f"{path} is not a file; delete it")
    reports = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        # The last line has no newline if the training was killed while it wrote it.
        if line.endswith(b"\n"):
            try:
                report = parse(line)
                check(report, ReportLine)
            except ValueError as error:
                raise RunError(f"{path}, line {number}: {error}; delete this line") from error
            reports.append(report)
    return reports


def aligned_folder(folder: Path, number: int) -> Path:
    """Return the corpus folder of a round of realigning, in a run folder."""
    return folder / f"aligned-{number}"


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(folder.glob("*.safetensors"))
