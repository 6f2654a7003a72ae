"""A linear mixture of networks and n-grams, for vocabularies too large for the geometric one.

It looks at the probability of the actual token only, so the vocabulary costs nothing. Comes from:
`seqgen.evaluation.adaptive`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import IGNORE, Steps
from seqgen.evaluation.ngram import LONGEST, NgramModel, count
from seqgen.plugin import Ids
from seqgen.vocab import Vocab

#: Lowest learning rate of the weights of the mixture.
RATE = 2e-3


class LinearMixture:
    """Mixes K networks with n-grams of all orders, whose counts grow.

    Parameters
    ----------
    vocab : Vocab
    networks : int
    corpus : Corpus, optional
        Its training pieces are counted first.
    """

    def __init__(self, vocab: Vocab, networks: int, corpus: Corpus | None = None) -> None:
        self._counts = NgramModel(vocab, LONGEST) if corpus is None else count(corpus)
        self._read = 0
        self.weights = np.full(networks + LONGEST, 1 / (networks + LONGEST))

    def forget(self) -> None:
        """Begin a piece; counts and weights stay."""
        self._counts.forget()

    def skip(self, inputs: Ids) -> None:
        """Read ids ``(T,)`` that are neither predicted nor counted."""
        self._counts.read(inputs, np.full(len(inputs), IGNORE), learn=False)

    def nats(self, steps: Steps, networks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nats of every target ``(T,)``, each counted after it is predicted.

        Parameters
        ----------
        steps : Steps
            One lane.
        networks : float64 array (T, K, 1)
            Log-probabilities of the targets.
        """
        counted = self._counts.read(
            steps.inputs, steps.targets, steps.allowed, learn=True
        )  # (T, LONGEST)
        probabilities = np.concatenate([np.exp(networks[:, :, 0]), counted], axis=1)
        nats = mix(probabilities, self.weights, self._read)
        self._read += len(nats)
        return nats


@compiled
def mix(
    probabilities: NDArray[np.float64], weights: NDArray[np.float64], read: int
) -> NDArray[np.float64]:
    """Return the nats ``(N,)`` of each step under the mixture; its weights move after each step.

    Parameters
    ----------
    probabilities : float64 array (N, K)
        Probabilities of the tokens under each of K models.
    weights : float64 array (K,)
        Changed in place, towards each model's share of a token's probability.
    read : int
        Number of tokens read before: the first tokens move the weights most.
    """
    nats = np.empty(len(probabilities))
    for step in range(len(nats)):
        shares = weights * probabilities[step]
        probability = shares.sum()
        nats[step] = -np.log(probability)
        rate = max(RATE, 1.0 / (read + step + 2))
        for model in range(len(weights)):
            weights[model] += rate * (shares[model] / probability - weights[model])
    return nats
