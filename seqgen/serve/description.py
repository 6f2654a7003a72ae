"""The requests of a playground in one table, and the OpenAPI document that comes from it.

Routes (`seqgen.serve.app`) and checks (`seqgen.serve.checking`) come from the table, too.

A request is added here as an `Operation`, and as a method of its name in `seqgen.serve.app`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from seqgen import __version__
from seqgen.bounds import Seed, Within, bounded_hints
from seqgen.config import LimitConfig, SampleConfig
from seqgen.serve.asking import (
    DRAWING,
    LIMITS,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_GIVEN,
    MOST_TOKENS,
    ROLES,
)
from seqgen.serve.guard import MOST_BYTES

Schema: TypeAlias = dict[str, Any]

#: Most of a number in an address.
MOST_NUMBER = 999_999_999


def _number(hint: Any) -> Schema:
    """Return the schema of a number with bounds; None and infinity are left out of requests."""
    [bounds] = [each for each in hint.__metadata__ if isinstance(each, Within)]
    kind = get_args(hint)[0]
    is_whole = float not in (get_args(kind) or (kind,))
    found: Schema = {"type": "integer" if is_whole else "number"}
    ends = {"minimum": bounds.least, "maximum": bounds.most}
    besides = [each for each in bounds.besides if math.isfinite(each)]
    if besides:  # such as the temperature 0, which is greedy
        return found | {"anyOf": [ends, {"enum": besides}]}
    return found | ends


def _settings(config: type[Any], names: tuple[str, ...]) -> Schema:
    """Return the schema of settings; texts are known to the run only."""
    hints = bounded_hints(config)
    return _object(
        {name: _TEXT if hints[name] is str else _number(hints[name]) for name in names}, ()
    )


def _object(properties: Schema, required: tuple[str, ...], *others: tuple[str, ...]) -> Schema:
    """Return the schema of an object with these names only; `others` are required instead."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if others:
        return schema | {"anyOf": [{"required": [*each]} for each in (required, *others)]}
    return schema | ({"required": [*required]} if required else {})


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_NAME = _TEXT | {"maxLength": LONGEST_NAME}
_LONG_TEXT = _TEXT | {"maxLength": LONGEST_TEXT}

_SAMPLE = _settings(SampleConfig, DRAWING)

#: Bodies of requests.
PROMPT = _object(
    {
        "text": _LONG_TEXT | {"minLength": 1},
        "name": _NAME,
        "content": _TEXT | {"contentEncoding": "base64", "format": "byte", "maxLength": MOST_BYTES},
        "piece": _NAME,
        "role": {"enum": [*ROLES]},
    },
    ("text",),
    ("name", "content"),
    ("piece",),
)
PIECE = _object(
    {
        "prompt": _NAME | {"type": ["string", "null"]},
        "from": _object(
            {"piece": _NAME, "tokens": _WHOLE | {"maximum": MOST_TOKENS}, "token": _WHOLE},
            ("piece", "tokens", "token"),
        ),
        "given": _list(_LONG_TEXT, maxItems=MOST_GIVEN),
        "follow": _NAME | {"type": ["string", "null"]},
        "keep": _LONG_TEXT | {"type": ["string", "null"]},
        "sample": _SAMPLE,
        "limit": _settings(LimitConfig, LIMITS),
        "seed": _number(Seed),
    },
    (),
)
CHANGE = _object({"sample": _SAMPLE}, ("sample",))

#: Bodies of answers; later versions may add names to them.
VIEW: Schema = {
    "type": ["object", "null"],
    "properties": {"at": _WHOLE, "parts": {"type": "array"}, "about": {"type": "object"}},
    "required": ["at", "parts"],
}
READ: Schema = {
    "type": "object",
    "properties": {
        "prompt": _TEXT,
        "role": {"enum": [*ROLES[:2]]},
        "tokens": _list({"type": "array", "minItems": 2, "maxItems": 2}),  # id and text
        "view": VIEW,
    },
    "required": ["prompt", "role", "tokens", "view"],
}
BEGUN: Schema = {
    "type": "object",
    "properties": {"piece": _TEXT, "command": _TEXT},
    "required": ["piece", "command"],
}
KEPT: Schema = {
    "type": "object",
    "properties": {"folder": _TEXT, "files": _list(_TEXT)},
    "required": ["folder", "files"],
}
NOVELTY: Schema = {
    "type": "object",
    "properties": {
        "about": _TEXT,
        "longest": _WHOLE,
        "source": _TEXT,
        "copied": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "required": ["about", "longest"],
}
OTHERS: Schema = {
    "type": "object",
    "properties": {
        "alternatives": _list(
            {
                "type": "object",
                "properties": {
                    "id": _WHOLE,
                    "text": {"type": ["string", "null"]},
                    "probability": {"type": "number", "minimum": 0, "maximum": 1},
                },
                "required": ["id", "text", "probability"],
            }
        )
    },
    "required": ["alternatives"],
}
RUN: Schema = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "domain": _TEXT,
        "codec": _TEXT,
        "view": {"enum": ["text", "roll", "ink", "sound", "tokens"]},
        "is_typed": {"type": "boolean"},
        "follows_text": {"type": "boolean"},
        "rewrites": {"type": "boolean"},
        "has_corpus": {"type": "boolean"},
        "suffixes": _list(_TEXT),
        "formats": _list(_TEXT),
        "units": _list(_TEXT),
        "labels": {"type": "object", "additionalProperties": _list(_TEXT)},
        "requests": {"type": "object"},
        "controls": _list(
            {
                "type": "object",
                "properties": {
                    "name": _TEXT,
                    "default": {"type": ["number", "null"]},
                    "least": {"type": "number"},
                    "most": {"type": "number"},
                    "about": _TEXT,
                },
            }
        ),
        "most_tokens": _WHOLE,
        "warning": _TEXT,
    },
    "required": ["name", "domain", "codec", "view", "formats", "units", "controls"],
}

#: One event of a stream; `data` is JSON.
EVENT: Schema = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "event": {"enum": ["note", "tokens", "view", "settings", "done", "error"]},
        "data": _TEXT | {"contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}

REFUSALS = {
    400: "The request is not as described here.",
    403: "The token, the host or the origin is wrong.",
    404: "There is no piece or prompt of this name, or it is no longer kept.",
    411: "The length of the request is missing.",
    413: "The request is too long.",
    422: "The request is as described, but this run cannot do it.",
    429: "As much is being written or read as can be.",
    500: "Something failed; the terminal says what.",
}


@dataclass(frozen=True)
class Operation:
    """A request and its answer.

    Attributes
    ----------
    name : str
        The method of `seqgen.serve.app` that answers.
    method, path, about : str
    status : int
        Of the answer.
    answer : mapping or None
        Schema of the answer; of each event if it is a stream.
    media : str
        Type of the answer; empty if it has no content.
    body : mapping or None
        Schema of the JSON that is sent.
    query, headers : mapping
        Schemas of what may be sent by name.
    required : tuple of str
        What of `query` has to be there.
    """

    name: str
    method: str
    path: str
    about: str
    status: int = 200
    answer: Schema | None = None
    media: str = "application/json"
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()


_NUMBER = _WHOLE | {"maximum": MOST_NUMBER}
_ONE = "/api/pieces/{piece}"

OPERATIONS = (
    Operation("run", "GET", "/api/run", "What a page has to know of the run.", answer=RUN),
    Operation(
        "openapi", "GET", "/api/openapi.json", "This description.", answer={"type": "object"}
    ),
    Operation(
        "prompt",
        "POST",
        "/api/prompt",
        "Read a beginning or a given piece: a text, a file of the domain, or a finished piece.",
        answer=READ,
        body=PROMPT,
    ),
    Operation(
        "begin",
        "POST",
        "/api/pieces",
        "Begin a piece, as `seqgen generate` does; or go on from another token of a piece.",
        status=201,
        answer=BEGUN,
        body=PIECE,
    ),
    Operation(
        "events",
        "GET",
        f"{_ONE}/events",
        "Server-sent events: `note`, `tokens`, `view`, `settings`, and last `done` or `error`.",
        answer=EVENT,
        media="text/event-stream",
        query={"after": _NUMBER},
        headers={"Last-Event-ID": _NUMBER},
    ),
    Operation(
        "alternatives",
        "GET",
        f"{_ONE}/alternatives",
        "What else could have come at a position.",
        answer=OTHERS,
        query={"at": _NUMBER},
        required=("at",),
    ),
    Operation(
        "file",
        "GET",
        f"{_ONE}/file",
        "A finished piece as a file; several files come as one ZIP archive.",
        media="application/octet-stream",
        query={"format": _TEXT},
        required=("format",),
    ),
    Operation(
        "keep",
        "POST",
        f"{_ONE}/keep",
        "Write a finished piece into the run folder, once.",
        status=201,
        answer=KEPT,
    ),
    Operation(
        "novelty",
        "GET",
        f"{_ONE}/novelty",
        "What a finished piece copies from the training pieces, and from where.",
        answer=NOVELTY,
    ),
    Operation(
        "change",
        "PATCH",
        _ONE,
        "Draw by other settings from the next token on.",
        status=204,
        media="",
        body=CHANGE,
    ),
    Operation(
        "stop", "DELETE", _ONE, "Let a piece close what is open and end.", status=204, media=""
    ),
)


#: The requests by name.
NAMED = {each.name: each for each in OPERATIONS}


def described(place: str) -> dict[str, Any]:
    """Return the OpenAPI document (version 3.1) of all requests.

    Parameters
    ----------
    place : str
        What comes before all paths, with the token.
    """
    paths: dict[str, Any] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    error = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "seqgen playground", "version": __version__},
        "servers": [{"url": place or "/"}],
        "paths": paths,
        "components": {
            "responses": {
                str(status): {"description": about, "content": _content(error)}
                for status, about in REFUSALS.items()
            }
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    """Return one operation of the document."""
    answer: dict[str, Any] = {"description": each.about}
    if each.media:
        answer["content"] = _content(each.answer or _TEXT, each.media)
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in REFUSALS}
    found: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.about,
        "parameters": _parameters(each),
        "responses": {str(each.status): answer, **refusals},
    }
    if each.body is not None:
        found["requestBody"] = {"required": True, "content": _content(each.body)}
    return found


def _parameters(each: Operation) -> list[dict[str, Any]]:
    """Return the parameters of an operation."""
    piece = {"piece": _NAME | {"minLength": 1}} if "{piece}" in each.path else {}
    places = (("path", piece), ("query", each.query), ("header", each.headers))
    return [
        {
            "name": name,
            "in": place,
            "required": place == "path" or name in each.required,
            "schema": schema,
        }
        for place, schemas in places
        for name, schema in schemas.items()
    ]


def _content(schema: Schema, media: str = "application/json") -> dict[str, Any]:
    return {media: {"schema": schema}}
