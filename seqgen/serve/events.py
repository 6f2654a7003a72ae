"""What happened to a piece, in order: written by its thread, sent to any number of pages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

#: Seconds after which a silent connection gets a comment, so that a lost one is noticed.
KEEP_ALIVE = 10.0


class Events:
    """A list of events that grows until it is closed.

    An event is text of the protocol of server-sent events (HTML standard, section 9.2). Its id is
    its number from 1 on, so a page that lost its connection asks for what comes after the last.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._is_closed = False
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._left = time.monotonic()

    @property
    def alone(self) -> float:
        """For how many seconds no page has listened."""
        return 0.0 if self._listeners else time.monotonic() - self._left

    def add(self, kind: str, content: Any) -> None:
        """Append an event; `content` is plain JSON."""
        data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._texts.append(f"id: {len(self._texts) + 1}\nevent: {kind}\ndata: {data}\n\n")
        self._wake()

    def close(self) -> None:
        """Say that nothing more comes."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        for loop, wake in tuple(self._listeners):
            with suppress(RuntimeError):  # the loop of a server that has ended
                loop.call_soon_threadsafe(wake.set)

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        listener = asyncio.get_running_loop(), asyncio.Event()
        self._listeners.append(listener)
        try:
            yield listener[1]
        finally:
            self._left = time.monotonic()
            self._listeners.remove(listener)

    async def after(self, last: int) -> AsyncIterator[str]:
        """Yield the events after number `last` as they come, until the list is closed."""
        with self._listening() as wake:
            while True:
                wake.clear()
                is_last, texts = self._is_closed, self._texts[last:]
                last += len(texts)
                if texts:
                    yield "".join(texts)
                if is_last:
                    return
                if not texts:
                    try:
                        await asyncio.wait_for(wake.wait(), KEEP_ALIVE)
                    except TimeoutError:
                        yield ":\n\n"
