"""How many pieces `seqgen serve` writes at once, as pages on this machine receive them.

The models that come along are served. 1, 8 and 32 clients ask for short chorales, one after
another: requests a second, and how long the first token takes. As many clients ask for a long
chorale at once: the figure is how many of 32 get their music at four times the speed at which it
sounds. One client receives text: tokens a second, and what the memory of the server grows by while
more pieces are written than it keeps. The clients take their part of the cores, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from harness import Benchmark

SESSIONS = (1, 8, 32)

#: Short pieces of all clients, and their tokens.
SHORT, SHORT_TOKENS = 256, 40

#: Tokens of a long chorale, of a long text, and of one of many texts.
LONG_TOKENS, TEXT_TOKENS, SMALL_TOKENS = 1500, 20_000, 500

#: Music counts as served in real time at this many times its own speed.
SPEED = 4.0

#: Seconds of streaming many texts, during which memory is watched.
STREAMING = 60.0


class Client:
    """A page that keeps one connection."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._path = place.path
        self._connection = HTTPConnection("127.0.0.1", place.port, timeout=300)

    def events(self, seed: int, tokens: int = 0) -> Iterator[tuple[str, Any]]:
        """Begin a piece and yield its events as they come; 0 tokens let it end by itself."""
        asked = {"seed": seed, "limit": {"length": tokens, "least_length": tokens}}
        self._connection.request("POST", f"{self._path}api/pieces", json.dumps(asked))
        piece = json.loads(self._connection.getresponse().read())["piece"]
        self._connection.request("GET", f"{self._path}api/pieces/{piece}/events")
        kind = ""
        for line in self._connection.getresponse():
            name, _, content = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = content
            elif name == "data":
                yield kind, json.loads(content)

    def wait(self, seed: int) -> float:
        """Receive a short piece and return the seconds until its first token."""
        began, first = time.perf_counter(), 0.0
        for kind, content in self.events(seed, SHORT_TOKENS):
            if not first and kind == "tokens" and content["tokens"]:
                first = time.perf_counter() - began
        return first

    def speed(self, seed: int) -> float:
        """Receive a long piece of music and return its seconds for each second of waiting."""
        began, sounding = time.perf_counter(), 0.0
        for kind, content in self.events(seed, LONG_TOKENS):
            if kind == "view":
                sounding = max([sounding, *(note[0] + note[1] for note in content["parts"])])
        return sounding / (time.perf_counter() - began)

    def tokens(self, seed: int, tokens: int) -> int:
        """Receive a text and return the number of its tokens."""
        return sum(
            len(content["tokens"])
            for kind, content in self.events(seed, tokens)
            if kind == "tokens"
        )


@contextmanager
def served(domain: str, cache: str) -> Iterator[tuple[str, int, float]]:
    """Serve the model of a domain.

    Yields the address, the process, and the seconds from the command to the end of the first piece.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", "seqgen", "serve", domain, "--no-browser"]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split()[-1]
            for _ in Client(address).events(0):
                pass
            yield address, process.pid, time.perf_counter() - began
        finally:
            process.terminate()


def short_pieces(address: str, sessions: int) -> dict[str, float]:
    """Return requests a second, and the 99th percentile of the milliseconds to a first token."""

    def client(number: int) -> list[float]:
        page = Client(address)
        return [page.wait(seed) for seed in range(number, SHORT, sessions)]

    began = time.perf_counter()
    with ThreadPoolExecutor(sessions) as pool:
        waits = [wait for waits in pool.map(client, range(sessions)) for wait in waits]
    rate = 2 * len(waits) / (time.perf_counter() - began)
    return {"requests a second": rate, "first token, p99, ms": 1000 * np.percentile(waits, 99)}


def music(address: str, sessions: int) -> dict[str, float]:
    """Return how fast the slowest of some sessions gets music, and how many are fast enough."""
    with ThreadPoolExecutor(sessions) as pool:
        speeds = [*pool.map(lambda seed: Client(address).speed(seed), range(sessions))]
    fast = sum(speed >= SPEED for speed in speeds)
    return {"slowest, times real time": min(speeds), "in real time": fast}


def memory_of(process: int) -> float:
    """Return the megabytes that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def streamed(address: str, process: int) -> dict[str, float]:
    """Return tokens a second of a long text, and memory while many texts are written."""
    page, began = Client(address), time.perf_counter()
    rate = page.tokens(0, TEXT_TOKENS) / (time.perf_counter() - began)
    held, pieces, began = list[float](), 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < STREAMING:
        pieces += 1
        page.tokens(pieces, SMALL_TOKENS)
        if spent > STREAMING / 2 * (1 + len(held)):
            held.append(memory_of(process))
    held.append(memory_of(process))
    return {
        "tokens a second": rate,
        "pieces": pieces,
        "megabytes halfway": held[0],
        "megabytes at the end": held[-1],
    }


def main() -> None:
    benchmark = Benchmark("serve", "of 32 sessions in real time", minutes=0.0)
    with tempfile.TemporaryDirectory() as cache:
        with served("music", cache) as (_, _, compiling):
            benchmark.say(f"first piece after an installation: {compiling:.1f} s")
        with served("music", cache) as (address, _, first):
            short = {count: short_pieces(address, count) for count in SESSIONS}
            long = {count: music(address, count) for count in SESSIONS}
            benchmark.say(f"{short} {long}")
        with served("text", cache):
            pass
        with served("text", cache) as (address, process, text_first):
            text = streamed(address, process)
    benchmark.finish(
        long[SESSIONS[-1]]["in real time"],
        baselines={"sessions": SESSIONS[-1]},
        sessions={count: short[count] | long[count] for count in SESSIONS},
        text=text,
        seconds_to_first_piece={
            "music": first,
            "text": text_first,
            "music, after an installation": compiling,
        },
    )


if __name__ == "__main__":
    main()
