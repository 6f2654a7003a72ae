"""Labels that pieces seem to have, beside those that they should have.

The domain's judge learns from training pieces, decoded, and never from what it judges. What it
says of held-out pieces is the ceiling: no model can follow labels better than a judge can tell.

Comes from: `seqgen.evaluation.probing` asks a model for labels. Next:
`seqgen.evaluation.comparison`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import ANY, Labelled
from seqgen.data.corpus import Corpus
from seqgen.data.splits import Segment
from seqgen.evaluation.comparison import decoded, spaced_segments
from seqgen.metric import Metric
from seqgen.plugin import Domain, Piece

#: Labels by name.
Labels: TypeAlias = Mapping[str, str]

Judge: TypeAlias = Callable[[Piece], dict[str, str]]


def learned_judge(domain: Domain, corpus: Corpus, most: int) -> Judge | None:
    """Return the domain's judge of labels, which learned from at most `most` training pieces.

    None without labels, without a judge, and without held-out pieces.
    """
    if not isinstance(corpus.codec, LabelledCodec) or not corpus.size("valid"):
        return None
    return domain.label_judge(_training_pieces(corpus, most))


def _training_pieces(corpus: Corpus, most: int) -> Iterator[Labelled]:
    for segment in spaced_segments(corpus, "train", most):
        yield Labelled(segment_labels(corpus, segment), decoded(corpus, segment))


def segment_labels(corpus: Corpus, segment: Segment) -> dict[str, str]:
    """Return the labels of the piece of a segment, by name; none without a value."""
    codec = corpus.codec
    if not isinstance(codec, LabelledCodec):
        return {}
    found = codec.header_values(np.asarray(corpus.piece(segment.piece), np.int64))
    values = {label.name: found.get(label.name, ANY) for label in codec.labels}
    return {name: value for name, value in values.items() if value != ANY}


def judged(
    judge: Judge, new: Sequence[tuple[Piece, Labels]], old: Sequence[tuple[Piece, Labels]]
) -> dict[str, Metric]:
    """Return for each label whether pieces seem to have the value that they should have.

    Parameters
    ----------
    judge : callable
        As `Domain.label_judge` returns it.
    new, old : sequence of G and R (piece, labels)
        New pieces with the labels that were asked for, and held-out pieces with theirs.
    """
    seeming = [[(judge(piece), labels) for piece, labels in side] for side in (new, old)]
    names = dict.fromkeys(name for side in seeming for found, _ in side for name in found)
    return {
        f"given {name} that is recognised": Metric(
            "", _shares(seeming[0], name), _shares(seeming[1], name)
        )
        for name in names
    }


def _shares(side: Sequence[tuple[Labels, Labels]], name: str) -> NDArray[np.float64]:
    """Return 1 where a label seems to be what it should be, 0 elsewhere, NaN where it is not."""
    return np.array(
        [
            float(found.get(name) == labels[name]) if name in labels else np.nan
            for found, labels in side
        ]
    )
