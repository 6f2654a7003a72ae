"""From files to a corpus: read, fit, encode, store, and list what cannot be used.

A corpus may exceed memory: files are read twice, once to fit the codec and once to encode.
`prepare` starts from files, `write_corpus` from pieces that a program already has.

Comes from: `seqgen.data.reading`. Next: `seqgen.data.fitting` chooses and fits the codec,
`seqgen.data.corpus` stores the pieces.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from seqgen.bounds import Jobs, Patience, Seed, checked
from seqgen.data.corpus import Corpus, CorpusWriter
from seqgen.data.finding import find_files, shown
from seqgen.data.fitting import fitted_codec, named_codec, suggested_codec
from seqgen.data.integrity import FORMAT
from seqgen.data.reading import Outcome, Progress, Reader
from seqgen.data.splits import SPLITS, Split, assign_splits, draw, whole
from seqgen.discovery import Announced, load_codec, load_domain, source_digest
from seqgen.errors import ConfigError, CorpusError, SeqgenError
from seqgen.files import CORPUS, cache_folder, is_output, new_folder, refuse_existing
from seqgen.options import options_from
from seqgen.plugin import Codec, Piece
from seqgen.storage.locks import hold
from seqgen.unknown import OrError


@checked
def prepare(
    domain: str,
    paths: Iterable[Path | str] = (),
    out: Path | str | None = None,
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    read_options: Mapping[str, Any] | None = None,
    seed: Seed = 0,
    jobs: Jobs = -1,
    overwrite: bool = False,
    patience: Patience = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read files, encode their pieces and store them; reuse a corpus of the same content.

    Files are read in parallel by joblib, by default in other processes of this machine;
    ``joblib.parallel_config`` can choose a Dask or Ray cluster. A file larger than
    `seqgen.data.reading.KEPT_BYTES` is read in this process, piece by piece.

    A file whose parser takes too long or crashes its process is skipped like any other bad file.
    This process itself reads large files, corpora of up to four files, and all files with
    ``jobs=1``. A crash there ends it. On Windows, or outside the main thread, a parser that hangs
    there cannot be interrupted either.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search; without any, the domain's demo data.
    out : Path or str, optional
        The corpus folder; by default a folder in the cache, named by content.
    codec : str, optional
        Name of a codec of the domain; by default the domain suggests one for these pieces.
    options : mapping, optional
        Values of the codec's options.
    read_options : mapping, optional
        Values of the domain's options of reading, such as the encoding of texts. Prompts and
        scored files are read with the same.
    seed : int
        Seed of the split: it decides which pieces are held out.
    jobs : int
        Number of processes; -1 uses all cores.
    overwrite : bool
        Replace another corpus in `out`.
    patience : float, optional
        Time limit in seconds for each `seqgen.data.reading.KEPT_BYTES` of a file; by default
        `seqgen.data.reading.PATIENCE`, ten minutes.
    progress : callable, optional
        Called with the stage, the bytes done and all bytes.

    Returns
    -------
    Corpus
        ``info["skipped"]`` lists the files that could not be used; ``info["unread"]`` counts
        files of other kinds by suffix.

    Raises
    ------
    PluginError, ConfigError
        For an unusable domain, codec or option.
    CorpusError
        If no piece can be used.
    RunError
        If `out` holds something else, or another process works on it.
    """
    implementation, found = load_domain(domain)
    choice = named_codec(implementation, domain, codec, options)
    reading = options_from(implementation.read_options, read_options or {}, _reading(domain))
    sources = find_files(implementation, found, [Path(path) for path in paths])
    digests = sources.digests()
    info = _description(found) | {
        "codec": choice.description if choice else {"name": None, "options": dict(options or {})},
        "read_options": asdict(reading),
        "seed": seed,
        "files": [{"name": shown(file), "sha256": digest} for file, digest in digests.items()],
    }
    left_out = [asdict(entry) for entry in sources.skipped]
    key = _key(info | {"source": source_digest(implementation), "skipped": left_out})
    folder = Path(out) if out else cache_folder() / "corpora" / f"{domain}-{key[:16]}"
    if (ready := _finished(folder, key)) is not None:
        # Files of other kinds may have come or gone since then.
        ready.info["unread"] = dict(sorted(sources.unread.items()))
        return ready
    replace = overwrite or out is None
    # Another process may be preparing the same corpus in the cache.
    with hold(folder, wait=out is None):
        if (ready := _finished(folder, key)) is not None:
            return ready
        if out is None and folder.is_dir() and not is_output(folder):
            # Only seqgen writes in the cache: this is a corpus that lost its description.
            shutil.rmtree(folder)
        refuse_existing(folder, marker=CORPUS, overwrite=replace)
        reader = Reader(implementation, sources, jobs, progress or _silent, reading, patience)
        choice = choice or suggested_codec(implementation, found, options, reader.sample())
        fitted = fitted_codec(choice, reader, found)
        info |= {"codec": choice.description, "reason": choice.reason, "key": key}
        with new_folder(folder, marker=CORPUS, overwrite=replace) as temporary:
            _store(temporary, reader, fitted, info, seed)
    return Corpus(folder)


def _store(folder: Path, reader: Reader, codec: Codec, info: dict[str, Any], seed: int) -> None:
    """Encode the pieces of a reader, draw their splits and write the corpus.

    Raises
    ------
    CorpusError
        If no piece can be encoded.
    """
    with CorpusWriter(folder, codec) as writer:
        draws, ranks = array("d"), array("Q")
        for source, encoded in reader.encoded(codec):
            digest = writer.add(source, encoded.ids, encoded.facts)
            if digest is not None:
                draws.append(draw(digest, seed))
                ranks.append(int.from_bytes(digest[:8], "little"))
        if not draws:
            raise reader.nothing_usable()
        info["skipped"] = [asdict(entry) for entry in reader.skipped]
        info["unread"] = reader.unread
        leaders = writer.near_duplicates.leaders(ranks)
        writer.finish(info, assign_splits(draws, writer.lengths, leaders), leaders)


def write_corpus(
    folder: Path | str,
    domain: str,
    pieces: Mapping[Split, Iterable[Piece]],
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Corpus:
    """Encode pieces whose split is given, such as a published one, and store them.

    The codec is fitted on the training pieces. No piece is removed or moved: a piece that the
    codec refuses is an error, and near-duplicates in two splits are only counted.

    Parameters
    ----------
    folder : Path or str
        The new corpus folder.
    domain : str
        Name of an installed domain.
    pieces : mapping
        Pieces by split: "train", and optionally "valid" and "test".
    codec, options, overwrite
        As for `prepare`.

    Raises
    ------
    PluginError, ConfigError
        For an unusable domain, codec or option, or an unknown split.
    DataError
        If a piece cannot be encoded, or there is no training piece.
    RunError
        If `folder` holds something else.
    """
    if unknown := [split for split in pieces if split not in SPLITS]:
        raise ConfigError(f"unknown split {unknown[0]!r}; the splits are {', '.join(SPLITS)}")
    implementation, found = load_domain(domain)
    listed = {split: list(pieces.get(split, ())) for split in SPLITS}
    if not listed["train"]:
        raise CorpusError("there is no training piece; give pieces under the key train")
    choice = named_codec(implementation, domain, codec, options)
    choice = choice or suggested_codec(implementation, found, options, listed["train"])
    fitted = choice.codec_class.fit(listed["train"], choice.options)
    with (
        new_folder(Path(folder), marker=CORPUS, overwrite=overwrite) as temporary,
        CorpusWriter(temporary, fitted, keep_duplicates=True) as writer,
    ):
        reading = asdict(options_from(implementation.read_options, {}, _reading(domain)))
        info = _description(found) | {"codec": choice.description, "read_options": reading}
        info |= {"seed": None, "files": []}
        key = hashlib.sha256(json.dumps(info, sort_keys=True, default=str).encode())
        splits = []
        for number, split in enumerate(SPLITS):
            for index, piece in enumerate(listed[split]):
                facts = dict(implementation.describe(piece))
                digest = writer.add(f"{split} {index}", fitted.encode(piece), facts)
                key.update(f"{split} {digest!r}".encode())
                splits.append(number)
        info |= {"reason": choice.reason, "skipped": [], "unread": {}, "key": key.hexdigest()}
        leaders = writer.near_duplicates.leaders(range(len(splits)))
        writer.finish(info, whole(writer.lengths, splits), leaders)
    return Corpus(folder)


@checked
def encode_files(
    domain: str,
    paths: Iterable[Path | str],
    codec: Codec,
    outcome: Outcome | None = None,
    unknown: OrError = "error",
    *,
    read_options: Mapping[str, Any] | None = None,
    jobs: Jobs = -1,
    progress: Progress | None = None,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the encoded pieces of files; the files are searched at once.

    Parameters
    ----------
    domain : str
        Name of an installed domain.
    paths : iterable of Path or str
        Files, and folders to search, as for `prepare`.
    codec : Codec
        A fitted codec of this domain.
    outcome : Outcome, optional
        Filled in with what was skipped and changed, when all files are read.
    unknown : {"error", "skip", "nearest"}
        How to treat unknown symbols: skip the piece, drop the symbols, or take the nearest known
        ones.
    read_options, jobs, progress
        As for `prepare`.

    Yields
    ------
    tuple of str and integer array
        The source and the ids of a piece.

    Raises
    ------
    CorpusError
        If there is no file, or no file holds a usable piece.
    """
    reader = _reader(domain, paths, jobs, progress, unknown, read_options)
    result = outcome or Outcome()

    def encoded() -> Iterator[tuple[str, NDArray[Any]]]:
        usable = False
        for source, piece in reader.encoded(codec):
            usable = True
            result.changes.update(piece.changes)
            yield source, piece.ids
        if not usable:
            raise reader.nothing_usable()
        result.skipped, result.unread = reader.skipped, reader.unread

    return encoded()


@checked
def original_pieces(
    domain: str,
    paths: Iterable[Path | str],
    codec: Codec,
    unknown: OrError = "error",
    *,
    read_options: Mapping[str, Any] | None = None,
) -> Iterator[Piece]:
    """Yield the pieces that `encode_files` encodes, before encoding loses anything.

    Files are read only when the first piece is requested.

    Raises
    ------
    CorpusError
        If there is no file.
    """
    reader = _reader(domain, paths, unknown=unknown, read_options=read_options)
    yield from reader.originals(codec)


def _reader(
    domain: str,
    paths: Iterable[Path | str],
    jobs: int = -1,
    progress: Progress | None = None,
    unknown: OrError = "error",
    read_options: Mapping[str, Any] | None = None,
) -> Reader:
    implementation, found = load_domain(domain)
    reading = options_from(implementation.read_options, read_options or {}, _reading(domain))
    sources = find_files(implementation, found, [Path(path) for path in paths])
    sources.digests()
    return Reader(implementation, sources, jobs, progress or _silent, reading, unknown=unknown)


def _reading(domain: str) -> str:
    return f"read options of {domain}"


def _description(found: Announced) -> dict[str, Any]:
    return {
        "seqgen": "corpus",
        "format": FORMAT,
        "domain": found.name,
        "distribution": found.distribution,
        "version": found.version,
    }


def _key(description: Mapping[str, Any]) -> str:
    """Return the SHA-256 by which a corpus in the cache is found again."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode()).hexdigest()


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _finished(folder: Path, key: str) -> Corpus | None:
    """Return the corpus of a folder if it has this key, is undamaged and its codec loads."""
    try:
        corpus = Corpus(folder)
        if corpus.info["key"] != key:
            return None
        load_codec(corpus.info, corpus.folder)
        corpus.verify()
    except SeqgenError:
        return None
    return corpus
