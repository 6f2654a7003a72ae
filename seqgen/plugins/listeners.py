"""Finds and loads listeners: what follows a training, such as TensorBoard.

The core has one, `tensorboard`; plugins offer others. Comes from: `seqgen.plugins.announcements`.
Next: `seqgen.listener` says what a listener is; `seqgen.training.listening` feeds them.
"""

from __future__ import annotations

import seqgen
from seqgen.errors import PluginError
from seqgen.listener import Listener
from seqgen.plugin import CONTRACT, ListenerSpec
from seqgen.plugins.announcements import (
    LISTENERS,
    Announced,
    chosen,
    implementation_of,
    unusable,
    with_own,
)

#: The listener of the core, and the distribution it is in.
TENSORBOARD, DISTRIBUTION = "tensorboard", "seqgen-toolkit"


def own_listener() -> Announced:
    """Return the announcement of the core's listener."""
    summary = "event files for TensorBoard"
    place = "seqgen.training.tensorboard:TensorBoard"
    spec = ListenerSpec(TENSORBOARD, summary, place, contract=CONTRACT)
    return Announced(TENSORBOARD, "ok", DISTRIBUTION, seqgen.__version__, summary, spec=spec)


def find_listeners() -> list[Announced]:
    """Return every listener: that of the core, then those of plugins, sorted by name.

    Plugin modules are imported; their implementations are not.
    """
    return with_own(LISTENERS, own_listener())


def load_listener(name: str) -> type[Listener]:
    """Import the class of one listener, without importing other plugins.

    Raises
    ------
    PluginError
        If there is no such listener, two plugins claim it, or its plugin cannot be loaded.
    """
    own = own_listener()
    found = own if name == own.name else chosen(LISTENERS, name, [own])
    try:
        return _checked(implementation_of(found))
    except Exception as error:
        if found is own and isinstance(error, PluginError):
            raise
        raise unusable(LISTENERS, found, error) from error


def _checked(listener: object) -> type[Listener]:
    """Refuse what is no class, or lacks a method of a listener."""
    if not isinstance(listener, type):
        raise PluginError(f"its implementation must be a class, found {listener!r}")
    missing = [name for name in ("report", "close") if not callable(getattr(listener, name, None))]
    if missing:
        raise PluginError(
            f"{listener.__module__}.{listener.__qualname__} lacks {', '.join(missing)}"
        )
    return listener
