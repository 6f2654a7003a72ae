"""Opens the run that a command names: a folder, or a domain that comes with a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgen.run.folder import Run


def opened(run: Path, device: str = "auto", corpus: Path | None = None) -> Run:
    """Open a trained run as `seqgen.load` does, and say so if its folder hides a domain's model."""
    from seqgen.run.folder import load

    say_if_hidden(run)
    return load(run, device, corpus)


def say_if_hidden(run: Path) -> None:
    """Say that a folder is meant, if it has the name of a domain that comes with a model."""
    from seqgen.cli.console import say
    from seqgen.plugins.discovery import bundled_model, domain_names

    if run.exists() and str(run) in domain_names() and bundled_model(str(run)):
        say(f"{run} is the folder here, not the model that comes with the domain {run}")
