"""Refuses all that does not come from the page itself: other sites, other hosts, wrong tokens.

A site in the same browser can send requests to 127.0.0.1. It does not know the token in the path;
and its requests have its own Origin, or after DNS rebinding its own Host.
"""

from __future__ import annotations

from secrets import compare_digest

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Most bytes of the body of a request.
MOST_BYTES = 4 * 2**20

#: The page loads its own scripts and styles, talks to its own server, and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Passes requests of the page on, with the path after the token, and adds `HEADERS` to answers.

    Parameters
    ----------
    app : ASGI application
    token : str
        First part of every path.
    port : int
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        # Browsers leave the usual port of HTTP out.
        end = "" if port == 80 else f":{port}"
        self._hosts = [f"{name}{end}" for name in ("127.0.0.1", "localhost")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        if refusal := self._refusal(scope):
            status, text = refusal
            await JSONResponse({"error": text}, status)(scope, receive, send_guarded)
            return
        await self._app({**scope, "root_path": f"/{self._token}"}, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and reason if a request is refused."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        token = scope["path"].removeprefix("/").partition("/")[0]
        if host not in self._hosts:
            return 403, "this address is not served here; open the address that seqgen serve prints"
        if origin and origin != f"http://{host}":
            return 403, "requests of other sites are refused"
        if not compare_digest(token.encode(), self._token.encode()):
            return 403, "the token is wrong; open the address that seqgen serve prints"
        if scope["method"] in ("GET", "HEAD", "DELETE"):
            return None
        length = headers.get(b"content-length", b"").decode("latin-1")
        # A body in chunks may be longer than the length that its header states.
        if b"transfer-encoding" in headers or not length.isdecimal():
            return 411, "the length of the request is missing"
        if int(length) > MOST_BYTES:
            return 413, f"a request has at most {MOST_BYTES:,} bytes, found {int(length):,}"
        return None
