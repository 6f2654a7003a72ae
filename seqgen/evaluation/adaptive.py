"""Scoring with a model that learns as it reads: it predicts every token, then learns it.

The model mixes the network as it was trained, a copy of it that learns (dynamic evaluation, Krause
et al. 2018), and counts of what came before, which grow. It learns the mixture's weights, too.
The trained network is part of it, so adapting costs little where there is nothing to adapt to.

What is learned from a piece stays for the next ones, so their order matters. Comes from:
`seqgen.evaluation.scoring`. Next: `seqgen.evaluation.geometric_mixture`. K networks, V' ids.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from seqgen.bounds import checked
from seqgen.data.batches import Batch, TrainingStream
from seqgen.data.corpus import Corpus
from seqgen.data.lanes import Steps, piece_steps
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.evaluation.geometric_mixture import MOST_IDS, GeometricMixture
from seqgen.evaluation.linear_mixture import LinearMixture
from seqgen.evaluation.loss import LOGITS, batch_choices
from seqgen.evaluation.mixed_stepper import mixed_stepper
from seqgen.evaluation.nats import Choice, nats_of, under_grammar
from seqgen.evaluation.scoring import Score, span_units
from seqgen.generation.given import Pieces, given_piece, given_pieces
from seqgen.generation.pieces import Generated
from seqgen.plugin import Ids, Piece
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run

#: Steps between two updates of the network.
SEGMENT = 20

#: Learning rate, and the fraction of the distance to the trained weights that an update takes back.
#: A weight with typical gradients of average size moves by half the learning rate.
LEARNING_RATE, DECAY = 1e-3, 1e-3

#: The same for rows of contexts. A segment changes the rows that it read.
ROW_RATE, ROW_DECAY = 1e-2, 0.1

#: Segments of the training corpus from which the typical size of gradients is measured.
SAMPLED = 100

#: Most steps of a piece that are predicted at once; a multiple of `SEGMENT`.
CHUNK = 200 * SEGMENT

#: The network as it was trained, and the copy that learns.
NETWORKS = 2


class Follower:
    """A copy of a run's network that learns from each segment after predicting it.

    The typical size of a weight's gradient is the root of its mean square so far. An update divides
    the gradient by this size plus its mean over all weights. It also takes a step back to the
    trained weights, which is longer where gradients are large.

    An update of a table of contexts changes only the rows that the segment read. One number stands
    for the typical size of all gradients of a table, because most rows are rarely read.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        The corpus of the run, whose gradients start the mean squares. Without it, only the pieces
        that are read count.
    """

    def __init__(self, run: Run, corpus: Corpus | None = None) -> None:
        self.model = copy.deepcopy(run.model)
        # No dropout: it would be noise here. cuDNN computes gradients in training mode only.
        self.model.dropout = 0.0
        self._tables = []
        if self.model.contexts is not None and run.model.contexts is not None:
            self.model.contexts.dropout = 0.0
            tables = self.model.contexts.parameters(), run.model.contexts.parameters()
            self._tables = [_Rows(*pair) for pair in zip(*tables, strict=True)]
        self.model.train()
        learned = {id(table.weight) for table in self._tables}
        self._parameters = [each for each in self.model.parameters() if id(each) not in learned]
        # The parameters become views of one vector.
        self._weights = parameters_to_vector(self._parameters).detach()  # (W,)
        vector_to_parameters(self._weights, self._parameters)
        self._trained = self._weights.clone()
        self._squares = torch.zeros_like(self._weights)
        self._spaces = torch.empty_like(self._weights), torch.empty_like(self._weights)
        self._segments = 0
        self._state = self.model.start_state(1)
        if corpus is not None:
            stream = TrainingStream(corpus, 1, SEGMENT, run.train_config.seed)
            for batch in islice(stream, SAMPLED):
                self._gradient(batch)

    def open(self) -> None:
        """Start a piece."""
        self._state = self.model.start_state(1)

    def skip(self, batch: Batch) -> None:
        """Read the steps of one lane without learning from them."""
        with torch.no_grad():
            _, self._state = batch_choices(self.model, batch, self._state)

    def read(self, batch: Batch, *, whole: bool = False) -> NDArray[np.float64]:
        """Return the log-probabilities of one lane's targets, and learn from each segment.

        They are ``(T, 1)``, or with `whole` those of all ids ``(T, V')``.
        """
        rows = []
        for low in range(0, batch.inputs.shape[1], SEGMENT):
            span = slice(low, low + SEGMENT)
            found, gradient, read = self._gradient(batch.cut(span))
            rows.append(_log_probabilities(found, whole))
            self._move(gradient)
            for table, part in zip(self._tables, read, strict=True):
                table.move(part)
        return np.concatenate(rows)

    @torch.no_grad()
    def _move(self, gradient: torch.Tensor) -> None:
        """Update the weights by a gradient ``(W,)``, in place: new memory would take most time."""
        typical, back = self._spaces
        torch.sqrt(self._squares, out=typical)
        mean = float(typical.mean())
        if not mean:  # All gradients were zero.
            return
        torch.mul(typical, DECAY / mean, out=back).clamp_(max=1.0)
        self._weights.lerp_(self._trained, back)
        self._weights.addcdiv_(gradient, typical.add_(mean), value=-LEARNING_RATE)

    def _gradient(self, batch: Batch) -> tuple[list[Choice], torch.Tensor, list[torch.Tensor]]:
        """Return the choices and gradients of their mean nats; update the mean squares.

        Gradients are ``(W,)`` for the weights, and sparse ``(rows, E)`` for each table.
        """
        found, after = batch_choices(self.model, batch, self._state)
        self._state = tuple(part.detach() for part in after)
        nats = nats_of(choice.double() for choice in found)
        tables = [table.weight for table in self._tables]
        loss = nats.sum() / max(batch.counted, 1)
        parts = torch.autograd.grad(loss, [*self._parameters, *tables])
        gradient = torch.cat([part.flatten() for part in parts[: len(self._parameters)]])
        self._segments += 1
        share = 1 / self._segments
        self._squares.mul_(1 - share).addcmul_(gradient, gradient, value=share)
        read = [part.coalesce() for part in parts[len(self._parameters) :]]
        for table, rows in zip(self._tables, read, strict=True):
            table.measure(rows, share)
        return found, gradient, read


class _Rows:
    """A table of contexts whose rows learn when they are read.

    Parameters
    ----------
    weight, trained : Tensor (rows, E)
        The table that learns, and the trained one.
    """

    def __init__(self, weight: torch.Tensor, trained: torch.Tensor) -> None:
        self.weight, self._trained = weight, trained
        self._square = 0.0

    def measure(self, gradient: torch.Tensor, share: float) -> None:
        """Count the mean square of a sparse gradient (rows, E) with a share in the mean."""
        if gradient.values().numel():
            self._square += share * (float(gradient.values().square().mean()) - self._square)

    @torch.no_grad()
    def move(self, gradient: torch.Tensor) -> None:
        """Move the rows of a sparse gradient (rows, E)."""
        [rows], values = gradient.indices(), gradient.values()  # (R,), (R, E)
        if not self._square:  # All gradients were zero.
            return
        step = ROW_DECAY * (self._trained[rows] - self.weight[rows])
        step -= ROW_RATE / (2 * self._square**0.5) * values
        self.weight.index_add_(0, rows, step)


class AdaptiveReader:
    """Predicts spans token by token with the mixture, and learns from each token.

    Parameters
    ----------
    run : Run
        A trained model with its codec; it stays as it is.
    corpus : Corpus, optional
        The corpus of the run, whose n-gram counts the counts start with.
    """

    def __init__(self, run: Run, corpus: Corpus | None = None) -> None:
        self._run, vocab = run, run.vocab
        self._follower = Follower(run, corpus)
        self._whole = run.model.clusters is None and vocab.targets <= MOST_IDS
        self._mixture: GeometricMixture | LinearMixture = (
            GeometricMixture(run.codec, vocab, NETWORKS, corpus)
            if self._whole
            else LinearMixture(vocab, NETWORKS, corpus)
        )
        # Several segments, whose log-probabilities fit in memory.
        self._state = run.model.start_state(1)
        fitting = LOGITS // (vocab.targets if self._whole else 1)
        self._chunk = max(min(CHUNK, fitting // SEGMENT * SEGMENT), SEGMENT)

    def nats(self, span: Span) -> Iterator[NDArray[np.float64]]:
        """Yield the nats of every id of a span, and of END if the span ends its piece, in chunks.

        The tokens before the span set the state and are not learned.
        """
        self._open()
        for low in range(0, span.before, self._chunk):
            batch = _batch(span.cut(low, min(low + self._chunk, span.before)))
            self._trained(batch)
            self._follower.skip(batch)
            self._mixture.skip(batch.inputs[0])
        for low in range(span.before, len(span), self._chunk):
            yield self._read(span.cut(low, low + self._chunk))

    def adapted(self, ids: Ids) -> Run:
        """Return the run that goes on after a beginning ``(N,)``; END is not learned."""
        self._open()
        rows = codec_rows(self._run.codec, ids)
        for low in range(0, len(ids), self._chunk):
            high = min(low + self._chunk, len(ids))
            inputs, targets = piece_steps(self._run.vocab, ids, low, high)
            self._read(Steps(inputs, targets, *rows.cut(low, high)))
        adapted = self._run.with_model(self._follower.model.eval())
        if isinstance(self._mixture, LinearMixture):
            return adapted
        # The last id is known to follow, but nothing is known to follow it.
        self._mixture.skip(ids[-1:])
        stepper = partial(mixed_stepper, self._run, adapted, self._mixture)
        return adapted.with_model(adapted.model, stepper)

    def _open(self) -> None:
        """Begin a piece."""
        self._state = self._run.model.start_state(1)
        self._follower.open()
        self._mixture.forget()

    @torch.no_grad()
    def _trained(self, batch: Batch) -> list[Choice]:
        """Read a batch of one with the trained network."""
        found, self._state = batch_choices(self._run.model.eval(), batch, self._state)
        return found

    def _read(self, steps: Steps) -> NDArray[np.float64]:
        """Return the nats ``(T,)`` of some steps, and learn them."""
        batch = _batch(steps)
        trained = _log_probabilities(self._trained(batch), self._whole)
        learning = self._follower.read(batch, whole=self._whole)
        networks = np.stack([trained, learning], axis=1)  # (T, K, V') or (T, K, 1)
        return self._mixture.nats(steps, networks)


@naming_faults
@checked
def score_adaptively(
    run: Run[Piece], pieces: Pieces[Piece], corpus: Corpus | None = None
) -> Iterator[Score]:
    """Score pieces with a model that learns from every token after predicting it.

    Parameters
    ----------
    run : Run
        A trained model with its codec; it stays as it is.
    pieces : iterable of piece, Generated or Path
        They are read in order: what is learned from one stays for the next.
    corpus : Corpus, optional
        The corpus of the run, if it still exists: for gradient sizes and n-gram counts.

    Raises
    ------
    DataError
        If the codec cannot encode a piece.
    """
    encoded = map(run.codec.encode, given_pieces(run, pieces))
    return score_ids_adaptively(run, encoded, corpus)


def score_ids_adaptively(
    run: Run, encoded: Iterable[Ids], corpus: Corpus | None = None
) -> Iterator[Score]:
    """Score encoded pieces as `score_adaptively` does."""
    spans = (Span(run.vocab, ids, codec_rows(run.codec, ids)) for ids in encoded)
    return score_spans_adaptively(run, spans, corpus)


def score_spans_adaptively(
    run: Run, spans: Iterable[Span], corpus: Corpus | None = None
) -> Iterator[Score]:
    """Score spans as `score_adaptively` does; the tokens before them are not learned."""
    reader = AdaptiveReader(run, corpus)
    for span in spans:
        nats = np.concatenate(list(reader.nats(span)))  # (stop - start, and END,)
        count = span.stop - span.start
        end_nats = float(nats[count:].sum())
        yield Score(count, float(nats[:count].sum()), end_nats, span_units(run, span))


@naming_faults
@checked
def adapt(
    run: Run[Piece],
    piece: Piece | Generated[Piece] | os.PathLike[str] | str,
    corpus: Corpus | None = None,
) -> Run[Piece]:
    """Return the run with a model that has learned from a piece, read once from START.

    END is not learned, because the piece may be a prompt. The folder stays as it is. Generation
    with the result draws from the mixture of this module, as it is after the piece: what is written
    changes nothing. For large vocabularies, and in scores, it is the network alone.

    Parameters
    ----------
    run : Run
    piece : piece, Generated or Path
    corpus : Corpus, optional
        The corpus of the run, if it still exists: for gradient sizes and n-gram counts.

    Raises
    ------
    DataError
        If the codec cannot encode the piece.
    """
    encoded = run.codec.encode(given_piece(run, piece, "piece"))
    return AdaptiveReader(run, corpus).adapted(encoded)


def _batch(steps: Steps) -> Batch:
    """Return steps of one lane as a batch of one."""
    inputs, targets, features, allowed = steps
    return Batch(inputs[None], targets[None], features[None], allowed[None])


def _log_probabilities(found: list[Choice], whole: bool) -> NDArray[np.float64]:
    """Return the log-probabilities of targets ``(T, 1)``, or of all ids ``(T, V')`` if `whole`.

    Ids that the grammar forbids have -inf, unless the target is one.
    """
    with torch.no_grad():
        if not whole:
            return -nats_of(choice.double() for choice in found)[:, None].cpu().numpy()
        [choice] = found
        scores, targets, allowed, _ = choice.double()
        return under_grammar(scores, targets, allowed).log_softmax(-1).cpu().numpy()
