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

from seqgen.errors import PluginError, SeqgenError
from seqgen.report.look import SCRIPTS
from seqgen.serve.checking import Misfit, check_body, read_parameters
from seqgen.serve.description import OPERATIONS, described
from seqgen.serve.playground import Busy, Missing, Playground

#: The files of the page, some of which pages of finished pieces have, too; and their types.
PAGE = Path(__file__).parent / "page"
FILES = {each.name: each for folder in (PAGE, SCRIPTS) for each in folder.iterdir()}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def make_app(playground: Playground, log: Callable[[str], None]) -> Starlette:
    """Return the application; paths begin after the token (`seqgen.serve.guard`)."""
    answers = _Answers(playground, log)
    routes = [
        Route(each.path, getattr(answers, each.name), methods=[each.method]) for each in OPERATIONS
    ]
    return Starlette(
        routes=[Route("/", answers.page), *routes, Route("/{name}", answers.page)],
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
        self._files = {name: path.read_bytes() for name, path in FILES.items()}

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

    async def openapi(self, request: Request) -> Response:
        """Return the description of all requests."""
        return JSONResponse(described(request.scope.get("root_path", "")))

    async def prompt(self, request: Request) -> Response:
        """Read a prompt."""
        body = await _body(request, "prompt")
        return JSONResponse(await run_in_threadpool(self._playground.read_prompt, body))

    async def begin(self, request: Request) -> Response:
        """Begin a piece."""
        body = await _body(request, "begin")
        return JSONResponse(await run_in_threadpool(self._playground.begin, body), 201)

    async def events(self, request: Request) -> Response:
        """Send the events of a piece as they come."""
        session = self._playground.session(request.path_params["piece"])
        sent = _sent(request, "events")
        last = sent.get("Last-Event-ID", sent.get("after", 0))
        return StreamingResponse(session.events.after(last), media_type="text/event-stream")

    async def alternatives(self, request: Request) -> Response:
        """Return what else could have come at a position."""
        asked = request.path_params["piece"], _sent(request, "alternatives")["at"]
        found = await run_in_threadpool(self._playground.alternatives, *asked)
        return JSONResponse({"alternatives": found})

    async def file(self, request: Request) -> Response:
        """Return a finished piece as a file."""
        asked = request.path_params["piece"], _sent(request, "file")["format"]
        name, content = await run_in_threadpool(self._playground.file, *asked)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def keep(self, request: Request) -> Response:
        """Write a finished piece into the run folder."""
        piece = request.path_params["piece"]
        return JSONResponse(await run_in_threadpool(self._playground.keep, piece), 201)

    async def novelty(self, request: Request) -> Response:
        """Return what a finished piece copies from the training pieces."""
        piece = request.path_params["piece"]
        return JSONResponse(await run_in_threadpool(self._playground.novelty, piece))

    async def change(self, request: Request) -> Response:
        """Change the settings of a piece that is being written."""
        body = await _body(request, "change")
        self._playground.change(request.path_params["piece"], body)
        return Response(status_code=204)

    async def stop(self, request: Request) -> Response:
        """Stop a piece."""
        self._playground.session(request.path_params["piece"]).stop()
        return Response(status_code=204)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with the message of an error that seqgen raised on purpose."""
        if isinstance(error, PluginError):
            self._log(str(error))
            return JSONResponse({"error": "a plugin failed; the terminal says where"}, 500)
        kinds = ((Busy, 429), (Missing, 404), (Misfit, 400))
        status = next((status for kind, status in kinds if isinstance(error, kind)), 422)
        return JSONResponse({"error": self._playground.told(error)}, status)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer any other error."""
        self._log(f"{request.method} {request.url.path.partition('/api/')[2]}: {error!r}")
        return JSONResponse({"error": "this failed; the terminal says why"}, 500)


def _sent(request: Request, name: str) -> dict[str, Any]:
    return read_parameters(name, request.query_params, request.headers)


async def _body(request: Request, name: str) -> dict[str, Any]:
    """Return the JSON object that was sent for an operation.

    Raises
    ------
    Misfit
        If it is not as described.
    """
    try:
        body = json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Misfit(f"the request must be JSON ({error})") from error
    check_body(name, body)
    found: dict[str, Any] = body
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
