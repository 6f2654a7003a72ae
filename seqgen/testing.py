"""The conformance kit: does a plugin keep the contract? For its author's tests, and for ours.

>>> from seqgen.testing import check_domain
>>> check_domain("music", tmp_path)                             # doctest: +SKIP
23 checks of the domain music passed, 2 had nothing to check

or one test a check, with pytest::

    @pytest.mark.parametrize("check", domain_checks("music"), ids=str)
    def test_contract(check, tmp_path):
        try:
            check.run(tmp_path)
        except NothingToCheck as reason:
            pytest.skip(str(reason))
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from seqgen.config import LimitConfig, ModelConfig, TrainConfig
from seqgen.data.preparation import write_corpus
from seqgen.discovery import load_domain
from seqgen.errors import DataError, reason_of
from seqgen.evaluation.comparison import checked, measure
from seqgen.generation.engine import generate
from seqgen.plugin import Codec, Domain, DomainSpec, Ids, Piece, Tracker
from seqgen.report.samples import write_samples
from seqgen.training.creation import create_run
from seqgen.training.session import train
from seqgen.unknown import Unknown
from seqgen.vocab import Vocab

#: Demo files that are tried, and tokens of each piece.
FILES, TOKENS = 6, 600

#: What a binary preview begins with, by MIME type.
SIGNATURES = {
    "image/png": b"\x89PNG",
    "image/gif": b"GIF8",
    "audio/wav": b"RIFF",
    "audio/mpeg": b"\xff",
}


@dataclass(frozen=True)
class Subject:
    """What a check looks at.

    Attributes
    ----------
    name : str
        Of the domain.
    spec : DomainSpec
    domain : Domain
    codec_name : str
    codec : Codec
        Fitted on `pieces` with its default options.
    pieces : list
        Demo pieces that the codec can encode.
    ids : list of int64 array (N,)
        These pieces encoded, cut to `TOKENS`.
    """

    name: str
    spec: DomainSpec
    domain: Domain
    codec_name: str
    codec: Codec
    pieces: list[Piece]
    ids: list[Ids]


Promise: TypeAlias = Callable[[Subject, Path], None]


class NothingToCheck(Exception):
    """The promise is about something that the codec does not have."""


@dataclass(frozen=True)
class Check:
    """One promise of the contract, for one domain or one of its codecs."""

    domain: str
    codec: str
    promise: Promise

    def run(self, folder: Path) -> None:
        """Run the check with a folder for its files.

        Raises
        ------
        AssertionError
            If the promise is broken.
        NothingToCheck
            If the codec does not make it, having no features, passages, tracker or boundaries.
        """
        self.promise(_subject(self.domain, self.codec), folder)

    def __str__(self) -> str:
        return f"{self.domain}-{self.codec}-{self.promise.__name__}"


def domain_checks(name: str) -> list[Check]:
    """Return all checks of a domain.

    Raises
    ------
    PluginError
        If the domain cannot be loaded.
    """
    domain, _ = load_domain(name)
    return [Check(name, codec, promise) for codec in domain.codecs for promise in PROMISES]


def check_domain(name: str, folder: Path) -> int:
    """Run all checks of a domain, print how many passed and return how many.

    Raises
    ------
    AssertionError
        If one fails, with the names and reasons of all that do, or if there is none.
    """
    checks = domain_checks(name)
    assert checks, f"the domain {name} has no codec: nothing was checked"
    failures, idle = [], 0
    for check in checks:
        place = folder / str(check)
        place.mkdir(parents=True)
        try:
            check.run(place)
        except NothingToCheck:
            idle += 1
        except Exception as error:
            failures.append(f"{check}: {reason_of(error)}")
    listed = "\n  ".join(failures)
    assert not failures, f"{len(failures)} of {len(checks)} checks failed:\n  {listed}"
    passed = len(checks) - idle
    print(f"{passed} checks of the domain {name} passed, {idle} had nothing to check")
    return passed


@cache
def _subject(name: str, codec_name: str) -> Subject:
    from seqgen.files import cache_folder

    domain, found = load_domain(name)
    assert found.spec is not None
    files = domain.demo(cache_folder() / "demo" / name)
    chosen = [files[round(at)] for at in np.linspace(0, len(files) - 1, min(FILES, len(files)))]
    codec_class = domain.codecs[codec_name]
    pieces = [piece for file in chosen for piece in _read(domain, file)]
    codec = codec_class.fit(pieces, codec_class.options_type())
    pieces = [piece for piece in pieces if _encodes(codec, piece)]
    assert pieces, f"the codec {codec_name} can encode none of {len(chosen)} demo files"
    ids = [np.asarray(codec.encode(piece), np.int64)[:TOKENS] for piece in pieces]
    return Subject(name, found.spec, domain, codec_name, codec, pieces, ids)


def _read(domain: Domain, path: Path) -> list[Piece]:
    """Return the pieces of a file without those that cannot be used."""
    return [piece for piece in domain.read(path) if not isinstance(piece, DataError)]


def _encodes(codec: Codec, piece: Piece) -> bool:
    try:
        codec.encode(piece)
    except DataError:
        return False
    return True


def _random_ids(codec: Codec) -> Iterator[Ids]:
    """Yield ids that no piece would have: none, one, and many at random."""
    rng = np.random.default_rng(0)
    for length in (0, 1, 2, 3, 7, 50, 400):
        yield rng.integers(0, len(codec.vocab), length)


def announces_itself(subject: Subject, folder: Path) -> None:
    """Name, summary and suffixes are fit to be listed."""
    spec = subject.spec
    assert spec.name == spec.name.lower() and spec.name.isidentifier(), spec.name
    assert spec.summary and "\n" not in spec.summary, "the summary is one line"
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in spec.suffixes)


def reads_its_demo(subject: Subject, folder: Path) -> None:
    """The demo gives files that are there, the same ones every time."""
    first, second = (list(subject.domain.demo(folder)) for _ in range(2))
    assert first and first == second
    assert all(path.is_file() for path in first)


def refuses_bad_files(subject: Subject, folder: Path) -> None:
    """A file of noise or nothing is a `DataError`, or read as something that can be written."""
    for name, content in (("empty", b""), ("noise", bytes(range(256)) * 4)):
        for suffix in subject.spec.suffixes:
            path = folder / f"{name}{suffix}"
            path.write_bytes(content)
            try:
                pieces = _read(subject.domain, path)
            except DataError as error:
                assert str(error), "the message is empty"
            else:
                for piece in pieces:
                    subject.domain.write(piece, folder / f"again{subject.domain.formats[0]}")


def writes_every_format(subject: Subject, folder: Path) -> None:
    """Every format gives files that are there and not empty."""
    piece = subject.codec.decode(subject.ids[0])
    for suffix in subject.domain.formats:
        paths = subject.domain.write(piece, folder / f"piece{suffix}")
        assert paths and all(path.stat().st_size > 0 for path in paths), suffix


def describes_pieces(subject: Subject, folder: Path) -> None:
    """What is said of a piece are few plain values with names."""
    facts = subject.domain.describe(subject.pieces[0])
    assert all(isinstance(name, str) and name for name in facts), facts
    assert all(isinstance(value, str | int | float) for value in facts.values()), facts


def shows_pieces(subject: Subject, folder: Path) -> None:
    """A preview maps MIME types to content of that type."""
    preview = subject.domain.preview(subject.codec.decode(subject.ids[0]))
    assert preview, "the preview is empty"
    for kind, data in preview.items():
        assert kind.count("/") == 1 and data, kind
        assert isinstance(data, str) or data.startswith(SIGNATURES.get(kind, b"")), kind


def fits_in_any_order(subject: Subject, folder: Path) -> None:
    """Fitting is deterministic and does not depend on the order of pieces."""
    fit = type(subject.codec).fit
    states = [
        fit(pieces, subject.codec.options).state()
        for pieces in (subject.pieces, subject.pieces, subject.pieces[::-1])
    ]
    assert states[0] == states[1] == states[2]


def names_its_tokens(subject: Subject, folder: Path) -> None:
    """There is at least one token, no name twice, a kind of each or of none; places have words."""
    codec = subject.codec
    Vocab.of(codec.vocab)
    assert all(isinstance(name, str) for name in codec.vocab)
    assert len(codec.groups) in (0, len(codec.vocab)), (len(codec.groups), len(codec.vocab))
    assert all(group >= 0 for group in codec.groups), codec.groups
    for ids in subject.ids:
        assert all(codec.place(ids, at) for at in (0, len(ids) // 2, len(ids) - 1))


def names_its_boundaries(subject: Subject, folder: Path) -> None:
    """Boundaries are ids within the vocabulary, each named once, the same for every fit."""
    codec = subject.codec
    if not codec.boundaries:
        raise NothingToCheck("the codec has no boundaries")
    assert len(set(codec.boundaries)) == len(codec.boundaries), codec.boundaries
    Vocab.of(codec.vocab).resets(codec.boundaries)
    again = type(codec).fit(subject.pieces[::-1], codec.options)
    assert tuple(again.boundaries) == tuple(codec.boundaries)


def encodes_into_its_vocabulary(subject: Subject, folder: Path) -> None:
    """Ids are whole numbers within the vocabulary."""
    for piece in subject.pieces:
        ids = subject.codec.encode(piece)
        assert ids.ndim == 1 and ids.dtype == np.int64, (ids.shape, ids.dtype)
        assert len(ids) and 0 <= ids.min() <= ids.max() < len(subject.codec.vocab)


def round_trips(subject: Subject, folder: Path) -> None:
    """Encoding what was decoded gives the same ids again."""
    codec = subject.codec
    for piece in subject.pieces:
        ids = codec.encode(piece)
        np.testing.assert_array_equal(codec.encode(codec.decode(ids)), ids)


def survives_files(subject: Subject, folder: Path) -> None:
    """Written in the first format and read again, a piece encodes to the same ids."""
    codec, suffix = subject.codec, subject.domain.formats[0]
    for number, piece in enumerate(subject.pieces):
        ids = codec.encode(piece)
        [path] = subject.domain.write(codec.decode(ids), folder / f"{number}{suffix}")
        [again] = subject.domain.read(path)
        np.testing.assert_array_equal(codec.encode(again), ids)


def mends_prompts(subject: Subject, folder: Path) -> None:
    """What is mended can be encoded, also by a codec that knows less; what is known stays."""
    alone = type(subject.codec).fit(subject.pieces[:1], subject.codec.options)
    policies: tuple[Unknown, ...] = ("skip", "nearest")
    for piece, unknown in itertools.product(subject.pieces, policies):
        assert not subject.codec.mend_prompt(piece, unknown).changes
        try:
            mended = alone.mend_prompt(piece, unknown)
        except DataError:
            continue
        alone.encode(mended.piece)
        assert all(was != now and count > 0 for (was, now), count in mended.changes.items())


def decodes_anything(subject: Subject, folder: Path) -> None:
    """Any ids, also cut short, give a piece that can be written, read and encoded again."""
    codec, suffix = subject.codec, subject.domain.formats[0]
    cut = [ids[:length] for ids in subject.ids[:2] for length in (1, len(ids) // 2, len(ids) - 1)]
    for number, ids in enumerate([*_random_ids(codec), *cut]):
        [path] = subject.domain.write(codec.decode(ids), folder / f"{number}{suffix}")
        try:
            again = [codec.encode(piece) for piece in subject.domain.read(path)]
        except DataError:
            # A piece with next to nothing in it may be refused; fifty tokens are something.
            assert len(ids) < 50, f"the file of {len(ids)} decoded ids is refused"
            continue
        for repeated in again:
            np.testing.assert_array_equal(codec.encode(codec.decode(repeated)), repeated)


def decodes_all_of_its_tokens(subject: Subject, folder: Path) -> None:
    """Every token alone, and repeated, can be decoded."""
    for token in range(len(subject.codec.vocab)):
        subject.codec.decode(np.full(9, token))


def saves_its_state(subject: Subject, folder: Path) -> None:
    """State and options survive JSON, and make the same codec."""
    codec = subject.codec
    state = json.loads(json.dumps(codec.state()))
    options = type(codec).options_type(**json.loads(json.dumps(asdict(codec.options))))
    again = type(codec).from_state(state, options)
    assert tuple(again.vocab) == tuple(codec.vocab)
    assert tuple(again.feature_sizes) == tuple(codec.feature_sizes)
    assert tuple(again.boundaries) == tuple(codec.boundaries)
    assert tuple(again.groups) == tuple(codec.groups)
    np.testing.assert_array_equal(again.encode(subject.pieces[0]), codec.encode(subject.pieces[0]))


def augments_within_its_vocabulary(subject: Subject, folder: Path) -> None:
    """An augmentation leaves its argument alone, depends on the generator only, and decodes."""
    codec = subject.codec
    for ids in subject.ids:
        kept = ids.copy()
        kept.setflags(write=False)
        one, two = (codec.augment(kept, np.random.default_rng(1)) for _ in range(2))
        np.testing.assert_array_equal(one, two)
        assert len(one) and 0 <= one.min() <= one.max() < len(codec.vocab)
        codec.decode(one)


def recognises_variations(subject: Subject, folder: Path) -> None:
    """Some passage of a piece is in every variation, and in every fit of the codec."""
    codec = subject.codec
    found = [codec.passages(ids) for ids in subject.ids]
    if not any(map(len, found)):
        raise NothingToCheck("the codec finds no passages")
    alone = type(codec).fit(subject.pieces[:1], codec.options)
    ids = np.asarray(alone.encode(subject.pieces[0]), np.int64)[:TOKENS]
    np.testing.assert_array_equal(alone.passages(ids), found[0])
    for ids, passages in zip(subject.ids, found, strict=True):
        assert passages.ndim == 1 and passages.dtype == np.int64, (passages.shape, passages.dtype)
        np.testing.assert_array_equal(codec.passages(ids), passages)
        for seed in range(5):
            varied = codec.augment(ids, np.random.default_rng(seed))
            assert not len(passages) or np.isin(codec.passages(varied), passages).any()
    for ids in _random_ids(codec):
        codec.passages(ids)


def has_features_in_range(subject: Subject, folder: Path) -> None:
    """Features are (N + 1, K) and within their sizes, for any ids."""
    codec = subject.codec
    if not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [*subject.ids, *_random_ids(codec)]:
        rows = codec.features(ids)
        assert rows.shape == (len(ids) + 1, len(codec.feature_sizes)), rows.shape
        assert (rows >= 0).all() and (rows < codec.feature_sizes).all()


def has_features_of_the_past(subject: Subject, folder: Path) -> None:
    """The features of a position depend on the ids before it only."""
    codec = subject.codec
    if not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [subject.ids[0][:200], *_random_ids(codec)]:
        rows = codec.features(ids)
        for position in range(0, len(ids) + 1, 3):
            np.testing.assert_array_equal(codec.features(ids[:position]), rows[: position + 1])


def tracks_its_features(subject: Subject, folder: Path) -> None:
    """The tracker gives the same features, one by one, for any ids."""
    codec = subject.codec
    tracker = codec.tracker()
    assert tracker is not None or not codec.feature_sizes, "features need a tracker"
    if tracker is None or not codec.feature_sizes:
        raise NothingToCheck("the codec has no features")
    for ids in [*subject.ids, *_random_ids(codec)]:
        tracker = codec.tracker()
        assert tracker is not None
        given = [tracker.features()]
        for token in ids.tolist():
            tracker.push(token)
            given.append(tracker.features())
        np.testing.assert_array_equal(np.array(given), codec.features(ids))


def allows_real_pieces(subject: Subject, folder: Path) -> None:
    """The tracker lets every demo piece be written, and end where it ends."""
    for piece in subject.pieces:
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        ids = subject.codec.encode(piece).tolist()
        for position, token in enumerate([*ids, len(subject.codec.vocab)]):
            assert token in _possible(subject.codec, tracker), (position, token)
            if position < len(ids):
                tracker.push(token)


def always_allows_something(subject: Subject, folder: Path) -> None:
    """Wherever its own masks lead, the tracker allows a next token, and what comes decodes."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        tracker = subject.codec.tracker()
        if tracker is None:
            raise NothingToCheck("the codec has no tracker")
        ids: list[int] = []
        while len(ids) < 200:
            token = int(rng.choice(_possible(subject.codec, tracker)))
            if token == len(subject.codec.vocab):
                break
            tracker.push(token)
            ids.append(token)
        subject.codec.decode(np.array(ids, np.int64))


def continues_pieces(subject: Subject, folder: Path) -> None:
    """What follows any beginning of a piece is a piece of its own."""
    codec = subject.codec
    for ids in [*subject.ids, *_random_ids(codec)]:
        for start in (0, 1, len(ids) // 2, len(ids)):
            kept = codec.continuation(ids, min(start, len(ids)))
            assert len(kept) <= len(ids) and (kept < len(codec.vocab)).all()
            codec.decode(kept)


def shows_text_as_it_comes(subject: Subject, folder: Path) -> None:
    """The text of ids that come one by one is the text of all of them."""
    if subject.codec.text_stream() is None:
        raise NothingToCheck("pieces are not shown while they are written")
    for ids in subject.ids:
        typed = subject.codec.text_stream()
        assert typed is not None
        assert "".join(map(typed, ids.tolist())) == subject.codec.decode(ids)


def measures_pieces(subject: Subject, folder: Path) -> None:
    """Units are finite, of the same names for every piece; metrics have one row a piece.

    The codec takes every probe as a condition.
    """
    units = [subject.codec.units(ids) for ids in subject.ids]
    assert units[0] and all(each.keys() == units[0].keys() for each in units)
    assert all(math.isfinite(amount) and amount > 0 for each in units for amount in each.values())
    new = [subject.codec.decode(ids) for ids in subject.ids[:2]]
    measure(subject.domain, new, subject.pieces)
    probes = list(subject.domain.probes(subject.codec))[:2]
    for condition in probes:
        subject.codec.tracker(condition)
    found = subject.domain.measure_probes(probes, new[: len(probes)], subject.pieces)
    checked(subject.domain, found, new[: len(probes)], subject.pieces)


def learns_and_writes(subject: Subject, folder: Path) -> None:
    """A small model learns a demo piece, is rated on it, and what it generates is written."""
    # One copy for each lane: a lane that began in the middle would learn to begin there.
    pieces: dict[Any, list[Piece]] = {"train": subject.pieces[:1] * 4, "valid": subject.pieces[:1]}
    corpus = write_corpus(folder / "corpus", subject.name, pieces, codec=subject.codec_name)
    model = ModelConfig(hidden=32, embedding=8, dropout=0)
    config = TrainConfig(tokens=12_000, batch_size=4, window=32, evaluations=3, learning_rate=1e-2)
    run = create_run(folder / "run", corpus, model, replace(config, device="cpu"))
    losses = [report.valid_loss for report in train(run, corpus) if report.valid_loss is not None]
    assert losses[-1] < losses[0], losses
    rated = run.domain.likelihoods(run, iter(subject.pieces[:1]))
    assert all(name and math.isfinite(value) for name, value in rated.items()), rated
    new = list(generate(run, 2, limit=LimitConfig(length=60)))
    samples = write_samples(run, new, folder / "samples")
    assert len(samples.paths) >= 2 and all(path.exists() for path in samples.paths)


def _possible(codec: Codec, tracker: Tracker) -> list[int]:
    """Return the ids that may come next, END last."""
    forced, mask = tracker.forced(), tracker.allowed()
    if forced is not None:
        return [forced]
    if mask is None:
        return list(range(len(codec.vocab) + 1))
    assert mask.shape == (len(codec.vocab) + 1,) and mask.dtype == bool, (mask.shape, mask.dtype)
    assert mask.any(), "no token is allowed"
    return [int(token) for token in np.flatnonzero(mask)]


PROMISES: tuple[Promise, ...] = (
    announces_itself,
    reads_its_demo,
    refuses_bad_files,
    writes_every_format,
    describes_pieces,
    shows_pieces,
    fits_in_any_order,
    names_its_tokens,
    names_its_boundaries,
    encodes_into_its_vocabulary,
    round_trips,
    survives_files,
    mends_prompts,
    decodes_anything,
    decodes_all_of_its_tokens,
    saves_its_state,
    augments_within_its_vocabulary,
    recognises_variations,
    has_features_in_range,
    has_features_of_the_past,
    tracks_its_features,
    allows_real_pieces,
    always_allows_something,
    continues_pieces,
    shows_text_as_it_comes,
    measures_pieces,
    learns_and_writes,
)
