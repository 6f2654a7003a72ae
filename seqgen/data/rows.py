"""Rows: what the codec says about each position of a piece: features, and masks of its grammar.

Next: `seqgen.data.lanes` and `seqgen.data.spans` cut rows as they cut ids.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqgen.grammar import Masks
from seqgen.plugin import Codec
from seqgen.plugins.checks import checked_features, checked_masks, mask_width


class CodecRows(NamedTuple):
    """What a codec says about each position of a piece ``(N,)``; row N belongs to END.

    Attributes
    ----------
    features : unsigned integer array (N + 1, K)
        In the smallest type, because a lane holds those of a whole piece. K may be 0.
    allowed : Masks (N + 1, W)
        Packed masks of the ids that may come (`seqgen.grammar`). W is 0 for a codec without masks,
        which allows every id everywhere.
    """

    features: NDArray[np.unsignedinteger[Any]]
    allowed: Masks

    def cut(self, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return features and masks of the positions ``first .. end`` as arrays."""
        return self.features[first:end].astype(np.int64), self.allowed[first:end]


def codec_rows(codec: Codec, ids: NDArray[Any]) -> CodecRows:
    """Return the features and masks of a piece ``(N,)`` of any integer type.

    Raises
    ------
    PluginError
        If the codec breaks their contract.
    """
    count = len(ids) + 1
    if not codec.feature_sizes and not mask_width(codec):
        # Ids of a long piece stay in the file.
        return CodecRows(np.zeros((count, 0), np.uint8), checked_masks(codec, None, count))
    ids = ids.astype(np.int64, copy=False)
    features = codec.features(ids) if codec.feature_sizes else ()
    smallest = np.min_scalar_type(max(codec.feature_sizes, default=1) - 1)
    return CodecRows(
        checked_features(codec, features, count).astype(smallest),
        checked_masks(codec, codec.masks(ids), count),
    )
