"""Splits that are given: by files that the user holds out, or by names such as ``train``.

Comes from: `seqgen.data.finding`. Next: `seqgen.data.preparation` reads the files of each split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import islice
from pathlib import Path

from seqgen.bounds import as_paths
from seqgen.data.finding import Skipped, Sources, find_files
from seqgen.data.names import shown
from seqgen.data.splits import SPLITS, WORDS, Split
from seqgen.data.unpacking import LISTED, places_inside
from seqgen.errors import ConfigError, CorpusError
from seqgen.plugin import Domain
from seqgen.plugins.announcements import Announced

#: What says the part in the name of a file that is one of several, as in train-00000-of-00002.txt.
PART = re.compile(r"[._-]\d+[._-]of[._-]\d+")

#: Names, without suffixes, of files that are about the files beside them.
ABOUT = ("readme", "license", "licence", "copying", "notice", "authors", "changelog", "citation")


def search(
    domain: Domain,
    found: Announced,
    paths: Path | str | Iterable[Path | str],
    valid: Path | str | Iterable[Path | str],
    test: Path | str | Iterable[Path | str],
    split_label: str,
    draw_splits: bool,
) -> tuple[Sources, dict[Path, Split], str]:
    """Return all files to read, the split of those that are held out by name, and how it was found.

    Raises
    ------
    ConfigError
        If files are held out without files to train on, or a label says the split as well.
    CorpusError
        If a companion of another file is held out.
    """
    named, for_valid, for_test = (
        as_paths(name, given)
        for name, given in (("paths", paths), ("valid", valid), ("test", test))
    )
    if (for_valid or for_test) and not named:
        raise ConfigError("files are named to hold out, and none to train on; name those as well")
    if split_label and (for_valid or for_test):
        raise ConfigError("the splits are given twice, by files and by a label; choose one")
    splits = _held_out_files(domain, found, {"valid": for_valid, "test": for_test})
    sources = find_files(domain, found, [*named, *for_valid, *for_test])
    for file, others in sources.companions.items():
        if lost := next((one for one in others if one.resolve() in splits), None):
            raise CorpusError(f"{lost} is read together with {file}; hold out {file} in its place")
    how = ""
    if not (splits or split_label or draw_splits):
        splits, how = _given_by_names(sources, [path for path in named if path.is_dir()])
    return sources, splits, how


def _given_by_names(sources: Sources, folders: Sequence[Path]) -> tuple[dict[Path, Split], str]:
    """Return the splits that names of files give, or else names in archives, and how.

    Files in none of the splits are left out of the sources. Keys are resolved paths of files, and
    where members of archives are said to be.
    """
    splits, how = named_splits(sources.files, folders)
    if splits:
        _leave_out({*sources.files} - {*splits}, sources)
        return {path.resolve(): split for path, split in splits.items()}, how
    inside = _members(sources)
    if sum(map(len, inside.values())) > LISTED:
        return {}, (
            f"splits: drawn, because archives with over {LISTED:,} files are not searched for "
            f"folders train and valid; unpack them if they have some"
        )
    if not inside:
        return {}, how
    files = [one for path in sources.files for one in inside.get(path, (path,))]
    where = next(iter(inside)).name if len(inside) == 1 else f"{len(inside):,} archives"
    splits, how_inside = named_splits(files, [*folders, *inside], where)
    if not splits:
        return {}, how_inside or how
    _leave_out({*files} - {*splits}, sources)
    sources.inside = {path: frozenset(splits.keys() & places) for path, places in inside.items()}
    plain = {path for path in sources.files if path not in inside}
    return {path.resolve() if path in plain else path: splits[path] for path in splits}, how_inside


def _members(sources: Sources) -> dict[Path, list[Path]]:
    """Return where the members of archives are said to be, one more than `LISTED` at most."""
    found: dict[Path, list[Path]] = {}
    left = LISTED + 1
    for path in sources.files:
        places = places_inside(path, sources.suffixes) if sources.packed(path) else iter(())
        if some := [*islice(places, left)]:
            found[path] = some
            left -= len(some)
    return found


def _leave_out(others: set[Path], sources: Sources) -> None:
    """Skip files and members that are in no split; `named_splits` says that they are about some."""
    reason = "is about the files beside it, and in none of their splits"
    sources.skipped += [Skipped(shown(path), reason) for path in sorted(others)]
    sources.files = [path for path in sources.files if path not in others]


def _held_out_files(
    domain: Domain, found: Announced, paths: Mapping[Split, list[Path]]
) -> dict[Path, Split]:
    """Return the split of every file that is held out by name; keys are resolved paths.

    Raises
    ------
    CorpusError
        If a path is no file and no folder of files, or a file is in two splits.
    """
    splits: dict[Path, Split] = {}
    for split, named in paths.items():
        for file in find_files(domain, found, named).files if named else []:
            if (other := splits.setdefault(file.resolve(), split)) != split:
                raise CorpusError(f"{file} is named for {other} and for {split}; choose one")
    return splits


def named_splits(
    files: Sequence[Path], folders: Iterable[Path], archive: str = ""
) -> tuple[dict[Path, Split], str]:
    """Return the splits of files, if names give them, and how.

    Either each file is in a folder called train, valid or test, or the files of each split are
    named alike except for such a word, as in ``wiki.train.tokens``. Other words for validation are
    in `seqgen.data.splits.WORDS`. A file such as README.md needs no split.

    Parameters
    ----------
    files : sequence of Path
    folders : iterable of Path
        The folders that the user named, and archives; what is above them does not count.
    archive : str
        The archive that the files are in, for the report.

    Returns
    -------
    splits : dict of Path to Split
        Empty unless there are files for training and for another split.
    how : str
        For the report. Without splits it may say what is missing.
    """
    where, unpack = (f" in {archive}", "unpack, and ") if archive else ("", "")
    advice = f"{unpack}name files with `valid` and `test`"
    tops = frozenset(folders)
    for words_of, how in ((_in_folders, "folders"), (_in_name, "file names")):
        given = {path: found for path in files if (found := words_of(path, tops))}
        splits = {path: WORDS[word] for path, (word, _) in given.items()}
        if "train" not in splits.values() or len({*splits.values()}) < 2:
            continue
        words = " and ".join(sorted({word for word, _ in given.values()}))
        if not _are_alike([*given.values()]):
            continue
        if len(given) < len(files) / 2:
            if how == "folders":
                few = f"{len(given):,} of {len(files):,} files{where} are in folders {words}"
                return {}, f"splits: drawn, because only {few}; {advice}"
            continue
        others = (path for path in files if path not in given and not _is_about(path, tops))
        if other := next(others, None):
            why = f"because {other.name} is for none of them; {advice}"
            return {}, f"splits: drawn, although {how}{where} give {words}, {why}"
        drawn = "" if "valid" in splits.values() else "; validation is drawn from train"
        return splits, f"splits: given by {how}{where} ({words}){drawn}"
    return {}, ""


def _is_about(path: Path, folders: Set[Path]) -> bool:
    """Return whether a file was found in a folder, and is about other files, as README.md is."""
    is_found = not folders.isdisjoint(path.parents)
    return is_found and path.name.casefold().partition(".")[0] in ABOUT


def _in_folders(path: Path, folders: Set[Path]) -> tuple[str, str] | None:
    """Return the word of a split among the folders of a file, and nothing more."""
    top = next((folder for folder in reversed(path.parents) if folder in folders), None)
    if top is None:
        return None
    inside = [part.casefold() for part in path.relative_to(top).parts[:-1]]
    words = [part for part in inside if part in WORDS] or [top.name.casefold()]
    return (words[0], "") if len(words) == 1 and words[0] in WORDS else None


def _in_name(path: Path, folders: Set[Path]) -> tuple[str, str] | None:
    """Return the word of a split in the name of a file, and the rest of its path but for parts."""
    parts = re.split(r"([._-])", PART.sub("", path.name.casefold()))
    words = [part for part in parts if part in WORDS]
    if len(words) != 1:
        return None
    parts.remove(words[0])
    return words[0], str(path.parent / "".join(parts))


def _are_alike(named: Sequence[tuple[str, str]]) -> bool:
    """Return whether each split has files with the same names, except for the word of the split."""
    rests = [{rest for word, rest in named if WORDS[word] == split} for split in SPLITS]
    return all(rest == rests[0] for rest in rests if rest)


def by_split(sources: Sources, splits: Mapping[Path, Split]) -> dict[Split, Sources]:
    """Return the files of each split that has some; all are of "train" if none is held out.

    Raises
    ------
    CorpusError
        If no file is left to train on.
    """
    parts = {split: Sources(suffixes=sources.suffixes) for split in SPLITS}
    parts["train"] = replace(sources, files=[], inside={})
    for file in sources.files:
        if file not in sources.inside:
            parts[splits.get(file.resolve(), "train")].files.append(file)
            continue
        for split, part in parts.items():
            if own := frozenset(one for one in sources.inside[file] if splits[one] == split):
                part.files.append(file)
                part.inside[file] = own
    if splits and not parts["train"].files:
        raise CorpusError("all files are held out; name files to train on as well")
    return {split: part for split, part in parts.items() if split == "train" or part.files}
