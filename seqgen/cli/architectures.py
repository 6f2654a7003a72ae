"""``seqgen architectures``."""

from __future__ import annotations

from seqgen.cli.printing import print_json, show
from seqgen.network.architectures import find_architectures


def architectures(*, json: bool = False) -> None:
    """List the installed architectures, and the problems of those that cannot be used.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    found = find_architectures()
    if json:
        # Only domains have suffixes.
        facts = [each.as_json().items() for each in found]
        print_json([{key: value for key, value in each if key != "suffixes"} for each in facts])
        return
    for each in found:
        about = each.summary if each.status == "ok" else each.problem
        show(f"{each.name:14} {each.status:12} {about}")
        show(f"{'':27} {each.distribution} {each.version}")
