"""The listener of the core: reports as event files for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.errors import PluginError
from seqgen.listener import Listener, Report

try:
    # Not SummaryWriter: it queues events and may lose the last ones at the end.
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
except ModuleNotFoundError as error:
    raise PluginError(
        "the listener 'tensorboard' needs tensorboardX, which is not installed; "
        "try: python -m pip install 'seqgen-toolkit[tensorboard]'"
    ) from error


class TensorBoard(Listener):
    """Writes reports into a folder of event files.

    A resumed training adds a file, and TensorBoard shows them as one.
    """

    def __init__(self, folder: Path, info: Mapping[str, Any]) -> None:
        self._events = EventsWriter(str(folder / "events"))

    def report(self, report: Report) -> None:
        """Write the losses, the learning rate and the speed."""
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
        self._events.write_event(
            Event(wall_time=time.time(), step=report.step, summary=Summary(value=shown))
        )
        self._events.flush()

    def close(self) -> None:
        """Close the file."""
        self._events.close()
