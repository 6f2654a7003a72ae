"""Neighbours of a token: those whose learned vectors point most nearly the same way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import Count, checked
from seqgen.drawing.rules import token_id
from seqgen.errors import ConfigError
from seqgen.run.folder import Run

#: Shortest vector that has a direction.
SHORTEST = 1e-12


class Neighbour(NamedTuple):
    """A token near another one.

    Attributes
    ----------
    name : str
    similarity : float
        The cosine of the angle between the two vectors, from -1 to 1.
    """

    name: str
    similarity: float


@checked
def neighbours(run: Run, name: str, count: Count = 10) -> list[Neighbour]:
    """Return the tokens whose vectors are most similar to that of a token, the nearest first.

    A vector has what the network reads of a token and, unless the weights are tied, what it
    predicts the token from. Each half is centred on the mean of all tokens and has length 1.

    Parameters
    ----------
    run : Run
        A trained model with a learned embedding.
    name : str
        Name of the token, as in the vocabulary.
    count : int
        Most neighbours to return.

    Raises
    ------
    ConfigError
        If the vocabulary has no such token, or the model reads tokens as one-hot vectors.
    """
    if not run.model_config.embedding:
        raise ConfigError(
            f"{run.name} reads tokens as one-hot vectors, so none is near another; train with "
            f"an embedding"
        )
    weights = run.weights
    names = ["embedding.weight"] if run.model_config.tied else ["embedding.weight", "output.weight"]
    tokens = len(run.vocab.names)
    vectors = np.concatenate([_directions(weights[each][:tokens]) for each in names], axis=1)
    own = token_id(name, run.vocab)
    if own >= tokens:
        raise ConfigError(f"{name} is no token of the codec; name one of the vocabulary")
    similar = vectors @ vectors[own] / len(names)  # (tokens,)
    order = [token for token in np.argsort(-similar, kind="stable").tolist() if token != own]
    return [Neighbour(run.vocab.names[token], float(similar[token])) for token in order[:count]]


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (N, D) as differences from their mean, each of length 1."""
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, SHORTEST))
