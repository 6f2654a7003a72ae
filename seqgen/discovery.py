"""Finds plugins and loads their domains in isolation: a broken plugin does not affect others."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

import pluggy

from seqgen.errors import PluginError, reason_of
from seqgen.plugin import CONTRACT, GROUP, Codec, Domain, DomainSpec, Hooks
from seqgen.plugin_faults import distribution_of, note_owner, place_of
from seqgen.plugin_guard import guarded, guarded_import

#: Where the changes of the contract are listed for authors.
CHANGES = "docs/writing-a-plugin.md#from-contract-1"

#: Members of a domain and of a codec class that have no default.
DOMAIN_MEMBERS = ("codecs", "formats", "read", "write", "preview", "demo")
CODEC_MEMBERS = ("options_type", "fit", "encode", "decode", "state", "from_state")

Status = Literal["ok", "broken", "incompatible", "conflict"]

#: Environment variable that names the distributions whose plugins are loaded, separated by commas.
ALLOWED = "SEQGEN_PLUGINS"

#: Domains of plugin files and of classes in Python, by the module that has them.
_offered: dict[str, Announced] = {}


@dataclass(frozen=True)
class Announced:
    """A domain that an installed distribution announces, usable or not.

    Attributes
    ----------
    name : str
        The domain's name.
    status : {"ok", "broken", "incompatible", "conflict"}
        Only "ok" can be used.
    distribution, version : str
        The distribution that announces it; of a plugin file its path and "sha256:...".
    summary : str
        One line about the domain; empty if the plugin could not be loaded.
    suffixes : tuple of str
        Suffixes of the files that it reads.
    problem : str
        If the status is not "ok": the cause and the way out.
    spec : DomainSpec or None
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
    spec: DomainSpec | None = None
    error: Exception | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return all fields except the spec and the exception, ready for JSON."""
        names = [each.name for each in fields(self) if each.name not in ("spec", "error")]
        return {name: getattr(self, name) for name in names}


def find_domains() -> list[Announced]:
    """Return every announced domain, sorted by name.

    Plugin modules are imported; their implementations are not.
    """
    found = [*map(_look_into, _announcements()), *_offered.values()]
    return sorted(_mark_conflicts(found), key=lambda domain: (domain.name, domain.distribution))


def load_domain(name: str) -> tuple[Domain, Announced]:
    """Import and build the implementation of one domain, without importing other plugins.

    The domain is one of an installed plugin, or of a plugin file (`seqgen.plugin_files`).

    Raises
    ------
    PluginError
        If there is no such domain, two plugins claim it, or its plugin cannot be loaded.
    """
    found = [_look_into(point) for point in _announcements() if point.name == name]
    found += [domain for domain in _offered.values() if domain.name == name]
    if not found:
        raise PluginError(_no_such_domain(name))
    domain = _mark_conflicts(found)[0]
    if domain.spec is None or domain.status != "ok":
        problem = PluginError(f"the domain {name!r} cannot be used: {domain.problem}")
        raise problem from domain.error
    try:
        module, _, attribute = domain.spec.implementation.partition(":")
        with guarded():
            implementation = getattr(importlib.import_module(module), attribute)()
        _check_members(implementation, Domain, DOMAIN_MEMBERS)
    except Exception as error:
        raise PluginError(f"the domain {name!r} cannot be used: {_blame(domain, error)}") from error
    return implementation, domain


def domain_names() -> set[str]:
    """Return the names of all domains; nothing is imported."""
    points = {point.name for point in _announcements()}
    return points | {domain.name for domain in _offered.values()}


def offer(domain: Announced) -> None:
    """Offer a domain that is not installed to this process, in place of one from its module."""
    assert domain.spec is not None
    place = domain.spec.implementation
    note_owner(place, domain.distribution, domain.version)
    _offered[place.partition(":")[0]] = domain


def source_digest(domain: Domain) -> str:
    """Return the SHA-256 of the package, or single file, that implements a domain.

    The version is not enough: authors change a plugin far more often than its version.
    """
    package = sys.modules[type(domain).__module__.partition(".")[0]]
    file = getattr(package, "__file__", None)
    files = [Path(file)] if file else []
    for place in getattr(package, "__path__", ()):
        files += sorted(Path(place).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def codec_type(domain: Domain, domain_name: str, name: str | None) -> tuple[str, type[Codec]]:
    """Return the name and class of a codec; None means the default codec.

    Raises
    ------
    PluginError
        If the domain has no codec of that name.
    """
    if name is None:
        name = next(iter(domain.codecs))
    if name not in domain.codecs:
        raise PluginError(
            f"the domain {domain_name!r} has no codec {name!r}; it has {', '.join(domain.codecs)}"
            + _suggestion(name, domain.codecs)
        )
    _check_members(domain.codecs[name], Codec, CODEC_MEMBERS)
    return name, domain.codecs[name]


def _check_members(found: Any, protocol: type, required: tuple[str, ...]) -> None:
    """Refuse a domain or codec class without the members that have no default."""
    missing = [
        name
        for name in required
        if inspect.getattr_static(found, name, None)
        in (None, inspect.getattr_static(protocol, name, None))
    ]
    if missing:
        kind = found if isinstance(found, type) else type(found)
        raise PluginError(
            f"{kind.__module__}.{kind.__qualname__} lacks {', '.join(missing)}, which every "
            f"{protocol.__name__} has"
        )


def announcements(group: str = GROUP) -> list[EntryPoint]:
    """Return the entry points without repetitions; an editable install may list one twice."""
    points = entry_points(group=group)
    unique = {(distribution_of(point), point.name, point.value): point for point in points}
    return [unique[key] for key in sorted(unique)]


def is_allowed(distribution: str) -> bool:
    """Return whether `SEQGEN_PLUGINS` allows a distribution; without it all are allowed."""
    names = [name for name in os.environ.get(ALLOWED, "").split(",") if name.strip()]
    return not names or _plain(distribution) in map(_plain, names)


def _plain(distribution: str) -> str:
    """Return the name of a distribution as installers compare it: a_b, A.B and a-b are one."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _announcements() -> list[EntryPoint]:
    """Return the entry points of the distributions that may be loaded."""
    return [point for point in announcements() if is_allowed(distribution_of(point)[0])]


def _look_into(point: EntryPoint) -> Announced:
    """Load one plugin module safely and return the domain named like the entry point."""
    distribution, version = distribution_of(point)
    note_owner(point.module, distribution, version)
    blank = Announced(point.name, "broken", distribution, version)
    try:
        specs = guarded_import(lambda: _specs(point))
        if point.name not in specs:
            raise PluginError(
                f"its entry point is called {point.name!r}, but module {point.value} offers "
                f"{', '.join(specs) or 'no domain'}"
            )
    except Exception as error:
        return replace(blank, problem=_blame(blank, error), error=error)
    note_owner(specs[point.name].implementation, distribution, version)
    return _judge(blank, specs[point.name])


def _specs(point: EntryPoint) -> dict[str, DomainSpec]:
    """Import a plugin module and return the domains of its hook, by name.

    Every plugin gets its own plugin manager, so a failed registration leaves nothing behind.
    """
    manager = pluggy.PluginManager("seqgen")
    manager.add_hookspecs(Hooks)
    manager.register(point.load(), name=point.name)
    manager.check_pending()
    answers = manager.hook.seqgen_domains()
    if not answers:
        raise PluginError(f"module {point.value} implements no hook seqgen_domains")
    return {spec.name: spec for spec in map(_checked, answers[0])}


def _checked(spec: object) -> DomainSpec:
    if not isinstance(spec, DomainSpec):
        raise PluginError(f"seqgen_domains must return DomainSpec objects, found {spec!r}")
    for name, kind in (("name", str), ("summary", str), ("suffixes", tuple), ("contract", int)):
        if not isinstance(value := getattr(spec, name), kind):
            raise PluginError(
                f"{name} of a DomainSpec must be of type {kind.__name__}, found {value!r}"
            )
    return spec


def _judge(blank: Announced, spec: DomainSpec) -> Announced:
    """Return the domain with its status."""
    domain = replace(
        blank, name=spec.name, summary=spec.summary, suffixes=spec.suffixes, spec=spec, status="ok"
    )
    if spec.contract == CONTRACT:
        return domain
    problem = (
        f"{domain.distribution} {domain.version} was written for contract {spec.contract}, this "
        f"seqgen has contract {CONTRACT}; "
    )
    if spec.contract > CONTRACT:
        problem += "upgrade seqgen-toolkit"
    else:
        problem += f"upgrade {domain.distribution}; its authors find the changes in {CHANGES}"
    return replace(domain, status="incompatible", problem=problem)


def _mark_conflicts(found: list[Announced]) -> list[Announced]:
    claims: dict[str, list[Announced]] = defaultdict(list)
    for domain in found:
        claims[domain.name].append(domain)
    return [
        domain
        if len(claims[domain.name]) == 1
        else replace(
            domain,
            status="conflict",
            problem=f"{' and '.join(rival.distribution for rival in claims[domain.name])} "
            f"both offer {domain.name!r}; uninstall one of them, or name the others in {ALLOWED}",
        )
        for domain in found
    ]


def _blame(domain: Announced, error: Exception) -> str:
    """Return which distribution failed, why, and what to do."""
    if isinstance(error, ModuleNotFoundError):
        way_out = f"install what is missing, or reinstall {domain.distribution}"
    else:
        way_out = f"upgrade or uninstall {domain.distribution}, or tell its authors"
    reason = f"{reason_of(error)}{place_of(error)}"
    return f"{domain.distribution} {domain.version} fails to load ({reason}); {way_out}"


def _no_such_domain(name: str) -> str:
    names = sorted(domain_names())
    left_out = [point for point in announcements() if point.name == name]
    if left_out:
        owner, allowed = distribution_of(left_out[0])[0], os.environ[ALLOWED]
        return f"the domain {name!r} is of {owner}, which {ALLOWED}={allowed} leaves out; add it"
    if not names:
        return f"no domain {name!r}: no plugin is installed; try: python -m pip install seqgen-text"
    return f"no domain {name!r}; installed are {', '.join(names)}" + _suggestion(name, names)


def _suggestion(name: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(choices), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
