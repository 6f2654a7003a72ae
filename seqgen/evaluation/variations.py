"""The likelihood of a piece averaged over its variations, such as transpositions.

A model gives each version of a piece a probability of its own. The average over the K versions is
the probability of the piece under a model that does not know in which version it comes:
``p(piece) = sum_k q(version k) / K``. All versions of a piece have the same K versions
(`Codec.variations`), so over all pieces these probabilities have the same sum as the model's: one.

Comes from: `seqgen.evaluation.scoring`. K versions, N ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from seqgen.bounds import Count, checked
from seqgen.conditions.unlabelled import unlabelled
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span
from seqgen.errors import ConfigError
from seqgen.evaluation.scoring import Score, score_spans
from seqgen.generation.given import Pieces, given_pieces
from seqgen.plugin import Codec, Ids, Piece
from seqgen.plugins.checks import checked_variations
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run


@naming_faults
@checked
def score_over_variations(
    run: Run[Piece], pieces: Pieces[Piece], most: Count | None = None
) -> Iterator[Score]:
    """Score pieces by the average of the probabilities of their variations.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    pieces : iterable of piece, Generated or Path
    most : int, optional
        Most versions of a piece; by default all.

    Raises
    ------
    ConfigError
        If the codec knows no variations, or `most` is not positive.
    DataError
        If the codec cannot encode a piece.
    """
    encoded = map(run.codec.encode, given_pieces(run, pieces))
    spans = (Span(run.vocab, ids, codec_rows(run.codec, ids)) for ids in encoded)
    return score_spans_over_variations(run, spans, most)


def score_spans_over_variations(
    run: Run, spans: Iterable[Span], most: int | None = None
) -> Iterator[Score]:
    """Score spans as `score_over_variations` does; a part of a piece is scored as it is.

    What comes before a part is not scored, and may have fewer versions than the piece.
    """
    codec = unlabelled(run.codec)
    if type(codec).variations is Codec.variations:
        raise ConfigError(
            f"the codec {type(codec).__name__} knows no variations of a piece, such as "
            f"transpositions; leave variations out"
        )
    if most is not None and most < 1:
        raise ConfigError(f"the number of variations must be at least 1, found {most}")
    return _averages(run, spans, most)


def _averages(run: Run, spans: Iterable[Span], most: int | None) -> Iterator[Score]:
    """Yield the average of each span's versions; versions of several spans are read together."""
    counts = deque[int]()

    def versions() -> Iterator[Span]:
        for span in spans:
            found = [span] if not span.is_whole else list(_versions(run, span, most))
            counts.append(len(found))
            yield from found

    scores = score_spans(run, versions())
    for first in scores:
        yield average([first, *islice(scores, counts.popleft() - 1)])


def _versions(run: Run, span: Span, most: int | None) -> Iterator[Span]:
    """Yield the versions of a whole piece, itself first."""
    ids = span.until(span.stop)
    rows, own = checked_variations(run.codec, ids)
    for row in chosen(len(rows), own, most):
        yield Span(run.vocab, rows[row], codec_rows(run.codec, rows[row]))


def chosen(count: int, own: int, most: int | None) -> Ids:
    """Return which of K versions of a piece are read, its own first.

    They are evenly spaced around the ring of all versions. So each version is read for as many
    pieces as any other, and the probabilities still have the sum one.
    """
    read = count if most is None else min(most, count)
    return (own + np.arange(read) * count // read) % count


def average(scores: Sequence[Score]) -> Score:
    """Return the score of a piece from those of its versions, its own first.

    A version that the grammar forbids has the probability 0, unless it forbids all of them.
    """
    own = scores[0]
    nats = np.array([[score.nats, score.nats + score.end_nats] for score in scores])  # (K, 2)
    permitted = np.array([not score.forbidden for score in scores])
    counted = nats[permitted] if permitted.any() else nats
    mean, whole = np.log(len(scores)) - np.logaddexp.reduce(-counted)  # without END, with END
    forbidden = 0 if permitted.any() else own.forbidden
    return Score(own.tokens, float(mean), float(whole - mean), own.units, forbidden)
