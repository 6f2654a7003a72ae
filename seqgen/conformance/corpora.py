"""Promises about whole corpora: files and bad files, other options, and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from seqgen.bounds import Within
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label, Labelled
from seqgen.conformance import trackers
from seqgen.conformance.codecs import check_repeated
from seqgen.conformance.subject import NothingToCheck, Promise, Subject, fitted, random_ids
from seqgen.data.preparation import prepare
from seqgen.errors import ConfigError, DataError


def prepares_a_corpus(subject: Subject, folder: Path) -> None:
    """`prepare` makes a corpus of good and bad files, and lists why it leaves out the bad ones."""
    if not subject.files:
        raise NothingToCheck("the pieces come from no files")
    bad = [folder / f"{name}{subject.spec.suffixes[0]}" for name in ("empty", "noise")]
    for path, content in zip(bad, (b"", bytes(range(256)) * 4), strict=True):
        path.write_bytes(content)
    corpus = prepare(
        subject.name,
        [*subject.files, *bad],
        folder / "corpus",
        codec=subject.codec_name,
        options=asdict(subject.codec.options),
        jobs=1 if subject.material.fast else 2,
    )
    corpus.verify()
    assert corpus.info["pieces"]
    assert all(entry["reason"] for entry in corpus.info["skipped"]), corpus.info["skipped"]
    codec = corpus.codec
    assert tuple(codec.vocab) == tuple(corpus.info["vocab"])


def works_with_other_options(subject: Subject, folder: Path) -> None:
    """With another value of any option the codec fits, encodes, decodes and can be rebuilt."""
    kind, options = type(subject.codec), subject.codec.options
    if not fields(options):
        raise NothingToCheck("the codec has no options")
    tried = 0
    for name, value in other_values(options):
        try:
            other = replace(options, **{name: value})
        except ConfigError:
            continue  # Options may exclude one another.
        try:
            codec = fitted(kind, subject.pieces[:3], other)
            ids = [codec.encode(piece) for piece in subject.pieces[:3]]
        except DataError:
            continue  # Options may exclude these pieces.
        tried += 1
        what = f"with {name}={value!r}"
        again = kind.from_state(codec.state(), other)
        assert tuple(again.vocab) == tuple(codec.vocab), f"{what} another codec is rebuilt"
        for row in ids:
            repeated = codec.encode(codec.decode(row))
            is_same = np.array_equal(repeated, row) or not codec.idempotent
            assert is_same, f"{what} pieces are no longer the same"
        for some in random_ids(codec):
            codec.decode(some)
    if not tried:
        raise NothingToCheck("no other value of an option suits these pieces")


def other_values(options: Any) -> Iterator[tuple[str, Any]]:
    """Yield values that differ from those of options, each with the name of its field."""
    hints = get_type_hints(type(options), include_extras=True)
    for field in fields(options):
        now, hint = getattr(options, field.name), hints[field.name]
        bounds = Within(-math.inf, math.inf)
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            bounds = next((each for each in extras if isinstance(each, Within)), bounds)
        if isinstance(now, bool):
            yield field.name, not now
        elif get_origin(hint) is Literal:
            yield from ((field.name, each) for each in get_args(hint) if each != now)
        elif isinstance(now, int | float):
            near = [now * 2, now // 2, now + 1, now - 1] if hint is int else [now * 1.5, now * 0.7]
            for value in near:
                if value != now and bounds.least <= value <= bounds.most:
                    # Options may exclude one another.
                    with suppress(ConfigError):
                        replace(options, **{field.name: value})
                        yield field.name, value
                        break


def works_with_labels(subject: Subject, folder: Path) -> None:
    """With labels before its pieces the codec encodes, decodes and tracks as without."""
    codec = subject.codec
    if codec.boundaries:
        raise NothingToCheck("a codec with boundaries has no labels")
    labelled = LabelledCodec(codec, [Label("checked", None, {"yes": 1, "no": 1})])
    pieces = [Labelled({"checked": "yes"}, piece) for piece in subject.pieces[:2]]
    ids = [labelled.encode(piece) for piece in pieces]
    for row, piece in zip(ids, subject.pieces, strict=False):
        np.testing.assert_array_equal(labelled.payload(row), codec.encode(piece))
        check_repeated(codec, labelled.encode(labelled.decode(row))[1:], row[1:])
        assert all(labelled.place(row, at) for at in (0, 1, len(row) - 1))
        assert labelled.units(row) == codec.units(row[1:])
    short = [row[:200] for row in ids]
    shown = replace(subject, codec=labelled, pieces=pieces, ids=short)
    if labelled.tracker() is None:
        return
    for promise in (trackers.tracks_its_features, trackers.masks_as_it_tracks):
        with suppress(NothingToCheck):
            promise(shown, folder)


PROMISES: tuple[Promise, ...] = (
    prepares_a_corpus,
    works_with_other_options,
    works_with_labels,
)
