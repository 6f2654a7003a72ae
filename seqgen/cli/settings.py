"""Options from a TOML file, options of several parts, and checks before a command runs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cyclopts
from cyclopts.config import Dict

from seqgen.bounds import check_value
from seqgen.errors import ConfigError
from seqgen.wording import meant

#: Options that are repeated as NAME=VALUE, and may be tables in the file.
_PAIRS = ("codec-option", "label", "read", "write", "bias")

#: The value of --label for no label at all.
NO_LABEL = "none"


def read_settings(path: Path, app: cyclopts.App, commands: Iterable[str]) -> Dict:
    """Read a file of options for the commands of an app.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, or has an unknown table or option.
    """
    tables = _parsed(path)
    known = list(commands)
    for name, table in tables.items():
        if name in known and isinstance(table, dict):
            tables[name] = _checked(f"{path}: [{name}]", table, options_of(app, name))
            continue
        if isinstance(table, dict):
            raise ConfigError(
                f"{path}: there is no command for the table [{name}]{_hint(name, known)}"
            )
        if name in known:
            raise ConfigError(f"{path}: {name!r} must be a table of options, found {table!r}")
        owners = [command for command in known if _plain(name) in options_of(app, command)]
        where = " or ".join(f"[{command}]" for command in owners or ["train"])
        raise ConfigError(f"{path}: {name!r} is outside a table; put options under {where}")
    return Dict(tables, source=str(path))


def named_values(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """Return the values of an option that is repeated as NAME=VALUE, by name.

    Raises
    ------
    ConfigError
        If a pair has no ``=``.
    """
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{option} must be NAME=VALUE, found {pair!r}")
        values[name] = value
    return values


def parse_labels(texts: Iterable[str]) -> dict[str, str] | None:
    """Return the sources of ``NAME=PATTERN`` or ``NAME``, by name.

    Without any text the result is None; for the only text "none" it has no label.

    Raises
    ------
    ConfigError
        If a name occurs twice, or "none" beside others.
    """
    texts = list(texts)
    if not texts:
        return None
    if NO_LABEL in texts and {*texts} != {NO_LABEL}:
        raise ConfigError(
            f"--label {NO_LABEL} uses no label, and there are others; leave one or the other out"
        )
    sources: dict[str, str] = {}
    for text in texts if NO_LABEL not in texts else ():
        name, _, pattern = text.partition("=")
        if name in sources:
            raise ConfigError(f"--label {name} occurs twice; give each label once")
        sources[name] = pattern
    return sources


def parse_weights(texts: Iterable[str]) -> dict[str, float]:
    """Return the weights of ``RULE:WEIGHT`` by rule.

    Raises
    ------
    ConfigError
        If there is no number, or a rule occurs twice.
    """
    weights: dict[str, float] = {}
    for text in texts:
        rule, _, number = text.rpartition(":")
        if rule in weights:
            raise ConfigError(f"--weight {rule} occurs twice; give each rule once")
        try:
            weights[rule] = float(number)
        except ValueError:
            rule = ""
        if not rule:
            raise ConfigError(
                f"--weight must be RULE:NUMBER, such as composer=bach:2 or 'drafts/*.txt:0.5', "
                f"found {text!r}"
            )
    return weights


def check_numbers(
    app: cyclopts.App, commands: tuple[str, ...], arguments: cyclopts.ArgumentCollection
) -> None:
    """Check the numbers of all options, so that an error names the option: ``--top-p``.

    Later checks know only the Python name, and cyclopts would round a fraction.

    Raises
    ------
    ConfigError
        If a number is outside its bounds, or a fraction where a whole number is needed.
    """
    for argument in arguments:
        for token in argument.tokens:
            place = "" if token.source == "cli" else f"{token.source}: "
            # Other texts, such as that of a flag without a value, are judged by cyclopts.
            if (number := _number(token.value)) is not None:
                check_value(f"{place}{argument.name}", number, argument.field_info.annotation)


def _number(text: str) -> float | None:
    """Return the number in a text, or None: ``1e6`` is a whole number, ``1.0`` is not."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if "." not in text and number.is_integer() else number


def _parsed(path: Path) -> dict[str, Any]:
    try:
        # Some Windows editors put a byte-order mark first.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"--config cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _checked(place: str, table: dict[str, Any], options: list[str]) -> dict[str, Any]:
    """Return a table after checking its names; NAME=VALUE pairs become a list of texts."""
    checked = {}
    for name, value in table.items():
        option = _plain(name)
        if option not in options:
            raise ConfigError(f"{place}: unknown option {name!r}{_hint(option, options)}")
        if isinstance(value, dict):
            if option not in _PAIRS:
                raise ConfigError(f"{place}: {name} must be a value, found a table")
            value = [f"{key}={_text(each)}" for key, each in value.items()]
        checked[option] = value
    return checked


def options_of(app: cyclopts.App, command: str) -> list[str]:
    """Return the names of a command's options, without their dashes."""
    arguments = app[command].assemble_argument_collection()
    return [_plain(name) for argument in arguments for name in argument.names]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(name: str) -> str:
    return name.lstrip("-").replace("_", "-")


def _hint(name: str, known: list[str]) -> str:
    return meant(name, known) or f"; known are {', '.join(known)}"
