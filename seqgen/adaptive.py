"""Scoring with a model that learns from what it has read: every token is predicted first.

Three kinds of predictions are mixed: the network as it was trained, a copy of it that learns
(dynamic evaluation, Krause et al. 2018), and n-gram counts of all orders that grow. The weights of
the mixture are learned as well, so that nothing is tuned by hand; with the trained network
among them, adapting can cost very little where there is nothing to adapt to.

What is learned stays for the pieces that follow: their order matters.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from seqgen.batches import Batch, TrainingStream
from seqgen.compiling import compiled
from seqgen.corpus import Corpus
from seqgen.lanes import piece_steps
from seqgen.ngram import LONGEST, NgramModel, count
from seqgen.plugin import Ids, Piece
from seqgen.run import Run
from seqgen.scoring import Score, piece_features, token_nats

#: Steps between two updates of the network.
SEGMENT = 20

#: Twice the size of a usual update, and the share of the distance to the trained weights that an
#: update takes back, both for a weight whose gradient is usually as large as that of others.
STEP_SIZE, DECAY = 1e-3, 1e-3

#: Segments of the training corpus that tell how large gradients usually are.
SAMPLED = 100

#: Steps of a piece that are predicted in one go; whole segments.
CHUNK = 200 * SEGMENT

#: Least share of what a token teaches in the weights of the mixture.
RATE = 2e-3


class Follower:
    """A copy of a run's network that learns from each segment after predicting it.

    An update is the gradient divided by its usual size and the mean of that over all weights, and
    a step back to the trained weights, longer where gradients are large. The usual size is the
    root of the mean square so far.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        What the run was trained on: mean squares then begin with it. Otherwise they come from
        what is read alone.
    """

    def __init__(self, run: Run, corpus: Corpus | None = None) -> None:
        self.model = copy.deepcopy(run.model)
        # Dropout would be noise here. Training mode is what cuDNN wants to compute gradients in.
        self.model.dropout = 0.0
        self.model.train()
        self._parameters = list(self.model.parameters())
        # All weights as one vector, of which the parameters become views.
        self._weights = parameters_to_vector(self._parameters).detach()
        vector_to_parameters(self._weights, self._parameters)
        self._trained = self._weights.clone()
        self._squares = torch.zeros_like(self._weights)
        self._segments = 0
        self._state = self.model.start_state(1)
        if corpus is not None:
            stream = TrainingStream(corpus, 1, SEGMENT, run.train_config.seed)
            for batch in islice(stream, SAMPLED):
                self._gradient(batch)

    def open(self) -> None:
        """Begin a piece."""
        self._state = self.model.start_state(1)

    def read(self, batch: Batch) -> NDArray[np.float64]:
        """Return the nats of every target ``(T,)`` of one lane, and learn from each segment."""
        nats = []
        for low in range(0, batch.inputs.shape[1], SEGMENT):
            span = slice(low, low + SEGMENT)
            arrays = (batch.inputs[:, span], batch.targets[:, span], batch.features[:, span])
            cost, gradient = self._gradient(Batch(*arrays))
            nats.append(cost)
            usual = self._squares.sqrt()
            mean = usual.mean()
            back = (DECAY / mean * usual).clamp_(max=1.0) * (self._trained - self._weights)
            self._weights += back - STEP_SIZE * gradient / (usual + mean)
        return np.concatenate(nats)

    def _gradient(self, batch: Batch) -> tuple[NDArray[np.float64], torch.Tensor]:
        """Return the nats of the targets and the gradient of their mean, which counts as usual."""
        nats, (h, c) = token_nats(self.model, batch, self._state)
        self._state = (h.detach(), c.detach())
        mean = nats.sum() / max(batch.counted, 1)
        parts = torch.autograd.grad(mean, self._parameters)
        gradient = torch.cat([part.flatten() for part in parts])
        self._segments += 1
        self._squares += (gradient.square() - self._squares) / self._segments
        return nats[0].detach().cpu().numpy(), gradient


class AdaptiveReader:
    """Predicts token by token with all it has learned, and learns.

    Parameters
    ----------
    run : Run
        A trained model with its codec; it stays as it is.
    corpus : Corpus, optional
        What the run was trained on: the counts then begin with its counts.
    """

    def __init__(self, run: Run, corpus: Corpus | None = None) -> None:
        self._run = run
        self._follower = Follower(run, corpus)
        self._counts = NgramModel(run.vocab, LONGEST) if corpus is None else count(corpus)
        self._read = 0
        self.weights = np.full(2 + LONGEST, 1 / (2 + LONGEST))

    def nats(self, ids: Ids) -> Iterator[NDArray[np.float64]]:
        """Yield the nats of every id of a piece and of END, in chunks."""
        model = self._run.model.eval()
        state = model.start_state(1)
        features = piece_features(self._run.codec, ids)
        self._follower.open()
        for low in range(0, len(ids) + 1, CHUNK):
            high = min(low + CHUNK, len(ids) + 1)
            inputs, targets = piece_steps(self._run.vocab, ids, low, high)
            batch = Batch(inputs[None], targets[None], features[None, low:high])
            with torch.inference_mode():
                trained, state = token_nats(model, batch, state)
            networks = np.stack([trained[0].cpu().numpy(), self._follower.read(batch)], axis=1)
            counted = self._counts.read(inputs, targets, learn=True)
            probabilities = np.concatenate([np.exp(-networks), counted], axis=1)
            yield _mix(probabilities, self.weights, self._read)
            self._read += len(inputs)


def score_adaptively(
    run: Run, pieces: Iterable[Piece], corpus: Corpus | None = None
) -> Iterator[Score]:
    """Score pieces, in order, with a model that learns from every token after predicting it.

    Parameters
    ----------
    run : Run
        A trained model with its codec; it stays as it is.
    pieces : iterable of piece
        What is learned from one stays for the next.
    corpus : Corpus, optional
        What the run was trained on, if it is at hand: it tells how large gradients usually are,
        and its n-grams are counted.

    Raises
    ------
    DataError
        If the codec cannot encode a piece.
    """
    return score_ids_adaptively(run, (run.codec.encode(piece) for piece in pieces), corpus)


def score_ids_adaptively(
    run: Run, encoded: Iterable[Ids], corpus: Corpus | None = None
) -> Iterator[Score]:
    """Score pieces that are encoded already, as `score_adaptively` does."""
    reader = AdaptiveReader(run, corpus)
    for ids in encoded:
        total = end_nats = 0.0
        for nats in reader.nats(ids):
            total, end_nats = total + float(nats.sum()), float(nats[-1])
        yield Score(len(ids), total - end_nats, end_nats, run.codec.units(ids))


def adapt(run: Run, piece: Piece) -> Run:
    """Return the run with a model that has learned from a piece, read once from its START.

    The folder stays as it is, and END is not learned: the piece may be a prompt.

    Raises
    ------
    DataError
        If the codec cannot encode the piece.
    """
    learner = Follower(run)
    ids = run.codec.encode(piece)
    features = piece_features(run.codec, ids)
    for low in range(0, len(ids), CHUNK):
        high = min(low + CHUNK, len(ids))
        inputs, targets = piece_steps(run.vocab, ids, low, high)
        learner.read(Batch(inputs[None], targets[None], features[None, low:high]))
    return run.with_model(learner.model.eval())


@compiled
def _mix(
    probabilities: NDArray[np.float64], weights: NDArray[np.float64], read: int
) -> NDArray[np.float64]:
    """Return the nats of each step under the mixture, whose weights move after each.

    Parameters
    ----------
    probabilities : float64 array (N, K)
        What each of K models gives to the tokens.
    weights : float64 array (K,)
        Moved in place, towards the share that each model had in the probability of a token.
    read : int
        Tokens before: the first ones move the weights most.
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
