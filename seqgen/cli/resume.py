"""``seqgen resume``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from seqgen.cli.printing import print_json, show


def resume(run: Path, *, corpus: Path | None = None, json: bool = False) -> None:
    """Resume a training that was interrupted, from its last checkpoint.

    Parameters
    ----------
    run
        The run folder.
    corpus
        Where the corpus of the run is, if it has moved.
    json
        Print the description of the run as JSON.
    """
    from seqgen.cli.console import stderr
    from seqgen.cli.train import train_run
    from seqgen.errors import RunError
    from seqgen.run.folder import Run
    from seqgen.run.results import WEIGHTS
    from seqgen.storage.locks import hold
    from seqgen.training.parallel import join

    begun = Run(run, corpus=corpus)
    if not begun.is_begun:
        if (run / WEIGHTS).exists():
            raise RunError(
                f"the training of {run} is finished; to train its model further, start a new run "
                f"from it: seqgen train {begun.info['domain']} PATHS --from {run}"
            )
        raise RunError(f"{run} has no checkpoint to resume from; train again with seqgen train")
    world = join()
    stderr.quiet = not world.leads
    # A training resumes on the device on which it began.
    begun.device = begun.train_config.device
    with hold(begun.folder) if world.leads else nullcontext():
        train_run(begun, begun.corpus())
    if json:
        print_json(begun.info)
    else:
        show(begun.folder)
