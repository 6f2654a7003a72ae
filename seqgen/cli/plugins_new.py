"""``seqgen plugins new``: a working plugin to change, from the files in ``seqgen/templates``."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from pathlib import Path
from string import Template
from typing import Literal, NamedTuple, TypeAlias

from seqgen.cli.printing import complain, show
from seqgen.errors import ConfigError, RunError
from seqgen.network.architectures import find_architectures
from seqgen.plugins.discovery import domain_names
from seqgen.plugins.hooks import ARCHITECTURE_GROUP, EVENTS_GROUP, GROUP
from seqgen.plugins.listeners import find_listeners

#: The template files.
TEMPLATES = Path(__file__).parent.parent / "templates"

Kind: TypeAlias = Literal["domain", "architecture", "listener"]


class Package(NamedTuple):
    """What the packages of a kind of plugin have in common.

    Attributes
    ----------
    group : str
        The entry-point group.
    needs : str
        Libraries that its code imports, for ``pyproject.toml``.
    module : str
        The module to change; the template has the same name.
    test : str
        The file of its test.
    """

    group: str
    needs: str
    module: str
    test: str


PACKAGES: dict[Kind, Package] = {
    "domain": Package(GROUP, '"numpy", ', "domain", "test_contract"),
    "architecture": Package(f'"{ARCHITECTURE_GROUP}"', '"torch", ', "cell", "test_architecture"),
    "listener": Package(f'"{EVENTS_GROUP}"', "", "listener", "test_listener"),
}


def plugins_new(
    name: str,
    *,
    suffix: str = "",
    kind: Kind = "domain",
    labels: bool = False,
    grammar: bool = False,
    dictation: bool = False,
    single_file: bool = False,
    out: Path | None = None,
) -> None:
    """Write a working plugin to change: its code, a test and a README.

    Parameters
    ----------
    name
        Name of the domain, architecture or listener: one lower-case word.
    suffix
        Suffix of the files that a domain reads, such as .pgn; the dot may be left out.
    kind
        What the plugin offers. A domain comes with a demo.
    labels
        Pieces have a label, to train with --label and to request with --given.
    grammar
        The codec knows which symbols may follow which.
    dictation
        The codec writes given text, symbol by symbol, each with content such as ink or sound.
    single_file
        Write one short file for `seqgen --plugin` in place of a package.
    out
        The new folder or file; by default seqgen-NAME, or NAME.py.
    """
    suffix = f".{suffix.removeprefix('.')}" if suffix else ""
    flags = {"labels": labels, "grammar": grammar, "dictation": dictation}
    chosen = [f"--{flag}" for flag, is_set in flags.items() if is_set]
    _check_name(name, kind)
    _check_options(kind, suffix, chosen, single_file)
    place = out or Path(f"{name}.py" if single_file else f"seqgen-{name}")
    if place.exists():
        raise RunError(f"{place} is there already; name another place with --out")
    if single_file:
        files = single_content(name, suffix)
    elif kind == "domain":
        files = domain_content(name, suffix, **flags)
    else:
        files = _package(kind, _common_values(name, kind))
    _write(place, files)
    for file in files:
        show(place / file if file else place)
    if single_file:
        complain(f"next: seqgen plugins check {place}")
    elif kind == "domain":
        complain(f"next: python -m pip install -e {place} && seqgen plugins check {name}")
    else:
        complain(f"next: python -m pip install -e '{place}[test]' && python -m pytest {place}")


def domain_content(
    name: str, suffix: str, *, labels: bool, grammar: bool, dictation: bool
) -> dict[str, str]:
    """Return the files of a package with a domain by their paths inside its folder."""
    variant = "grammar" if grammar else "plain"
    values = _common_values(name, "domain") | {"suffix": suffix}
    values |= _label_parts() if labels else dict.fromkeys(_label_parts(), "")
    values["label_parse"] = values["label_parse"] or _WITHOUT_LABEL
    values |= {
        "codec_init": _filled(f"domain/{variant}_init.txt", values),
        "codec_state": _filled(f"domain/{variant}_state.txt", values),
        "grammar_import": "from seqgen.grammar import TableGrammar\n" if grammar else "",
        "plugin_names": ", refuse_condition" if grammar else "",
        "request": " --given NAME=VALUE" if labels else ' --given "TEXT"' if dictation else "",
    }
    files = _package("domain", values)
    sample = "dictation_sample" if dictation else "sample"
    files[f"seqgen_{name}/sample{suffix}"] = _filled(f"domain/{sample}.txt", values)
    if dictation:
        files[f"seqgen_{name}/domain.py"] = _filled("domain/dictation.py.txt", values)
    return files


def single_content(name: str, suffix: str) -> dict[str, str]:
    """Return the one file of a plugin for ``--plugin``; its path is the place itself."""
    values = _common_values(name, "domain") | {"suffix": suffix}
    return {"": _filled("domain/single.py.txt", values)}


def _common_values(name: str, kind: Kind) -> dict[str, str]:
    """Return the values that the templates of every kind have."""
    package = PACKAGES[kind]
    class_name = "".join(part.capitalize() for part in name.split("_"))
    about = {"kind": kind, "group": package.group, "needs": package.needs}
    return {"name": name, "class_name": class_name, **about}


def _package(kind: Kind, values: dict[str, str]) -> dict[str, str]:
    """Return the files that the packages of every kind have."""
    code, test = f"seqgen_{values['name']}", f"tests/{PACKAGES[kind].test}.py"
    module = PACKAGES[kind].module
    return {
        "pyproject.toml": _filled("pyproject.toml.txt", values),
        "README.md": _filled(f"{kind}/README.md.txt", values),
        f"{code}/__init__.py": _filled(f"{kind}/hook.py.txt", values),
        f"{code}/{module}.py": _filled(f"{kind}/{module}.py.txt", values),
        test: _filled(f"{kind}/test.py.txt", values),
    }


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
            '        """Return the labels that the piece itself has."""\n'
            '        return {"kind": piece.kind} if piece.kind else {}\n'
        ),
    }


def _filled(template: str, values: dict[str, str]) -> str:
    return Template((TEMPLATES / template).read_text()).substitute(values)


def _check_name(name: str, kind: Kind) -> None:
    """Refuse a name that cannot be one of a module, or is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(f"NAME must be one lower-case word, such as chess, found {name!r}")
    if name in _taken(kind):
        raise ConfigError(f"the {kind} {name!r} is there already; choose another name")


def _taken(kind: Kind) -> set[str]:
    """Return the names of a kind that are there already."""
    if kind == "domain":
        return set(domain_names())
    found = find_architectures() if kind == "architecture" else find_listeners()
    return {each.name for each in found}


def _check_options(kind: Kind, suffix: str, chosen: list[str], single_file: bool) -> None:
    """Refuse options that do not go together."""
    own = [*chosen, *(["--single-file"] if single_file else []), *(["--suffix"] if suffix else [])]
    if kind != "domain":
        if own:
            raise ConfigError(f"{own[0]} is for domains; leave it out for a {kind}")
        return
    if not re.fullmatch(r"\.[a-z0-9_]+", suffix):
        raise ConfigError(
            f"--suffix must be lower-case letters, digits or _, such as .pgn, found {suffix!r}"
        )
    if single_file and chosen:
        raise ConfigError(
            f"--single-file is the shortest plugin, without {chosen[0]}; leave it out to get a "
            f"package"
        )
    if "--dictation" in chosen and len(chosen) > 1:
        raise ConfigError(
            f"--dictation has a codec and a grammar of its own; leave out {chosen[0]}, or add its "
            f"code to the new package"
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
