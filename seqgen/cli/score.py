"""``seqgen score``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seqgen.cli.opening import opened
from seqgen.cli.printing import print_json, show
from seqgen.cli.settings import named_values
from seqgen.unknown import OrError
from seqgen.wording import counted

if TYPE_CHECKING:
    from seqgen.data.reading import Outcome
    from seqgen.evaluation.table import ScoreRow


def score(
    run: Path,
    *paths: Path,
    split: Literal["train", "valid", "test"] | None = None,
    unknown: OrError = "error",
    read: tuple[str, ...] = (),
    corpus: Path | None = None,
    adaptive: bool = False,
    variations: int | bool = False,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure how well a trained model predicts pieces, compared with an n-gram baseline.

    The worst piece comes first. The end of a piece counts as a token, as in training. If only a
    part of a long piece is held out, that part is predicted from the tokens before it. Files that
    cannot be used are skipped, counted and listed.

    Parameters
    ----------
    run
        A run folder from `seqgen train`, or a domain with a model: `music`, `text`.
    paths
        Files, folders to search, or one corpus folder from `seqgen prepare`. Default: the corpus
        of the run.
    split
        Split of a corpus to read. Default: test, or valid if test is empty.
    unknown
        What to do with symbols that the model does not know: refuse the piece (error), leave them
        out (skip), or take the nearest known ones (nearest).
    read
        Option of reading files as NAME=VALUE. May be repeated. The default is as the training
        files were read.
    corpus
        Where the corpus of the run is, if it has moved.
    adaptive
        Add a column for a model that learns from every token after predicting it.
    variations
        Add a column for the average over all variations of a piece, such as transpositions; a
        number after it is the most variations of each piece.
    device
        Device to run on: cpu, cuda, mps, or auto for the fastest available.
    json
        Print the result as JSON.
    """
    from seqgen.cli.console import say
    from seqgen.evaluation.table import score_table

    loaded = opened(run, device, corpus)
    table = score_table(
        loaded,
        paths,
        split=split,
        unknown=unknown,
        read_options=named_values("--read", read),
        adaptive=adaptive,
        variations=variations,
        tell=say,
    )
    if json:
        print_json(table.as_json())
    else:
        print_rows([*table.rows, table.total])
        for name, value in table.likelihoods.items():
            show(f"{name}: {value:.4f}")
    say_outcome(table.outcome)
    if count := table.total.forbidden:
        say(
            f"the codec's grammar forbids {count:,} of {table.total.tokens + table.total.ends:,} "
            f"tokens; each has its loss without the grammar"
        )
    if table.baseline is not None:
        say(verdict(table.total, table.baseline.order))


def print_rows(rows: list[ScoreRow]) -> None:
    """Print nats per token in each column, the network's loss per unit, tokens and source."""
    from seqgen.evaluation.table import unit_name

    columns = list(rows[0].nats)
    units = [name for name in rows[0].units if name != "tokens"]
    heads = [*columns, *map(unit_name, units), "tokens"]
    show("  ".join([*(head.rjust(9) for head in heads), "piece"]))
    for row in rows:
        losses = [*map(row.loss, columns), *map(row.loss_per, units)]
        cells = [_number(loss) for loss in losses]
        cells.append(f"{row.tokens:,}")
        widths = [max(len(head), 9) for head in heads]
        show("  ".join([*(c.rjust(w) for c, w in zip(cells, widths, strict=True)), row.source]))


def _number(loss: float) -> str:
    """Return a loss with four decimals; a large perplexity has as many digits as are known."""
    if math.isnan(loss):
        return "-"
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.4g}"


def say_outcome(outcome: Outcome) -> None:
    """Say which files were left out, and which symbols were replaced."""
    from seqgen.cli.console import say
    from seqgen.data.finding import notes_lines, unread_text
    from seqgen.unknown import changes_text

    for line in notes_lines(outcome.notes):
        say(line)

    if outcome.skipped:
        say(f"left out {counted(len(outcome.skipped), 'source')} that could not be used:")
        for entry in outcome.skipped:
            say(f"  {entry.source}: {entry.reason}")
    if outcome.changes:
        say(f"unknown symbols: {changes_text(outcome.changes)}")
    if outcome.unread:
        say(unread_text(outcome.unread))


def verdict(total: ScoreRow, order: int) -> str:
    """Return one sentence on whether the network beats the baseline."""
    network, counts = (total.loss(name) for name in ("network", "baseline"))
    compared = f"{network:.4f} against {counts:.4f} nats per token"
    if network < counts:
        return f"the network beats the {order}-gram baseline: {compared}"
    return (
        f"the network does not beat the {order}-gram baseline: {compared}; "
        f"train longer, or on more pieces"
    )
