"""``seqgen write``: a person and a model write a text by turns, in a terminal or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, get_type_hints

from cyclopts import Parameter

from seqgen.bounds import Seed, checked
from seqgen.cli.opening import opened
from seqgen.cli.printing import show
from seqgen.config import LimitConfig, SampleConfig, from_mapping
from seqgen.errors import ConfigError, DataError, RunError, SeqgenError
from seqgen.storage.signals import forget_ctrl_c
from seqgen.unknown import OrError

if TYPE_CHECKING:
    from seqgen.generation.manuscript import Manuscript
    from seqgen.plugin import Ids
    from seqgen.run.folder import Run

#: Length of what the model writes in a turn, unless the user says otherwise.
TURN = 200

#: Words of a text have gaps if there is a blank among so many characters.
GAP = 60

#: What the user sees before typing.
PROMPT = "> "

Settings: TypeAlias = SampleConfig | LimitConfig

COMMANDS = {
    "/again": "take back what the model wrote last, and let it try again",
    "/undo": "take back the last turn, yours and the model's",
    "/text": "show the whole text",
    "/save FILE": "write the text to another file",
    "/length 300": "change a setting; without a value, show it. So also /least-length, /unit,",
    "": "/seconds, /temperature, /top-p, /top-k, /min-p and the other options of drawing",
    "/help": "show this list",
    "/quit": "leave; so does Ctrl-D",
}

HELP = """What you type is added to the text, and the model goes on. Enter alone is enough.
The model ends its turn with a word; between it and a word of yours comes a blank.
A line that ends in \\ adds a line end, and you go on typing. Ctrl-C stops the model.
A line that begins with // adds a line that begins with /.
"""


@checked
def write(
    run: Path,
    *,
    prompt: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    given: Annotated[tuple[str, ...], Parameter(allow_leading_hyphen=True)] = (),
    unknown: OrError = "error",
    sample: Annotated[SampleConfig, Parameter(name="*", group="Sampling")] = SampleConfig(),  # noqa: B008
    limit: Annotated[LimitConfig, Parameter(name="*", group="Limits")] = LimitConfig(),  # noqa: B008
    stop: Annotated[tuple[str, ...], Parameter(group="Limits", allow_leading_hyphen=True)] = (),
    seed: Seed = 0,
    int8: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
) -> None:
    """Write a text by turns with a trained model: you type, the model goes on.

    Works for models of text. The model keeps its state, so turns stay fast in a long text. The text
    is saved after every turn. /help lists the commands of a session. Through a pipe each line is a
    turn, also an empty one: (echo One day; echo) | seqgen write RUN

    Parameters
    ----------
    run
        A run folder from `seqgen train`, or a domain with a model: `music`, `text`.
    prompt
        Beginning of the text: a file or text. The model goes on at once.
    given
        Labels that the text follows, such as author=shakespeare. May be repeated.
    unknown
        What to do with symbols that the model does not know: refuse the text (error), leave them
        out (skip), or take the nearest known ones (nearest).
    sample
        How tokens are drawn.
    limit
        When a turn of the model stops; by default after 200 tokens.
    stop
        Stop a turn after this text, such as a full stop; may be repeated.
    seed
        Seed of the random numbers. The same seed and the same turns write the same text.
    int8
        Round the weights to 8 bits: faster, with slightly different probabilities.
    device
        Device to run on: cpu, cuda, mps, or auto.
    out
        A new file for the text; by default the first free of RUN/writing/1.txt, 2.txt ...
    """
    from seqgen.cli.inputs import Inputs
    from seqgen.generation.manuscript import Manuscript

    loaded = opened(run, device)
    if prompt == "-":
        raise ConfigError("seqgen write reads turns from standard input; give --prompt a file")
    inputs = Inputs(loaded, unknown)
    stops = [inputs.stop(text) for text in stop]
    manuscript = Manuscript(loaded, condition=inputs.condition(*given), seed=seed, int8=int8)
    limit = limit if limit.length else replace(limit, length=max(TURN, limit.least_length))
    beginning = "" if prompt is None else inputs.prompt(prompt, 0)
    with _held_file(loaded, out) as file:
        session = Session(manuscript, file, sample, limit, stops, unknown)
        session.check()
        session.run(_lines(), beginning)


@contextmanager
def _held_file(run: Run, out: Path | None) -> Iterator[Path]:
    """Yield the file of a session, by default the first free one; no other session writes it."""
    from seqgen.storage.locks import hold, hold_first

    files = (run.output / "writing" / f"{number}.txt" for number in count(1))
    if out is None:
        with hold_first(files) as free:
            yield free
    else:
        with hold(out):
            yield out


def _lines() -> Iterator[str]:
    """Yield the lines of standard input; a line that ends in a backslash goes on with the next."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if is_terminal:
        with suppress(ImportError):
            import readline  # noqa: F401 - keys to move and to repeat lines
    parts: list[str] = []
    while True:
        try:
            line = input(PROMPT if is_terminal else "")
        except EOFError:
            break
        except KeyboardInterrupt:
            if not forget_ctrl_c():
                raise
            show("\n/quit leaves")
            continue
        if line.endswith("\\"):
            parts.append(line.removesuffix("\\") + "\n")
            continue
        yield "".join(parts) + line
        parts = []
    if parts:
        yield "".join(parts)


class Session:
    """Turns of a person and a model, with commands between them.

    Parameters
    ----------
    manuscript : Manuscript
    file : Path
        Gets the text after every turn.
    sample, limit, stops
        How the model writes; commands change the first two.
    unknown : {"error", "skip", "nearest"}
        What to do with typed symbols that the model does not know.
    """

    def __init__(
        self,
        manuscript: Manuscript,
        file: Path,
        sample: SampleConfig,
        limit: LimitConfig,
        stops: list[Ids],
        unknown: OrError,
    ) -> None:
        self._manuscript, self._file = manuscript, file
        self._sample, self._limit, self._stops, self._unknown = sample, limit, stops, unknown
        self._is_saved = False
        self._commands: dict[str, Callable[[str], None]] = {
            "again": self._again,
            "undo": self._undo,
            "text": lambda _: show(self._manuscript.text),
            "save": self._save_as,
            "help": lambda _: self._help(),
        }

    def check(self) -> None:
        """Refuse a file that exists.

        Raises
        ------
        RunError
        """
        if self._file.exists():
            raise RunError(f"{self._file} is already there; choose another file (--out)")

    def run(self, lines: Iterator[str], beginning: str) -> None:
        """Take turns until /quit or the end of the lines; the first one is the beginning."""
        from seqgen.cli.console import say

        if sys.stdin is not None and sys.stdin.isatty():
            show("Type a text and press Enter: the model goes on. /help lists the commands.")
        try:
            if beginning:
                show(beginning, end="", flush=True)
                self._take(partial(self._go_on, beginning))
            for line in lines:
                if line.strip() == "/quit":
                    break
                self._take(partial(self._turn, line))
        finally:
            if self._is_saved:
                say(f"the text is in {self._file}")

    def _take(self, turn: Callable[[], None]) -> None:
        """Take a turn; an error or Ctrl-C ends the turn and not the session."""
        from seqgen.cli.console import say

        try:
            turn()
        except SeqgenError as error:
            say(str(error))
        except KeyboardInterrupt:
            if not forget_ctrl_c():
                raise
            show()

    def _turn(self, line: str) -> None:
        """Run a command, or add a line to the text and let the model go on."""
        if line.startswith("/") and not line.startswith("//"):
            name, _, value = line[1:].strip().partition(" ")
            command = self._commands.get(name)
            if command is not None:
                command(value.strip())
            else:
                self._set(name, value.strip())
            return
        self._go_on(line[1:] if line.startswith("//") else line)

    def _go_on(self, text: str) -> None:
        """Add text, say which of its symbols were changed, and let the model go on."""
        from seqgen.cli.console import say
        from seqgen.cli.inputs import say_forbidden
        from seqgen.unknown import changes_text

        if text:
            if continues_word(self._manuscript.text, text):
                text = f" {text}"
            before = len(self._manuscript.ids)
            changes = self._manuscript.type(text, self._unknown)
            if changes:
                say(changes_text(changes))
            say_forbidden("", self._manuscript.codec, self._manuscript.ids, before)
        self._write()

    def _write(self) -> None:
        """Let the model go on, show what it writes, and save the text."""
        options = {"sample": self._sample, "limit": self._limit, "stop": self._stops}
        turn = self._manuscript.write(**options, whole_words=True)  # type: ignore[arg-type]
        try:
            with closing(turn) as steps:
                for text in steps:
                    show(text, end="", flush=True)
        finally:
            self._save()
        show()
        if self._manuscript.stopped_by in ("end", "grammar"):
            from seqgen.cli.console import say

            say("(the model would end the text here)")

    def _again(self, _: str) -> None:
        self._manuscript.take_back()
        self._write()

    def _undo(self, _: str) -> None:
        self._manuscript.undo()
        self._save()
        show(self._manuscript.text)

    def _save(self) -> None:
        """Write the text to the file of the session; a full disk, for example, does not end it."""
        from seqgen.cli.console import say
        from seqgen.files import write_atomic

        try:
            write_atomic(self._file, self._manuscript.text)
            self._is_saved = True
        except OSError as error:
            self._is_saved = False
            say(
                f"{self._file} cannot be written ({error.strerror}); "
                f"/save FILE writes the text to another file"
            )

    def _save_as(self, name: str) -> None:
        """Write the text to another file, which must not exist."""
        from seqgen.cli.console import say
        from seqgen.files import write_atomic

        try:
            path = Path(name).expanduser()
            if not name or path.exists():
                raise DataError("/save needs the name of a new file, such as /save story.txt")
            write_atomic(path, self._manuscript.text)
        except (OSError, RuntimeError, ValueError) as error:
            # An unknown user after ~, or a character that no name has, is no error of the system.
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{name} cannot be written ({reason})") from error
        say(f"the text is in {path}")

    def _set(self, name: str, value: str) -> None:
        """Change a setting, or show it if there is no value."""
        from seqgen.cli.console import say

        option = name.replace("-", "_")
        for attribute in ("_sample", "_limit"):
            settings: Settings = getattr(self, attribute)
            if option in settable(type(settings)):
                if value:
                    changed = {each.name: getattr(settings, each.name) for each in fields(settings)}
                    changed[option] = value
                    setattr(self, attribute, from_mapping(type(settings), changed, f"/{name}"))
                now = getattr(getattr(self, attribute), option)
                say(f"{name} is {'the default' if now is None else now}")
                return
        raise DataError(f"there is no command /{name}; /help lists them")

    def _help(self) -> None:
        show(HELP)
        for command, about in COMMANDS.items():
            show(f"  {command:<14}{about}")


def continues_word(text: str, more: str) -> bool:
    """Return whether a text ends in a word, more text begins with one, and words have gaps."""
    from seqgen.generation.manuscript import is_in_word

    has_gaps = " " in text[-GAP:]
    return has_gaps and bool(more) and is_in_word(text[-1]) and is_in_word(more[0])


def settable(kind: type[Settings]) -> list[str]:
    """Return the settings of a kind that one word can change."""
    hints = get_type_hints(kind)
    return [each.name for each in fields(kind) if hints[each.name] not in (tuple[str, ...],)]
