"""Progress and remarks on the error stream: a bar on a terminal, lines in a log."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from seqgen.cli.arguments import with_options
from seqgen.cli.printing import visible
from seqgen.data.corpus import Corpus
from seqgen.data.finding import Noted, Skipped, notes_lines, unread_text
from seqgen.wording import counted

#: For progress and remarks; the results of a command go to standard output.
stderr = Console(stderr=True, highlight=False)

#: Width of a table in a pipe, larger than any row.
WHOLE_LINE = 10_000

#: Most notes about files that are printed.
NOTES = 10

#: Most skipped sources that are printed.
SKIPPED = 10

#: Seconds between two lines in a log.
LINE_EVERY = 10.0


class Meter(Protocol):
    """A function that shows the progress of some work."""

    def __call__(self, fraction: float, text: str, *, remember: bool = False) -> None:
        """Show the share of the work done, 0 to 1, and a text; `remember` keeps the text."""
        ...


@contextmanager
def meter(title: str) -> Iterator[Meter]:
    """Show progress until the block ends."""
    with (_bar if stderr.is_terminal else _lines)(title) as show:
        yield show


@contextmanager
def _bar(title: str) -> Iterator[Meter]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=stderr) as progress:
        task = progress.add_task(title, total=1.0, text="")

        def show(fraction: float, text: str, *, remember: bool = False) -> None:
            """Move the bar; a text to remember stays above it."""
            text = visible(text, sys.stderr)
            progress.update(task, completed=min(fraction, 1.0), text=text)
            if remember:
                progress.print(Text(f"  {text}"))

        yield show


@contextmanager
def _lines(title: str) -> Iterator[Meter]:
    began = last = time.monotonic()
    is_begun, waiting = False, ""

    def show(fraction: float, text: str, *, remember: bool = False) -> None:
        """Print a line if the last one is long ago, or the text is to be remembered."""
        nonlocal last, is_begun, waiting
        now = time.monotonic()
        done = min(fraction, 1.0)
        # Before a hundredth is done, the first moments say nothing about the rest.
        left = f"{(now - began) * (1 - done) / done:4.0f} s left" if done >= 0.01 else ""
        waiting = f"{title} {done:4.0%}  {left}  {text}"
        if remember or now - last >= LINE_EVERY:
            say(waiting)
            last, is_begun, waiting = now, True, ""

    yield show
    if is_begun and waiting:
        say(waiting)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say what runs until the block ends: at once on a terminal, after a while in a log."""
    if stderr.is_terminal:
        with stderr.status(Text(visible(text, sys.stderr))):
            yield
        return
    timer = threading.Timer(LINE_EVERY, say, [f"running: {text}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say(text: str) -> None:
    """Print a remark, with options in the place of Python's arguments."""
    stderr.print(visible(with_options(text), sys.stderr), markup=False, soft_wrap=True)


@contextmanager
def saying(logger: str) -> Iterator[None]:
    """Print what a logger warns of as remarks, until the block ends."""
    log = logging.getLogger(logger)
    remarks = logging.Handler(logging.WARNING)
    remarks.emit = lambda record: say(record.getMessage())  # type: ignore[method-assign]
    before, log.propagate = log.propagate, False
    log.addHandler(remarks)
    try:
        yield
    finally:
        log.removeHandler(remarks)
        log.propagate = before


def print_table(rows: list[list[str]]) -> None:
    """Print rows of text as a result; the first row names the columns.

    The first and last columns are text, the others numbers.
    """
    # In a pipe every row is one line.
    stdout = Console(highlight=False, width=None if sys.stdout.isatty() else WHOLE_LINE)
    names, *content = rows
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(names):
        words = number in (0, len(names) - 1)
        drawn.add_column(_cell(name), justify="left" if words else "right", overflow="fold")
    for row in content:
        drawn.add_row(*map(_cell, row))
    stdout.print(drawn)


def print_facts(title: str, facts: Iterable[tuple[str, str]]) -> None:
    """Print facts with their names as a table of a terminal, which wraps long ones."""
    stdout = Console(highlight=False)
    drawn = Table(title=_cell(title), title_justify="left", show_header=False, pad_edge=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, fact in facts:
        drawn.add_row(_cell(name), _cell(fact))
    stdout.print(drawn)


def print_coloured(text: str) -> None:
    """Print a text of our own whose colours are codes for a terminal; all other codes go."""
    Console(highlight=False, soft_wrap=True).print(Text.from_ansi(text))


def _cell(text: str) -> Text:
    """Return a table cell of one line."""
    return Text(visible(text, sys.stdout).replace("\n", "\u240a"))


def say_corpus(corpus: Corpus) -> None:
    """Print a summary of a corpus: its codec, its pieces, and what was left out."""
    from seqgen.conditions.labels import check_labels

    info = corpus.info
    if info["reason"]:
        say(f"chose codec {info['codec']['name']}: {info['reason']}")
    for choice in info["chosen"]:
        say(f"chose {choice}")
    tokens = ", ".join(f"{count:,} {split}" for split, count in info["tokens"].items())
    say(
        f"{counted(info['pieces'], 'piece')} as {info['codec']['name']} tokens "
        f"({tokens}); vocabulary {len(info['vocab'])}"
    )
    if note := info["codec"].get("note"):
        say(note)
    for label in check_labels(info["codec"].get("labels", ())):
        say(label.summary)
    if info["duplicates"]:
        say(f"left out {counted(len(info['duplicates']), 'duplicate piece')}")
    if info["near_duplicates"]:
        across = info["near_duplicates_across_splits"]
        say(
            f"{info['near_duplicates']:,} pieces are near-duplicates, in "
            f"{counted(info['near_duplicate_groups'], 'group')}; "
            + (
                f"{across:,} held-out pieces have one in training"
                if across
                else "no group is split"
            )
        )
    lines = notes_lines(Noted(**note) for note in info["notes"])
    for line in lines[:NOTES]:
        say(line)
    if len(lines) > NOTES:
        say(f"{len(lines) - NOTES} more notes; seqgen info {corpus.folder} lists them")
    say_skipped(
        [Skipped(**entry) for entry in info["skipped"]], f"; seqgen info {corpus.folder} lists them"
    )
    if info["unread"]:
        say(unread_text(info["unread"]))


def say_skipped(skipped: Sequence[Skipped], elsewhere: str = "") -> None:
    """Print which sources could not be used; `elsewhere` says where the rest is listed."""
    if skipped:
        say(f"left out {counted(len(skipped), 'source')} that could not be used:")
    for entry in skipped[:SKIPPED]:
        say(f"  {entry.source}: {entry.reason}")
    if len(skipped) > SKIPPED:
        say(f"  and {len(skipped) - SKIPPED} more{elsewhere}")
