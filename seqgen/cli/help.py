"""The help of the command: the options that matter most, or with ``--help-all`` all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from cyclopts.help.formatters import DefaultFormatter
    from rich.console import Console, ConsoleOptions

#: Flags that ask for help; the last one asks for all options.
FLAGS = ("--help", "-h", "--help-all")

#: Options that the help of a command with many options begins with. Arguments come with them.
MOST_USED = {
    "prepare": (
        *("--out", "--codec", "--codec-option", "--read", "--valid", "--test", "--label"),
        *("--report", "--json"),
    ),
    "train": (
        *("--out", "--from", "--codec", "--valid", "--label", "--hidden", "--layers"),
        *("--minutes", "--epochs", "--device"),
    ),
    "generate": (
        *("--count", "--out", "--prompt", "--given", "--length", "--temperature", "--best-of"),
        *("--seed", "--format", "--page"),
    ),
}

#: Names of arguments that may be left out, other than paths. cyclopts calls all of them ARGS.
_LEFT_OUT = {"compare": "SAMPLES", "domains": "DOMAIN"}

#: Options before the command, which the help of `seqgen` itself explains.
_COMMON = ("--config", "--plugin", "--traceback")


class Help:
    """Formats the help of one command line.

    Parameters
    ----------
    command : str
        The command, or "" for seqgen itself.
    complete : bool
        Whether all options are shown.
    """

    def __init__(self, command: str, complete: bool) -> None:
        self._command, self._complete = command, complete

    @cached_property
    def _formatter(self) -> DefaultFormatter:
        from cyclopts.help.formatters import DefaultFormatter

        return DefaultFormatter()

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print how the command is called."""
        name = _LEFT_OUT.get(self._command, "ARGUMENT")
        text = str(usage or "").replace("[ARGS...]", "[PATHS...]").replace("[ARGS]", f"[{name}]")
        self._formatter.render_usage(console, options, text)

    def render_description(self, console: Console, options: ConsoleOptions, about: Any) -> None:
        """Print what the command does."""
        self._formatter.render_description(console, options, about)

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a group of options."""
        entries = panel.entries if self._complete else list(self._chosen(panel.entries))
        if entries:
            self._formatter(console, options, panel.copy(entries=entries))

    def _chosen(self, entries: Iterable[HelpEntry]) -> Iterable[HelpEntry]:
        """Return the entries to show, without the forms that turn an option off."""
        most_used = MOST_USED.get(self._command)
        for entry in entries:
            names = entry.positive_names
            if self._command and not set(names).isdisjoint(_COMMON):
                continue
            if most_used is None or entry.positional_label or not set(names).isdisjoint(most_used):
                yield entry.copy(negative_names=())


def epilogue(command: str, complete: bool) -> str:
    """Return what the help says at the end."""
    if not command:
        return "seqgen help COMMAND describes a command."
    if complete or command not in MOST_USED:
        return ""
    return f"seqgen {command} --help-all lists all options."


def asked(tokens: Sequence[str], commands: Collection[str]) -> list[str]:
    """Return a command line in which ``help COMMAND`` is ``COMMAND --help``."""
    if tokens[:1] != ["help"]:
        return list(tokens)
    named = list(tokens[1:])
    # What is no command is answered as it is without "help".
    return [*named, FLAGS[0]] if not named or named[0] in commands else named
