"""Chooses the tables of contexts (`seqgen.network.contexts`) for a corpus and a budget.

Comes from: `seqgen.training.autopilot`.
"""

from __future__ import annotations

from dataclasses import replace

from seqgen.conditions.unlabelled import unlabelled
from seqgen.config import CONTEXTS, ModelConfig
from seqgen.data.corpus import Corpus

#: Fewest training tokens for which there are tables, tokens for each row, and most rows of a table.
ENOUGH, TOKENS_PER_ROW, MOST_ROWS = 1_000_000, 64, 65_536

#: Dropout rate for each epoch, and at most: rows that are read often learn a corpus by heart.
DROPOUT_PER_EPOCH, MOST_DROPOUT = 0.1, 0.5

#: Most epochs for which there are tables.
MOST_EPOCHS = 7


def with_contexts(
    corpus: Corpus, model: ModelConfig, epochs: float, reasons: list[str]
) -> ModelConfig:
    """Return the settings of a network with a number of rows and their dropout rate.

    There are no rows where they do not pay. `epochs` is the number of epochs of a corpus without
    augmentation that overfits as much.
    """
    rows, tokens = model.context_rows, corpus.size("train")
    if rows is None:
        # Features of a codec say already what matters of the last tokens.
        is_plain = model.embedding and not unlabelled(corpus.codec).feature_sizes
        pay = tokens >= ENOUGH and epochs <= MOST_EPOCHS and is_plain
        rows = min(1 << (tokens // TOKENS_PER_ROW).bit_length() - 1, MOST_ROWS) if pay else 0
        if rows:
            reasons.append(f"context rows {rows:,}: for {tokens:,} tokens to train on")
    dropout = model.context_dropout
    if dropout is None:
        dropout = round(min(DROPOUT_PER_EPOCH * epochs, MOST_DROPOUT), 1) if rows else 0.0
        if rows:
            reasons.append(f"context dropout {dropout}: for {epochs:.1f} epochs")
    return replace(model, context_rows=rows, context_dropout=dropout)


def context_weights(model: ModelConfig) -> int:
    """Return the number of weights in the tables of a network with an embedding."""
    return CONTEXTS * (model.context_rows or 0) * model.embedding
