"""Listens on 127.0.0.1 for the pages of one playground, until a signal ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from secrets import token_urlsafe
from threading import Thread

import uvicorn

from seqgen.errors import RunError
from seqgen.serve.app import make_app
from seqgen.serve.guard import Guard
from seqgen.serve.playground import Playground

#: Seconds to wait at the end for answers, and for each thread.
PATIENCE = 3

#: Connections at once.
MOST_CONNECTIONS = 256


class Server(uvicorn.Server):
    """A server of one playground; `run` returns when it has ended.

    Parameters
    ----------
    playground : Playground
    port : int
        0 takes a free one.
    log : callable
        Gets messages for the terminal.

    Attributes
    ----------
    address : str
        The address of the page, with the token.

    Raises
    ------
    RunError
        If the port is taken.
    """

    def __init__(self, playground: Playground, port: int, log: Callable[[str], None]) -> None:
        try:
            self._socket = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise RunError(
                f"port {port} cannot be used ({error.strerror}); choose another `port`, "
                f"or leave it out"
            ) from error
        # Connections inherit it; without it a small answer waits 40 ms for the one before.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port, token = self._socket.getsockname()[1], token_urlsafe(24)
        self.address = f"http://127.0.0.1:{port}/{token}/"
        self._playground = playground
        super().__init__(
            uvicorn.Config(
                Guard(make_app(playground, log), token, port),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=PATIENCE,
            )
        )

    def listen(self) -> None:
        """Answer until a signal comes, or `should_exit` is set; then stop all pieces."""
        Thread(target=self._playground.warm_up, name="seqgen-warm", daemon=True).start()
        try:
            self.run(sockets=[self._socket])
        finally:
            self._playground.close()
            self._playground.join(PATIENCE)
            self._socket.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop all pieces, so that no answer is waited for."""
        self._playground.close()
        await super().shutdown(sockets)
