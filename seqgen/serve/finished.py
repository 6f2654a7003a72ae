"""Finished pieces as files: to download, as one page, and kept in the run folder."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from seqgen.data.corpus import Corpus
from seqgen.errors import ConfigError, DataError
from seqgen.evaluation.novelty import Novelty, measure_novelty
from seqgen.generation.pieces import Generated
from seqgen.report.page import write_page
from seqgen.report.samples import Samples, settings_of, write_samples
from seqgen.run.folder import Run
from seqgen.serve.session import Session

#: The suffix of a page that holds everything.
PAGE = ".html"


def formats(run: Run) -> tuple[str, ...]:
    """Return the suffixes as which a piece can be downloaded."""
    return tuple(dict.fromkeys([*run.domain.formats, PAGE]))


def as_file(run: Run, session: Session, name: str, suffix: str) -> tuple[str, bytes]:
    """Return a finished piece as a file: its name and content; several files as one archive.

    Parameters
    ----------
    run : Run
    session : Session
    name : str
        Name of the piece.
    suffix : str
        One of `formats`.

    Raises
    ------
    DataError
        If the piece is not finished.
    ConfigError
        If there is no such format.
    """
    piece, domain = _generated(session), run.info["domain"]
    if suffix not in formats(run):
        raise ConfigError(f"{domain} is written as {', '.join(formats(run))}, not {suffix}")
    with TemporaryDirectory(prefix="seqgen-") as folder:
        path = Path(folder) / f"{domain}-{name}{suffix}"
        if suffix == PAGE and PAGE not in run.domain.formats:
            samples = _write(run, session, path.parent / "samples")
            return path.name, write_page(run, samples, path, alone=True).read_bytes()
        files = run.domain.write(piece.piece, path, run.domain.write_options())
        if len(files) == 1:
            return files[0].name, files[0].read_bytes()
        return f"{domain}-{name}.zip", _archive(files)


def keep(run: Run, session: Session) -> Samples:
    """Write a finished piece and its manifest into the next free folder of RUN/samples.

    Raises
    ------
    DataError
        If the piece is not finished.
    """
    return _write(run, session, None)


def novelty(corpus: Corpus, session: Session) -> Novelty:
    """Compare a finished piece with the training pieces.

    Raises
    ------
    DataError
        If the piece is not finished.
    """
    return measure_novelty(corpus, _generated(session))


def _write(run: Run, session: Session, folder: Path | None) -> Samples:
    piece, order = _generated(session), session.order
    asked = order.asked
    settings = settings_of(
        run,
        condition=asked.condition,
        sample=asked.sample,
        limit=asked.limit,
        seed=asked.seed,
    )
    settings |= {"prompt": order.prompt, "given": order.given, "keep": order.keep}
    settings["command"] = session.command
    if session.changes:
        settings["changes"] = [
            {"token": count, **asdict(sample)} for count, sample in session.changes
        ]
    return write_samples(run, [piece], folder, settings=settings)


def _generated(session: Session) -> Generated:
    if session.generated is None:
        if session.is_live:
            raise DataError("the piece is still being written; stop it, or wait")
        raise DataError("the piece failed, so it has no file")
    return session.generated


def _archive(files: list[Path]) -> bytes:
    """Return files in one ZIP archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return content.getvalue()
