"""Clusters of rare ids: the adaptive softmax (Grave et al. 2017), for large vocabularies.

The frequent ids, the shortlist, are in cluster 0. The network first chooses among them and the
other clusters, and then, rarely, among the ids of a cluster. So it seldom computes the scores of
rare ids in training. Ids keep their order, and no weight depends on their frequency: only the
cluster of each id is saved, in ``run.json``.

Next: `seqgen.network.model` has the scores of clusters, `seqgen.evaluation.nats` the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from seqgen.config import CLUSTERS
from seqgen.errors import ConfigError

#: Number of sizes that are tried for the shortlist, and for the shortlist with some clusters.
SIZES = 40


def choose_clusters(counts: NDArray[np.int64]) -> list[int]:
    """Return the cluster of each id: 0 for the shortlist, rarer ids in higher clusters.

    Sizes are those with the fewest scores for each target on average.

    Parameters
    ----------
    counts : int64 array (V',)
        How often each id occurs in training.

    Raises
    ------
    ConfigError
        If there are too few ids to have clusters.
    """
    if len(counts) <= CLUSTERS:
        raise ConfigError(
            f"an adaptive output needs more than {CLUSTERS} ids to predict, found {len(counts)}; "
            f"set output to full"
        )
    order = np.argsort(-counts, kind="stable")
    ends = np.unique(np.geomspace(1, len(counts), SIZES).astype(int))
    # One id more in each than in the one before, for the smallest vocabularies.
    ends = np.union1d(ends, np.arange(1, CLUSTERS + 2))
    # (ways, C + 2): a way to cut the ids into the shortlist and the clusters, as C + 1 ends.
    ways = np.array([(0, *way, len(counts)) for way in combinations(ends[:-1].tolist(), CLUSTERS)])
    seen = np.concatenate([[0], np.cumsum(counts[order])]) / max(counts.sum(), 1)
    sizes, shares = np.diff(ways), np.diff(seen[ways])  # (ways, C + 1)
    costs = sizes[:, 0] + (shares[:, 1:] * sizes[:, 1:]).sum(axis=1)
    clusters = np.empty(len(counts), np.int64)
    clusters[order] = np.repeat(np.arange(CLUSTERS + 1), sizes[np.argmin(costs)])
    return clusters.tolist()


def moved_clusters(clusters: Sequence[int], sources: Sequence[int]) -> list[int]:
    """Return the clusters of other ids: an id has that of its source, a new one (-1) the last."""
    return [clusters[source] if source >= 0 else CLUSTERS for source in sources]


def check_clusters(clusters: Sequence[int], targets: int) -> None:
    """Check clusters from a file.

    Raises
    ------
    ValueError
        If they do not name one cluster for each of the ids.
    """
    if len(clusters) != targets:
        raise ValueError(f"clusters must have {targets:,} entries, found {len(clusters):,}")
    if not all(0 <= cluster <= CLUSTERS for cluster in clusters):
        raise ValueError(f"clusters must be from 0 to {CLUSTERS}")
