"""``seqgen domains``."""

from __future__ import annotations

from seqgen.cli.printing import complain, print_json, show
from seqgen.discovery import find_domains


def domains(*, json: bool = False) -> None:
    """List the installed domains, and the problems of those that cannot be used.

    Parameters
    ----------
    json
        Print the list for programs.
    """
    found = find_domains()
    if json:
        print_json([domain.as_json() for domain in found])
        return
    if not found:
        complain("no domain is installed; try: python -m pip install seqgen-text")
    for domain in found:
        about = domain.summary if domain.status == "ok" else domain.problem
        show(f"{domain.name:12} {domain.status:12} {about}")
        show(f"{'':25} {domain.distribution} {domain.version}; reads {' '.join(domain.suffixes)}")
