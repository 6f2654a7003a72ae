"""The command ``seqgen``: the only place that prints and exits.

Every command is a function in the module of its name, which is imported when the command runs.
Results go to standard output; progress and everything else to the error stream.

Exit status: 0 done, 1 failed, 2 wrong usage or setting, 3 unusable plugin, 4 unusable data, 130
ended by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP. After a signal the model or the pieces so far are
kept.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import cyclopts

import seqgen
from seqgen.cli.failures import WRONG_USAGE, fail, usage_text
from seqgen.cli.help import FLAGS, Help, asked, epilogue
from seqgen.cli.printing import any_encoding, complain, flush, open_outputs
from seqgen.cli.standard_input import with_input
from seqgen.errors import SeqgenError
from seqgen.storage.signals import exit_status

COMMANDS = {
    "demo": "Try a domain: train for a few minutes, write four pieces and a page.",
    "prepare": "Read and encode files into a corpus folder.",
    "train": "Train a model on files, folders or a corpus folder.",
    "resume": "Resume a training that was interrupted.",
    "generate": "Write new pieces with a trained model.",
    "write": "Write a text by turns with a trained model.",
    "serve": "Play with a trained model in the browser.",
    "score": "Measure how well a trained model predicts pieces, compared with a baseline.",
    "compare": "Compare generated pieces with those of the corpus.",
    "export": "Write a trained model as a file for other programs.",
    "info": "Describe a run or a corpus folder.",
    "push": "Upload a trained run to the Hugging Face hub.",
    "pull": "Download a run from the Hugging Face hub.",
    "domains": "List the installed domains, or describe one with all its options.",
    "architectures": "List the installed architectures of the network.",
}

#: Commands for authors of plugins: ``seqgen plugins list``.
PLUGINS = {
    "list": "List the distributions that have plugins, and those that are refused.",
    "check": "Check that a plugin keeps the contract, and how fast it is.",
    "new": "Write a working plugin to change.",
}

#: What to do if the system refuses to write, by error number.
WAYS_OUT = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space")
WAYS_OUT |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "allow writing there")


def shown_default(value: Any) -> str | None:
    """Return a default as the help shows it; None for one that is off or empty."""
    if value is None or value is False or value in ((), ""):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


app = cyclopts.App(
    name="seqgen",
    help="Learn sequences with one LSTM engine and write new ones, step by step.",
    version=f"seqgen {seqgen.__version__}",
    default_parameter=cyclopts.Parameter(negative_iterable=(), show_default=shown_default),
    suppress_keyboard_interrupt=False,
    help_flags=FLAGS,
    version_flags=("--version", "-V"),
)
for _place, (_name, _help) in enumerate(COMMANDS.items()):
    app.command(f"seqgen.cli.{_name}:{_name}", name=_name, help=_help, sort_key=_place)
_plugins = cyclopts.App(
    name="plugins", help="List, check and make plugins.", sort_key=len(COMMANDS)
)
for _name, _help in PLUGINS.items():
    _plugins.command(f"seqgen.cli.plugins_{_name}:plugins_{_name}", name=_name, help=_help)
app.command(_plugins)
app.command(
    "seqgen.cli.completion:install_completion",
    name="--install-completion",
    help="Let the Tab key complete commands and options.",
    sort_key=len(COMMANDS) + 1,
)


@app.meta.default
def launch(
    *tokens: Annotated[str, cyclopts.Parameter(show=False, allow_leading_hyphen=True)],
    config: Path | None = None,
    plugin: tuple[Path, ...] = (),
    traceback: bool = False,
) -> None:
    """Run a command.

    Parameters
    ----------
    tokens
        The command and its arguments.
    config
        TOML file with options, in a table for each command, such as [train].
    plugin
        Python file with a domain that is not installed. May be repeated.
    traceback
        Show the Python traceback of an error, also of files that a plugin fails to read.
    """
    if traceback:
        import logging

        logging.basicConfig(format="%(message)s")
        logging.getLogger("seqgen.faults").setLevel(logging.DEBUG)
    try:
        from seqgen.cli.settings import check_numbers, read_settings

        read = () if config is None else (read_settings(config, app, COMMANDS),)
        app.config = (*read, check_numbers)
        with _plugin_files(plugin):
            _run(with_input(tokens))
        flush()
    except BrokenPipeError:
        if traceback:
            raise
        # The reader of the pipe is gone. Python would write once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SeqgenError as error:
        if traceback:
            raise
        fail(_with_notes(str(error), error), error.exit_status, tokens)
    except OSError as error:
        if traceback:
            raise
        text = _with_notes(_refused(error, tokens[0] if tokens else ""), error)
        fail(text, 1, tokens, None if error.filename is None else str(error.filename))
    except KeyboardInterrupt:
        if traceback:
            raise
        with suppress(OSError):  # the terminal may be closed
            complain("interrupted")
        sys.exit(exit_status())
    except (MemoryError, RuntimeError) as error:
        if traceback or not _is_out_of_memory(error):
            raise
        way_out = (
            "compute the batch in parts (--accumulate 4), use a smaller --batch-size or a smaller "
            "network (--hidden), or close programs"
        )
        fail(f"out of memory; {way_out}", 1, tokens)


@contextmanager
def _plugin_files(paths: tuple[Path, ...]) -> Iterator[None]:
    """Load plugin files, and say in plain words if one has changed since a run was made."""
    if not paths:
        yield
        return
    import warnings

    from seqgen.errors import ChangedPlugin
    from seqgen.plugins.files import load_plugin

    for path in paths:
        load_plugin(path)
    with warnings.catch_warnings():
        warnings.simplefilter("once", ChangedPlugin)
        warnings.showwarning = lambda message, *_, **__: complain(str(message))
        yield


def _run(tokens: list[str]) -> None:
    """Run a command; what plugin code raises becomes a `PluginFault`."""
    try:
        app(tokens)
    except (Exception, SystemExit) as error:
        if "seqgen.plugins.discovery" not in sys.modules:
            raise  # No plugin was looked for, as with --help, which imports nothing heavy.
        from seqgen.plugins.faults import fault_of

        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error


def _with_notes(text: str, error: Exception) -> str:
    """Return the text of an error and the notes that were added to it."""
    return "; ".join([text, *getattr(error, "__notes__", ())])


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether the system or a GPU had no memory left."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _refused(error: OSError, command: str) -> str:
    """Return what the system refused to a command, where, and what to do."""
    from seqgen.cli.settings import options_of

    if error.filename is None or error.strerror is None:
        return f"{error}; --traceback before the command shows where"
    way = WAYS_OUT.get(error.errno or 0)
    if way is None:
        way = "--traceback before the command shows where"
    elif command in COMMANDS and "out" in options_of(app, command):
        way += ", or write elsewhere (--out)"
    return f"{error.strerror}: {error.filename!r}; {way}"


def run(tokens: Sequence[str]) -> None:
    """Run a command line.

    Raises
    ------
    SystemExit
        If it fails.
    """
    names = (*COMMANDS, "plugins")
    tokens = asked(tokens, names)
    command = next((token for token in tokens if token in names), "")
    complete = FLAGS[-1] in tokens
    app.help_formatter = Help(command, complete)
    app.help_epilogue = epilogue(command, complete)
    # The list of commands has no marks, and a reader of Markdown would take a while to import.
    app.help_format = "markdown" if command else "plaintext"
    try:
        app.meta(tokens, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        fail(usage_text(error), WRONG_USAGE, tokens)


def main() -> None:
    """Run the command line of this process."""
    open_outputs()
    with any_encoding():
        run(sys.argv[1:])
