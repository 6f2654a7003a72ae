"""What the hooks of a plugin return: descriptions that are there without importing its code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DomainSpec:
    """The description of a domain, available without importing its code.

    Attributes
    ----------
    name : str
        One lower-case word; the name of the entry point.
    summary : str
        One line for `seqgen domains`.
    suffixes : tuple of str
        Suffixes of the files that the domain reads, in lower case, such as ``.mid``.
    implementation : str
        Place of the `Domain` class: ``"package.module:Class"``.
    contract : int
        The `seqgen.plugin.CONTRACT` that the plugin was written for: write 2. A spec without it is
        of contract 1.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    implementation: str
    contract: int = 1


@dataclass(frozen=True)
class ArchitectureSpec:
    """The description of an architecture of the network, available without importing its code.

    Attributes
    ----------
    name : str
        One lower-case word; the name of the entry point.
    summary : str
        One line for `seqgen architectures`, with the paper.
    implementation : str
        Place of the `seqgen.network.layers.Layer` class: ``"package.module:Class"``.
    contract : int
        The `seqgen.plugin.CONTRACT` that the plugin was written for: write 2.
    """

    name: str
    summary: str
    implementation: str
    contract: int = 1


@dataclass(frozen=True)
class ListenerSpec:
    """The description of a listener of trainings, available without importing its code.

    Attributes
    ----------
    name : str
        One lower-case word; the name of the entry point.
    summary : str
        One line about it.
    implementation : str
        Place of the `seqgen.listener.Listener` class: ``"package.module:Class"``.
    contract : int
        The `seqgen.plugin.CONTRACT` that the plugin was written for: write 2.
    """

    name: str
    summary: str
    implementation: str
    contract: int = 1
