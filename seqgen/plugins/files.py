"""Domains that are not installed: a plugin in one file, or a class in a Python program.

A plugin file has one subclass of `Domain`, whose class attributes say what `DomainSpec` says of an
installed plugin: `name`, and `suffixes` if they are not its `formats`. A corpus or run keeps the
path and the digest of the file. It never loads the file; users name it: ``seqgen --plugin FILE``.

Next: `seqgen.plugins.discovery` finds these domains beside installed ones.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from seqgen.errors import PluginError, reason_of
from seqgen.files import is_output
from seqgen.plugin import CONTRACT, Domain, DomainSpec
from seqgen.plugins.announcements import Announced
from seqgen.plugins.discovery import offer
from seqgen.plugins.faults import note_owner, place_of
from seqgen.plugins.guard import guarded

#: How the version of a plugin file begins.
DIGEST = "sha256:"


@dataclass(frozen=True)
class PluginFile:
    """A plugin file of this process, for its reader processes.

    Attributes
    ----------
    path : Path
        The absolute path.
    version : str
        ``sha256:`` and the first 16 digits of the digest.
    module : str
        The module that the file became.
    is_loaded : bool
        Whether `load_plugin` made the module; else the program itself imported it.
    """

    path: Path
    version: str
    module: str
    is_loaded: bool


#: The plugin files of this process by path.
_files: dict[Path, PluginFile] = {}


def load_plugin(path: Path | str) -> str:
    """Run a plugin file and offer its domain to this process.

    Parameters
    ----------
    path : Path or str
        A Python file with one subclass of `seqgen.plugin.Domain`.

    Returns
    -------
    str
        The name of the domain.

    Raises
    ------
    PluginError
        If there is no such file, it fails, it has no or several domains, or it lies in a folder
        that seqgen wrote.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise PluginError(f"there is no plugin file {path}")
    if path.suffix != ".py":
        raise PluginError(f"a plugin file is Python and ends in .py, found {path}")
    if any(is_output(folder) for folder in path.parents):
        raise PluginError(
            f"{path} lies in a folder that seqgen wrote, whose code is never run; read the file, "
            f"then copy it to another place"
        )
    module, content = _module_name(path), path.read_bytes()
    version = _version(content)
    note_owner(module, str(path), version)
    try:
        found = _domains(_executed(content, path, module))
        if len(found) != 1:
            names = ", ".join(each.__name__ for each in found) or "none"
            raise PluginError(f"expected one subclass of seqgen.plugin.Domain, found {names}")
        spec = _spec(found[0])
    except Exception as error:
        sys.modules.pop(module, None)
        raise PluginError(
            f"the plugin file {path} cannot be used ({reason_of(error)}{place_of(error)})"
        ) from error
    _offer(spec, PluginFile(path, version, module, is_loaded=True))
    return spec.name


def domain_name(domain: str | Domain) -> str:
    """Return the name of a domain; one that a program defines itself is offered to this process.

    Raises
    ------
    PluginError
        If the class has no name, or no file.
    """
    if isinstance(domain, str):
        return domain
    kind = type(domain)
    try:
        path = Path(inspect.getfile(kind)).resolve()
    except (TypeError, OSError):
        path = Path()
    if not path.is_file():
        raise PluginError(
            f"the class {kind.__qualname__} is in no file, so a corpus cannot name it; write it "
            f"into a file, and import it from there"
        )
    spec = _spec(kind)
    if all(file.module != kind.__module__ for file in _files.values()):
        _offer(
            spec, PluginFile(path, _version(path.read_bytes()), kind.__module__, is_loaded=False)
        )
    return spec.name


def is_file(distribution: str) -> bool:
    """Return whether a domain is of a plugin file, whose path is in the place of a distribution."""
    return Path(distribution).is_absolute()


def is_version_of_file(version: str) -> bool:
    """Return whether the version that a corpus or run has is that of a plugin file."""
    return version.startswith(DIGEST)


def plugin_files() -> tuple[PluginFile, ...]:
    """Return the plugin files of this process."""
    return tuple(_files.values())


def load_again(files: tuple[PluginFile, ...]) -> None:
    """Load the plugin files of another process in this one, its reader.

    Raises
    ------
    PluginError
        If a file has changed in between.
    """
    for file in files:
        if _files.get(file.path) == file:
            continue
        if not file.is_loaded:
            note_owner(file.module, str(file.path), file.version)
            continue
        load_plugin(file.path)
        if _files[file.path] != file:
            raise PluginError(f"{file.path} changed while seqgen was reading; start again")


def _offer(spec: DomainSpec, file: PluginFile) -> None:
    _files[file.path] = file
    about = (spec.name, "ok", str(file.path), file.version, spec.summary, spec.suffixes)
    offer(Announced(*about, spec=spec))  # type: ignore[arg-type]


def _executed(content: bytes, path: Path, module: str) -> ModuleType:
    """Run the file as a module of this name; it stays in ``sys.modules``, as pickling needs."""
    made = ModuleType(module)
    made.__file__ = str(path)
    sys.modules[module] = made
    with guarded():
        exec(compile(content, path, "exec"), made.__dict__)
    return made


def _domains(module: ModuleType) -> list[type[Domain]]:
    """Return the subclasses of `Domain` that a module defines, without bases of another one."""
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and Domain in each.__mro__[1:]
        and each.__module__ == module.__name__
    ]
    unique = list(dict.fromkeys(found))
    return [each for each in unique if not any(each in other.__mro__[1:] for other in unique)]


def _spec(kind: type[Domain]) -> DomainSpec:
    """Return the description of a domain from its class attributes.

    Raises
    ------
    PluginError
        If the name is missing or the suffixes are none.
    """
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        raise PluginError(
            f"{kind.__qualname__} needs a name of one lower-case word, such as name = 'dna', "
            f"found {name!r}"
        )
    suffixes = getattr(kind, "suffixes", getattr(kind, "formats", None))
    if not isinstance(suffixes, tuple) or not suffixes:
        raise PluginError(
            f"{kind.__qualname__} needs formats or suffixes, such as formats = ('.fa',), "
            f"found {suffixes!r}"
        )
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    place = f"{kind.__module__}:{kind.__qualname__}"
    return DomainSpec(name, summary or name, suffixes, place, contract=CONTRACT)


def _module_name(path: Path) -> str:
    """Return a name that is the same in every process and of no other file."""
    stem = re.sub(r"\W", "_", path.stem)
    return f"plugin_{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _version(content: bytes) -> str:
    return f"{DIGEST}{hashlib.sha256(content).hexdigest()[:16]}"
