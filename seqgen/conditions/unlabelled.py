"""What the engine asks of any codec about labels, and what domains see of a labelled codec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Label, with_labels
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids, Piece, Predictor


@dataclass(frozen=True)
class UnlabelledPredictor:
    """A predictor of a labelled codec, as the domain sees it: without labels.

    Attributes
    ----------
    codec : LabelledCodec
    predictor : Predictor
    """

    codec: LabelledCodec
    predictor: Predictor = field(repr=False)

    def log_probabilities(self, pieces: Iterable[Ids]) -> Iterator[NDArray[np.float64]]:
        """Yield an array ``(N + 1, n + 1)`` for each piece of the codec's ids, with any labels."""
        count, header = len(self.codec.codec.vocab), self.codec.header_ids({})
        labelled = (np.concatenate([header, ids]) for ids in pieces)
        for rows in self.predictor.log_probabilities(labelled):
            body = rows[len(header) :]  # (N + 1, V')
            kept = np.concatenate([body[:, :count], body[:, -1:]], axis=1)
            yield kept - np.logaddexp.reduce(kept, axis=1, keepdims=True)


def unlabelled_predictor(codec: Codec, predictor: Predictor) -> Predictor:
    """Return a predictor of the ids of the codec that the domain knows."""
    if isinstance(codec, LabelledCodec):
        return UnlabelledPredictor(codec, predictor)
    return predictor


def unlabelled(codec: Codec) -> Codec:
    """Return the codec that the domain knows."""
    return codec.codec if isinstance(codec, LabelledCodec) else codec


def without_labels(codec: Codec, ids: NDArray[Any]) -> NDArray[Any]:
    """Return ids ``(M,)`` without header and label tokens."""
    return codec.payload(ids) if isinstance(codec, LabelledCodec) else ids


def labels_of(codec: Codec) -> tuple[Label, ...]:
    """Return the labels of a codec; none without labels."""
    return codec.labels if isinstance(codec, LabelledCodec) else ()


def header_size(codec: Codec) -> int:
    """Return the number of header tokens of a piece."""
    return len(labels_of(codec))


def opening(codec: Codec, prompt: Piece | None, condition: Any) -> Ids:
    """Return what pieces begin with: the header of a labelled codec, and the prompt.

    Raises
    ------
    DataError
        If there is no such label or value, or the prompt cannot be encoded.
    """
    if isinstance(codec, LabelledCodec):
        return codec.opening(prompt, condition)
    return np.zeros(0, np.int64) if prompt is None else codec.encode(prompt)


def label_features(codec: Codec, ids: Ids) -> Ids:
    """Return the features ``(N + 1, K)`` of a beginning, for a codec without a tracker.

    They can only be labels, so the last row holds for all that follows.

    Raises
    ------
    DataError
        If the codec has features of its own.
    """
    if unlabelled(codec).feature_sizes:
        raise DataError(f"codec {type(unlabelled(codec)).__name__} has features but no tracker")
    return codec.features(ids) if codec.feature_sizes else np.zeros((len(ids) + 1, 0), np.int64)


def requested_labels(codec: Codec, condition: Any) -> tuple[Mapping[str, str], Any]:
    """Return the labels that a condition requests, and the condition for the codec's tracker."""
    return codec.requested(condition) if isinstance(codec, LabelledCodec) else ({}, condition)


def all_requested(codec: Codec, given: Iterable[str]) -> tuple[dict[str, str], str | None]:
    """Return the labels that several texts request, and the one text for the codec's tracker.

    Raises
    ------
    DataError
        If the tracker would follow several texts, or a label has two values.
    """
    labels: dict[str, str] = {}
    others = []
    for text in given:
        requested, rest = requested_labels(codec, text)
        labels = with_labels(labels, requested)
        if rest is not None:
            others.append(rest)
    if len(others) > 1:
        names = ", ".join(each.name for each in labels_of(codec))
        raise DataError(
            f"`condition`: a piece follows labels (of this run: {names or 'none'}) and one text or "
            f"file, found {len(others)} texts or files: {' and '.join(others)}"
        )
    return labels, others[0] if others else None
