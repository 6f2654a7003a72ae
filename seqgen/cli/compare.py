"""``seqgen compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.cli.opening import opened
from seqgen.cli.printing import print_json, show
from seqgen.errors import ConfigError
from seqgen.wording import counted

if TYPE_CHECKING:
    from seqgen.evaluation.comparison import Comparison
    from seqgen.plugin import Piece
    from seqgen.run.folder import Run

#: Fewer generated pieces than this give unreliable figures.
FEW = 20


def compare(
    run: Path, samples: Path | None = None, *, corpus: Path | None = None, json: bool = False
) -> None:
    """Compare generated pieces with the corpus by the domain's metrics.

    Writes metrics.json and metrics.svg into the folder of the samples. An overlap of 1 means that a
    generated piece is no further from the corpus than the corpus's own pieces are. One piece has
    neither a deviation nor an overlap (n/a); generate at least 20.

    Parameters
    ----------
    run
        The run folder.
    samples
        A folder of samples. Default: the newest of RUN/samples/1, 2 ...
    corpus
        Where the corpus of the run is, if it has moved.
    json
        Print the content of metrics.json.
    """
    from seqgen.cli.console import print_table, say
    from seqgen.files import read_description
    from seqgen.report.reading_back import newest_samples_folder, read_samples

    loaded = opened(run, "cpu", corpus)
    loaded.corpus()
    folder = samples or newest_samples_folder(loaded)
    pieces, refused = read_samples(loaded, folder)
    for reason in refused:
        say(f"left out {reason}")
    compared = compare_samples(loaded, folder, pieces)
    if not compared:
        raise ConfigError(
            f"the domain {loaded.info['domain']} has no metrics; "
            "seqgen score measures how well a model predicts pieces"
        )
    if json:
        print_json(read_description(folder / "metrics.json"))
        return
    if len(pieces) < FEW:
        say(
            f"{counted(len(pieces), 'new piece')} cannot be judged reliably; "
            f"generate more with seqgen generate {run} -n 50"
        )
    print_table(table(compared))
    for name in ("metrics.json", "metrics.svg"):
        show(folder / name)


def compare_samples(
    run: Run, folder: Path, pieces: Sequence[Piece], probes: int | None = None
) -> list[Comparison]:
    """Compare the pieces of a folder with the run's corpus; write metrics.json and metrics.svg.

    At most `probes` probes are written; by default all that the domain has.
    """
    from seqgen.cli.console import meter
    from seqgen.data.spans import evaluated_split
    from seqgen.evaluation.comparison import compare as measure_and_compare
    from seqgen.evaluation.probing import probe
    from seqgen.files import write_atomic, write_json
    from seqgen.report.charts import as_svg
    from seqgen.storage.locks import sweep

    corpus = run.corpus()
    with meter("compare") as bar:

        def show_probes(done: int, total: int) -> None:
            # The metrics of the probes take about as long as the other two steps.
            measuring = "; measuring them" if done == total else ""
            bar(0.2 + 0.3 * done / total, f"{done} of {total} probes written{measuring}")

        bar(0.0, "metrics of the pieces")
        compared = measure_and_compare(run, pieces, corpus)
        compared += probe(run, corpus, most=probes, progress=show_probes)
    if compared:
        about: dict[str, Any] = {
            "seqgen": "metrics",
            "run": run.title,
            "corpus": corpus.folder.resolve().name,
            "split": evaluated_split(corpus),
            "metrics": {one.name: one.as_json() for one in compared},
        }
        sweep(folder)
        write_json(folder / "metrics.json", about)
        write_atomic(folder / "metrics.svg", as_svg(compared))
    return compared


def table(compared: Sequence[Comparison]) -> list[list[str]]:
    """Return the names of the columns, then one row for each metric."""
    rows = [["metric", "new", "corpus", "overlap", "KL", "unit"]]
    for one in compared:
        rows.append([one.name, *one.sides_as_text(), *one.likeness_as_text(), one.metric.unit])
    return rows
