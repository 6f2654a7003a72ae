"""A small copy of a trained run, to come with a plugin: float16 weights, and no corpus.

The copy generates, scores and can be trained further (``--from``), as the run does. It has no
checkpoints, samples or place of its corpus. Comes from: `seqgen.run.folder`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import safetensors.numpy

from seqgen.errors import RunError
from seqgen.files import RUN, new_folder, write_atomic
from seqgen.run.card import model_card
from seqgen.run.description import Reached
from seqgen.run.folder import Run
from seqgen.run.results import METRICS, PROOFREADER, WEIGHTS, check_trained
from seqgen.storage.tensors import halved


def write_slim(run: Run, folder: Path, about: str, *, overwrite: bool = False) -> None:
    """Write a small copy of a trained run.

    Parameters
    ----------
    run : Run
    folder : Path
    about : str
        What the model learned from, under which licence, and how it was made, in Markdown. It ends
        the card, which ``seqgen info`` shows.
    overwrite : bool
        Replace an existing run.

    Raises
    ------
    RunError
        If the run is untrained, the folder is taken, or float16 cannot hold a weight.
    """
    check_trained(run.folder, run.name)
    info = run.info | {"corpus": run.info["corpus"] | {"folder": ""}, "about": about}
    info["plan"] = info["plan"] | {"reasons": []}
    try:
        weights = halved(run.weights)
    except ValueError as error:
        raise RunError(f"{run.folder} cannot be made smaller: {error}") from error
    with new_folder(folder, marker=RUN, overwrite=overwrite) as place:
        write_atomic(place / RUN, _compact(info) + "\n")
        write_atomic(
            place / WEIGHTS, safetensors.numpy.save(weights, {"reached": _compact(_reached(run))})
        )
        evaluations = [report for report in run.metrics if report["valid_loss"] is not None]
        write_atomic(place / METRICS, "".join(_compact(each) + "\n" for each in evaluations))
        write_atomic(place / "README.md", model_card(info))
        if (run.folder / PROOFREADER).exists():
            shutil.copy(run.folder / PROOFREADER, place / PROOFREADER)


def _reached(run: Run) -> dict[str, Any]:
    """Return the metadata of the weights: what they reached."""
    result = run.info["result"]
    return {name: result[name] for name in Reached.__annotations__ if name in result}


def _compact(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
