"""``seqgen plugins list``: the distributions that have plugins; `seqgen domains` lists domains."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from seqgen.cli.printing import complain, print_json, show
from seqgen.discovery import ALLOWED, announcements, find_domains, is_allowed
from seqgen.plugin import CONTRACT
from seqgen.plugin_faults import distribution_of


def plugins_list(*, json: bool = False) -> None:
    """List the distributions that have plugins, what they offer, and those that are refused.

    Only the small modules that announce domains are imported. The environment variable
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
    if not found:
        complain("no plugin is installed; try: python -m pip install seqgen-text")
    for each in found:
        _show_plugin(each)


def found_plugins() -> list[dict[str, Any]]:
    """Return all distributions and plugin files with what they offer, as JSON, sorted by name.

    ``state`` is "loaded" if all that a plugin offers can be used, "refused" if something cannot,
    or "left out" if SEQGEN_PLUGINS does not name it.
    """
    domains: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for each in find_domains():
        about = {
            "name": each.name,
            "state": "loaded" if each.status == "ok" else "refused",
            "summary": each.summary,
            "formats": list(each.suffixes),
            "contract": each.spec.contract if each.spec else None,
            "problem": each.problem,
        }
        domains[each.distribution, each.version].append(about)
    found = [
        {
            "distribution": distribution,
            "version": version,
            "state": "refused" if any(each["state"] == "refused" for each in offered) else "loaded",
            "domains": offered,
        }
        for (distribution, version), offered in domains.items()
    ]
    known = {distribution_of(point) for point in announcements()}
    found += [
        {"distribution": name, "version": version, "state": "left out", "domains": []}
        for name, version in known
        if not is_allowed(name)
    ]
    return sorted(found, key=lambda plugin: str(plugin["distribution"]))


def _show_plugin(plugin: dict[str, Any]) -> None:
    left_out = f" by {ALLOWED}" if plugin["state"] == "left out" else ""
    show(f"{plugin['distribution']} {plugin['version']}: {plugin['state']}{left_out}")
    for domain in plugin["domains"]:
        contract = f"contract {domain['contract'] or 'unknown'}"
        if domain["contract"] not in (None, CONTRACT):
            contract += f" in place of {CONTRACT}"
        about = f"{contract}; reads {' '.join(domain['formats'])}"
        show(f"  domain {domain['name']}: {domain['problem'] or about}")
