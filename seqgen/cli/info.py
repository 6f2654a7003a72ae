"""``seqgen info``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.cli.arguments import with_options
from seqgen.cli.opening import opened, say_if_hidden
from seqgen.cli.outputs import check_file
from seqgen.cli.printing import print_json, show
from seqgen.errors import RunError, SeqgenError
from seqgen.wording import counted

if TYPE_CHECKING:
    from seqgen.conditions.requests import Request
    from seqgen.plugin import Codec
    from seqgen.report.curves import Curves


def info(
    folder: Path,
    *,
    plot: Path | None = None,
    near: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Describe a run with its loss curves, or a corpus folder.

    Parameters
    ----------
    folder
        A folder made by `seqgen train` or `seqgen prepare`, or a domain with a model.
    plot
        Also draw the loss curves into this .png or .svg file.
    near
        Instead print the tokens whose learned vectors are most similar to that of this token.
    overwrite
        Replace that file if it exists.
    json
        Print the description as JSON.
    """
    if near is not None:
        _show_neighbours(folder, near, json)
        return
    from seqgen.cli.console import print_facts
    from seqgen.data.corpus import Corpus
    from seqgen.files import CORPUS
    from seqgen.report.curves import IMAGES, loss_curves
    from seqgen.run.card import card_facts, model_card
    from seqgen.run.folder import open_run

    if plot is not None:
        check_file("--plot", plot, IMAGES, overwrite=overwrite)
    curves = None
    say_if_hidden(folder)
    if (folder / CORPUS).exists():
        corpus = Corpus(folder)
        about, codec = corpus.info, _usable(lambda: corpus.codec)
        title, facts = _corpus_title(about), _corpus_facts(about)
        facts = [(name, with_options(fact)) for name, fact in facts]
        text = "\n".join([title, *(f"{name:<12}{fact}" for name, fact in facts)])
    elif _is_nothing(folder):
        found = "it has no corpus.json or run.json" if folder.exists() else "it does not exist"
        raise RunError(
            f"{folder} is neither a run folder nor a corpus folder ({found}); make one with "
            f"seqgen train or seqgen prepare"
        )
    else:
        run = open_run(folder)
        about, codec = run.info, _usable(lambda: run.codec)
        title, facts = f"A {about['domain']} model", [*card_facts(about).items()]
        text = model_card(about, [f"seqgen generate {run.name} -n 4"])
        curves = loss_curves(run.metrics, about.get("baseline"))
    if plot is not None:
        _write_plot(folder, curves, plot)
    requests = {} if codec is None else codec.requests
    if json:
        print_json(about | {"requests": {name: each.offer for name, each in requests.items()}})
        return
    if sys.stdout.isatty():
        print_facts(title, facts)
    else:
        show(text)
    _show_requests(requests)
    if curves is not None:
        _print_curves(curves)
    if plot is not None:
        show(plot)


def _is_nothing(folder: Path) -> bool:
    """Return whether a name is neither that of a run folder nor of a domain."""
    from seqgen.files import RUN
    from seqgen.plugins.discovery import domain_names

    if folder.exists():
        return folder.is_dir() and not (folder / RUN).exists()
    return str(folder) not in domain_names()


def _show_neighbours(folder: Path, name: str, json: bool) -> None:
    """Print the tokens near another one, with their similarity."""
    from seqgen.evaluation.neighbours import neighbours

    found = neighbours(opened(folder), name)
    if json:
        print_json([{"name": each.name, "similarity": each.similarity} for each in found])
        return
    for each in found:
        show(f"{each.similarity:5.2f}  {each.name}")


def _usable(load: Callable[[], Codec]) -> Codec | None:
    """Return a codec, or None where its plugin is missing."""
    try:
        return load()
    except SeqgenError:
        return None


def _show_requests(requests: Mapping[str, Request]) -> None:
    """Print what can be requested of new pieces."""
    if not requests:
        return
    show('requests (--given "NAME=VALUE, NAME=VALUE")')
    for name, request in requests.items():
        show(f"  {name}: {request.offer}")
        show(f"      {request.about}")


def _print_curves(curves: Curves) -> None:
    """Draw the curves, as wide as the terminal."""
    from seqgen.cli.console import print_coloured
    from seqgen.report.curves import as_text

    text = as_text(curves, shutil.get_terminal_size().columns)
    (print_coloured if sys.stdout.isatty() else show)(text)


def _write_plot(folder: Path, curves: Curves | None, path: Path) -> None:
    """Draw the curves into a file."""
    from seqgen.files import write_atomic
    from seqgen.report.curves import as_image

    if curves is None:
        raise RunError(f"{folder} has no record of a training to draw; train it first")
    write_atomic(path, as_image(curves, path.suffix.lower()))


def _corpus_title(about: dict[str, Any]) -> str:
    """Return what made a corpus."""
    return f"corpus of {about['domain']}, {about['distribution']} {about['version']}"


def _corpus_facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a description of a corpus; a fact without a name belongs to the one before."""
    from seqgen.conditions.labels import label_facts
    from seqgen.data.finding import Noted, notes_lines, unread_text

    labels = label_facts(about["codec"].get("labels", ()))
    tokens = ", ".join(f"{split} {count:,}" for split, count in about["tokens"].items())
    units = ", ".join(f"{amount:,.0f} {unit}" for unit, amount in about["units"].items())
    files, groups = len(about["files"]), about["near_duplicate_groups"]
    return [
        ("codec", f"{about['codec']['name']} {about['codec']['options']}"),
        *([("chosen for", about["reason"])] if about["reason"] else []),
        *(("chosen", choice) for choice in about["chosen"]),
        *([("fitted", about["codec"]["note"])] if "note" in about["codec"] else []),
        *(("label", f"{name}: {text}") for name, text in labels.items()),
        ("vocabulary", f"{counted(len(about['vocab']), 'token')}, SHA-256 {about['vocab_digest']}"),
        ("pieces", f"{about['pieces']:,} of {counted(files, 'file')}"),
        ("tokens", f"{tokens}; longest piece {about['longest']:,}"),
        ("that is", units),
        ("duplicates", f"{len(about['duplicates'])}"),
        *(("", str(source)) for source in about["duplicates"]),
        (
            "similar",
            f"{counted(about['near_duplicates'], 'near-duplicate')}, in {counted(groups, 'group')}",
        ),
        *(("note", line) for line in notes_lines(Noted(**note) for note in about["notes"])),
        ("skipped", f"{len(about['skipped'])}"),
        *(("", f"{entry['source']}: {entry['reason']}") for entry in about["skipped"]),
        *([("unread", unread_text(about["unread"]))] if about["unread"] else []),
    ]
