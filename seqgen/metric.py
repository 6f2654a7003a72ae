"""`Metric`: a property measured on generated pieces and on pieces of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Metric:
    """A property measured on generated pieces and on pieces of a corpus.

    It is one value for each piece, such as the length, or shares of K bins, such as pitch classes.
    NaN marks a piece that has no value.

    Attributes
    ----------
    unit : str
        Unit of the values, such as "bits" or "notes"; empty for shares.
    generated : float64 array (G,) or (G, K)
        One row for each generated piece.
    reference : float64 array (R,) or (R, K)
        One row for each piece of the corpus.
    bins : tuple of str
        Names of the K bins; empty for values.
    """

    unit: str
    generated: NDArray[np.float64]
    reference: NDArray[np.float64]
    bins: tuple[str, ...] = ()
