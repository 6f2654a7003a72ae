"""The HTTP interface of a playground: the page, and the API that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from seqgen.errors import DataError, PluginError, SeqgenError
from seqgen.serve.playground import Busy, Playground

#: The files of the page, and their types.
PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

#: Digits of a number in an address.
LONGEST_NUMBER = 9


def make_app(playground: Playground, log: Callable[[str], None]) -> Starlette:
    """Return the application; paths begin after the token (`seqgen.serve.guard`)."""
    answers, one = _Answers(playground, log), "/api/pieces/{piece}"
    return Starlette(
        routes=[
            Route("/", answers.page),
            Route("/api/run", answers.run),
            Route("/api/prompt", answers.prompt, methods=["POST"]),
            Route("/api/pieces", answers.begin, methods=["POST"]),
            Route(f"{one}/events", answers.events),
            Route(f"{one}/alternatives", answers.alternatives),
            Route(f"{one}/file", answers.file),
            Route(one, answers.stop, methods=["DELETE"]),
            Route("/{name}", answers.page),
        ],
        exception_handlers={SeqgenError: answers.refused, Exception: answers.failed},
    )


class _Answers:
    """One method for each route. What takes time runs in a thread.

    Parameters
    ----------
    playground : Playground
    log : callable
        Gets what went wrong here, for the terminal; a page gets no place of the machine.
    """

    def __init__(self, playground: Playground, log: Callable[[str], None]) -> None:
        self._playground, self._log = playground, log
        self._files = {each.name: each.read_bytes() for each in PAGE.iterdir()}

    async def page(self, request: Request) -> Response:
        """Return a file of the page."""
        name = request.path_params.get("name", "index.html")
        kind = TYPES.get(Path(name).suffix)
        if name not in self._files or kind is None:
            return JSONResponse({"error": "there is no such file"}, 404)
        return Response(self._files[name], media_type=kind)

    async def run(self, request: Request) -> Response:
        """Return what a page has to know of the run."""
        return JSONResponse(await run_in_threadpool(self._playground.about))

    async def prompt(self, request: Request) -> Response:
        """Read a prompt."""
        body = await _body(request)
        return JSONResponse(await run_in_threadpool(self._playground.read_prompt, body))

    async def begin(self, request: Request) -> Response:
        """Begin a piece."""
        body = await _body(request)
        return JSONResponse(await run_in_threadpool(self._playground.begin, body), 201)

    async def events(self, request: Request) -> Response:
        """Send the events of a piece as they come."""
        session = self._playground.session(request.path_params["piece"])
        last = request.headers.get("last-event-id", request.query_params.get("after", "0"))
        events = session.events.after(_number("after", last))
        return StreamingResponse(events, media_type="text/event-stream")

    async def alternatives(self, request: Request) -> Response:
        """Return what else could have come at a position."""
        place = _number("at", request.query_params.get("at", ""))
        asked = request.path_params["piece"], place
        found = await run_in_threadpool(self._playground.alternatives, *asked)
        return JSONResponse({"alternatives": found})

    async def file(self, request: Request) -> Response:
        """Return a finished piece as a file."""
        asked = request.path_params["piece"], request.query_params.get("format", "")
        name, content = await run_in_threadpool(self._playground.file, *asked)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def stop(self, request: Request) -> Response:
        """Stop a piece."""
        self._playground.session(request.path_params["piece"]).stop()
        return Response(status_code=204)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with the message of an error that seqgen raised on purpose."""
        if isinstance(error, PluginError):
            self._log(str(error))
            return JSONResponse({"error": "a plugin failed; the terminal says where"}, 500)
        status = 429 if isinstance(error, Busy) else 400
        return JSONResponse({"error": self._playground.told(error)}, status)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer any other error."""
        self._log(f"{request.method} {request.url.path.partition('/api/')[2]}: {error!r}")
        return JSONResponse({"error": "this failed; the terminal says why"}, 500)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise DataError(f"{name} must be a whole number, found {text[:40]!r}")
    return int(text)


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises
    ------
    DataError
        If it holds none.
    """
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise DataError(f"the request must be JSON ({error})") from error
    if not isinstance(body, dict):
        raise DataError(f"the request must be a JSON object, found {type(body).__name__}")
    return body
