"""``seqgen domains``."""

from __future__ import annotations

import sys

from seqgen.discovery import find_domains


def domains(*, json: bool = False) -> None:
    """List the domains that are installed, and what is wrong with those that cannot be used.

    Parameters
    ----------
    json
        Print the list for programs.
    """
    found = find_domains()
    if json:
        from json import dumps

        print(dumps([domain.as_json() for domain in found], indent=2))
        return
    if not found:
        print("no domain is installed; try: python -m pip install seqgen-text", file=sys.stderr)
    for domain in found:
        about = domain.summary if domain.status == "ok" else domain.problem
        print(f"{domain.name:12} {domain.status:12} {about}")
        print(f"{'':25} {domain.distribution} {domain.version}; reads {' '.join(domain.suffixes)}")
