"""Chooses the tables of contexts (`seqgen.network.contexts`) for a corpus and a budget.

Comes from: `seqgen.training.autopilot`.
"""

from __future__ import annotations

from dataclasses import replace

from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import CONTEXTS, ModelConfig
from seqgen.data.corpus import Corpus

#: Rows of each table.
ROWS = 8_192

#: Fewest training tokens, and most epochs, for which there are tables: rows that are read often
#: learn a small corpus by heart.
ENOUGH, MOST_EPOCHS = 1_000_000, 3.5

#: Dropout of rows for each epoch after the first, and at most.
MORE_DROPOUT, MOST_DROPOUT = 0.1, 0.5


def with_contexts(
    corpus: Corpus, model: ModelConfig, epochs: float, reasons: list[str]
) -> ModelConfig:
    """Return the settings of a network with rows, 0 where they do not pay, and their dropout.

    `epochs` is the number of epochs of a corpus without augmentation that overfits as much.
    """
    if model.context_rows is None:
        tokens, rows = corpus.size("train"), 0
        # Features of a codec say already what matters of the last tokens.
        features = unlabelled(corpus.codec).feature_sizes
        if tokens >= ENOUGH and epochs <= MOST_EPOCHS and not features and model.embedding:
            rows = ROWS
            reasons.append(f"context rows {rows:,}: for {epochs:.1f} epochs of {tokens:,} tokens")
        model = replace(model, context_rows=rows)
    if model.context_dropout is None:
        dropout = context_dropout_for(epochs) if model.context_rows else 0.0
        if dropout:
            reasons.append(f"context dropout {dropout}: for {epochs:.1f} epochs")
        model = replace(model, context_dropout=dropout)
    return model


def context_dropout_for(epochs: float) -> float:
    """Return the dropout rate of rows for a number of epochs without augmentation."""
    return round(min(max(MORE_DROPOUT * (epochs - 1), 0.0), MOST_DROPOUT), 2)


def context_weights(model: ModelConfig) -> int:
    """Return the number of weights in the tables of a network with an embedding."""
    return CONTEXTS * (model.context_rows or 0) * model.embedding
