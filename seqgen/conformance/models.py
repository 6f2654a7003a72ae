"""Promises about models: what is measured, and a small model that learns and writes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

from seqgen.config import LimitConfig, ModelConfig, TrainConfig
from seqgen.conformance.subject import NothingToCheck, Promise, Subject, random_ids
from seqgen.criticism import FEWEST, Criticism
from seqgen.data.preparation import write_corpus
from seqgen.evaluation.comparison import checked, measure
from seqgen.evaluation.ngram import NgramModel
from seqgen.generation.engine import generate
from seqgen.plugin import Labelled
from seqgen.report.samples import write_samples
from seqgen.training.creation import create_run
from seqgen.training.session import train
from seqgen.vocab import Vocab


def measures_pieces(subject: Subject, folder: Path) -> None:
    """Units are finite, of the same names for every piece; metrics have one row per piece.

    Likelihoods are finite, from a predictor alone. The codec takes every probe as a condition. A
    judge of labels tells labels that it learned.
    """
    units = [subject.codec.units(ids) for ids in subject.ids]
    assert units[0] and all(each.keys() == units[0].keys() for each in units)
    assert all(math.isfinite(amount) and amount > 0 for each in units for amount in each.values())
    new = [subject.codec.decode(ids) for ids in subject.ids[:2]]
    measure(subject.domain, new, subject.pieces)
    probes = list(subject.domain.probes(subject.codec))[:2]
    for condition in probes:
        subject.codec.tracker(condition)
    # A model that has learned nothing: every id is as likely.
    uniform = NgramModel(Vocab.of(subject.codec.vocab), 1)
    rated = subject.domain.likelihoods(subject.codec, uniform, iter(subject.pieces))
    assert all(name and math.isfinite(value) for name, value in rated.items()), rated
    halves = (Labelled({"half": str(at % 2)}, one) for at, one in enumerate(subject.pieces))
    judge = subject.domain.label_judge(halves)
    assert judge is None or all({*judge(piece)} <= {"half"} for piece in new)
    found = subject.domain.measure_probes(probes, new[: len(probes)], subject.pieces)
    checked(subject.domain, found, new[: len(probes)], subject.pieces)


def criticises_any_piece(subject: Subject, folder: Path) -> None:
    """A critic judges every piece that decode returns, and two that learned the same agree."""
    learned = [*islice(cycle(subject.pieces), FEWEST)]
    critic, again = (subject.domain.critic(iter(learned)) for _ in range(2))
    if critic is None or again is None:
        raise NothingToCheck("the domain has no critic")
    cut = [ids[: len(ids) // 2] for ids in subject.ids[:2]]
    conditions = [None, *list(subject.domain.probes(subject.codec))[:1]]
    for ids, condition in product([*subject.ids[:2], *random_ids(subject.codec), *cut], conditions):
        piece = subject.codec.decode(ids)
        found = critic(piece, condition)
        assert isinstance(found, Criticism), found
        assert all(fault and isinstance(fault, str) for fault in found.faults), found
        assert math.isfinite(found.rarity) and found.rarity >= 0, found
        assert again(piece, condition) == found, (found, again(piece, condition))


def learns_and_writes(subject: Subject, folder: Path) -> None:
    """A small model learns a demo piece and writes new pieces into files."""
    # One copy for each lane: a lane that began in the middle would learn to begin there.
    pieces: dict[Any, list[Any]] = {"train": subject.pieces[:1] * 4, "valid": subject.pieces[:1]}
    corpus = write_corpus(folder / "corpus", subject.name, pieces, codec=subject.codec_name)
    model = ModelConfig(hidden=32, embedding=8, dropout=0)
    config = TrainConfig(tokens=12_000, batch_size=4, window=32, evaluations=3, learning_rate=1e-2)
    run = create_run(folder / "run", corpus, model, replace(config, device="cpu"))
    losses = [report.valid_loss for report in train(run, corpus) if report.valid_loss is not None]
    assert losses[-1] < losses[0], losses
    new = list(generate(run, 2, limit=LimitConfig(length=60)))
    samples = write_samples(run, new, folder / "samples")
    assert len(samples.paths) >= 2 and all(path.exists() for path in samples.paths)


PROMISES: tuple[Promise, ...] = (
    measures_pieces,
    criticises_any_piece,
    learns_and_writes,
)
