"""Probes: generate a piece for typical conditions, and measure how well it follows them.

The conditions and the metrics are the domain's. Comes from: `seqgen.generation.engine`. Next:
`seqgen.report.charts` draws them beside the metrics of pieces generated without a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import labels_of, unlabelled
from seqgen.data.corpus import Corpus
from seqgen.data.splits import Segment
from seqgen.evaluation.comparison import (
    REFERENCE,
    Comparison,
    checked,
    comparisons,
    decoded,
    reference_segments,
)
from seqgen.evaluation.judging import judged, learned_judge, segment_labels
from seqgen.generation.engine import generate
from seqgen.plugin import Codec, Piece
from seqgen.run.folder import Run

#: Pieces that a model without probes is asked for by labels alone, and training pieces from which
#: a judge of labels learns, for each piece that is asked for.
ASKED, LEARNED = 40, 10


def typical_conditions(run: Run, count: int) -> list[Any]:
    """Return conditions for `count` pieces: the domain's probes in turn; none without probes.

    If pieces have labels, each condition has the next value of every label.
    """
    probes = list(run.domain.probes(unlabelled(run.codec)))
    return _in_turn(probes, run.codec, count) if probes else []


def _in_turn(probes: Sequence[Any], codec: Codec, count: int) -> list[Any]:
    """Return `count` conditions: probes in turn, each with the next value of every label."""
    labels = labels_of(codec)
    values = {label.name: sorted(label.values) for label in labels}
    conditions: list[Any] = []
    for number in range(count):
        own = {name: found[number % len(found)] for name, found in values.items() if found}
        condition = probes[number % len(probes)]
        conditions.append(Labelled(own, condition) if own else condition)
    return conditions


def probe(
    run: Run,
    corpus: Corpus | None = None,
    *,
    most: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Comparison]:
    """Generate a piece for each of the domain's probes, and measure how well it follows its probe.

    If the domain has a judge of labels, the model is asked for labels too. Without probes, the
    model is asked for labels alone, `ASKED` times.

    Parameters
    ----------
    run : Run
    corpus : Corpus, optional
        By default the run's. Its pieces are measured beside the generated ones.
    most : int, optional
        Most probes, and most pieces of the corpus. By default all probes, and `REFERENCE` pieces.
    seed : int
        Piece i has the seed `seed` + i.
    progress : callable
        Receives the number of pieces written so far, and the number of probes.

    Returns
    -------
    list of Comparison
        Empty if the domain has neither probes for the run's codec nor a judge of its labels.

    Raises
    ------
    CorpusError
        If the corpus does not exist any more.
    PluginError
        If the domain returns arrays of another shape than the contract says.
    """
    domain, corpus = run.domain, corpus or run.corpus()
    probes = list(domain.probes(unlabelled(run.codec)))[:most]
    asked = min(len(probes) or ASKED, most or ASKED)
    judge = learned_judge(domain, corpus, LEARNED * asked)
    if not probes and judge is None:
        return []
    conditions = probes if judge is None else _in_turn(probes or [None], run.codec, asked)
    written: list[Any] = []
    for number, condition in enumerate(conditions):
        written += [new.piece for new in generate(run, condition=condition, seed=seed + number)]
        progress(number + 1, len(conditions))
    segments = reference_segments(corpus, most or REFERENCE)
    reference = list(worded(corpus, segments))
    found = dict(domain.measure_probes(probes, written, reference)) if probes else {}
    if judge is not None:
        wanted = [one.labels if isinstance(one, Labelled) else {} for one in conditions]
        known = [segment_labels(corpus, segment) for segment in segments]
        new, old = zip(written, wanted, strict=True), zip(reference, known, strict=True)
        found |= judged(judge, list(new), list(old))
    return comparisons(checked(domain, found, written, reference))


def worded_pieces(corpus: Corpus) -> Iterable[Piece]:
    """Yield the reference pieces with their texts, which tokens alone may not spell."""
    return worded(corpus, reference_segments(corpus))


def worded(corpus: Corpus, segments: Sequence[Segment]) -> Iterable[Piece]:
    """Yield the pieces of segments, in their order, with their texts.

    The text is the fact of that name; `Codec.answer` says whether a decoded piece has it.
    """
    codec = unlabelled(corpus.codec)
    numbers = {segment.piece for segment in segments}
    texts = {
        number: origin.facts.get("text")
        for number, origin in enumerate(corpus.origins())
        if number in numbers
    }
    for segment in segments:
        piece, text = decoded(corpus, segment), texts[segment.piece]
        yield codec.answer(piece, text) if isinstance(text, str) else piece
