"""THE SAMPLER: from a model's logits to the ids drawn, one page of numpy.

The order is: mask, temperature, top-k, top-p, min-p, draw. Every filter keeps at least the
likeliest token, and what is kept is renormalised. B rows, V' ids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.config import SampleConfig
from seqgen.errors import SeqgenError

Floats = NDArray[np.float64]


def choose(
    logits: NDArray[np.floating],
    draws: Floats,
    config: SampleConfig,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], Floats]:
    """Draw one id for each row.

    Parameters
    ----------
    logits : float array (B, V')
    draws : float64 array (B,)
        Uniform in [0, 1); row i's id depends on row i alone.
    config : SampleConfig
    allowed : bool array (B, V'), optional
        Ids that may be drawn; at least one in each row.

    Returns
    -------
    ids : int64 array (B,)
    log_probabilities : float64 array (B,)
        Of the ids under the model itself, unfiltered: what the model thinks of its piece.

    Raises
    ------
    SeqgenError
        If a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise SeqgenError("the model predicts values that are no numbers; train it again")
    model = log_softmax(logits.astype(np.float64))
    probabilities = distribution(model, config, allowed)
    # Inverse transform: the first id whose cumulated probability exceeds the draw.
    cumulated = np.cumsum(probabilities, axis=1)
    ids = (cumulated <= draws[:, None] * cumulated[:, -1:]).sum(axis=1)
    return ids, model[np.arange(len(ids)), ids]


def distribution(
    log_probabilities: Floats, config: SampleConfig, allowed: NDArray[np.bool_] | None = None
) -> Floats:
    """Return the probabilities ``(B, V')`` that ids are drawn from."""
    scores = log_probabilities
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    if config.temperature == 0:
        likeliest = scores.argmax(axis=1)
        return np.asarray(np.eye(scores.shape[1])[likeliest])
    kept = np.exp(log_softmax(scores / config.temperature))
    if config.top_k:
        kept = _keep_top_k(kept, config.top_k)
    if config.top_p < 1:
        kept = _keep_top_p(kept, config.top_p)
    if config.min_p:
        kept = np.where(kept >= config.min_p * kept.max(axis=1, keepdims=True), kept, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def log_softmax(scores: Floats) -> Floats:
    """Return normalised log-probabilities along the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _keep_top_k(probabilities: Floats, k: int) -> Floats:
    """Keep exactly the k likeliest (Fan et al. 2018); among equals the smaller id goes first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    kept = np.zeros_like(probabilities)
    top = order[:, :k]
    np.put_along_axis(kept, top, np.take_along_axis(probabilities, top, axis=1), axis=1)
    return kept


def _keep_top_p(probabilities: Floats, p: float) -> Floats:
    """Keep the smallest set of likeliest ids that has probability p (Holtzman et al. 2020)."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=1)
    ordered /= ordered.sum(axis=1, keepdims=True)
    before = np.cumsum(ordered, axis=1) - ordered
    kept = np.zeros_like(probabilities)
    np.put_along_axis(kept, order, np.where(before < p, ordered, 0.0), axis=1)
    return kept
