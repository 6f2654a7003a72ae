"""Finds the files to read, in folders too, and notes which ones are left out and why.

Only regular files are read, because a pipe or a device may never end. Next:
`seqgen.data.reading`.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from seqgen.data.names import Names, shown
from seqgen.errors import CorpusError, reason_of
from seqgen.files import cache_folder, file_digest, is_output
from seqgen.plugin import Domain
from seqgen.plugins.announcements import Announced
from seqgen.plugins.checks import checked_companions, checked_reads
from seqgen.plugins.files import is_file
from seqgen.storage.locks import hold, sweep

#: Kinds of entries that have no suffix to count them by.
HIDDEN, HIDDEN_FOLDER, OWN_FOLDER = "hidden", "hidden folder", "folder written by seqgen"
PROGRAM_FOLDER = "folder of a program"
_FOLDERS = (HIDDEN_FOLDER, OWN_FOLDER, PROGRAM_FOLDER)

#: Folders of programs, which are full of files that nobody means.
_OF_PROGRAMS = ("node_modules", "__pycache__", "site-packages")

#: Suffixes of compressed files, and short forms of archives that are compressed.
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
SHORT_FORMS = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz", ".tzst": ".tar.zst"}

#: Most kinds that are listed.
LISTED = 10

#: Folders with names of open files, which mean another file in another process.
_OPEN_FILES = (Path("/dev"), Path("/proc"))


@dataclass(frozen=True)
class Skipped:
    """A source that was skipped, and why.

    Attributes
    ----------
    source, reason : str
    fault : str
        The traceback if plugin code failed against the contract, also in another process.
    """

    source: str
    reason: str
    fault: str = ""

    def as_json(self) -> dict[str, str]:
        """Return source and reason, as ``corpus.json`` has them."""
        return {"source": self.source, "reason": self.reason}


@dataclass(frozen=True)
class Noted:
    """What its reader says about a source that was read, as in `seqgen.note.Note`.

    Attributes
    ----------
    source, text : str
    """

    source: str
    text: str

    def as_json(self) -> dict[str, str]:
        """Return source and text, as ``corpus.json`` has them."""
        return {"source": self.source, "text": self.text}


@dataclass(frozen=True)
class Packed:
    """How the content of a file is packed.

    Attributes
    ----------
    container : str
        ``zip`` or ``tar``; "" for a compressed file.
    compression : str
        A suffix of `COMPRESSIONS`, or "".
    inner : str
        Suffix of the content of a compressed file.
    """

    container: str
    compression: str = ""
    inner: str = ""


@dataclass
class Sources:
    """The files that were found.

    Attributes
    ----------
    files : list of Path
        The files to read, each once, sorted.
    skipped : list of Skipped
        Files with a suffix of the domain that cannot be read.
    unread : Counter of str
        Number of files of other kinds by suffix, of hidden files and of skipped folders.
    companions : dict of Path to list of Path
        Files that are read with another one, by that one.
    suffixes : tuple of str
        What the domain reads.
    inside : dict of Path to frozenset of Path
        The members to read of an archive, by where they are said to be; of others all are read.
    names : Names
        The names of the files in what is stored.
    """

    files: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    companions: dict[Path, list[Path]] = field(default_factory=dict)
    suffixes: tuple[str, ...] = ()
    inside: dict[Path, frozenset[Path]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def packed(self, path: Path) -> Packed | None:
        """Return how a file is packed, or None if the domain reads it as it is."""
        return None if path.suffix.lower() in self.suffixes else packed(path.name)

    def digests(self) -> dict[Path, dict[str, Any]]:
        """Return the SHA-256 of every file and its companions; skip files that cannot be read."""
        found: dict[Path, dict[str, Any]] = {}
        # One table may be read with thousands of files.
        digest_of = cache(file_digest)
        for path in self.files:
            others = self.companions.get(path, ())
            try:
                found[path] = {"sha256": file_digest(path)}
                if others:
                    found[path]["companions"] = {
                        self.names.of(shown(one)): digest_of(one) for one in others
                    }
            except OSError as error:
                found.pop(path, None)
                self.skipped.append(Skipped(shown(path), reason_of(error)))
        self.files = list(found)
        return found

    def set_companions_apart(self, domain: Domain, others: Mapping[Path, str]) -> None:
        """Take companions out of the files, and count the other files that are none.

        Parameters
        ----------
        domain : Domain
        others : mapping of Path to str
            Files of other kinds, with the kind by which to count them.
        """
        accompanies: set[Path] = set()
        place = _same_for_all_names()
        for path in self.files:
            # A companion has no companions: two files that name each other stay one piece.
            if place(path) in accompanies or self.packed(path):
                continue
            found = [
                one
                for one in checked_companions(domain, path)
                if why_unreadable(one) is None and place(one) != place(path)
            ]
            if found:
                self.companions[path] = sorted(found)
                accompanies.update(map(place, found))
        self.files = [path for path in self.files if place(path) not in accompanies]
        self.companions = {
            path: self.companions[path] for path in self.files if path in self.companions
        }
        self.unread.update(kind for path, kind in others.items() if place(path) not in accompanies)


def _same_for_all_names() -> Callable[[Path], Path]:
    """Return a function from a path to one that is the same if the folder is named otherwise.

    A plugin may name a companion through "..". Links to files stay: two may share their content.
    """
    folder = cache(Path.resolve)
    return lambda path: folder(path.parent) / path.name


def demo_folder(found: Announced) -> Path:
    """Return the folder of a domain's demo; two plugin files may name their domains alike."""
    name = found.name
    if is_file(found.distribution):
        name += f"-{sha256(os.fsencode(found.distribution)).hexdigest()[:8]}"
    return cache_folder() / "demo" / name


def find_files(domain: Domain, found: Announced, paths: list[Path]) -> Sources:
    """Return the files to read; a file that is named itself may have any suffix.

    Raises
    ------
    CorpusError
        If a named path is not a regular file or a folder, or no file is found.
    """
    sources = Sources(suffixes=found.suffixes)
    if not paths:
        folder = demo_folder(found)
        with hold(folder, wait=True):
            sweep(folder)
            sources.files = list(domain.demo(folder))
        sources.names = Names(sources.files)
        sources.set_companions_apart(domain, {})
        return sources
    files: set[Path] = set()
    others: dict[Path, str] = {}
    for path in paths:
        if is_output(path):
            raise CorpusError(
                f"{path} was written by seqgen itself; name the files that it was made from"
            )
        if path.is_dir():
            files.update(_search(path, domain, found.suffixes, sources, others))
        elif (reason := why_unreadable(path)) is not None:
            raise CorpusError(f"{path} {reason}")
        else:
            files.add(_same_everywhere(path))
    sources.files, sources.names = sorted(files), Names(map(_same_everywhere, paths))
    sources.set_companions_apart(domain, others)
    if not files:
        left_out = [f"\n  {entry.source}: {entry.reason}" for entry in sources.skipped[:20]]
        unread = f"; {unread_text(sources.unread)}" if sources.unread else ""
        raise CorpusError(
            f"no file for the domain {found.name!r} in {', '.join(map(str, paths))}; "
            f"it reads {', '.join(found.suffixes)}{unread}{''.join(left_out)}"
        )
    return sources


def why_unreadable(path: Path) -> str | None:
    """Return why a path is not a regular file, or None if it is one."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return f"is a link to {shown(path.readlink())}, which does not exist"
        return "does not exist"
    except OSError as error:
        # A loop of links, or a folder without permission.
        return f"cannot be read ({error.strerror})"
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    return f"is {kind}; only files are read: save what it gives in a file"


def notes_lines(notes: Iterable[Noted]) -> list[str]:
    """Return a line for each text, with the number of its sources if there are several."""
    sources: dict[str, set[str]] = {}
    for note in notes:
        sources.setdefault(note.text, set()).add(note.source)
    return [
        f"{min(named)}{f' and {len(named) - 1:,} more' if len(named) > 1 else ''}: {text}"
        for text, named in sources.items()
    ]


def unread_text(unread: Mapping[str, int]) -> str:
    """Return in words how many files of other kinds were not read, the most frequent first."""

    def listed(kinds: list[str]) -> str:
        kinds.sort(key=lambda kind: (-unread[kind], kind))
        others = sum(unread[kind] for kind in kinds[LISTED:])
        more = [f"{others:,} of {len(kinds) - LISTED} more kinds"] if others else []
        return ", ".join([*(_counted(unread[kind], kind) for kind in kinds[:LISTED]), *more])

    files = [kind for kind in unread if kind not in _FOLDERS]
    folders = [kind for kind in unread if kind in _FOLDERS]
    total = sum(unread[kind] for kind in files)
    parts = []
    if total:
        were = "file of another kind was" if total == 1 else "files of other kinds were"
        parts.append(f"{total:,} {were} not read: {listed(files)}")
    if folders:
        parts.append(f"not searched: {listed(folders)}")
    return "; ".join(parts)


def _counted(count: int, kind: str) -> str:
    kind = kind.replace("folder", "folders", 1) if kind in _FOLDERS and count > 1 else kind
    return f"{count:,} {kind}"


def ending(pattern: str, found: str = "") -> re.Pattern[str]:
    """Return a pattern for the end of a path as a regular expression, for `fit_end`.

    Parameters
    ----------
    pattern : str
        ``*`` and ``?`` stand for characters of one name.
    found : str
        A part that stands for such characters too, and is the first group.
    """
    signs = {"*": "[^/]*?", "?": "[^/]"} | ({found: "([^/]+?)"} if found else {})
    parts = re.split(f"({'|'.join(map(re.escape, signs))})", pattern.removeprefix("./"))
    return re.compile(
        "(?:^|/)" + "".join(signs.get(each) or re.escape(each) for each in parts) + "$"
    )


def fit_end(pattern: re.Pattern[str], path: Path) -> re.Match[str] | None:
    """Return the match of a pattern from `ending` with a path, or None."""
    return pattern.search(shown(path.absolute()).replace("\\", "/"))


def _search(
    folder: Path,
    domain: Domain,
    suffixes: tuple[str, ...],
    sources: Sources,
    others: dict[Path, str],
) -> Iterator[Path]:
    """Yield the files of the domain in a folder, and record the others."""

    def unreadable(error: OSError) -> None:
        sources.skipped.append(Skipped(shown(Path(error.filename)), reason_of(error)))

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if _is_searched(Path(place, name), sources)]
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                sources.unread[HIDDEN] += 1
                continue
            suffix, reason = path.suffix.lower(), why_unreadable(path)
            is_read = suffix in suffixes or _may_hold(path, suffixes)
            if not is_read and (reason or not checked_reads(domain, path)):
                others[path] = shown(Path(suffix)) if suffix else "without suffix"
            elif reason is not None:
                sources.skipped.append(Skipped(shown(path), reason))
            else:
                yield path


def packed(name: str) -> Packed | None:
    """Return how the content of a file is packed by the end of its name, or None if it is not."""
    name = name.lower()
    for short, long in SHORT_FORMS.items():
        if name.endswith(short):
            name = name.removesuffix(short) + long
    rest, dot, last = name.rpartition(".")
    if dot and last in ("zip", "tar"):
        return Packed(last)
    if not dot or f".{last}" not in COMPRESSIONS:
        return None
    if rest.endswith(".tar"):
        return Packed("tar", f".{last}")
    return Packed("", f".{last}", Path(rest).suffix)


def _may_hold(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether a file may hold files of the domain."""
    form = packed(path.name)
    return form is not None and (bool(form.container) or form.inner in suffixes)


def _is_searched(folder: Path, sources: Sources) -> bool:
    """Return whether to search a folder inside a folder; record it if not."""
    if folder.name.startswith("."):
        sources.unread[HIDDEN_FOLDER] += 1
    elif folder.name in _OF_PROGRAMS:
        sources.unread[PROGRAM_FOLDER] += 1
    elif folder.is_symlink():
        reason = "is a link to a folder, which is not followed; name that folder as well"
        sources.skipped.append(Skipped(shown(folder), reason))
    elif is_output(folder):
        sources.unread[OWN_FOLDER] += 1
    else:
        return True
    return False


def _same_everywhere(path: Path) -> Path:
    """Return a path that means the same file in every process; /dev/stdin does not."""
    is_open_file = any(path.is_relative_to(place) for place in _OPEN_FILES)
    return path.resolve() if is_open_file else path
