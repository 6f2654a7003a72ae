"""A table of losses: one row for each piece, one column for each model that predicts it.

The network stands beside n-gram counts and, on request, a model that learns as it reads. Pieces
come from files, or from a split of a corpus. `seqgen score` prints the table. Comes from:
`seqgen.evaluation.scoring`, `seqgen.evaluation.ngram` and `seqgen.evaluation.adaptive`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Any, TypeAlias

from seqgen.bounds import as_paths, checked
from seqgen.conditions.unlabelled import unlabelled, unlabelled_predictor
from seqgen.data.corpus import Corpus
from seqgen.data.encoding import encode_files, original_pieces
from seqgen.data.reading import Outcome
from seqgen.data.rows import codec_rows
from seqgen.data.spans import Span, spans_of
from seqgen.data.splits import SPLITS, Segments, Split
from seqgen.errors import ConfigError, CorpusError
from seqgen.evaluation.adaptive import score_spans_adaptively
from seqgen.evaluation.ngram import Baseline, baseline
from seqgen.evaluation.predictor import NetworkPredictor
from seqgen.evaluation.scoring import Score, score_spans
from seqgen.evaluation.variations import score_spans_over_variations
from seqgen.files import CORPUS, finite
from seqgen.plugins.faults import naming_faults
from seqgen.run.folder import Run
from seqgen.unknown import OrError, changes_as_json

#: Units whose losses are quoted in bits, as is customary for text.
IN_BITS = {"characters", "bytes", "samples"}

#: Units whose losses are quoted as a perplexity: e to the nats per unit.
IN_PERPLEXITY = {"words"}

#: A perplexity is at most e to this power; a larger one does not fit a floating-point number.
LARGEST_EXPONENT = 700.0

#: A piece, or a part of one, with the name of its source.
_Piece: TypeAlias = tuple[str, Span]

#: From spans to the nats of their ids and of END.
_Column: TypeAlias = Callable[[Iterator[Span]], Iterator[tuple[float, float]]]


@dataclass(frozen=True)
class ScoreRow:
    """A piece, or a part of one, with its nats in every column.

    Attributes
    ----------
    source : str
        The file, and which of its tokens if it is a part.
    tokens : int
        Predicted tokens without END.
    ends : int
        1 if END was predicted; 0 for a part that ends before its piece.
    units : dict of str to float
        Amounts of the codec's units, such as characters.
    nats, end_nats : dict of str to float
        Nats of the tokens, and of END, in each column: ``network``, ``no grammar`` (for a codec
        with masks), ``baseline``, ``adaptive``, ``variations``.
    forbidden : int
        Tokens, END included, that the grammar forbids; each costs what the network says without
        it.
    """

    source: str
    tokens: int
    ends: int
    units: dict[str, float]
    nats: dict[str, float]
    end_nats: dict[str, float]
    forbidden: int

    def loss(self, column: str) -> float:
        """Return nats per token in a column; END is a token, as in training."""
        return (self.nats[column] + self.end_nats[column]) / max(self.tokens + self.ends, 1)

    def loss_per(self, unit: str) -> float:
        """Return the network's loss per unit without END: nats, bits or a perplexity.

        It is NaN if the piece has none of the unit.
        """
        if not self.units[unit]:
            return math.nan
        nats = self.nats["network"] / self.units[unit]
        if unit in IN_PERPLEXITY:
            return math.exp(min(nats, LARGEST_EXPONENT))
        return nats / math.log(2) if unit in IN_BITS else nats


@dataclass(frozen=True)
class ScoreTable:
    """The losses of pieces.

    Attributes
    ----------
    rows : list of ScoreRow
        The worst piece comes first.
    total : ScoreRow
        The sum of all rows.
    baseline : Baseline or None
        The counts of the column ``baseline``; None if the corpus of the run is gone.
    likelihoods : dict of str to float
        Figures that the domain adds for files (`seqgen.plugin.Domain.likelihoods`).
    outcome : Outcome
        Files that were skipped or not read, notes about others, and symbols that were replaced.
    """

    rows: list[ScoreRow]
    total: ScoreRow
    baseline: Baseline | None
    likelihoods: dict[str, float]
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """Return the table as plain JSON."""
        return {
            "order": None if self.baseline is None else self.baseline.order,
            "pieces": [asdict(row) for row in self.rows],
            "total": asdict(self.total),
            "likelihoods": finite(self.likelihoods),
            "skipped": [entry.as_json() for entry in self.outcome.skipped],
            "notes": [note.as_json() for note in self.outcome.notes],
            "unread": self.outcome.unread,
            "unknown": changes_as_json(self.outcome.changes),
        }


@naming_faults
@checked
def score_table(
    run: Run,
    paths: Corpus | Path | str | Iterable[Path | str] = (),
    *,
    split: Split | None = None,
    unknown: OrError = "error",
    read_options: Mapping[str, Any] | None = None,
    adaptive: bool = False,
    variations: int | bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> ScoreTable:
    """Score the pieces of files or of a corpus with a run, beside its n-gram baseline.

    Parameters
    ----------
    run : Run
        A trained model with its codec.
    paths : Corpus, Path or str, or iterable of paths
        Files, folders to search, or one corpus; by default the run's corpus.
    split : {"train", "valid", "test"}, optional
        The split of a corpus to read; by default test, or valid if test is empty.
    unknown : {"error", "skip", "nearest"}
        What to do with symbols of a file that the codec does not know: refuse the piece, leave
        the symbols out, or take the nearest known ones.
    read_options : mapping, optional
        Options of reading for files, where they differ from those of the training files.
    adaptive : bool
        Add a column for a model that learns from every token after predicting it.
    variations : bool or int
        Add a column for the average of the probabilities of all variations of a piece, or of so
        many: transpositions, for example.
    tell : callable
        Receives lines about what is read, before the pieces are scored.

    Raises
    ------
    ConfigError
        If an option does not fit files or a corpus.
    CorpusError
        If there is nothing to read, or the corpus has another vocabulary than the run.
    """
    paths = [paths.folder] if isinstance(paths, Corpus) else as_paths("paths", paths)
    files = _are_files(paths)
    if unknown != "error" and not files:
        raise ConfigError("`unknown` is for files; a corpus holds known symbols only")
    if read_options and not files:
        raise ConfigError("`read_options` is for files; the files of a corpus were read already")
    outcome = Outcome()
    reading = asdict(run.read_options(read_options))
    if files:
        pieces = _from_files(run, paths, split, unknown, reading, outcome)
    else:
        pieces = _from_corpus(run, Corpus(paths[0]) if paths else run.corpus(), split, tell)
    corpus = _corpus(run, tell)
    counts = None if corpus is None else _baseline(run, corpus, tell)
    beside = _columns(run, corpus, counts, adaptive, variations)
    rows = sorted(_rows(run, pieces, beside), key=lambda row: -row.loss("network"))
    likelihoods = _likelihoods(run, paths, unknown, reading)
    return ScoreTable(rows, _total(rows), counts, likelihoods, outcome)


def unit_name(unit: str) -> str:
    """Return the name of a loss per unit: ``bits/character``, ``perplexity/word``."""
    name = "bits" if unit in IN_BITS else "perplexity" if unit in IN_PERPLEXITY else "nats"
    return f"{name}/{unit.removesuffix('s')}"


def _are_files(paths: Sequence[Path | str]) -> bool:
    """Return whether pieces come from files and not from a corpus."""
    return bool(paths) and not (len(paths) == 1 and (Path(paths[0]) / CORPUS).exists())


def _from_files(
    run: Run,
    paths: Sequence[Path | str],
    split: Split | None,
    unknown: OrError,
    reading: Mapping[str, Any],
    outcome: Outcome,
) -> Iterator[_Piece]:
    """Return the pieces of files; the files are searched at once."""
    if split is not None:
        raise ConfigError("`split` is for a corpus; files are read as they are")
    domain = run.info["domain"]
    encoded = encode_files(domain, paths, run.codec, outcome, unknown, read_options=reading)
    return ((source, Span(run.vocab, ids, codec_rows(run.codec, ids))) for source, ids in encoded)


def _from_corpus(
    run: Run, corpus: Corpus, split: Split | None, tell: Callable[[str], None]
) -> Iterator[_Piece]:
    """Return the pieces of a split, or their held-out parts."""
    if corpus.vocab.digest != run.vocab.digest:
        raise CorpusError(
            f"{corpus.folder} has another vocabulary than {run.name}; score the files that "
            f"it was made from"
        )
    chosen = [name for name in reversed(SPLITS) if split in (None, name) and corpus.size(name)]
    if not chosen:
        raise CorpusError(f"the split {split!r} of {corpus.folder} is empty; choose another")
    tell(f"scoring the split {chosen[0]!r} of {corpus.folder}")
    return _parts(corpus, corpus.segments(chosen[0]))


def _parts(corpus: Corpus, segments: Segments) -> Iterator[_Piece]:
    """Yield segments with the names of their sources."""
    origins = enumerate(corpus.origins())
    index, origin = next(origins)
    for segment, span in zip(segments, spans_of(corpus, segments), strict=True):
        # Segments are in the order of the pieces.
        if index != segment.piece:
            index, origin = next(item for item in origins if item[0] == segment.piece)
        source = origin.source
        if segment.start or not span.ends:
            source += f", tokens {segment.start:,} to {segment.stop:,}"
        yield source, span


def _corpus(run: Run, tell: Callable[[str], None]) -> Corpus | None:
    """Return the corpus of a run, or None if it is gone."""
    try:
        return run.corpus()
    except CorpusError as error:
        tell(f"no baseline: {error}")
        return None


def _baseline(run: Run, corpus: Corpus, tell: Callable[[str], None]) -> Baseline:
    """Count the n-grams of the training split."""
    counts = baseline(corpus, run.info["plan"]["measured"])
    tell(f"baseline: {counts.order}-gram counts of {counts.tokens:,} training tokens")
    if counts.tokens < run.info["corpus"]["tokens"]["train"]:
        tell("  the first part of the training pieces, not all of them")
    return counts


def _columns(
    run: Run,
    corpus: Corpus | None,
    counts: Baseline | None,
    adaptive: bool,
    variations: int | bool,
) -> dict[str, _Column]:
    """Return the columns beside the network's by name."""
    columns: dict[str, _Column] = {}
    if counts is not None:
        columns["baseline"] = partial(map, counts.model.span_nats)
    if adaptive:
        columns["adaptive"] = lambda spans: _costs(score_spans_adaptively(run, spans, corpus))
    if variations is not False:
        most = None if variations is True else variations
        columns["variations"] = lambda spans: _costs(score_spans_over_variations(run, spans, most))
    return columns


def _costs(scores: Iterable[Score]) -> Iterator[tuple[float, float]]:
    return ((scored.nats, scored.end_nats) for scored in scores)


def _rows(run: Run, pieces: Iterator[_Piece], beside: dict[str, _Column]) -> Iterator[ScoreRow]:
    """Yield the row of each piece, in order."""
    # No copy may lag behind: it would keep all pieces in memory.
    named, read, *copies = tee(pieces, 2 + len(beside))
    columns = [column(_spans(copy)) for column, copy in zip(beside.values(), copies, strict=True)]
    for (source, span), scored, *others in zip(
        named, score_spans(run, _spans(read)), *columns, strict=True
    ):
        costs = dict(zip(beside, others, strict=True))
        free = {} if scored.free is None else {"no grammar": scored.free}
        costs = {"network": (scored.nats, scored.end_nats), **free, **costs}
        nats, end_nats = ({name: cost[at] for name, cost in costs.items()} for at in (0, 1))
        yield ScoreRow(
            source, scored.tokens, span.ends, scored.units, nats, end_nats, scored.forbidden
        )


def _spans(pieces: Iterable[_Piece]) -> Iterator[Span]:
    return (span for _, span in pieces)


def _total(rows: list[ScoreRow]) -> ScoreRow:
    """Return the sum of all rows, in their order."""
    units, nats, end_nats = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        units.update(row.units)
        nats.update(row.nats)
        end_nats.update(row.end_nats)
    tokens, ends = sum(row.tokens for row in rows), sum(row.ends for row in rows)
    name = "all pieces" if len(rows) == 1 else f"all {len(rows):,} pieces"
    forbidden = sum(row.forbidden for row in rows)
    return ScoreRow(name, tokens, ends, dict(units), dict(nats), dict(end_nats), forbidden)


def _likelihoods(
    run: Run, paths: Sequence[Path | str], unknown: OrError, reading: Mapping[str, Any]
) -> dict[str, float]:
    """Return the figures that the domain adds for pieces of files; none for a corpus.

    A corpus holds ids only: decoded pieces lie exactly on the codes, and their figures flatter.
    """
    if not _are_files(paths):
        return {}
    domain = run.info["domain"]
    pieces: Iterator[Any] = original_pieces(domain, paths, run.codec, unknown, read_options=reading)
    predictor = unlabelled_predictor(run.codec, NetworkPredictor(run, grammar=False))
    return dict(run.domain.likelihoods(unlabelled(run.codec), predictor, pieces))
