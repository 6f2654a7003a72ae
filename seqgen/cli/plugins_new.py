"""``seqgen plugins new``: a working plugin to change, from the files in ``seqgen/templates``."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from pathlib import Path
from string import Template

from seqgen.cli.printing import complain, show
from seqgen.errors import ConfigError, RunError
from seqgen.plugins.discovery import domain_names

#: The template files.
TEMPLATES = Path(__file__).parent.parent / "templates"


def plugins_new(
    name: str,
    *,
    suffix: str,
    labels: bool = False,
    grammar: bool = False,
    single_file: bool = False,
    out: Path | None = None,
) -> None:
    """Write a working plugin to change: a codec with an option, a demo, a test and a README.

    Parameters
    ----------
    name
        Name of the domain: one lower-case word.
    suffix
        Suffix of the files that it reads, such as .pgn.
    labels
        Pieces have a label, to train with --label and to request with --given.
    grammar
        The codec knows which symbols may follow which.
    single_file
        Write one short file for `seqgen --plugin` in place of a package.
    out
        The new folder or file; by default seqgen-NAME, or NAME.py.
    """
    _check(name, suffix)
    if single_file and (labels or grammar):
        raise ConfigError(
            "--single-file is the shortest plugin, without --labels and --grammar; leave it out "
            "to get a package with them"
        )
    place = out or Path(f"{name}.py" if single_file else f"seqgen-{name}")
    if place.exists():
        raise RunError(f"{place} is there already; name another place with --out")
    files = single_content(name, suffix) if single_file else contents(name, suffix, labels, grammar)
    _write(place, files)
    for file in files:
        show(place / file if file else place)
    if single_file:
        complain(f"next: seqgen plugins check {place}")
    else:
        complain(f"next: python -m pip install -e {place} && seqgen plugins check {name}")


def contents(name: str, suffix: str, labels: bool, grammar: bool) -> dict[str, str]:
    """Return the files of a package by their paths inside its folder."""
    kind = "grammar" if grammar else "plain"
    values = {"name": name, "suffix": suffix, "class_name": _class_name(name)}
    values |= _label_parts() if labels else dict.fromkeys(_label_parts(), "")
    values["label_parse"] = values["label_parse"] or _WITHOUT_LABEL
    values |= {
        "codec_init": _filled(f"{kind}_init.txt", values),
        "codec_state": _filled(f"{kind}_state.txt", values),
        "grammar_import": "from seqgen.grammar import packed\n" if grammar else "",
    }
    package = f"seqgen_{name}"
    return {
        "pyproject.toml": _filled("pyproject.toml.txt", values),
        "README.md": _filled("README.md.txt", values),
        f"{package}/__init__.py": _filled("hook.py.txt", values),
        f"{package}/domain.py": _filled("domain.py.txt", values),
        f"{package}/sample{suffix}": _filled("sample.txt", values),
        "tests/test_contract.py": _filled("test.py.txt", values),
    }


def single_content(name: str, suffix: str) -> dict[str, str]:
    """Return the one file of a plugin for ``--plugin``; its path is the place itself."""
    values = {"name": name, "suffix": suffix, "class_name": _class_name(name)}
    return {"": _filled("single.py.txt", values)}


#: How a line becomes a piece without labels.
_WITHOUT_LABEL = """\
        return Piece(tuple(text.split()))
"""


def _label_parts() -> dict[str, str]:
    """Return what labels add to the templates: the first word of a line, with a colon."""
    return {
        "rising": "rising: ",
        "falling": "falling: ",
        "label_field": '    kind: str = ""\n',
        "label_parse": (
            '        first, *rest = text.split() or [""]\n'
            '        if first.endswith(":") and len(first) > 1:\n'
            "            return Piece(tuple(rest), first[:-1])\n"
            "        return Piece(tuple(text.split()))\n"
        ),
        "label_method": (
            "\n    def labels(self, piece):\n"
            '        """Return the labels that the piece itself has: train with --label kind."""\n'
            '        return {"kind": piece.kind} if piece.kind else {}\n'
        ),
        "label_option": " --label kind",
        "label_request": " --given kind=rising",
    }


def _filled(template: str, values: dict[str, str]) -> str:
    return Template((TEMPLATES / template).read_text()).substitute(values)


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _check(name: str, suffix: str) -> None:
    """Refuse a name that cannot be one of a module, or is taken, and what is no suffix."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(f"NAME must be one lower-case word, such as chess, found {name!r}")
    if name in domain_names():
        raise ConfigError(f"there is a domain {name!r} already; choose another name")
    if not re.fullmatch(r"\.[a-z0-9_]+", suffix):
        raise ConfigError(
            f"--suffix must be a dot and lower-case letters, such as .pgn, found {suffix!r}"
        )


def _write(place: Path, files: dict[str, str]) -> None:
    """Write the files; a reader sees all of them or none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as temporary:
        made = Path(temporary) / "made"
        for name, content in files.items():
            file = made / name if name else made
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, "utf-8")
        shutil.move(made, place)
