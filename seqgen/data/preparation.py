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
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seqgen.bounds import Jobs, Patience, Seed, checked
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Labelled, content_of
from seqgen.data.corpus import Corpus, CorpusWriter
from seqgen.data.finding import Sources
from seqgen.data.fitting import (
    described,
    fitted_codec,
    fitted_on,
    named_codec,
    suggested_codec,
)
from seqgen.data.given_splits import by_split, search
from seqgen.data.integrity import FORMAT
from seqgen.data.labelling import Census, Labelling, Source
from seqgen.data.names import Names, shown
from seqgen.data.reading import Progress, Reader, chosen_reading, read_options_of
from seqgen.data.splits import SPLITS, Split, assign_splits, draw, whole
from seqgen.data.weighing import Weighing, weight_of
from seqgen.errors import ConfigError, CorpusError, SeqgenError
from seqgen.files import CORPUS, cached_corpus, is_output, new_folder, refuse_existing
from seqgen.plugin import Codec, Domain, Piece
from seqgen.plugins.announcements import Announced
from seqgen.plugins.discovery import load_domain, source_digest
from seqgen.plugins.faults import naming_faults
from seqgen.plugins.files import domain_name
from seqgen.plugins.rebuilding import load_codec
from seqgen.storage.locks import hold

#: Most pieces in memory by which a codec is chosen.
SUGGESTED = 1000


@naming_faults
@checked
def prepare(
    domain: str | Domain,
    paths: Path | str | Iterable[Path | str] = (),
    out: Path | str | None = None,
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    read_options: Mapping[str, Any] | None = None,
    labels: Mapping[str, Source] | None = None,
    weights: Mapping[str, float] | None = None,
    split_label: str = "",
    valid: Path | str | Iterable[Path | str] = (),
    test: Path | str | Iterable[Path | str] = (),
    draw_splits: bool = False,
    seed: Seed = 0,
    jobs: Jobs = -1,
    overwrite: bool = False,
    patience: Patience = None,
    progress: Progress | None = None,
    before: Codec | None = None,
) -> Corpus:
    """Read files, encode their pieces and store them; reuse a corpus of the same content.

    Files are read in parallel by joblib, in other processes of this machine or as
    ``joblib.parallel_config`` says; in a block of `seqgen.on_cluster` by the workers of a Dask
    cluster. A file larger than `seqgen.data.reading.KEPT_BYTES` is read in this process, piece by
    piece.

    A file whose parser takes too long or crashes its process is skipped like any other bad file.
    This process itself reads large files, corpora of up to four files, and all files with
    ``jobs=1``. A crash there ends it. On Windows, or outside the main thread, a parser that hangs
    there cannot be interrupted either.

    Parameters
    ----------
    domain : str or Domain
        Name of an installed domain, or one that the program defines itself: it needs the
        attribute `name` (see `seqgen.plugins.files`).
    paths : Path or str, or iterable of these
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
    labels : mapping, optional
        Labels of pieces by name. A value is a pattern such as ``"{}/*.mid"`` for the end of a
        path, a function of the path, or "" for what `Domain.read` and `Domain.labels` find in a
        piece. By default all labels that are found in pieces and have few values; {} uses none.
    weights : mapping, optional
        How often an epoch of training reads pieces on average, from 0 to 100, by rule: a label such
        as "composer=bach", or a pattern for the end of a path. The last rule that fits decides.
    split_label : str
        The label that says the split of a piece: train, valid or test. No piece is then drawn,
        moved or removed as a duplicate.
    valid, test : Path or str, or iterable of these
        Files, and folders to search, to hold out for validation and for test. They may be in the
        folders of `paths`. No piece is then moved or removed as a duplicate, and none is drawn but
        for validation, if only files for test are given. As with drawn splits, the alphabet comes
        from all files, and the grammar from training pieces.
    draw_splits : bool
        Draw the splits even if all files are in folders called train, valid and test, or named so
        (`seqgen.data.given_splits.named_splits`). By default those are the splits.
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
    before : Codec, optional
        The codec of a run that `create_run` will start from. It is fitted again on these files, so
        that its tokens keep their meaning; its name and options are the defaults.

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
    domain = domain_name(domain)
    implementation, found = load_domain(domain)
    choice = named_codec(implementation, domain, codec, options, before)
    labelling = Labelling(labels, Weighing(weights or {}), split_label)
    held_out = valid, test, split_label, draw_splits
    sources, splits, how = search(implementation, found, paths, *held_out)
    reading, why = chosen_reading(implementation, found, sources, read_options)
    info = _description(found) | {
        "codec": choice.description if choice else {"name": None, "options": dict(options or {})},
        "read_options": asdict(reading),
        "chosen": [sources.names.within(reason) for reason in (why, how) if reason],
        "seed": None if split_label or "valid" in splits.values() else seed,
        "files": _file_entries(sources, splits),
    }
    key = _key(info | _learned(before), implementation, sources, labelling)
    folder = Path(out) if out else cached_corpus(domain, key)
    if (ready := _finished(folder, key)) is not None:
        # Files of other kinds may have come since then; those in archives were counted then.
        ready.info["unread"] = _sorted(Counter(ready.info["unread"]) | sources.unread)
        return ready
    replace = overwrite or out is None
    # Another process may be preparing the same corpus in the cache.
    with hold(folder, wait=out is None):
        if (ready := _finished(folder, key)) is not None:
            return ready
        _make_way(folder, replace, is_cached=out is None)
        readers = {
            split: Reader(implementation, files, jobs, progress, reading, patience, labelling)
            for split, files in by_split(sources, splits).items()
        }
        sample = map(content_of, readers["train"].sample())
        choice = choice or suggested_codec(implementation, found, options, sample)
        census = Census(labelling)
        fitted = fitted_codec(choice, [*readers.values()], found, census, before)
        info |= {"codec": described(choice, fitted), "reason": choice.reason}
        info |= {"labels_left_out": census.left_out, "key": key}
        with new_folder(folder, marker=CORPUS, overwrite=replace) as temporary:
            _store(temporary, readers, fitted, info, split_label, sources.names)
    return Corpus(folder)


def _make_way(folder: Path, overwrite: bool, is_cached: bool) -> None:
    """Remove what is left of a corpus in the cache; refuse a folder that may not be replaced."""
    if is_cached and folder.is_dir() and not is_output(folder):
        # Only seqgen writes in the cache: this is a corpus that lost its description.
        shutil.rmtree(folder)
    refuse_existing(folder, marker=CORPUS, overwrite=overwrite)


def _file_entries(sources: Sources, splits: Mapping[Path, Split]) -> list[dict[str, Any]]:
    """Return what ``corpus.json`` says about each file; skip files that cannot be read."""
    entries = []
    for file, digests in sources.digests().items():
        of_one = splits and file not in sources.inside
        split = {"split": splits.get(file.resolve(), "train")} if of_one else {}
        entries.append({"name": sources.names.of(shown(file)), **digests, **split})
    return entries


def _store(
    folder: Path,
    readers: Mapping[Split, Reader],
    codec: Codec,
    info: dict[str, Any],
    split_label: str,
    names: Names,
) -> None:
    """Encode the pieces of all readers and write the corpus; draw splits if there is a seed.

    A split that has a reader of its own is not drawn.

    Raises
    ------
    CorpusError
        If no piece of a reader can be encoded.
    """
    seed = info["seed"]
    is_given = seed is None or "test" in readers
    with CorpusWriter(folder, codec, keep_duplicates=is_given) as writer:
        draws, ranks, splits = array("d"), array("Q"), array("B")
        for split, reader in readers.items():
            for source, encoded in reader.encoded(codec):
                digest = writer.add(names.of(source), encoded.ids, encoded.facts, encoded.weight)
                if digest is not None:
                    draws.append(0.0 if seed is None else draw(digest, seed))
                    ranks.append(int.from_bytes(digest[:8], "little"))
                    splits.append(SPLITS.index(encoded.labels.get(split_label, split)))
            if not splits or not (split_label or SPLITS.index(split) in splits):
                raise reader.nothing_usable(f"split {split}" if is_given else "")
        for number in (0, 1) if split_label else ():
            if number not in splits:
                raise CorpusError(f"by the label {split_label!r} no piece is for {SPLITS[number]}")
        # The readers of several splits may find the same fault of an archive.
        skipped = dict.fromkeys(entry for each in readers.values() for entry in each.skipped)
        info["skipped"] = [names.stored(entry.as_json()) for entry in skipped]
        notes = (note for reader in readers.values() for note in reader.notes)
        info["notes"] = [names.stored(note.as_json()) for note in notes]
        info["unread"] = readers["train"].unread
        leaders = writer.near_duplicates.leaders(ranks)
        if seed is None:
            segments = whole(writer.lengths, splits)
        else:
            for_test = np.asarray(splits) == SPLITS.index("test") if is_given else None
            segments = assign_splits(draws, writer.lengths, leaders, for_test)
        writer.finish(info, segments, leaders)


@naming_faults
@checked
def write_corpus(
    folder: Path | str,
    domain: str | Domain,
    pieces: Mapping[Split, Iterable[Piece]],
    *,
    codec: str | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    before: Codec | None = None,
) -> Corpus:
    """Encode pieces whose split is given, such as a published one, and store them.

    The codec is fitted on the training pieces. No piece is removed or moved: a piece that the
    codec refuses is an error, and near-duplicates in two splits are only counted.

    Parameters
    ----------
    folder : Path or str
        The new corpus folder.
    domain : str or Domain
        As for `prepare`.
    pieces : mapping
        Pieces by split: "train", and optionally "valid" and "test". Pieces may be
        `seqgen.Labelled`.
    codec, options, overwrite, before
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
    domain = domain_name(domain)
    implementation, found = load_domain(domain)
    listed = {split: list(pieces.get(split, ())) for split in SPLITS}
    if not listed["train"]:
        raise CorpusError("there is no training piece; give pieces under the key train")
    choice = named_codec(implementation, domain, codec, options, before)
    some = listed["train"][:: -(-len(listed["train"]) // SUGGESTED)]
    choice = choice or suggested_codec(implementation, found, options, map(content_of, some))
    fitted = fitted_on(choice, listed["train"], before)
    with (
        new_folder(Path(folder), marker=CORPUS, overwrite=overwrite) as temporary,
        CorpusWriter(temporary, fitted, keep_duplicates=True) as writer,
    ):
        reading = asdict(read_options_of(implementation, domain))
        info = _description(found) | {"codec": described(choice, fitted)}
        info |= {"read_options": reading, "seed": None, "files": []}
        key = hashlib.sha256(json.dumps(info, sort_keys=True, default=str).encode())
        splits = []
        for number, split in enumerate(SPLITS):
            for index, piece in enumerate(listed[split]):
                facts = dict(implementation.describe(content_of(piece)))
                weight = piece.weight if isinstance(piece, Labelled) else 1.0
                weight = weight_of((), {}, weight)
                labelled = piece if isinstance(fitted, LabelledCodec) else content_of(piece)
                ids = fitted.encode(labelled)
                digest = writer.add(f"{split} {index}", ids, facts, weight)
                key.update(f"{split} {digest!r} {weight}".encode())
                splits.append(number)
        info |= {"reason": choice.reason, "skipped": [], "notes": [], "unread": {}}
        info |= {"chosen": [], "labels_left_out": {}, "key": key.hexdigest()}
        leaders = writer.near_duplicates.leaders(range(len(splits)))
        writer.finish(info, whole(writer.lengths, splits), leaders)
    return Corpus(folder)


def _description(found: Announced) -> dict[str, Any]:
    return {
        "seqgen": "corpus",
        "format": FORMAT,
        "domain": found.name,
        # Of a plugin file the name alone: its folder is one of this machine.
        "distribution": Path(found.distribution).name,
        "version": found.version,
    }


def _learned(before: Codec | None) -> dict[str, Any]:
    """Return what a codec that is fitted again brings along."""
    return {} if before is None else {"before": [*before.vocab, before.state()]}


def _key(info: Mapping[str, Any], domain: Domain, sources: Sources, labelling: Labelling) -> str:
    """Return the SHA-256 by which a corpus in the cache is found again."""
    left_out = [sources.names.stored(entry.as_json()) for entry in sources.skipped]
    description = {**info, "source": source_digest(domain), "skipped": left_out}
    description["labels"] = labelling.described(sources.files)
    return hashlib.sha256(json.dumps(description, sort_keys=True, default=str).encode()).hexdigest()


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


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts in the order of their names."""
    return dict(sorted(counts.items()))
