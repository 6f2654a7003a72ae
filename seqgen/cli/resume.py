"""``seqgen resume``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from seqgen.cli.printing import print_json, show


def resume(run: Path, *, json: bool = False) -> None:
    """Resume a training that was interrupted, from its last checkpoint.

    Parameters
    ----------
    run
        The run folder.
    json
        Print the description of the run for programs.
    """
    from seqgen.cli.console import stderr
    from seqgen.cli.tensorboard import REPORTS, writer
    from seqgen.cli.train import train_run
    from seqgen.errors import RunError
    from seqgen.run.folder import Run
    from seqgen.storage.locks import hold
    from seqgen.training.parallel import join

    begun = Run(run)
    if not begun.is_begun:
        raise RunError(f"{run} has no checkpoint to resume from; seqgen info {run} tells more")
    world, reports = join(), begun.folder / REPORTS
    stderr.quiet = not world.leads
    # Where a training began is where it goes on.
    begun.device = begun.train_config.device
    with hold(begun.folder) if world.leads else nullcontext():
        watch = writer(reports) if world.leads and reports.exists() else None
        train_run(begun, begun.corpus(), watch)
    if json:
        print_json(begun.info)
    else:
        show(begun.folder)
