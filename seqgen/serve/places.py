"""Messages without the folders of this machine, which no page has to know."""

from __future__ import annotations

import re
from pathlib import Path

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
