"""Chooses the tables of contexts (`seqgen.network.contexts`) for a corpus and a budget.

Comes from: `seqgen.training.autopilot`.
"""

from __future__ import annotations

from dataclasses import replace

from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import ModelConfig
from seqgen.data.corpus import Corpus

#: Rows of each table.
ROWS = 8_192

#: Fewest training tokens for which there are tables.
ENOUGH = 200_000

#: Dropout of rows: for each epoch after the first, and at most.
MORE_DROPOUT, MOST_DROPOUT = 0.1, 0.5


def with_contexts(corpus: Corpus, model: ModelConfig, reasons: list[str]) -> ModelConfig:
    """Return the settings of a network with a number of rows; 0 where they do not pay."""
    if model.context_rows is not None:
        return model
    tokens = corpus.size("train")
    # Features of a codec say already what matters of the last tokens.
    if tokens < ENOUGH or unlabelled(corpus.codec).feature_sizes or not model.embedding:
        return replace(model, context_rows=0)
    reasons.append(f"context rows {ROWS:,}: for {tokens:,} tokens to train on")
    return replace(model, context_rows=ROWS)


def with_context_dropout(model: ModelConfig, epochs: float, reasons: list[str]) -> ModelConfig:
    """Return the settings with a dropout rate of rows."""
    if model.context_dropout is not None:
        return model
    if not model.context_rows:
        return replace(model, context_dropout=0.0)
    dropout = context_dropout_for(epochs)
    reasons.append(f"context dropout {dropout}: for {epochs:.1f} epochs")
    return replace(model, context_dropout=dropout)


def context_dropout_for(epochs: float) -> float:
    """Return the dropout rate of rows for a number of epochs without augmentation."""
    return round(min(max(MORE_DROPOUT * (epochs - 1), 0.0), MOST_DROPOUT), 2)
