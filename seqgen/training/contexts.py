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


def with_contexts(
    corpus: Corpus, model: ModelConfig, epochs: float, reasons: list[str]
) -> ModelConfig:
    """Return the settings of a network with a number of rows; 0 where they do not pay.

    `epochs` is the number of epochs of a corpus without augmentation that overfits as much.
    """
    if model.context_rows is not None:
        return model
    tokens = corpus.size("train")
    # Features of a codec say already what matters of the last tokens.
    features = unlabelled(corpus.codec).feature_sizes
    if tokens < ENOUGH or epochs > MOST_EPOCHS or features or not model.embedding:
        return replace(model, context_rows=0)
    reasons.append(f"context rows {ROWS:,}: for {epochs:.1f} epochs of {tokens:,} tokens")
    return replace(model, context_rows=ROWS)


def context_weights(model: ModelConfig) -> int:
    """Return the number of weights in the tables of a network with an embedding."""
    return CONTEXTS * (model.context_rows or 0) * model.embedding
