"""One self-contained HTML page of a run: its pieces to see and hear, and facts about the model.

The page needs no network. Without JavaScript the cursor is missing, and the sound of notes.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seqgen.criticism import Criticism
from seqgen.evaluation.comparison import Comparison
from seqgen.files import write_atomic
from seqgen.report.charts import as_svg
from seqgen.report.curves import Curves, Series, loss_curves
from seqgen.report.look import STYLE, script
from seqgen.report.samples import Samples
from seqgen.run.card import beaten_by, result_facts
from seqgen.run.folder import Run
from seqgen.run.previews import previewed
from seqgen.wording import counted

#: Pictures at least this many times as wide as high take the full width of the page.
NARROW = 1.5

#: Most pieces of a page that holds their sound. In larger ones notes are played by the page itself,
#: as half a minute of sound is as large as the notes of a hundred pieces.
RECORDED = 4

#: Length of the n-grams whose copied share is shown.
NGRAM = 16

#: Begin of the notes of a piece.
NOTES = '<script type="application/json">'

#: Descriptions of ``stopped_by`` in the manifest.
_ENDINGS = {
    "end": "ended by itself",
    "grammar": "ended early, because the grammar allowed nothing else",
    "stop": "stopped where it was asked to",
    "length": "stopped at the length limit",
    "time": "stopped at the time limit",
    "interrupt": "interrupted",
}


def write_page(
    run: Run,
    samples: Samples,
    path: Path,
    compared: Sequence[Comparison] = (),
    note: str = "",
    *,
    alone: bool = False,
) -> Path:
    """Write the page.

    Parameters
    ----------
    run : Run
    samples : Samples
        Each piece is shown by its domain's preview, with links to its files.
    path : Path
        The HTML file.
    compared : sequence of Comparison
        Results of `seqgen.evaluation.comparison.compare`.
    note : str
        What a reader has to know of the data.
    alone : bool
        Hold the files of the pieces in the page itself, which then can be sent without them.

    Returns
    -------
    Path
        The same path.
    """
    domain, name = html.escape(run.info["domain"]), html.escape(run.title)
    is_recorded = len(samples) <= RECORDED
    figures = "\n".join(
        _figure(
            run,
            piece.piece,
            entry,
            _links(samples.folder, entry["files"], path, alone=alone),
            is_recorded=is_recorded,
        )
        for piece, entry in zip(samples.pieces, samples.manifest["pieces"], strict=True)
    )
    about = f"{_chosen(samples)} {html.escape(note)}".rstrip()
    player = ""
    if ("<audio" in figures and "<svg" in figures) or NOTES in figures:
        code = script("synth.js", "player.js", "figures.js")
        player = f'<script type="module">\n{code}</script>\n'
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: new {domain}</title>
<style>{STYLE}</style>
<header>
<h1>New {domain} by the model {name}</h1>
<p>Every piece below was drawn token by token from an LSTM.{about}</p>
{_warning(run)}</header>
<main>
{figures}
{_metrics(compared)}<h2>How it learned</h2>
{_wide(loss_curve(loss_curves(run.metrics, run.info.get("baseline"))))}
<h2>Settings</h2>
{_wide(_table(_facts(run, samples).items()))}
</main>
{player}</html>
"""
    write_atomic(path, page)
    return path


def _warning(run: Run) -> str:
    """Return a paragraph if n-grams or guesses predict better than the model."""
    baseline, best = run.info.get("baseline"), run.info.get("result")
    text = beaten_by(baseline, best) if baseline and best else ""
    said = html.escape(text[:1].upper() + text[1:])
    return f'<p class="warning" role="note">{said}.</p>\n' if text else ""


def _chosen(samples: Samples) -> str:
    """Return how the pieces were chosen, if they were."""
    written = samples.manifest["settings"].get("best_of", 1)
    if written == 1:
        return ""
    return f" For each, {written} were written, and those with the fewest faults were kept."


def loss_curve(curves: Curves | None) -> str:
    """Draw training and validation loss over time, and the baseline, as SVG.

    Parameters
    ----------
    curves : Curves or None
        None if there was no training.
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


def _links(folder: Path, names: Sequence[str], page: Path, *, alone: bool) -> str:
    """Return links to the files of a piece, or with the files in them."""

    def link(name: str) -> str:
        if alone:
            data = base64.b64encode((folder / name).read_bytes()).decode()
            start = f'download="{html.escape(name)}" href="data:application/octet-stream;base64'
            return f'<a {start},{data}">{html.escape(name)}</a>'
        place = quote((folder.relative_to(page.parent) / name).as_posix())
        return f'<a href="{place}">{html.escape(name)}</a>'

    return ", ".join(map(link, names))


def _figure(run: Run, piece: Any, entry: dict[str, Any], links: str, *, is_recorded: bool) -> str:
    forms = run.domain.preview(piece)
    notes = "" if is_recorded else _notes(run, piece, forms)
    if notes:
        forms = {kind: forms[kind] for kind in forms if not _is_sound(kind)}
    preview = previewed(forms) + notes
    about = f"{entry['tokens']:,} tokens, {_ENDINGS[entry['stopped_by']]}"
    if "criticism" in entry:
        about += f". Criticism: {Criticism(**entry['criticism'])}"
    if "novelty" in entry:
        about += f". {novelty_text(entry['novelty'])}"
    shape = ' class="narrow"' if _is_narrow(forms) else ""
    caption = f"<figcaption>{links}: {html.escape(about)}</figcaption>"
    return f"<figure{shape}>\n{preview}\n{caption}\n</figure>"


def _is_sound(kind: str) -> bool:
    return kind.startswith("audio/")


def _notes(run: Run, piece: Any, forms: Mapping[str, bytes | str]) -> str:
    """Return the notes of a piece that sounds for the script of the page; nothing without notes."""
    view = run.domain.view(piece) if any(map(_is_sound, forms)) else None
    if view is None or view.kind != "roll":
        return ""
    content = {"notes": view.parts, "tracks": view.about.get("tracks", [])}
    # No name in it may end the element.
    data = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return f"""
<button type="button" hidden>Play</button>
{NOTES}{data}</script>"""


def _is_narrow(forms: Mapping[str, bytes | str]) -> bool:
    """Return whether a piece is only a picture, and not wide, so that several fit in a row."""
    [*kinds] = forms
    if kinds != ["image/svg+xml"]:
        return False
    picture = forms["image/svg+xml"]
    text = picture if isinstance(picture, str) else picture.decode()
    box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', text)
    return box is not None and float(box[1]) < NARROW * float(box[2])


def novelty_text(found: Mapping[str, Any]) -> str:
    """Return a sentence about the longest copied span, and its source.

    Parameters
    ----------
    found : mapping
        The fields of a `seqgen.evaluation.novelty.Novelty`.
    """
    if not found["longest"]:
        return "Nothing of it occurs in the training pieces."
    share = found["copied"].get(NGRAM)
    shares = "" if share is None else f"; {share:.0%} of its {NGRAM}-grams occur there too"
    return (
        f"Longest copied span: {found['longest']:,} tokens from {found['place']} on, as in "
        f"{found['source']}, {found['source_place']}{shares}."
    )


def _metrics(compared: Sequence[Comparison]) -> str:
    """Return the section that compares pieces with the corpus, or nothing."""
    if not compared:
        return ""
    rows = (
        (
            one.name,
            *one.sides_as_text(),
            one.likeness_as_text()[0],
            one.metric.unit,
        )
        for one in compared
    )
    heads = ("", "new", "corpus", "overlap", "unit")
    count = max(len(one.metric.generated) for one in compared)
    return f"""<h2>Compared with the corpus</h2>
<p>Measured on {counted(count, "new piece")} and on held-out pieces of the corpus: mean and
deviation, or the fullest bin. An overlap of 1 means that new pieces differ from the corpus no more
than its own pieces do.</p>
{_wide(as_svg(compared))}
{_wide(_table(rows, heads))}
"""


def _facts(run: Run, samples: Samples) -> dict[str, str]:
    corpus = run.info["corpus"]
    return {
        "corpus": f"{counted(corpus['pieces'], 'piece')}, "
        f"{corpus['tokens']['train']:,} training tokens",
        "codec": f"{run.info['codec']['name']}, vocabulary of {len(run.info['vocab'])}",
        "model": ", ".join(f"{name} {value}" for name, value in run.info["model"].items()),
        "settings": ", ".join(f"{name} {value}" for name, value in run.info["train"].items()),
        **result_facts(run.info["result"]),
        "sampling": ", ".join(f"{k} {v}" for k, v in samples.manifest["settings"].items()),
        "versions": ", ".join(f"{name} {value}" for name, value in run.info["versions"].items()),
    }


def _wide(content: str) -> str:
    """Return what a narrow screen scrolls, also by keys."""
    return f'<div class="wide" tabindex="0">{content}</div>'


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return cells as a table."""
    lines = [("th", heads)] if heads else []
    lines += [("td", row) for row in rows]
    cells = ("".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) for tag, row in lines)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
