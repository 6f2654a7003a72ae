"""``seqgen push``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from seqgen.cli.printing import print_json, show


def push(
    run: Path,
    repository: str,
    *,
    private: bool = False,
    license: str = "",
    json: bool = False,
) -> None:
    """Upload a trained run to the Hugging Face hub.

    Uploads the model, its description, its reports and a model card; no corpus, samples or paths.
    Needs the extra hub, and a token: hf auth login, or HF_TOKEN.

    Parameters
    ----------
    run
        The run folder.
    repository
        OWNER/NAME on the hub; made if there is none.
    private
        Make a new repository private.
    license
        The licence of the model as the hub writes it, such as mit or cc-by-4.0.
    json
        Print the repository, the commit and the size of each file as JSON.
    """
    from seqgen.run import hub

    moved = hub.push(run, repository, private=private, license=license)
    if json:
        print_json(asdict(moved))
    else:
        show(f"{repository}, commit {moved.commit[:12]}: {moved.megabytes:.1f} MB")
