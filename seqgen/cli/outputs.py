"""Checks of output paths before any work, so that no command fails at its end."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from seqgen.errors import ConfigError
from seqgen.files import refuse_file


def check_folder(out: Path | None, suffixes: Collection[str], way_out: str) -> None:
    """Refuse a name for a new folder that has the suffix of a file.

    Raises
    ------
    ConfigError
        If it ends in one of the suffixes. The message ends with `way_out`.
    """
    if out is not None and out.suffix.lower() in suffixes:
        raise ConfigError(f"--out takes the name of a folder, found the file name {out}; {way_out}")


def check_file(option: str, path: Path, suffixes: Collection[str], *, overwrite: bool) -> None:
    """Refuse a file that cannot be written.

    Raises
    ------
    ConfigError
        If it has none of the suffixes.
    RunError
        If its folder does not exist, or the file exists and may not be replaced.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"{option} writes {' or '.join(suffixes)}, found {path}")
    refuse_file(path, overwrite=overwrite)
