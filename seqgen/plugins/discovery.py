"""Finds and loads domains. Comes from: `seqgen.plugins.announcements`, which looks into plugins."""

from __future__ import annotations

import hashlib
import inspect
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seqgen.errors import PluginError
from seqgen.plugin import Codec, Domain, DomainSpec
from seqgen.plugins.announcements import (
    DOMAINS,
    Announced,
    chosen,
    find,
    implementation_of,
    names_of,
    unusable,
)
from seqgen.plugins.faults import note_owner
from seqgen.plugins.guard import guarded
from seqgen.wording import meant

#: Members of a domain and of a codec class that have no default.
DOMAIN_MEMBERS = ("codecs", "formats", "read", "write", "preview", "demo")
CODEC_MEMBERS = ("options_type", "fit", "encode", "decode", "state", "from_state")

#: Domains of plugin files and of classes in Python, by the module that has them.
_offered: dict[str, Announced] = {}


def find_domains() -> list[Announced]:
    """Return every announced domain, sorted by name.

    Plugin modules are imported; their implementations are not.
    """
    return find(DOMAINS, _offered.values())


def load_domain(name: str) -> tuple[Domain, Announced]:
    """Import and build the implementation of one domain, without importing other plugins.

    The domain is one of an installed plugin, or of a plugin file (`seqgen.plugins.files`).

    Raises
    ------
    PluginError
        If there is no such domain, two plugins claim it, or its plugin cannot be loaded.
    """
    found = chosen(DOMAINS, name, _offered.values())
    try:
        implementation = implementation_of(found)
        with guarded():
            domain = implementation()
        _check_members(domain, Domain, DOMAIN_MEMBERS)
    except Exception as error:
        raise unusable(DOMAINS, found, error) from error
    return domain, found


def bundled_model(name: str) -> Path | None:
    """Return the folder of the trained run that comes with a domain; None if none does.

    The plugin module is imported, its implementation is not.

    Raises
    ------
    PluginError
        If there is no such domain, or its plugin cannot be loaded.
    """
    spec = chosen(DOMAINS, name, _offered.values()).spec
    if not isinstance(spec, DomainSpec) or not spec.model:
        return None
    package = find_spec(spec.implementation.partition(".")[0])
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / spec.model


def domain_names() -> set[str]:
    """Return the names of all domains; nothing is imported."""
    return names_of(DOMAINS, _offered.values())


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
            + meant(name, domain.codecs)
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
