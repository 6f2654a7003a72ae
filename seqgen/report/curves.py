"""Loss curves of a training: as series, as text for the terminal, and as an image.

Comes from: `seqgen.run.folder`, which reads the reports. Next: `seqgen.report.page` draws the same
series.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

from seqgen.errors import SeqgenError

#: Pairs of seconds and nats per token, in order of time.
Series: TypeAlias = list[tuple[float, float]]

#: Share of all reports, on either side, over which a training loss is averaged.
SMOOTHED = 1 / 50

#: Suffixes of the images that can be drawn.
IMAGES = (".png", ".svg")


@dataclass(frozen=True)
class Curves:
    """Loss curves.

    Attributes
    ----------
    training, validation : list of (float, float)
        Seconds and nats per token; the training loss is smoothed a little.
    baseline : pair of str and float, or None
        Name of the n-gram model to compare with, and its validation loss.
    """

    training: Series
    validation: Series
    baseline: tuple[str, float] | None

    @property
    def longest(self) -> float:
        """Seconds at the last report."""
        return self.training[-1][0]

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest loss to draw."""
        # Leave out the first losses, of untrained weights, so that the others can be told apart.
        settled = self.training[len(self.training) // 20 :]
        losses = [loss for _, loss in settled + self.validation]
        if self.baseline is not None:
            losses.append(self.baseline[1])
        low, high = min(losses), max(losses)
        return low, high if high > low else low + 1.0


def loss_curves(
    metrics: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any] | None = None
) -> Curves | None:
    """Turn the reports of a run into curves; None if there are no reports.

    Parameters
    ----------
    metrics : sequence of dict
        Lines of a run's ``metrics.jsonl``.
    baseline : dict, optional
        ``order`` and ``valid_loss`` of the n-gram model that `run.json` names.
    """
    rows: list[Mapping[str, Any]] = []
    # A resumed training repeats the reports after its last checkpoint: the later lines count.
    for row in reversed(metrics):
        if not rows or row["seconds"] < rows[-1]["seconds"]:
            rows.append(row)
    rows.reverse()
    if not rows:
        return None
    return Curves(
        training=_smoothed([(row["seconds"], row["loss"]) for row in rows]),
        validation=[
            (row["seconds"], row["valid_loss"]) for row in rows if row["valid_loss"] is not None
        ],
        baseline=(f"{baseline['order']}-gram", baseline["valid_loss"]) if baseline else None,
    )


def _smoothed(series: Series) -> Series:
    """Return the moving average of a series."""
    reach = int(len(series) * SMOOTHED)
    sums = list(accumulate((loss for _, loss in series), initial=0.0))
    means = []
    for number, (seconds, _) in enumerate(series):
        first, stop = max(number - reach, 0), min(number + reach + 1, len(series))
        means.append((seconds, (sums[stop] - sums[first]) / (stop - first)))
    return means


def as_text(curves: Curves, width: int = 80, height: int = 14) -> str:
    """Draw curves with characters: a line for training, o for validation, - for the baseline.

    Colours appear only if standard output is a terminal.

    Parameters
    ----------
    curves : Curves
    width, height : int
        Total number of columns, and number of lines between the axes.
    """
    import plotille

    (low, high), (unit, second) = curves.limits, _time_unit(curves.longest)
    figure = plotille.Figure()
    # The vertical axis takes 14 columns; the end of the other one names its unit.
    figure.width, figure.height = max(width - 14 - len(f"-> ({unit})"), 10), height
    figure.origin = False
    figure.x_label, figure.y_label = unit, "nats"
    # A character has 2 by 4 dots. The curves end at the last dot, not at the edge.
    across, up = 2 * figure.width, 4 * height
    figure.set_x_limits(0.0, max(curves.longest / second, 1e-9) * across / (across - 1))
    figure.set_y_limits(low, low + (high - low) * up / (up - 1))
    figure.x_ticks_fkt = lambda at, _: f"{at:.3g}"
    figure.y_ticks_fkt = lambda at, _: f"{at:.2f}"

    def points(series: Series) -> tuple[list[float], list[float]]:
        return [at / second for at, _ in series], [min(loss, high) for _, loss in series]

    if curves.baseline is not None:
        every_column = [
            (curves.longest * (column + 0.5) / figure.width, curves.baseline[1])
            for column in range(figure.width)
        ]
        figure.scatter(*points(every_column), lc="bright_black", marker="-")
    figure.plot(*points(curves.training), lc="blue")
    figure.scatter(*points(curves.validation), lc="red", marker="o")
    # An output without braille would show every empty character as a question mark.
    drawing = figure.show().replace("\N{BRAILLE PATTERN BLANK}", " ")
    return "\n".join(line.rstrip() for line in f"{drawing}\n\n{_legend(curves)}".splitlines())


def _legend(curves: Curves) -> str:
    """Return the legend, with the last value of each curve."""
    parts = [f"⠤⠤ training, {curves.training[-1][1]:.3f} at the end"]
    if curves.validation:
        best = min(loss for _, loss in curves.validation)
        parts.append(f"o validation, {curves.validation[-1][1]:.3f} at the end, {best:.3f} at best")
    if curves.baseline is not None:
        parts.append(f"- {curves.baseline[0]}, {curves.baseline[1]:.3f}")
    return "\n".join(f"{'':13}{part}" for part in parts)


def as_image(curves: Curves, suffix: str) -> bytes:
    """Draw curves as an image; the same curves give the same bytes.

    Parameters
    ----------
    curves : Curves
    suffix : str
        One of `IMAGES`.

    Raises
    ------
    SeqgenError
        If matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise SeqgenError(
            "drawing an image needs matplotlib, which is not installed; "
            "try: python -m pip install 'seqgen-toolkit[plot]'"
        ) from error

    (low, high), (unit, second) = curves.limits, _time_unit(curves.longest)
    figure = Figure(figsize=(8.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, series, style in (
        ("training", curves.training, {"color": "#6baed6"}),
        ("validation", curves.validation, {"color": "#d55e00", "marker": "o", "markersize": 4}),
    ):
        axes.plot(
            [at / second for at, _ in series], [loss for _, loss in series], label=name, **style
        )
    if curves.baseline is not None:
        name, loss = curves.baseline
        axes.axhline(loss, label=name, color="#888888", linestyle="--")
    margin = (high - low) / 20
    axes.set(
        xlabel=unit,
        ylabel="loss (nats per token)",
        xlim=(0.0, max(1.01 * curves.longest / second, 1e-9)),
        ylim=(low - margin, high + margin),
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "seqgen"}):
        undated = {"Date": None} if suffix == ".svg" else {}
        figure.savefig(content, format=suffix.removeprefix("."), dpi=150, metadata=undated)
    return content.getvalue()


def _time_unit(longest: float) -> tuple[str, float]:
    """Return the unit for times up to `longest` seconds, and its length in seconds."""
    if longest < 300:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest < 3 * 3600 else ("hours", 3600.0)
