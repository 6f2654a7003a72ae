"""Which members of an archive are read together, such as a recording and the table of its texts.

Comes from: `seqgen.data.unpacking`, which lists the members and unpacks them.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

#: Returns the companions of a file, as `seqgen.plugin.Domain.companions` does.
Companions: TypeAlias = Callable[[Path], Iterable[Path]]


@dataclass(frozen=True)
class Together:
    """Members that are read together, and the folder in which they lie as in their archive.

    Attributes
    ----------
    path : Path
        The archive.
    folder : Path
        Where its members that are read together are unpacked, with their own names.
    companions : set of Path
        Members that are read with another one, by where they are said to be.
    accompanied : set of Path
        Members that have companions.
    """

    path: Path
    folder: Path
    companions: frozenset[Path] = frozenset()
    accompanied: frozenset[Path] = frozenset()

    @classmethod
    def of(
        cls, path: Path, folder: Path, is_read: Mapping[Path, bool], companions: Companions
    ) -> Self:
        """Return what is read together of an archive.

        Parameters
        ----------
        path, folder : Path
        is_read : mapping of Path to bool
            Where the members are said to be, and whether the domain reads each.
        companions : callable
        """
        apart, accompanied = set[Path](), set[Path]()
        for place in sorted(is_read):
            # A companion has no companions: two files that name each other stay one piece.
            if is_read[place] and place not in apart:
                named = {Path(os.path.normpath(one)) for one in companions(place)}
                found = (named - {place}) & is_read.keys()
                if found:
                    accompanied.add(place)
                    apart |= found
        return cls(path, folder, frozenset(apart), frozenset(accompanied - apart))

    def file(self, place: Path) -> Path | None:
        """Return where to unpack a member, or None if a name of our own is as good or safer."""
        if place not in self.companions and place not in self.accompanied:
            return None
        file = self.folder / place.relative_to(self.path)
        try:
            if not file.is_relative_to(self.folder) or file.exists():
                return None
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            # Its name is too long, or another member has the name of its folder.
            return None
        return file
