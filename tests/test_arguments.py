"""Messages name arguments of Python; the command shows options in their place."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import seqgen
from seqgen.cli import COMMANDS, app
from seqgen.cli.arguments import ARGUMENT, with_options
from seqgen.cli.settings import options_of
from seqgen.errors import DataError

ROOT = Path(__file__).parent.parent

#: Files whose texts are the command's, or show command lines, or describe requests in Markdown.
OTHERS = ("seqgen/cli", "seqgen/serve/asking.py", "seqgen/serve/description.py")

#: A whole command line, which a message may show to everybody.
WHOLE = re.compile(r"seqgen (--plugin|[a-z]+) .*")


def docstrings(tree: ast.AST) -> set[int]:
    """Return which texts of a module stand alone: docstrings, also those of fields."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def texts_of(path: Path) -> Iterator[str]:
    """Yield the texts of a module without docstrings; X stands for what comes in at run time."""
    tree = ast.parse(path.read_text())
    alone, parts = docstrings(tree), set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in ast.walk(node)}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in alone | parts:
            yield str(node.value)


def messages() -> Iterator[tuple[str, str]]:
    """Yield the texts of seqgen and its plugins that are not the command's, with their files."""
    packages = [ROOT / "seqgen", *ROOT.glob("plugins/*/seqgen_*")]
    for path in sorted(path for package in packages for path in package.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(OTHERS):
            yield from ((name, text) for text in texts_of(path))


def test_no_message_for_programs_names_an_option_of_the_command() -> None:
    found = [
        (name, text)
        for name, text in messages()
        if re.search(r"(?<![\w-])--[a-z]", WHOLE.sub("", text))
    ]
    assert found == []


def test_every_argument_in_a_message_is_one_and_has_its_option() -> None:
    callables = [getattr(seqgen, name) for name in seqgen.__all__ if name != "__version__"]
    arguments = {*seqgen.__all__, "port"}  # of `seqgen serve`, which has no function of its own
    arguments |= {name for each in callables for name in inspect.signature(each).parameters}
    for config in (seqgen.ModelConfig, seqgen.TrainConfig, seqgen.SampleConfig, seqgen.LimitConfig):
        arguments |= {field.name for field in fields(config)}
    options = {f"--{name}" for command in COMMANDS for name in options_of(app, command)}
    found = {match for _, text in messages() for match in ARGUMENT.finditer(text)}
    assert len(found) > 30
    strange = [
        match.string
        for match in found
        if match[1] not in arguments or with_options(match[0]).split()[0] not in options
    ]
    assert strange == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("or pass `overwrite=True`", "or pass --overwrite"),
        ("the same `batch_size`", "the same --batch-size"),
        ('(`condition="composer=VALUE"`)', "(--given composer=VALUE)"),
        ('`read_options={"encoding": "latin-1"}`', "--read encoding=latin-1"),
        ('`labels={"a": "", "b": "{}/*"}`', "--label a --label 'b={}/*'"),
        ("`epochs=3`, or more `dropout`", "--epochs 3, or more --dropout"),
        ("found '`valid`'", "found '`valid`'"),
        ("`condition=((`", "--given '(('"),
        ("a ` b` and ``code``", "a ` b` and ``code``"),
    ],
)
def test_the_command_shows_options_in_the_place_of_arguments(message: str, shown: str) -> None:
    assert with_options(message) == shown


def test_a_failure_is_told_to_each_in_its_own_words(run, seqgen_command, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'use `unknown="skip"`'):
        list(seqgen.generate(run, prompt="\u4e00"))
    _, out, err = seqgen_command("generate", run.folder, "--prompt", "\u4e00", "--json")
    assert "use --unknown skip or --unknown nearest" in err and "use --unknown skip" in out
