"""What installed plugins announce: every plugin is looked into in isolation, so none harms another.

Plugins offer domains (`seqgen.plugins.discovery`), architectures
(`seqgen.network.architectures`) and listeners (`seqgen.plugins.listeners`).
"""

from __future__ import annotations

import importlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, TypeAlias

import pluggy

from seqgen.errors import PluginError, reason_of
from seqgen.plugin import CONTRACT, ArchitectureSpec, DomainSpec, ListenerSpec
from seqgen.plugins.faults import distribution_of, note_owner, place_of
from seqgen.plugins.guard import guarded, guarded_import
from seqgen.plugins.hooks import ARCHITECTURE_GROUP, EVENTS_GROUP, GROUP, Hooks
from seqgen.wording import meant

#: Where the changes of the contract are listed for authors.
CHANGES = "docs/writing-a-plugin.md#from-contract-1"

Spec: TypeAlias = DomainSpec | ArchitectureSpec | ListenerSpec


class Offer(NamedTuple):
    """A kind of thing that plugins offer.

    Attributes
    ----------
    noun : str
    group : str
        Its entry-point group.
    hook : str
        The function of a plugin module that describes what it offers.
    spec : type
        The class of a description.
    example : str
        A distribution to try if none is installed.
    """

    noun: str
    group: str
    hook: str
    spec: type[Spec]
    example: str


DOMAINS = Offer("domain", GROUP, "seqgen_domains", DomainSpec, "seqgen-text")
ARCHITECTURES = Offer(
    "architecture", ARCHITECTURE_GROUP, "seqgen_architectures", ArchitectureSpec, "seqgen-cells"
)
#: The core has one of its own, so there is always one installed.
LISTENERS = Offer("listener", EVENTS_GROUP, "seqgen_events", ListenerSpec, "")

#: The types of the fields of a description; only a domain has suffixes and a model.
FIELDS = {
    "name": str,
    "summary": str,
    "suffixes": tuple,
    "implementation": str,
    "contract": int,
    "model": str,
}

#: Environment variable that names the distributions whose plugins are loaded, separated by commas.
ALLOWED = "SEQGEN_PLUGINS"

Status = Literal["ok", "broken", "incompatible", "conflict"]


@dataclass(frozen=True)
class Announced:
    """A domain, architecture or listener that a distribution announces, usable or not.

    Attributes
    ----------
    name : str
    status : {"ok", "broken", "incompatible", "conflict"}
        Only "ok" can be used.
    distribution, version : str
        The distribution that announces it; of a plugin file its path and "sha256:...".
    summary : str
        One line about it; empty if the plugin could not be loaded.
    suffixes : tuple of str
        Suffixes of the files that a domain reads.
    problem : str
        If the status is not "ok": the cause and the way out.
    spec : DomainSpec, ArchitectureSpec, ListenerSpec or None
        The description from the plugin; None if it could not be loaded.
    error : Exception or None
        What importing the plugin raised.
    """

    name: str
    status: Status
    distribution: str
    version: str
    summary: str = ""
    suffixes: tuple[str, ...] = ()
    problem: str = ""
    spec: Spec | None = None
    error: Exception | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return all fields except the spec and the exception, ready for JSON."""
        names = [each.name for each in fields(self) if each.name not in ("spec", "error")]
        return {name: getattr(self, name) for name in names}


def with_own(offer: Offer, own: Announced) -> list[Announced]:
    """Return what the core itself has of a kind, and then what plugins announce, sorted by name.

    A plugin that takes the name of the core's cannot be used.
    """
    problem = f"{own.name!r} is the {offer.noun} of the core; its authors must choose another name"
    found = [
        replace(each, status="conflict", problem=f"{each.distribution}: {problem}")
        if each.name == own.name
        else each
        for each in find(offer)
    ]
    return [own, *found]


def find(offer: Offer, others: Iterable[Announced] = ()) -> list[Announced]:
    """Return everything of a kind that plugins announce, and others beside it, sorted by name.

    Plugin modules are imported; their implementations are not.
    """
    found = [*(_look_into(offer, point) for point in _allowed_points(offer)), *others]
    return sorted(_mark_conflicts(found), key=lambda each: (each.name, each.distribution))


def chosen(offer: Offer, name: str, others: Iterable[Announced] = ()) -> Announced:
    """Return what is announced under a name, without importing other plugins.

    Raises
    ------
    PluginError
        If there is none, two plugins claim it, or its plugin module cannot be loaded.
    """
    others = list(others)
    points = [point for point in _allowed_points(offer) if point.name == name]
    found = [_look_into(offer, point) for point in points]
    found += [each for each in others if each.name == name]
    if not found:
        raise PluginError(_none_such(offer, name, others))
    one = _mark_conflicts(found)[0]
    if one.status != "ok":
        problem = PluginError(f"the {offer.noun} {name!r} cannot be used: {one.problem}")
        raise problem from one.error
    return one


def names_of(offer: Offer, others: Iterable[Announced] = ()) -> set[str]:
    """Return all names of a kind; nothing is imported."""
    return {point.name for point in _allowed_points(offer)} | {each.name for each in others}


def announcing(offer: Offer) -> list[EntryPoint]:
    """Return the entry points without repetitions; an editable install may list one twice."""
    points = entry_points(group=offer.group)
    unique = {(distribution_of(point), point.name, point.value): point for point in points}
    return [unique[key] for key in sorted(unique)]


def is_allowed(distribution: str) -> bool:
    """Return whether `SEQGEN_PLUGINS` allows a distribution; without it all are allowed."""
    names = [name for name in os.environ.get(ALLOWED, "").split(",") if name.strip()]
    return not names or _plain(distribution) in map(_plain, names)


def _plain(distribution: str) -> str:
    """Return the name of a distribution as installers compare it: a_b, A.B and a-b are one."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def implementation_of(found: Announced) -> Any:
    """Import and return what the spec of an announcement names; plugin code may raise anything."""
    assert found.spec is not None
    module, _, attribute = found.spec.implementation.partition(":")
    with guarded():
        return getattr(importlib.import_module(module), attribute)


def unusable(offer: Offer, found: Announced, error: Exception) -> PluginError:
    """Return the error for an implementation that fails to load."""
    return PluginError(f"the {offer.noun} {found.name!r} cannot be used: {_blame(found, error)}")


def _allowed_points(offer: Offer) -> list[EntryPoint]:
    """Return the entry points of the distributions that may be loaded."""
    return [point for point in announcing(offer) if is_allowed(distribution_of(point)[0])]


def _look_into(offer: Offer, point: EntryPoint) -> Announced:
    """Load one plugin module safely and return what is named like the entry point."""
    distribution, version = distribution_of(point)
    note_owner(point.module, distribution, version)
    blank = Announced(point.name, "broken", distribution, version)
    try:
        specs = guarded_import(lambda: _specs(offer, point))
        if point.name not in specs:
            raise PluginError(
                f"its entry point is called {point.name!r}, but module {point.value} offers "
                f"{', '.join(specs) or f'no {offer.noun}'}"
            )
    except Exception as error:
        return replace(blank, problem=_blame(blank, error), error=error)
    note_owner(specs[point.name].implementation, distribution, version)
    return _judge(blank, specs[point.name])


def _specs(offer: Offer, point: EntryPoint) -> dict[str, Spec]:
    """Import a plugin module and return what its hook describes, by name.

    Every plugin gets its own plugin manager, so a failed registration leaves nothing behind.
    """
    manager = pluggy.PluginManager("seqgen")
    manager.add_hookspecs(Hooks)
    manager.register(point.load(), name=point.name)
    manager.check_pending()
    answers = getattr(manager.hook, offer.hook)()
    if not answers:
        raise PluginError(f"module {point.value} implements no hook {offer.hook}")
    return {spec.name: spec for spec in (_checked(offer, answer) for answer in answers[0])}


def _checked(offer: Offer, spec: object) -> Spec:
    if not isinstance(spec, offer.spec):
        raise PluginError(f"{offer.hook} must return {offer.spec.__name__} objects, found {spec!r}")
    for each in fields(spec):
        value, kind = getattr(spec, each.name), FIELDS[each.name]
        if not isinstance(value, kind):
            raise PluginError(
                f"{each.name} of the {offer.spec.__name__} must be of type {kind.__name__}, "
                f"found {value!r}"
            )
    return spec


def _judge(blank: Announced, spec: Spec) -> Announced:
    """Return the announcement with its status."""
    found = replace(blank, name=spec.name, summary=spec.summary, spec=spec, status="ok")
    if isinstance(spec, DomainSpec):
        found = replace(found, suffixes=spec.suffixes)
    if spec.contract == CONTRACT:
        return found
    problem = (
        f"{found.distribution} {found.version} was written for contract {spec.contract}, this "
        f"seqgen has contract {CONTRACT}; "
    )
    if spec.contract > CONTRACT:
        problem += "upgrade seqgen-toolkit"
    else:
        problem += f"upgrade {found.distribution}; its authors find the changes in {CHANGES}"
    return replace(found, status="incompatible", problem=problem)


def _mark_conflicts(found: list[Announced]) -> list[Announced]:
    claims: dict[str, list[Announced]] = defaultdict(list)
    for each in found:
        claims[each.name].append(each)
    return [
        each
        if len(claims[each.name]) == 1
        else replace(
            each,
            status="conflict",
            problem=f"{' and '.join(rival.distribution for rival in claims[each.name])} "
            f"both offer {each.name!r}; uninstall one of them, or name the others in {ALLOWED}",
        )
        for each in found
    ]


def _blame(found: Announced, error: Exception) -> str:
    """Return which distribution failed, why, and what to do."""
    if isinstance(error, ModuleNotFoundError):
        way_out = f"install what is missing, or reinstall {found.distribution}"
    else:
        way_out = f"upgrade or uninstall {found.distribution}, or tell its authors"
    reason = f"{reason_of(error)}{place_of(error)}"
    return f"{found.distribution} {found.version} fails to load ({reason}); {way_out}"


def _none_such(offer: Offer, name: str, others: Iterable[Announced]) -> str:
    names = sorted(names_of(offer, others))
    left_out = [point for point in announcing(offer) if point.name == name]
    if left_out:
        owner, allowed = distribution_of(left_out[0])[0], os.environ[ALLOWED]
        return (
            f"the {offer.noun} {name!r} is of {owner}, which {ALLOWED}={allowed} leaves out; add it"
        )
    start = f"no {offer.noun} {name!r}"
    if not names:
        return f"{start}: no plugin is installed; try: python -m pip install {offer.example}"
    return f"{start}; installed are {', '.join(names)}" + meant(name, names)
