"""What becomes of pieces in progress after Ctrl-C: they are closed where the codec knows how.

Comes from: `seqgen.generation.engine` and `seqgen.generation.beam`, whose loops it can end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from seqgen.generation.pieces import Draft
from seqgen.generation.writer import Writer
from seqgen.storage.signals import noticed

Step = TypeVar("Step")


def rest_of(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the steps in which pieces are closed, until there is another Ctrl-C."""
    with suppress(KeyboardInterrupt), noticed() as signals:
        for step in steps:
            yield step
            if signals:
                return


def kept(writer: Writer, drafts: list[Draft], steps: Iterator[int]) -> list[Draft]:
    """Return what is kept of pieces after Ctrl-C.

    With a tracker that knows the way to the end (`ClosingTracker`), pieces close what is open in
    the steps that follow, and those that a second Ctrl-C leaves open are left out. Others are kept
    as they are.
    """
    if writer.close(drafts, "interrupt"):
        for _ in rest_of(steps):
            pass
        return [draft for draft in drafts if draft.stopped_by is not None]
    for draft in drafts:
        if draft.stopped_by is None:
            draft.stop("interrupt")
    return drafts
