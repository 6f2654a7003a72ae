"""One self-contained HTML page of a run: its pieces, its loss curve and its settings."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from seqgen.curves import Curves, Series, loss_curves
from seqgen.files import write_atomic
from seqgen.plugin import Piece
from seqgen.run import Run, result_facts
from seqgen.samples import Samples

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 2rem 0; }
figcaption { color: GrayText; }
img, svg { max-width: 100%; height: auto; background: white; border-radius: 6px; }
audio { width: 100%; margin: .4rem 0; }
pre { white-space: pre-wrap; border-left: 3px solid #0072b2; padding-left: 1rem; }
table { border-collapse: collapse; }
td { padding: .15rem 1.2rem .15rem 0; vertical-align: top; }
"""


def write_page(run: Run, samples: Samples, path: Path) -> Path:
    """Write the page.

    Parameters
    ----------
    run : Run
    samples : Samples
        Each piece is shown by its domain's preview, and linked.
    path : Path
        Where to.

    Returns
    -------
    Path
        The same path.
    """
    domain = html.escape(run.info["domain"])
    figures = "\n".join(
        _figure(run, piece.piece, entry, samples.folder.relative_to(path.parent))
        for piece, entry in zip(samples.pieces, samples.manifest["pieces"], strict=True)
    )
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>seqgen: {domain}</title>
<style>{_STYLE}</style>
<h1>New {domain}, by an LSTM</h1>
<p>Every piece below was drawn token by token from the model in this folder.</p>
{figures}
<h2>How it learned</h2>
{loss_curve(loss_curves(run.metrics, run.info.get("baseline")))}
<h2>Settings</h2>
{_table(_facts(run, samples))}
</html>
"""
    write_atomic(path, page)
    return path


def loss_curve(curves: Curves | None) -> str:
    """Draw training and validation loss over time, and the baseline, as SVG.

    Parameters
    ----------
    curves : Curves or None
        None says that there was no training.
    """
    if curves is None:
        return "<p>No training was recorded.</p>"
    width, height, left, bottom = 720, 260, 48, 32
    low, high = curves.limits

    def x(seconds: float) -> float:
        return left + (width - left - 8) * seconds / max(curves.longest, 1e-9)

    def y(loss: float) -> float:
        return 8 + (height - bottom - 8) * (high - min(loss, high)) / (high - low)

    def line(points: Series, colour: str, more: str = "") -> str:
        path = " ".join(f"{x(seconds):.1f},{y(loss):.1f}" for seconds, loss in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{more}/>'

    marks = "".join(
        f'<circle cx="{x(seconds):.1f}" cy="{y(loss):.1f}" r="3" fill="#d55e00"/>'
        for seconds, loss in curves.validation
    )
    last = f"; {curves.validation[-1][1]:.3f} at the end" if curves.validation else ""
    baseline = beside = ""
    if curves.baseline is not None:
        name, loss = curves.baseline
        across = [(0.0, loss), (curves.longest, loss)]
        baseline = line(across, "#888", ' stroke-dasharray="6 4"')
        beside = f'; <tspan fill="#888">{html.escape(name)}</tspan> {loss:.3f}'
    return f"""<svg viewBox="0 0 {width} {height}" width="{width}" role="img"
 font-family="system-ui, sans-serif" font-size="12" aria-label="loss curve">
{baseline}{line(curves.training, "#9ecae1")}{line(curves.validation, "#d55e00")}{marks}
<path d="M{left} 8V{height - bottom}H{width - 8}" fill="none" stroke="#888"/>
<text x="4" y="18">{high:.2f}</text><text x="4" y="{height - bottom}">{low:.2f}</text>
<text x="{left}" y="{height - 12}">0 s</text>
<text x="{width - 8}" y="{height - 12}" text-anchor="end">{curves.longest:.0f} s</text>
<text x="{width - 8}" y="22" text-anchor="end">nats per token:
<tspan fill="#6baed6">training</tspan>, <tspan fill="#d55e00">validation</tspan>{last}
{beside}</text>
</svg>"""


def _figure(run: Run, piece: Piece, entry: dict[str, Any], folder: Path) -> str:
    preview = "\n".join(_show(kind, data) for kind, data in run.domain.preview(piece).items())
    links = ", ".join(
        f'<a href="{html.escape((folder / name).as_posix())}">{html.escape(name)}</a>'
        for name in entry["files"]
    )
    ending = {
        "end": "ended by itself",
        "length": "stopped at the length limit",
        "time": "stopped at the time limit",
    }[entry["stopped_by"]]
    return (
        f"<figure>\n{preview}\n<figcaption>{links}: {entry['tokens']:,} tokens, {ending}"
        f"</figcaption>\n</figure>"
    )


def _show(kind: str, data: bytes | str) -> str:
    """Return one form of a piece as HTML."""
    if isinstance(data, str):
        return data if kind in ("text/html", "image/svg+xml") else f"<pre>{html.escape(data)}</pre>"
    source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    if kind.startswith("image/"):
        return f'<img alt="the piece" src="{source}">'
    if kind.startswith("audio/"):
        return f'<audio controls src="{source}"></audio>'
    return f'<a href="{source}">{html.escape(kind)}</a>'


def _facts(run: Run, samples: Samples) -> dict[str, str]:
    corpus = run.info["corpus"]
    return {
        "corpus": f"{corpus['pieces']:,} pieces, {corpus['tokens']['train']:,} training tokens",
        "codec": f"{run.info['codec']['name']}, vocabulary of {len(run.info['vocab'])}",
        "model": ", ".join(f"{name} {value}" for name, value in run.info["model"].items()),
        "settings": ", ".join(f"{name} {value}" for name, value in run.info["train"].items()),
        **result_facts(run.info["result"]),
        "sampling": ", ".join(f"{k} {v}" for k, v in samples.manifest["settings"].items()),
        "versions": ", ".join(f"{name} {value}" for name, value in run.info["versions"].items()),
    }


def _table(facts: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table>{rows}</table>"
