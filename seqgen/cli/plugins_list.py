"""``seqgen plugins list``: the core, the distributions that have plugins, and what each offers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from seqgen.cli.printing import complain, print_json, show
from seqgen.network.architectures import find_architectures
from seqgen.plugin import CONTRACT
from seqgen.plugins.announcements import (
    ALLOWED,
    ARCHITECTURES,
    DOMAINS,
    LISTENERS,
    Announced,
    announcing,
    is_allowed,
)
from seqgen.plugins.discovery import find_domains
from seqgen.plugins.faults import distribution_of
from seqgen.plugins.listeners import find_listeners


def plugins_list(*, json: bool = False) -> None:
    """List what the core and the plugins offer, and the plugins that are refused.

    Only the small modules that announce something are imported. The environment variable
    SEQGEN_PLUGINS names the distributions that are loaded, separated by commas; by default all.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    found = found_plugins()
    if json:
        print_json(found)
        return
    for each in found:
        _show_plugin(each)
    if not any(each["domains"] for each in found):
        complain("no domain is installed; try: python -m pip install seqgen-text")


def found_plugins() -> list[dict[str, Any]]:
    """Return the core, all plugins and plugin files with what they offer, as JSON, sorted by name.

    ``state`` is "loaded" if all that a plugin offers can be used, "refused" if something cannot,
    or "left out" if SEQGEN_PLUGINS does not name it.
    """
    offers: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = defaultdict(_nothing)
    for kind, found in (
        ("domains", find_domains()),
        ("architectures", find_architectures()),
        ("listeners", find_listeners()),
    ):
        for each in found:
            offers[each.distribution, each.version][kind].append(_about(each))
    plugins = [
        {
            "distribution": distribution,
            "version": version,
            "state": "refused"
            if any(each["state"] == "refused" for kind in offered.values() for each in kind)
            else "loaded",
            **offered,
        }
        for (distribution, version), offered in offers.items()
    ]
    known = {
        distribution_of(point)
        for kind in (DOMAINS, ARCHITECTURES, LISTENERS)
        for point in announcing(kind)
    }
    plugins += [
        {"distribution": name, "version": version, "state": "left out", **_nothing()}
        for name, version in known
        if not is_allowed(name)
    ]
    return sorted(plugins, key=lambda plugin: str(plugin["distribution"]))


def _nothing() -> dict[str, list[dict[str, Any]]]:
    return {"domains": [], "architectures": [], "listeners": []}


def _about(found: Announced) -> dict[str, Any]:
    """Return what a plugin offers as JSON."""
    return {
        "name": found.name,
        "state": "loaded" if found.status == "ok" else "refused",
        "summary": found.summary,
        "formats": list(found.suffixes),
        "contract": found.spec.contract if found.spec else None,
        "problem": found.problem,
    }


def _show_plugin(plugin: dict[str, Any]) -> None:
    left_out = f" by {ALLOWED}" if plugin["state"] == "left out" else ""
    show(f"{plugin['distribution']} {plugin['version']}: {plugin['state']}{left_out}")
    for noun in ("domain", "architecture", "listener"):
        for each in plugin[f"{noun}s"]:
            contract = f"contract {each['contract'] or 'unknown'}"
            if each["contract"] not in (None, CONTRACT):
                contract += f" in place of {CONTRACT}"
            reads = f"; reads {' '.join(each['formats'])}" if each["formats"] else ""
            show(f"  {noun} {each['name']}: {each['problem'] or contract + reads}")
