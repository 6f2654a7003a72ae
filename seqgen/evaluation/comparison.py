"""New pieces beside those of the corpus: what a domain measures on both, and how alike it is.

Two sets of pieces are compared as Yang and Lerch do ("On the evaluation of generative models in
music", Neural Computing and Applications 32, 2020): by the distances between any two pieces of
the corpus and those between a new piece and one of the corpus. Where the densities of the two
overlap wholly, a new piece is no further from the corpus than its own pieces are.

Comes from: `seqgen.generation.engine`. Next: `seqgen.report.charts` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.data.corpus import Corpus
from seqgen.data.spans import evaluated_split
from seqgen.errors import PluginError
from seqgen.plugin import Domain, Metric, Piece
from seqgen.run.folder import Run

Floats: TypeAlias = NDArray[np.float64]

#: Most pieces of the corpus that are measured: these have 19,900 distances.
REFERENCE = 200

#: Points at which densities are compared.
POINTS = 200

#: What no density is less than, as a share of an even one: keeps the divergence finite.
FLOOR = 1e-6


@dataclass(frozen=True)
class Comparison:
    """One property of new pieces beside that of the corpus.

    Attributes
    ----------
    name : str
    metric : Metric
        The values, without the pieces that have none.
    overlap : float or None
        Area that the densities of distances within the corpus, and from new pieces to it, share:
        0 to 1. None if the corpus has fewer than three pieces with a value, or there is no new one.
    divergence : float or None
        Kullback-Leibler divergence of the second from the first, in nats.
    """

    name: str
    metric: Metric
    overlap: float | None
    divergence: float | None

    def sides_as_text(self) -> tuple[str, str]:
        """Return mean and deviation of what is new and of the corpus, or the fullest bins."""
        new, corpus = (
            self._fullest(values)
            if self.metric.bins
            else f"{values.mean():.3g} ± {values.std():.2g}"
            for values in (self.metric.generated, self.metric.reference)
        )
        return new, corpus

    def _fullest(self, values: Floats) -> str:
        """Return the bin that holds most, with its share."""
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
                    "deviation": values.std(axis=0).tolist(),
                    "values": values.tolist(),
                }
                for side, values in sides.items()
            },
        }


def compare(run: Run, generated: Sequence[Piece], corpus: Corpus | None = None) -> list[Comparison]:
    """Compare new pieces with held-out ones of the corpus.

    Parameters
    ----------
    run : Run
    generated : sequence of pieces
    corpus : Corpus, optional
        By default the run's. Of its validation split, or its training pieces where there is none,
        at most `REFERENCE` are decoded, evenly spaced.

    Returns
    -------
    list of Comparison
        Empty if the domain measures nothing. Left out is what no piece of one side has.

    Raises
    ------
    CorpusError
        If the corpus is gone.
    PluginError
        If the domain returns arrays of another shape than the contract says.
    """
    reference = list(reference_pieces(corpus or run.corpus()))
    return comparisons(measure(run.domain, generated, reference))


def comparisons(measured: Mapping[str, Metric]) -> list[Comparison]:
    """Return what both sides have, with how alike the two are."""
    return [
        Comparison(name, metric, *_likeness(metric))
        for name, metric in measured.items()
        if len(metric.generated) and len(metric.reference)
    ]


def reference_pieces(corpus: Corpus) -> Iterable[Piece]:
    """Yield the pieces to compare with; the end of a long piece is one, in its metre and voices."""
    codec, segments = corpus.codec, corpus.segments(evaluated_split(corpus))
    count = min(len(segments), REFERENCE)
    for number in np.arange(count) * len(segments) // max(count, 1):
        segment = segments[int(number)]
        ids = np.asarray(corpus.piece(segment.piece)[: segment.stop], np.int64)
        yield codec.decode(codec.continuation(ids, segment.start) if segment.start else ids)


def measure(
    domain: Domain, generated: Sequence[Piece], reference: Sequence[Piece]
) -> dict[str, Metric]:
    """Return what a domain measures, without the pieces that have no value.

    Raises
    ------
    PluginError
        If an array has not one row a piece, or not one column a bin.
    """
    return checked(domain, domain.metrics(generated, reference), generated, reference)


def checked(
    domain: Domain,
    found: Mapping[str, Metric],
    generated: Sequence[Piece],
    reference: Sequence[Piece],
) -> dict[str, Metric]:
    """Return metrics of a domain without the pieces that have no value.

    Raises
    ------
    PluginError
        If an array has not one row a piece, or not one column a bin.
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
            sides.append(values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)])
        kept[name] = Metric(metric.unit, sides[0], sides[1], metric.bins)
    return kept


def _likeness(metric: Metric) -> tuple[float | None, float | None]:
    """Return overlap and divergence of the distances within the corpus and from it."""
    count = len(metric.reference)
    # Two pieces have one distance, which is no distribution.
    if count < 3:
        return None, None
    new, old = (side.reshape(len(side), -1) for side in (metric.generated, metric.reference))
    within = _distances(old, old)[np.triu_indices(count, 1)]
    return likeness(within, _distances(new, old).ravel())


def _distances(one: Floats, other: Floats) -> Floats:
    """Return the Euclidean distance of every row of one array to every row of another."""
    return np.asarray(np.sqrt(np.square(one[:, None] - other[None]).sum(axis=-1)))


def likeness(one: Floats, other: Floats) -> tuple[float, float]:
    """Return how far the densities of two samples overlap, and how far the second diverges.

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
    """Return evenly spaced points ``(POINTS,)`` around all values of some samples."""
    low, high = (float(end(np.concatenate(samples))) for end in (np.min, np.max))
    margin = (high - low) / 5
    return np.linspace(low - margin, high + margin, POINTS)


def density(values: Floats, points: Floats) -> Floats:
    """Return the density of values ``(N,)`` at evenly spaced points, by normal kernels.

    Their width is Scott's, the deviation times N^(-1/5), and at least two points.
    """
    width = max(float(values.std()) * len(values) ** -0.2, 2 * float(points[1] - points[0]))
    kernels = np.exp(-0.5 * np.square((points[:, None] - values[None]) / width))
    return np.asarray(kernels.sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi)))
