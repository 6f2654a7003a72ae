"""Probes: generate a piece for typical conditions, and measure how well it follows them.

The conditions and the metrics are the domain's. Comes from: `seqgen.generation.engine`. Next:
`seqgen.report.charts` draws them beside the metrics of pieces generated without a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import unlabelled
from seqgen.data.corpus import Corpus
from seqgen.evaluation.comparison import (
    Comparison,
    checked,
    comparisons,
    reference_pieces,
    reference_segments,
)
from seqgen.generation.engine import generate
from seqgen.plugin import Piece
from seqgen.run.folder import Run


def typical_conditions(run: Run, count: int) -> list[Any]:
    """Return conditions for `count` pieces: the domain's probes in turn; none without probes.

    If pieces have labels, each condition has the next value of every label.
    """
    probes = list(run.domain.probes(unlabelled(run.codec)))
    if not probes:
        return []
    labels = run.codec.labels if isinstance(run.codec, LabelledCodec) else ()
    conditions: list[Any] = []
    for number in range(count):
        values = {label.name: sorted(label.values) for label in labels}
        own = {name: found[number % len(found)] for name, found in values.items() if found}
        condition = probes[number % len(probes)]
        conditions.append(Labelled(own, condition) if own else condition)
    return conditions


def probe(
    run: Run,
    corpus: Corpus | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Comparison]:
    """Generate a piece for each of the domain's probes, and measure how well it follows its probe.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        By default the run's. Its pieces are measured beside the generated ones.
    seed : int
        Piece i has the seed `seed` + i.
    progress : callable
        Receives the number of pieces written so far, and the number of probes.

    Returns
    -------
    list of Comparison
        Empty if the domain has no probes for the run's codec.

    Raises
    ------
    CorpusError
        If the corpus does not exist any more.
    PluginError
        If the domain returns arrays of another shape than the contract says.
    """
    domain = run.domain
    probes = list(domain.probes(unlabelled(run.codec)))
    if not probes:
        return []
    written: list[Piece] = []
    for number, condition in enumerate(probes):
        written += [new.piece for new in generate(run, condition=condition, seed=seed + number)]
        progress(number + 1, len(probes))
    reference = list(worded_pieces(corpus or run.corpus()))
    found = domain.measure_probes(probes, written, reference)
    return comparisons(checked(domain, found, written, reference))


def worded_pieces(corpus: Corpus) -> Iterable[Piece]:
    """Yield the reference pieces with their texts, which tokens alone may not spell.

    The text is the fact of that name; `Codec.answer` says whether a decoded piece has it.
    """
    codec, segments = unlabelled(corpus.codec), reference_segments(corpus)
    numbers = {segment.piece for segment in segments}
    texts = {
        number: origin.facts.get("text")
        for number, origin in enumerate(corpus.origins())
        if number in numbers
    }
    for segment, piece in zip(segments, reference_pieces(corpus), strict=True):
        text = texts[segment.piece]
        yield codec.answer(piece, text) if isinstance(text, str) else piece
