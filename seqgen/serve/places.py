"""What pages are told of places on this machine: none of the folders around the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgen.run.folder import Run

#: What stands for the run folder.
ANY_RUN = "RUN"

#: What comes before a path; one slash alone is no path, as in "4/4".
_BEGIN = r"(?<![\w/.])"

#: The folders of an absolute path.
_FOLDERS = re.compile(_BEGIN + r"""(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\'":,;()]+[/\\])+""")


def without_places(text: str, folder: Path) -> str:
    """Return a text in which only the last name of each absolute path is left.

    Parameters
    ----------
    text : str
    folder : Path
        The run folder, of which the path from its own name on is left. The folders around it and
        the home folder may have spaces in their names.
    """
    for place in (folder.absolute().parent, folder.resolve().parent, folder.parent, Path.home()):
        if place.name:
            text = re.sub(rf"{_BEGIN}{re.escape(str(place))}[/\\]", "", text)
    return _FOLDERS.sub("", text)


def shown_name(run: Run) -> str:
    """Return the run in a command line: the domain that it comes with, or `ANY_RUN`."""
    return ANY_RUN if run.output == run.folder else run.name


def shown_folder(run: Run, folder: Path) -> str:
    """Return a folder that the run has written, such as RUN/samples/1 or new-music/samples/1."""
    output = ANY_RUN if run.output == run.folder else run.output.name
    return (Path(output) / folder.relative_to(run.output)).as_posix()
