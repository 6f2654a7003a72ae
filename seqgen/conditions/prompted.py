"""Trackers that are told of a prompt, because its end says more than its ids.

A stroke that a person drew is finished, and the pen is lifted after it. The ids of a prompt do not
say so: more points of the same stroke could follow them.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class PromptedTracker(Protocol):
    """A `seqgen.plugin.Tracker` that limits what may follow a prompt."""

    def prompted(self, given: Any) -> None:
        """Take the prompt as it was given, after its ids; of an excerpt these are the first."""
