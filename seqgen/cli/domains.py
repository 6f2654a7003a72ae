"""``seqgen domains``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqgen.cli.printing import complain, print_json, show
from seqgen.options import described
from seqgen.plugins.announcements import Announced
from seqgen.plugins.discovery import find_domains, load_domain


def domains(domain: str | None = None, *, json: bool = False) -> None:
    """List the installed domains, and the problems of those that cannot be used.

    Parameters
    ----------
    domain
        Describe this domain alone: its formats, its codecs, every option and request.
    json
        Print the list as JSON.
    """
    if domain is not None:
        about = description(domain)
        if json:
            print_json(about)
        else:
            _show_description(about)
        return
    found = find_domains()
    if json:
        print_json([each.as_json() for each in found])
        return
    if not found:
        complain("no domain is installed; try: python -m pip install seqgen-text")
    for each in found:
        _show_line(each)


def description(name: str) -> dict[str, Any]:
    """Return what a domain reads and writes, its codecs, all options and requests, as JSON.

    Raises
    ------
    PluginError
        If the domain cannot be loaded.
    """
    domain, found = load_domain(name)
    return found.as_json() | {
        "formats": list(domain.formats),
        "codecs": [
            {
                "name": codec,
                "about": (codec_class.__doc__ or "").partition("\n\n")[0],
                "options": described(codec_class.options_type),
                "requests": [
                    {"name": request, "example": each.example, "about": each.about}
                    for request, each in codec_class.requests.items()
                ],
            }
            for codec, codec_class in domain.codecs.items()
        ],
        "read_options": described(domain.read_options),
        "write_options": described(domain.write_options),
    }


def _show_line(domain: Announced) -> None:
    about = domain.summary if domain.status == "ok" else domain.problem
    show(f"{domain.name:12} {domain.status:12} {about}")
    show(f"{'':25} {domain.distribution} {domain.version}; reads {' '.join(domain.suffixes)}")


def _show_description(about: dict[str, Any]) -> None:
    show(f"{about['name']}: {about['summary']} ({about['distribution']} {about['version']})")
    show(f"reads {' '.join(about['suffixes'])}")
    show(f"writes {' '.join(about['formats'])}")
    _show_options("reading (--read NAME=VALUE)", about["read_options"])
    _show_options("writing (--write NAME=VALUE)", about["write_options"])
    for codec in about["codecs"]:
        show(f"\n--codec {codec['name']}: {codec['about']}")
        _show_options("options (--codec-option NAME=VALUE)", codec["options"])
        if codec["requests"]:
            show('\nrequests (--given "NAME=VALUE, NAME=VALUE")')
        for request in codec["requests"]:
            show(f"  {request['name']}={request['example']}")
            show(f"      {request['about']}")


def _show_options(head: str, options: Sequence[dict[str, Any]]) -> None:
    if not options:
        return
    show(f"\n{head}")
    for option in options:
        show(f"  {option['name']}={_typed(option['default'])}  ({option['type']})")
        show(f"      {option['about']}")


def _typed(value: Any) -> str:
    """Return a value as it is typed on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)
