"""``seqgen pull``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seqgen.cli.printing import print_json, show


def pull(
    repository: str,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    revision: str = "main",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Download a run from the Hugging Face hub, and check all of it.

    Needs the extra hub, and the plugin that the run was made with.

    Parameters
    ----------
    repository
        OWNER/NAME on the hub.
    out
        The new run folder. Default: NAME.
    revision
        Branch, tag or commit of the repository.
    overwrite
        Replace a run that is there.
    json
        Print the repository, the commit and the size of each file as JSON.
    """
    from seqgen.run import hub

    folder = Path(repository.rsplit("/", 1)[-1]) if out is None else out
    moved = hub.pull(repository, folder, revision=revision, overwrite=overwrite)
    if json:
        print_json(asdict(moved))
    else:
        show(folder)
