"""Names of sources that travel: relative to the files and folders that the user named.

A corpus and all that is written about it show these names, never a folder of the machine.
Comes from: `seqgen.data.finding`. Next: `seqgen.data.preparation` stores them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

from seqgen.files import shared_folder

#: Name of the file that holds standard input, and how the names of its folders begin.
STANDARD_INPUT, INPUT_FOLDERS = "standard input", "seqgen-input-"


class Names:
    """Turns paths as they were found into names.

    Of one folder the names are what is below it: ``prelude.mid``. Of several they begin with what
    tells the folders apart: ``bach/prelude.mid``, ``mozart/sonata.mid``.

    Parameters
    ----------
    paths : iterable of Path
        The files and folders that the user named.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        folders = {path if path.is_dir() else path.parent for path in paths}
        places = {folder: folder.resolve() for folder in folders}
        all_places = {*places.values()}
        # A folder inside another one is named by that one.
        tops = sorted(top for top in all_places if all_places.isdisjoint(top.parents))
        labels = _labels(tops)
        found: dict[str, str] = {}
        for folder, place in places.items():
            top = next(each for each in (place, *place.parents) if each in labels)
            name = "/".join(part for part in (labels[top], *place.relative_to(top).parts) if part)
            found[_beginning(folder)] = f"{name}/" if name else ""
        #: What names replace, the longest first.
        self._labels = dict(sorted(found.items(), key=lambda each: -len(each[0])))

    def of(self, source: str) -> str:
        """Return the name of a source, such as ``bach/prelude.mid, piece 2``."""
        for begins, label in self._labels.items():
            if source.startswith(begins):
                return _with_slashes(label + source[len(begins) :])
        return source

    def stored(self, entry: Mapping[str, str]) -> dict[str, str]:
        """Return an entry of ``corpus.json`` about a source with names in all its texts."""
        return {
            key: self.of(text) if key == "source" else self.within(text)
            for key, text in entry.items()
        }

    def within(self, text: str) -> str:
        """Return a text with names in the place of the paths that it mentions."""
        for begins, label in self._labels.items():
            if begins:
                text = re.sub(rf"(?<![\w/.]){re.escape(begins)}", label.replace("\\", r"\\"), text)
        return text


def shown(path: Path) -> str:
    """Return a path as text that can be stored, whatever bytes are in its name."""
    if path.name == STANDARD_INPUT and path.parent.name.startswith(INPUT_FOLDERS):
        return STANDARD_INPUT
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _labels(tops: list[Path]) -> dict[Path, str]:
    """Return what the names in each folder begin with; nothing for a single folder."""
    if len(tops) == 1:
        return {tops[0]: ""}
    if (shared := shared_folder(tops)) is not None:
        return {top: top.relative_to(shared).as_posix() for top in tops}
    # Folders far apart, whose paths say where things are on this machine.
    labels: dict[Path, str] = {}
    for top in tops:
        names = (top.name if number == 1 else f"{top.name}-{number}" for number in count(1))
        labels[top] = next(name for name in names if name not in labels.values())
    return labels


def _beginning(folder: Path) -> str:
    """Return what the paths of files in a folder begin with, as `shown` writes them."""
    text = shown(folder)
    if text == ".":
        return ""
    return text if text.endswith(os.sep) else text + os.sep


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/") if os.sep == "\\" else name
