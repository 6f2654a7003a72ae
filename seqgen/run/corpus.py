"""Finds the corpus of a run, which may have moved to another folder or machine.

``run.json`` names the corpus by its key, a SHA-256 of its content. It never has an absolute path:
``folder`` is the way from the run to a corpus nearby, or else only the name. Where a corpus far
away was, the cache of this machine remembers.

Comes from: `seqgen.run.folder`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgen.data.corpus import Corpus
from seqgen.errors import CorpusError
from seqgen.files import CORPUS, SHORT, cache_folder, cached_corpus, near, write_atomic

#: A key.
_KEY = re.compile("[0-9a-f]{64}")

#: Most bytes of a remembered path.
LONGEST_PATH = 2**16


def whereabouts(corpus: Corpus, run: Path) -> str:
    """Return what ``run.json`` says about the folder of a corpus; remember one far away."""
    if (way := near(corpus.folder, run)) is not None:
        return way
    place, key = corpus.folder.resolve(), corpus.info["key"]
    if place != cached_corpus(corpus.info["domain"], key).resolve():
        write_atomic(_remembered(key), str(place))
    return place.name


def open_corpus(info: Mapping[str, Any], folder: Path, named: Path | None, run: str) -> Corpus:
    """Open the corpus of a run.

    Parameters
    ----------
    info : mapping
        The content of ``run.json``.
    folder : Path
        The run folder.
    named : Path or None
        The corpus folder that the user named.
    run : str
        What errors call the run.

    Raises
    ------
    CorpusError
        If there is none, or the named folder holds another corpus.
    """
    about = info["corpus"]
    name, key = Path(about["folder"]).name, about["key"]
    if named is not None:
        corpus = Corpus(named)
        if corpus.info["key"] != key:
            raise CorpusError(
                f"{named} is the corpus {corpus.info['key'][:SHORT]}, and {run} was trained on "
                f"{name}, the corpus {key[:SHORT]}; name that one"
            )
        return corpus
    reasons = []
    for place in _places(info, folder):
        try:
            if not (place / CORPUS).is_file():
                continue
            corpus = Corpus(place)
            if corpus.info["key"] == key:
                return corpus
            reasons.append(f"; {place} is another one")
        except CorpusError as error:
            reasons.append(f"; {error}")
        except (OSError, ValueError):
            continue  # no folder can have such a name
    if not name:
        raise CorpusError(
            f"the corpus of {run} is not found: the run comes without it; say where it is with "
            f'`corpus="FOLDER"`'
        )
    raise CorpusError(
        f"the corpus of {run} is not found: {name}, with the key {key[:SHORT]}{''.join(reasons)}; "
        f'say where it is with `corpus="FOLDER"`, or prepare it again from the same files'
    )


def _places(info: Mapping[str, Any], run: Path) -> Iterator[Path]:
    """Yield the folders that may hold the corpus of a run."""
    about = info["corpus"]
    yield run.resolve() / about["folder"]
    if _KEY.fullmatch(about["key"]) is None:
        return
    yield cached_corpus(info["domain"], about["key"])
    try:
        with _remembered(about["key"]).open(encoding="utf-8") as file:
            yield Path(file.read(LONGEST_PATH))
    except (OSError, ValueError):
        return


def _remembered(key: str) -> Path:
    """Return the file of the cache that says where a corpus is on this machine."""
    return cache_folder() / "places" / key[:SHORT]
