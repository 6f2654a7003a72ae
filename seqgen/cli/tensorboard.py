"""Reports for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seqgen.errors import SeqgenError

if TYPE_CHECKING:
    from seqgen.training.loop import Report


#: Folder of the event files in a run folder.
REPORTS = "tensorboard"


def require_tensorboard() -> None:
    """Raise `SeqgenError` if tensorboardX is not installed."""
    try:
        import tensorboardX.event_file_writer  # noqa: F401
    except ModuleNotFoundError as error:
        raise SeqgenError(
            "--tensorboard needs tensorboardX, which is not installed; "
            "try: python -m pip install 'seqgen-toolkit[tensorboard]'"
        ) from error


def writer(folder: Path) -> Callable[[Report], None]:
    """Return a function that writes reports into a folder of event files.

    The folder is created. A resumed training adds a file, and TensorBoard shows them as one.

    Raises
    ------
    SeqgenError
        If tensorboardX is not installed.
    """
    require_tensorboard()
    # Not SummaryWriter: it queues events and may lose the last ones at the end.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    folder.mkdir(parents=True, exist_ok=True)
    events = EventsWriter(str(folder / "events"))

    def write(report: Report) -> None:
        values = {
            "loss/training": report.loss,
            "loss/validation": report.valid_loss,
            "learning_rate": report.learning_rate,
            "tokens_per_second": report.tokens / report.seconds,
        }
        shown = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
            if value is not None
        ]
        events.write_event(
            Event(wall_time=time.time(), step=report.step, summary=Summary(value=shown))
        )
        events.flush()

    return write
