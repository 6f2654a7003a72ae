"""The hooks of a plugin module, and the entry-point groups in which it is found."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqgen.plugins.specs import ArchitectureSpec, DomainSpec, ListenerSpec

#: Entry-point groups of plugins: of domains, of architectures, and of listeners.
GROUP, ARCHITECTURE_GROUP, EVENTS_GROUP = "seqgen", "seqgen.architectures", "seqgen.events"

hookspec = pluggy.HookspecMarker("seqgen")
hookimpl = pluggy.HookimplMarker("seqgen")


class Hooks:
    """The hooks of a plugin module; it implements one for each group of its entry points."""

    @hookspec
    def seqgen_domains(self) -> Iterable[DomainSpec]:  # type: ignore[empty-body]
        """Return the domains of this module; each is named like one of its entry points."""

    @hookspec
    def seqgen_architectures(self) -> Iterable[ArchitectureSpec]:  # type: ignore[empty-body]
        """Return the architectures of this module; each is named like one of its entry points."""

    @hookspec
    def seqgen_events(self) -> Iterable[ListenerSpec]:  # type: ignore[empty-body]
        """Return the listeners of this module; each is named like one of its entry points."""
