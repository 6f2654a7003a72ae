"""Chooses the output layer for the vocabulary of a corpus.

Comes from: `seqgen.training.autopilot`.
"""

from __future__ import annotations

from dataclasses import replace

from seqgen.config import ModelConfig
from seqgen.data.corpus import Corpus

#: Fewest ids to predict for which the output is adaptive.
MANY = 4_000


def with_output(corpus: Corpus, model: ModelConfig, reasons: list[str]) -> ModelConfig:
    """Return the settings of a network with an output layer."""
    if model.output != "auto":
        return model
    ids = corpus.vocab.targets
    if ids < MANY:
        return replace(model, output="full")
    reasons.append(f"output adaptive: it is faster, for there are {ids:,} tokens to predict")
    return replace(model, output="adaptive")
