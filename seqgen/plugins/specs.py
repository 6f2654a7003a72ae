"""What the hooks of a plugin return: descriptions that are there without importing its code."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field


@dataclass(frozen=True)
class Description:
    """What every description says.

    Attributes
    ----------
    name : str
        One lower-case word; the name of the entry point.
    summary : str
        One line for lists such as `seqgen domains`; of an architecture with the paper.
    contract : int
        The `seqgen.plugin.CONTRACT` that the plugin was written for: write 2. A description without
        it is of contract 1.
    """

    name: str
    summary: str
    _: KW_ONLY
    contract: int = 1


@dataclass(frozen=True)
class DomainSpec(Description):
    """The description of a domain, available without importing its code.

    Attributes
    ----------
    suffixes : tuple of str
        Suffixes of the files that the domain reads, in lower case, such as ``.mid``.
    implementation : str
        Place of the `Domain` class: ``"package.module:Class"``.
    model : str
        Folder in the plugin's package with a trained run, such as ``"model"``, which the name of
        the domain then means: ``seqgen generate music``. Empty if there is none.
    """

    suffixes: tuple[str, ...]
    implementation: str
    model: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class ArchitectureSpec(Description):
    """The description of an architecture of the network, available without importing its code.

    Attributes
    ----------
    implementation : str
        Place of the `seqgen.network.layers.Layer` class: ``"package.module:Class"``.
    """

    implementation: str


@dataclass(frozen=True)
class ListenerSpec(Description):
    """The description of a listener of trainings, available without importing its code.

    Attributes
    ----------
    implementation : str
        Place of the `seqgen.listener.Listener` class: ``"package.module:Class"``.
    """

    implementation: str
