"""Comparison: a domain's metrics of generated pieces beside those of the corpus.

Two distributions are compared, as in Yang and Lerch ("On the evaluation of generative models in
music", Neural Computing and Applications 32, 2020): distances between two pieces of the corpus, and
distances from a generated piece to one of the corpus. If their densities overlap fully, a generated
piece is no further from the corpus than the corpus's own pieces are.

Comes from: `seqgen.generation.engine`. Next: `seqgen.report.charts` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen import bounds
from seqgen.data.corpus import Corpus
from seqgen.data.spans import evaluated_split
from seqgen.data.splits import Segment, Split
from seqgen.errors import PluginError
from seqgen.generation.given import Pieces, given_pieces
from seqgen.plugin import Domain, Metric, Piece
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run

Floats: TypeAlias = NDArray[np.float64]

#: Most pieces of the corpus that are measured: they have 19,900 distances.
REFERENCE = 200

#: Number of points at which densities are compared.
POINTS = 200

#: Lowest density, as a fraction of the uniform one; it keeps the divergence finite.
FLOOR = 1e-6


@dataclass(frozen=True)
class Comparison:
    """One metric of generated pieces beside that of the corpus.

    Attributes
    ----------
    name : str
    metric : Metric
        The values, without pieces that have none.
    overlap : float or None
        Shared area of two densities, 0 to 1: of distances within the corpus, and from generated
        pieces to it. None if fewer than three pieces of the corpus, or only one new piece, have a
        value.
    divergence : float or None
        Kullback-Leibler divergence of the second density from the first, in nats.
    """

    name: str
    metric: Metric = field(repr=False)
    overlap: float | None
    divergence: float | None

    def sides_as_text(self) -> tuple[str, str]:
        """Return mean and deviation of both sides, generated first, or their fullest bins.

        One piece has no deviation.
        """
        new, corpus = (
            self._fullest(values)
            if self.metric.bins
            else f"{values.mean():.3g} ± {_figure(_deviation(values), '.2g')}"
            for values in (self.metric.generated, self.metric.reference)
        )
        return new, corpus

    def likeness_as_text(self) -> tuple[str, str]:
        """Return overlap and divergence."""
        return _figure(self.overlap, ".2f"), _figure(self.divergence, ".2f")

    def _fullest(self, values: Floats) -> str:
        """Return the bin with the largest share, and this share."""
        mean = values.mean(axis=0)
        return f"{self.metric.bins[mean.argmax()]} {mean.max():.0%}"

    def as_json(self) -> dict[str, Any]:
        """Return the figures and the values as plain JSON."""
        metric = self.metric
        sides = {"generated": metric.generated, "reference": metric.reference}
        return {
            "unit": metric.unit,
            "bins": list(metric.bins),
            "overlap": self.overlap,
            "divergence": self.divergence,
            **{
                side: {
                    "pieces": len(values),
                    "mean": values.mean(axis=0).tolist(),
                    "deviation": _deviation(values),
                    "values": values.tolist(),
                }
                for side, values in sides.items()
            },
        }


@naming_faults
@bounds.checked
def compare(
    run: Run[Piece], generated: Pieces[Piece], corpus: Corpus | None = None
) -> list[Comparison]:
    """Compare generated pieces with held-out pieces of the corpus.

    Parameters
    ----------
    run : Run
    generated : iterable of piece, Generated or Path
    corpus : Corpus, optional
        By default the run's. At most `REFERENCE` pieces of its validation split are decoded, evenly
        spaced; training pieces if that split is empty.

    Returns
    -------
    list of Comparison
        Empty if the domain has no metrics. A metric that no piece of one side has is left out.

    Raises
    ------
    CorpusError
        If the corpus does not exist any more.
    PluginError
        If the domain returns arrays of another shape than the contract says.
    """
    reference = list(reference_pieces(corpus or run.corpus()))
    pieces = [*given_pieces(run, generated, "generated")]
    return comparisons(measure(run.domain, pieces, reference))


def comparisons(measured: Mapping[str, Metric]) -> list[Comparison]:
    """Return the metrics that both sides have, with overlap and divergence."""
    return [
        Comparison(name, metric, *_likeness(metric))
        for name, metric in measured.items()
        if len(metric.generated) and len(metric.reference)
    ]


def reference_segments(corpus: Corpus, most: int = REFERENCE) -> list[Segment]:
    """Return the segments of at most `most` reference pieces."""
    return spaced_segments(corpus, evaluated_split(corpus), most)


def spaced_segments(corpus: Corpus, split: Split, most: int) -> list[Segment]:
    """Return at most `most` segments of a split, evenly spaced."""
    segments = corpus.segments(split)
    count = min(len(segments), most)
    return [segments[int(number)] for number in np.arange(count) * len(segments) // max(count, 1)]


def reference_pieces(corpus: Corpus) -> Iterable[Piece]:
    """Yield the reference pieces; the held-out end of a piece is one, decoded as a continuation."""
    return (decoded(corpus, segment) for segment in reference_segments(corpus))


def decoded(corpus: Corpus, segment: Segment) -> Any:
    """Return the piece of a segment."""
    codec = corpus.codec
    ids = np.asarray(corpus.piece(segment.piece)[: segment.stop], np.int64)
    return codec.decode(codec.continuation(ids, segment.start) if segment.start else ids)


def measure(
    domain: Domain, generated: Sequence[Piece], reference: Sequence[Piece]
) -> dict[str, Metric]:
    """Return the metrics of a domain, without pieces that have no value.

    Raises
    ------
    PluginError
        If an array has not one row for each piece, or not one column for each bin.
    """
    return checked(domain, domain.metrics(generated, reference), generated, reference)


def checked(
    domain: Domain,
    found: Mapping[str, Metric],
    generated: Sequence[Piece],
    reference: Sequence[Piece],
) -> dict[str, Metric]:
    """Check the shapes of metrics, and drop the pieces that have no value.

    Raises
    ------
    PluginError
        If an array has not one row for each piece, or not one column for each bin.
    """
    kept = {}
    for name, metric in found.items():
        sides = []
        for pieces, values in ((generated, metric.generated), (reference, metric.reference)):
            wanted = (len(pieces), len(metric.bins)) if metric.bins else (len(pieces),)
            values = np.asarray(values, np.float64)
            if values.shape != wanted:
                raise PluginError(
                    f"{type(domain).__name__} measures {name!r} of shape {values.shape}, "
                    f"expected {wanted}; the plugin is broken"
                )
            sides.append(values[np.isfinite(values).all(axis=tuple(range(1, values.ndim)))])
        kept[name] = Metric(metric.unit, sides[0], sides[1], metric.bins)
    return kept


def _likeness(metric: Metric) -> tuple[float | None, float | None]:
    """Return overlap and divergence of distances within the corpus and from generated pieces."""
    count = len(metric.reference)
    # One distance is no distribution, nor is the place of one piece.
    if count < 3 or len(metric.generated) < 2:
        return None, None
    new, old = (side.reshape(len(side), -1) for side in (metric.generated, metric.reference))
    within = _distances(old, old)[np.triu_indices(count, 1)]
    return likeness(within, _distances(new, old).ravel())


def _deviation(values: Floats) -> Any:
    """Return the standard deviation of each column, or None if there is only one piece."""
    return values.std(axis=0).tolist() if len(values) > 1 else None


def _figure(value: float | None, form: str) -> str:
    """Return a number as text, or "n/a" for None."""
    return "n/a" if value is None else format(value, form)


def _distances(one: Floats, other: Floats) -> Floats:
    """Return the Euclidean distances (N, M) between rows (N, K) and rows (M, K)."""
    return np.asarray(np.sqrt(np.square(one[:, None] - other[None]).sum(axis=-1)))


def likeness(one: Floats, other: Floats) -> tuple[float, float]:
    """Return the overlap of the densities of two samples, and the divergence of the second.

    Parameters
    ----------
    one, other : float64 array (N,), (M,)

    Returns
    -------
    overlap : float
        0 to 1.
    divergence : float
        Kullback-Leibler divergence, the mean of log(first / second) over the first, in nats.
    """
    points = grid(one, other)
    if points[0] == points[-1]:
        return 1.0, 0.0
    first, second = (density(values, points) for values in (one, other))
    first, second = first / first.sum(), second / second.sum()
    overlap = float(np.minimum(first, second).sum())
    first, second = ((each + FLOOR / POINTS) / (1 + FLOOR) for each in (first, second))
    return overlap, float((first * np.log(first / second)).sum())


def grid(*samples: Floats) -> Floats:
    """Return evenly spaced points ``(POINTS,)`` that cover all values of some samples."""
    low, high = (float(end(np.concatenate(samples))) for end in (np.min, np.max))
    margin = (high - low) / 5
    return np.linspace(low - margin, high + margin, POINTS)


def density(values: Floats, points: Floats) -> Floats:
    """Return the kernel density ``(P,)`` of values ``(N,)`` at evenly spaced points ``(P,)``.

    The kernels are normal. Their width follows Scott's rule, the deviation times N^(-1/5), and is
    at least the distance of two points.
    """
    width = max(float(values.std()) * len(values) ** -0.2, 2 * float(points[1] - points[0]))
    kernels = np.exp(-0.5 * np.square((points[:, None] - values[None]) / width))  # (P, N)
    return np.asarray(kernels.sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi)))
