"""``seqgen score``."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seqgen.cli.printing import print_json, show
from seqgen.errors import ConfigError, CorpusError
from seqgen.unknown import OrError

if TYPE_CHECKING:
    from seqgen.data.corpus import Corpus
    from seqgen.data.reading import Outcome
    from seqgen.data.spans import Span
    from seqgen.data.splits import Segments
    from seqgen.run.folder import Run

#: Units that losses are quoted for in bits, as is the custom with text.
IN_BITS = {"characters", "bytes"}


@dataclass(frozen=True)
class Row:
    """A piece, its length in tokens and in units, and its nats in each column.

    `tokens` and `nats` leave END out; `ends` and `end_nats` are its own, as a part of a piece has
    none. A loss per token counts both, as training does.
    """

    source: str
    tokens: int
    ends: int
    units: dict[str, float]
    nats: dict[str, float]
    end_nats: dict[str, float]

    def loss(self, column: str) -> float:
        """Return nats per token in a column; END is a token."""
        return (self.nats[column] + self.end_nats[column]) / max(self.tokens + self.ends, 1)


def score(
    run: Path,
    *paths: Path,
    split: Literal["train", "valid", "test"] | None = None,
    unknown: OrError = "error",
    adaptive: bool = False,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure how well a trained model predicts pieces, beside a baseline of n-gram counts.

    The worst piece comes first. The end of a piece counts as a token, as in training. Of a long
    piece that is held out in part, that part is predicted from what comes before it. Files that
    cannot be used are skipped, counted and listed.

    Parameters
    ----------
    run
        The run folder that `seqgen train` made.
    paths
        Files, folders to search, or one folder made by `seqgen prepare`; none at all means the
        corpus of the run.
    split
        What to read of a corpus; by default test, or valid if that is empty.
    unknown
        What to do about symbols of a file that the model does not know: skip the piece, leave them
        out, or take the nearest known ones.
    adaptive
        Add a column for a model that learns from every token after predicting it.
    device
        Device to run on: cpu, cuda, mps, or auto for the fastest there is.
    json
        Print the result for programs.
    """
    from seqgen.cli.console import say
    from seqgen.data.finding import unread_text
    from seqgen.data.reading import Outcome
    from seqgen.evaluation.adaptive import score_spans_adaptively
    from seqgen.evaluation.ngram import baseline
    from seqgen.evaluation.scoring import score_spans
    from seqgen.run.folder import load
    from seqgen.unknown import changes_as_json, changes_text

    if unknown != "error" and not _are_files(paths):
        raise ConfigError("--unknown is for files; a corpus holds known symbols only")
    loaded, outcome = load(run, device), Outcome()
    found = _pieces(loaded, paths, split, unknown, outcome)
    corpus = _corpus(loaded)
    counts = None if corpus is None else baseline(corpus, loaded.info["plan"]["measured"])
    if counts is not None:
        say(f"baseline: {counts.order}-gram counts of {counts.tokens:,} training tokens")
        if counts.tokens < loaded.info["corpus"]["tokens"]["train"]:
            say("  the first part of the training pieces, not all of them")
    beside: dict[str, Callable[[Iterator[Span]], Iterator[tuple[float, float]]]] = {}
    if counts is not None:
        beside["baseline"] = partial(map, counts.model.span_nats)
    if adaptive:
        beside["adaptive"] = lambda spans: (
            (scored.nats, scored.end_nats)
            for scored in score_spans_adaptively(loaded, spans, corpus)
        )
    # As many copies as are read: one that is not would keep all pieces in memory.
    pieces, read, *copies = itertools.tee(found, 2 + len(beside))
    columns = [column(_spans(copy)) for column, copy in zip(beside.values(), copies, strict=True)]
    rows = []
    for (source, span), scored, *others in zip(
        pieces, score_spans(loaded, _spans(read)), *columns, strict=True
    ):
        costs = {
            "network": (scored.nats, scored.end_nats),
            **dict(zip(beside, others, strict=True)),
        }
        nats, end_nats = ({name: cost[at] for name, cost in costs.items()} for at in (0, 1))
        rows.append(Row(source, scored.tokens, span.ends, scored.units, nats, end_nats))
    rows.sort(key=lambda row: -row.loss("network"))
    total, likelihoods = _total(rows), _likelihoods(loaded, paths, unknown)
    if json:
        print_json(
            {
                "order": None if counts is None else counts.order,
                "pieces": [asdict(row) for row in rows],
                "total": asdict(total),
                "likelihoods": likelihoods,
                "skipped": [asdict(entry) for entry in outcome.skipped],
                "unread": outcome.unread,
                "unknown": changes_as_json(outcome.changes),
            }
        )
    else:
        print_table([*rows, total])
        for name, value in likelihoods.items():
            show(f"{name}: {value:.4f}")
    if outcome.skipped:
        say(f"left out {len(outcome.skipped)} sources that could not be used:")
        for entry in outcome.skipped:
            say(f"  {entry.source}: {entry.reason}")
    if outcome.changes:
        say(f"unknown symbols: {changes_text(outcome.changes)}")
    if outcome.unread:
        say(unread_text(outcome.unread))
    if counts is not None:
        say(verdict(total, counts.order))


def _corpus(run: Run) -> Corpus | None:
    """Return the corpus of a run, or None, with a remark, where it is gone."""
    from seqgen.cli.console import say

    try:
        return run.corpus()
    except CorpusError as error:
        say(f"no baseline: {error}")
        return None


def _pieces(
    run: Run, paths: tuple[Path, ...], split: str | None, unknown: OrError, outcome: Outcome
) -> Iterator[tuple[str, Span]]:
    """Return the pieces that are meant, or the held-out parts, with where they come from."""
    from seqgen.data.corpus import Corpus
    from seqgen.data.preparation import encode_files
    from seqgen.data.spans import Span, piece_features

    if not paths:
        return _split(run.corpus(), split)
    if not _are_files(paths):
        corpus = Corpus(paths[0])
        if corpus.vocab.digest != run.vocab.digest:
            raise CorpusError(
                f"{corpus.folder} has another vocabulary than {run.folder}; score the files that "
                f"it was made from"
            )
        return _split(corpus, split)
    if split is not None:
        raise ConfigError("--split is for a corpus; files are read as they are")
    encoded = encode_files(run.info["domain"], paths, run.codec, outcome, unknown)
    return (
        (source, Span(run.vocab, ids, piece_features(run.codec, ids))) for source, ids in encoded
    )


def _are_files(paths: tuple[Path, ...]) -> bool:
    """Return whether pieces are read from files, and not from a corpus."""
    from seqgen.files import CORPUS

    return bool(paths) and not (len(paths) == 1 and (paths[0] / CORPUS).exists())


def _likelihoods(run: Run, paths: tuple[Path, ...], unknown: OrError) -> dict[str, float]:
    """Return what the domain says of how well pieces of files are predicted.

    A corpus holds ids alone. What they decode to lies where the codes are, which flatters.
    """
    from seqgen.data.preparation import original_pieces
    from seqgen.evaluation.predictor import NetworkPredictor

    if not _are_files(paths):
        return {}
    pieces = original_pieces(run.info["domain"], paths, run.codec, unknown)
    return dict(run.domain.likelihoods(run.codec, NetworkPredictor(run), pieces))


def _split(corpus: Corpus, split: str | None) -> Iterator[tuple[str, Span]]:
    """Return what belongs to a split, with where it comes from."""
    from seqgen.cli.console import say
    from seqgen.data.splits import SPLITS

    chosen = [name for name in reversed(SPLITS) if split in (None, name) and corpus.size(name)]
    if not chosen:
        raise CorpusError(f"the split {split!r} of {corpus.folder} is empty; choose another")
    say(f"scoring the split {chosen[0]!r} of {corpus.folder}")
    return _parts(corpus, corpus.segments(chosen[0]))


def _parts(corpus: Corpus, segments: Segments) -> Iterator[tuple[str, Span]]:
    """Yield the pieces or parts of a corpus, with where they come from."""
    from seqgen.data.spans import spans_of

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


def _spans(pieces: Iterable[tuple[str, Span]]) -> Iterator[Span]:
    return (span for _, span in pieces)


def _total(rows: list[Row]) -> Row:
    units, nats, end_nats = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        units.update(row.units)
        nats.update(row.nats)
        end_nats.update(row.end_nats)
    tokens, ends = sum(row.tokens for row in rows), sum(row.ends for row in rows)
    name = f"all {len(rows):,} pieces"
    return Row(name, tokens, ends, dict(units), dict(nats), dict(end_nats))


def print_table(rows: list[Row]) -> None:
    """Print nats per token in each column, the network's loss per unit, the length and the name."""
    columns = list(rows[0].nats)
    units = [name for name in rows[0].units if name != "tokens"]
    per_unit = [f"{'bits' if u in IN_BITS else 'nats'}/{u.removesuffix('s')}" for u in units]
    heads = [*columns, *per_unit, "tokens"]
    show("  ".join([*(head.rjust(9) for head in heads), "piece"]))
    for row in rows:
        cells = [f"{row.loss(name):.4f}" for name in columns]
        for unit in units:
            scale = row.units[unit] * (math.log(2) if unit in IN_BITS else 1)
            cells.append(f"{row.nats['network'] / scale:.4f}" if scale else "-")
        cells.append(f"{row.tokens:,}")
        widths = [max(len(head), 9) for head in heads]
        show("  ".join([*(c.rjust(w) for c, w in zip(cells, widths, strict=True)), row.source]))


def verdict(total: Row, order: int) -> str:
    """Say in plain words whether the network is worth having."""
    network, counts = (total.loss(name) for name in ("network", "baseline"))
    compared = f"{network:.4f} against {counts:.4f} nats per token"
    if network < counts:
        return f"the network beats the {order}-gram baseline: {compared}"
    return (
        f"the network does not beat the {order}-gram baseline: {compared}; "
        f"train longer, or on more pieces"
    )
