"""Finds and loads architectures: the kinds of layers that a network can have.

The core has one, `lstm`; plugins offer others. Comes from: `seqgen.plugins.announcements`. Next:
`seqgen.network.layers` has what they are made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import seqgen
from seqgen.config import CORE
from seqgen.errors import PluginError
from seqgen.plugin import CONTRACT, ArchitectureSpec
from seqgen.plugins.announcements import (
    ARCHITECTURES,
    Announced,
    chosen,
    implementation_of,
    unusable,
    with_own,
)

if TYPE_CHECKING:
    from seqgen.network.layers import Layer

#: The distribution of the core.
DISTRIBUTION = "seqgen-toolkit"


def own_architecture() -> Announced:
    """Return the announcement of the core's architecture."""
    summary = "LSTM with a compiled step (Hochreiter and Schmidhuber 1997; Gers et al. 2000)"
    spec = ArchitectureSpec(CORE, summary, "seqgen.network.lstm:ResetLSTM", contract=CONTRACT)
    return Announced(CORE, "ok", DISTRIBUTION, seqgen.__version__, summary, spec=spec)


def find_architectures() -> list[Announced]:
    """Return every architecture: that of the core, then those of plugins, sorted by name.

    Plugin modules are imported; their implementations, and PyTorch, are not.
    """
    return with_own(ARCHITECTURES, own_architecture())


def load_architecture(name: str) -> tuple[type[Layer], Announced]:
    """Import the layer of one architecture, without importing other plugins.

    Raises
    ------
    PluginError
        If there is no such architecture, two plugins claim it, or its plugin cannot be loaded.
    """
    if name == CORE:
        from seqgen.network.lstm import ResetLSTM

        return ResetLSTM, own_architecture()
    found = chosen(ARCHITECTURES, name, [own_architecture()])
    try:
        return _checked(implementation_of(found)), found
    except Exception as error:
        raise unusable(ARCHITECTURES, found, error) from error


def _checked(layer: Any) -> type[Layer]:
    """Refuse what is no layer, or lacks what every layer has."""
    from seqgen.network.layers import Cell, Layer

    if not (isinstance(layer, type) and issubclass(layer, Layer)):
        raise PluginError(
            f"its implementation must be a class of seqgen.network.layers.Layer, not {layer!r}"
        )
    required = {"start": Layer.start, "run": Layer.run}
    if issubclass(layer, Cell):
        required["step"] = Cell.step
    missing = [name for name, method in required.items() if getattr(layer, name) is method]
    if missing:
        raise PluginError(f"{layer.__module__}.{layer.__qualname__} lacks {', '.join(missing)}")
    return layer
