"""Checks requests by the table that describes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import fastjsonschema
from starlette.datastructures import Headers, ImmutableMultiDict

from seqgen.errors import ConfigError
from seqgen.serve.description import MOST_NUMBER, NAMED


class Misfit(ConfigError):
    """A request that is not as the description says."""


@cache
def _check_of(name: str) -> Callable[[Any], Any]:
    """Return what checks the body of an operation."""
    body = NAMED[name].body
    assert body is not None
    return fastjsonschema.compile(body)


def check_body(name: str, body: Any) -> None:
    """Check the JSON that was sent for an operation.

    Raises
    ------
    Misfit
        With the first place that is not as described.
    """
    try:
        _check_of(name)(body)
    except fastjsonschema.JsonSchemaValueException as error:
        place = ".".join(error.path[1:]) or "the request"
        raise Misfit(f"{place} {_expected(error)}, found {error.value!r:.60}") from None


def read_parameters(
    name: str, query: ImmutableMultiDict[str, str], headers: Headers
) -> dict[str, Any]:
    """Return what was sent by name for an operation.

    Raises
    ------
    Misfit
        If one is missing, is there twice, or is not as described.
    """
    operation, found = NAMED[name], {}
    for sent, schemas in ((query, operation.query), (headers, operation.headers)):
        for each, schema in schemas.items():
            values = sent.getlist(each)
            if len(values) > 1 or (each in operation.required and not values):
                raise Misfit(f"{each} must be there once, found {len(values)} times")
            for value in values:
                found[each] = _whole(each, value) if schema["type"] == "integer" else value
    return found


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_NUMBER))):
        raise Misfit(f"{name} must be from 0 to {MOST_NUMBER}, found {text[:40]!r}")
    return int(text)


def _expected(error: fastjsonschema.JsonSchemaValueException) -> str:
    """Return what was expected."""
    schema = error.definition
    if error.rule == "additionalProperties":
        return f"may have {', '.join(schema['properties'])} only"
    if error.rule == "anyOf" and schema["type"] != "object":
        ends, others = schema["anyOf"]
        listed = ", ".join(map(str, others["enum"]))
        return f"must be {listed}, or from {ends['minimum']} to {ends['maximum']}"
    if error.rule == "anyOf":
        choices = " or ".join(" with ".join(each["required"]) for each in schema["anyOf"])
        return f"must have {choices}"
    if error.rule in ("minimum", "maximum") and "maximum" in schema:
        return f"must be from {schema['minimum']} to {schema['maximum']}"
    return f"{error.message}".removeprefix(f"{error.name}").strip()
