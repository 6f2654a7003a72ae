"""The playground: its API over HTTP, and what it refuses."""

from __future__ import annotations

import base64
import json
import math
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import seqgen
from seqgen.data import workers
from seqgen.errors import DataError
from seqgen.generation.watching import Asked
from seqgen.serve import asking, guard, playground, session
from seqgen.serve.places import without_places
from seqgen.serve.playground import Playground
from seqgen.serve.server import Server
from seqgen.view import View

#: A request that is not as described, of a piece that is not there, or that this run cannot do.
REFUSED = (400, 404, 422)


class Client:
    """Sends requests to a playground, as a page does."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.place = urlsplit(server.address)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.place.port, timeout=60)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            full = path if path.startswith("/") else self.place.path + path
            connection.request(method, full, data, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        answer, content = self.ask("GET", path)
        assert answer.status == 200, content
        return json.loads(content)

    def post(self, path: str, body: Any) -> Any:
        answer, content = self.ask("POST", path, body)
        assert answer.status in (200, 201), content
        return json.loads(content)

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer, content = self.ask(method, path, body)
        return answer.status, json.loads(content)["error"]

    def events(self, piece: str, after: int = 0) -> list[tuple[int, str, Any]]:
        """Return number, kind and content of the events of a piece, when it is done."""
        headers = {"Last-Event-ID": str(after)}
        answer, content = self.ask("GET", f"api/pieces/{piece}/events", headers=headers)
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        found = []
        for block in content.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if line != ":")
            if lines.get("id"):
                found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
        return found

    def piece(self, **asked: Any) -> tuple[str, list[tuple[int, str, Any]]]:
        name = self.post("api/pieces", asked)["piece"]
        return name, self.events(name)


def tokens_of(events: list[tuple[int, str, Any]]) -> list[list[Any]]:
    """Return the tokens that a page has after these events."""
    tokens: list[list[Any]] = []
    for _, kind, content in events:
        if kind == "tokens":
            tokens[content["at"] :] = content["tokens"]
    return tokens


@pytest.fixture(scope="module")
def serve() -> Iterator[Any]:
    """Return a function that serves a run in this process."""
    servers = []

    def begin(run: seqgen.Run) -> Client:
        logged: list[str] = []
        server = Server(Playground(run, logged.append), 0, logged.append)
        server._playground.warm_up()  # A note of compiling would be one more event.
        thread = threading.Thread(target=server.listen)
        thread.start()
        servers.append((server, thread, logged))
        return Client(server)

    yield begin
    for server, thread, logged in servers:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive() and not logged, logged


@pytest.fixture(scope="module")
def client(serve, run) -> Client:
    return serve(run)


def test_a_streamed_piece_is_the_one_that_generate_writes(client, run) -> None:
    prompt = client.post("api/prompt", {"text": "7 green"})
    assert [text for _, text in prompt["tokens"]] == list("7 green") and prompt["view"] is None
    settings = {"sample": {"temperature": 0.9, "min_p": 0.02}, "limit": {"length": 300}}
    name, events = client.piece(prompt=prompt["prompt"], seed=5, **settings)
    [expected] = seqgen.generate(
        run,
        prompt="7 green",
        sample=seqgen.SampleConfig(temperature=0.9, min_p=0.02),
        limit=seqgen.LimitConfig(length=300),
        seed=5,
    )
    tokens = tokens_of(events)
    assert [token for token, _, _ in tokens] == expected.ids.tolist()
    assert "".join(text for _, text, _ in tokens) == expected.piece
    assert [number for number, _, _ in events] == [*range(1, len(events) + 1)]
    *_, (_, kind, done) = events
    assert kind == "done" and done["tokens"] == len(expected.ids)
    assert done["stopped_by"] == expected.stopped_by and done["prompt_tokens"] == 7
    assert done["nats"] == pytest.approx(-expected.log_probability_per_token, abs=1e-3)
    assert [surprise for *_, surprise in tokens[:7]] == [None] * 7
    assert done["command"] == (
        "seqgen generate RUN --prompt '7 green' --temperature 0.9 --min-p 0.02 --length 300 "
        "--seed 5"
    )
    answer, content = client.ask("GET", f"api/pieces/{name}/file?format=.txt")
    assert content.decode() == expected.piece
    assert "attachment" in answer.getheader("content-disposition", "")


def test_events_go_on_where_a_page_lost_them(client) -> None:
    name, events = client.piece(seed=1, limit={"length": 80})
    for last in (0, 1, len(events) - 1, len(events)):
        assert client.events(name, last) == events[last:]
    # Two tabs get the same.
    assert client.events(name) == client.events(name) == events


def test_alternatives_have_probabilities_and_a_piece_goes_on_from_one(client, run) -> None:
    name, events = client.piece(seed=3, limit={"length": 60})
    tokens = tokens_of(events)
    for place in (0, 20):
        found = client.get(f"api/pieces/{name}/alternatives?at={place}")["alternatives"]
        shares = [each["probability"] for each in found]
        assert shares == sorted(shares, reverse=True) and 0.3 < sum(shares) <= 1.001
        token, text, surprise = tokens[place]
        assert {each["text"] for each in found if each["id"] == token} <= {text}
        own = [each["probability"] for each in found if each["id"] == token]
        assert own == [pytest.approx(math.exp(-surprise), abs=1e-3)] or surprise > 2
    other = next(each for each in found if each["id"] != tokens[20][0] and each["text"])
    start = {"piece": name, "tokens": 20, "token": other["id"]}
    _, events = client.piece(**{"from": start}, seed=3, limit={"length": 30})
    branch = tokens_of(events)
    assert [each[0] for each in branch[:21]] == [*(each[0] for each in tokens[:20]), other["id"]]
    text = "".join(text for _, text, _ in branch[:21])
    [expected] = seqgen.generate(run, prompt=text, seed=3, limit=seqgen.LimitConfig(length=30))
    assert [each[0] for each in branch] == expected.ids.tolist()


def test_a_stopped_piece_keeps_what_it_has(client, run, monkeypatch) -> None:
    # Pieces that would take hours.
    asked = {"limit": {"length": 10**9, "least_length": 10**9}}
    monkeypatch.setattr(session, "MOST_TOKENS", 10**9)
    name = client.post("api/pieces", asked)["piece"]
    while not client.server._playground.session(name).ids:
        time.sleep(0.01)
    assert client.ask("DELETE", f"api/pieces/{name}")[0].status == 204
    *_, (_, kind, done) = events = client.events(name)
    assert (kind, done["stopped_by"]) == ("done", "interrupt")
    assert len(tokens_of(events)) == done["tokens"] > 0
    # Nobody listens to this one.
    monkeypatch.setattr(session, "GRACE", 0.2)
    name = client.post("api/pieces", asked)["piece"]
    client.server._playground.session(name).join(20)
    assert not client.server._playground.session(name).is_live


def test_settings_change_while_a_piece_is_written(client, run, monkeypatch) -> None:
    has_to_stop, begun, go = session.Session._has_to_stop, threading.Event(), threading.Event()

    def wait(self: session.Session, count: int) -> bool:
        if count >= 50:
            begun.set()
            assert go.wait(30)
        return has_to_stop(self, count)

    monkeypatch.setattr(session.Session, "_has_to_stop", wait)
    asked = {"sample": {"temperature": 1.5}, "limit": {"length": 400, "least_length": 400}}
    name = client.post("api/pieces", {"seed": 8, **asked})["piece"]
    assert begun.wait(30)
    for wrong, status in (
        ({"sample": {"guidance": 2}}, 422),
        ({"sample": {"top_k": -1}}, 400),
        ({"seed": 2}, 400),
    ):
        assert client.refused("PATCH", f"api/pieces/{name}", wrong)[0] == status
    # The same settings are no change; the last of several holds.
    for temperature in (1.5, 0.7, 0.0):
        body = {"sample": {"temperature": temperature}}
        assert client.ask("PATCH", f"api/pieces/{name}", body)[0].status == 204
    go.set()
    events = client.events(name)
    [change] = [content for _, kind, content in events if kind == "settings"]
    assert change["sample"]["temperature"] == 0 and change["at"] >= 50
    assert events[-1][2]["command"] == ""
    ids = [token for token, *_ in tokens_of(events)]
    limit = seqgen.LimitConfig(length=400, least_length=400)
    sample = seqgen.SampleConfig(temperature=1.5)
    [before] = seqgen.generate(run, sample=sample, limit=limit, seed=8)
    assert ids[: change["at"]] == before.ids[: change["at"]].tolist() != ids
    # At temperature 0 what was drawn before decides.
    text = run.codec.decode(before.ids[: change["at"]])
    rest = seqgen.LimitConfig(length=400 - change["at"], least_length=400 - change["at"])
    greedy = seqgen.SampleConfig(temperature=0)
    [after] = seqgen.generate(run, prompt=text, sample=greedy, limit=rest)
    assert ids == after.ids.tolist()
    assert client.refused("PATCH", f"api/pieces/{name}", {"sample": {}})[0] == 422
    # The manifest says what changed.
    kept = client.post(f"api/pieces/{name}/keep", {})
    folder = run.folder / kept["folder"].removeprefix("RUN/")
    manifest = json.loads((folder / "manifest.json").read_text())
    [noted] = manifest["settings"]["changes"]
    assert noted["token"] == change["at"] and noted["temperature"] == 0


def test_a_kept_piece_is_what_generate_keeps(client, run, command) -> None:
    prompt = client.post("api/prompt", {"text": "7 green"})["prompt"]
    name, events = client.piece(prompt=prompt, seed=5, limit={"length": 30})
    before = {path.name for path in (run.folder / "samples").glob("*")}
    kept = client.post(f"api/pieces/{name}/keep", {})
    folder = run.folder / kept["folder"].removeprefix("RUN/")
    assert folder.name not in before and kept["files"] == ["text-1.txt"]
    assert client.post(f"api/pieces/{name}/keep", {}) == kept
    shown = events[-1][2]["command"]
    words = [str(run.folder) if word == "RUN" else word for word in shlex.split(shown)[1:]]
    assert command(*words, "--device", "cpu") == 0
    [other] = {path.name for path in (run.folder / "samples").glob("*")} - before - {folder.name}
    again = folder.parent / other
    assert (folder / "text-1.txt").read_bytes() == (again / "text-1.txt").read_bytes()
    ours, theirs = (json.loads((each / "manifest.json").read_text()) for each in (folder, again))
    assert [each["log_probability"] for each in ours["pieces"]] == [
        each["log_probability"] for each in theirs["pieces"]
    ]
    assert ours["settings"].pop("command") == shown
    assert ours["settings"].items() <= theirs["settings"].items()
    # The page holds the piece and its file, and nothing of this machine.
    page = client.ask("GET", f"api/pieces/{name}/file?format=.html")[1].decode()
    [data] = re.findall(r'href="data:application/octet-stream;base64,([^"]+)"', page)
    assert base64.b64decode(data) == (folder / "text-1.txt").read_bytes()
    assert "href" not in page.replace('href="data:', "") and str(run.folder.parent) not in page


def test_a_finished_piece_is_given_to_a_new_one(serve, chorales) -> None:
    client = serve(chorales)
    about = client.get("api/run")
    assert about["rewrites"] and ".html" in about["formats"]
    name, _ = client.piece(seed=1, limit={"length": 4, "unit": "quarters"})
    given = client.post("api/prompt", {"piece": name, "role": "given"})
    assert given["tokens"] == [] and given["view"]["parts"]
    fitting = client.post("api/prompt", {"piece": name, "role": "either"})
    assert fitting["role"] == "prompt" and fitting["tokens"]
    follow, keep = given["prompt"], "tracks soprano, tenor, bass"
    other, events = client.piece(follow=follow, keep=keep, seed=2)
    assert events[-1][1] == "done", events[-1]
    assert events[-1][2]["command"] == (
        f"seqgen generate RUN --given music-{name}.mid --keep '{keep}' --seed 2"
    )
    rolls = [client.post("api/prompt", {"piece": each, "role": "given"}) for each in (name, other)]
    voices = [
        [[note for note in roll["view"]["parts"] if note[-1] == voice] for voice in range(4)]
        for roll in rolls
    ]
    assert [voices[0][at] == voices[1][at] for at in (0, 2, 3)] == [True] * 3
    for wrong, expected in (
        ({"keep": keep}, 422),
        ({"follow": follow, "given": ["bars=4"]}, 422),
        ({"prompt": follow}, 422),
        ({"follow": "none"}, 404),
        ({"follow": follow, "keep": 3}, 400),
    ):
        status, error = client.refused("POST", "api/pieces", wrong)
        assert status == expected and error, wrong
    for wrong, expected in (
        ({"piece": "none"}, 404),
        ({"piece": name, "role": "x"}, 400),
        ({"piece": name, "x": 1}, 400),
    ):
        assert client.refused("POST", "api/prompt", wrong)[0] == expected


def test_a_page_says_what_a_piece_copies(client, run) -> None:
    assert client.get("api/run")["has_corpus"]
    name, _ = client.piece(seed=5, limit={"length": 60})
    found = client.get(f"api/pieces/{name}/novelty")
    [piece] = seqgen.generate(run, seed=5, limit=60)
    expected = seqgen.measure_novelty(run.corpus(), piece)
    assert (found["longest"], found["source"]) == (expected.longest, expected.source)
    assert f"{expected.longest:,} tokens" in found["about"] and expected.source in found["about"]


def test_a_corpus_that_is_named_is_checked_first(run, seqgen_command, tmp_path) -> None:
    status, _, error = seqgen_command("serve", run.folder, "--corpus", tmp_path / "gone")
    assert status == 4 and "gone" in error


def test_a_piece_that_goes_on_keeps_the_condition_in_its_command(run, monkeypatch) -> None:
    condition = object()
    before = asking.Order(Asked(condition=condition), None, ("writer=Ann",), None, "")

    def order() -> asking.Order:
        ids = run.codec.encode("7 gr").tolist()
        body = {"from": {"piece": "1", "tokens": 3, "token": ids[3]}}
        return asking.read_request(run, body, str, lambda name: (ids, before))

    found = order()
    assert found.asked.condition is condition and found.given == before.given
    assert "--prompt '7 gr' --given writer=Ann" in found.command
    # A music file cannot be given as its first tokens: no command is better than a wrong one.
    monkeypatch.setattr(type(run.codec), "text_stream", lambda self: None)
    assert order().command == ""


def test_a_piece_ends_at_the_most_that_a_page_holds(client, monkeypatch) -> None:
    monkeypatch.setattr(session, "MOST_TOKENS", 200)
    _, events = client.piece(limit={"length": 10**9, "least_length": 10**9})
    assert events[-1][2]["stopped_by"] == "interrupt" and 200 <= events[-1][2]["tokens"] < 400


def test_what_a_page_knows_of_a_run(client, run) -> None:
    about = client.get("api/run")
    assert (about["domain"], about["view"], about["is_typed"]) == ("text", "text", True)
    assert about["name"] == run.folder.name and about["units"][0] == "tokens"
    controls = {each["name"]: each for each in about["controls"]}
    assert controls["temperature"]["default"] == run.sampling["temperature"]
    assert controls["min_p"]["most"] == 1 and controls["length"]["about"]


def test_no_answer_names_a_place_of_the_machine(client, run, tmp_path) -> None:
    name, events = client.piece(seed=2, limit={"length": 20})
    answers = [json.dumps(events), json.dumps(client.get("api/run"))]
    answers += [client.refused("POST", "api/prompt", {"text": "\u1234"})[1]]
    answers += [json.dumps(client.post(f"api/pieces/{name}/keep", {}))]
    answers += [client.ask("GET", f"api/pieces/{name}/file?format=.html")[1].decode()]
    damaged = base64.b64encode(b"\xff\x00" * 50).decode()
    for file in ("a.txt", "../../a.txt", "a.zip"):
        body = {"name": file, "content": damaged}
        answers += [client.refused("POST", "api/prompt", body)[1]]
    answers += [client.refused("GET", f"api/pieces/{name}/file?format=../x")[1]]
    for text in answers:
        assert str(run.folder) not in text and "/tmp" not in text and "seqgen-" not in text, text


def test_errors_leave_only_the_names_of_files(client, run, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise DataError(f"{run.folder / 'model.pt'} and '/srv/data/x.txt' are damaged")

    said = f"{run.folder.name}/model.pt and 'x.txt' are damaged"
    monkeypatch.setattr(playground, "read_prompt_of", fail)
    assert client.refused("POST", "api/prompt", {"text": "x"}) == (422, said)
    monkeypatch.setattr(session, "watch", fail)
    name, [(_, kind, content)] = client.piece()
    assert (kind, content["error"]) == ("error", said)
    _, error = client.refused("GET", f"api/pieces/{name}/file?format=.txt")
    assert "failed" in error


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/a b/my run/model.pt: damaged", "my run/model.pt: damaged"),
        ("found '/x/y.txt'; see /etc/a, or ~/b/c", "found 'y.txt'; see a, or c"),
        (r"C:\Users\x\y.txt", "y.txt"),
        ("3/4 and 4/4; .mid / .midi; 1 / 2", "3/4 and 4/4; .mid / .midi; 1 / 2"),
    ],
)
def test_only_the_last_name_of_a_path_is_left(text, left) -> None:
    assert without_places(text, Path("/home/a b/my run")) == left


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, "api/run", 200),
        ({}, "/wrong/api/run", 403),
        ({}, "/api/run", 403),
        ({"Host": "evil.example"}, "api/run", 403),
        ({"Host": "evil.example:1"}, "", 403),
        ({"Origin": "http://evil.example"}, "api/run", 403),
        ({"Origin": "null"}, "api/run", 403),
        ({}, "../../etc/passwd", 404),
        ({}, "%2e%2e%2fapp.py", 404),
        ({}, "app.py", 404),
    ],
)
def test_strangers_are_refused(client, headers, path, status) -> None:
    answer, _ = client.ask("GET", path, headers=headers)
    assert answer.status == status
    assert answer.getheader("content-security-policy") == guard.POLICY
    if status == 403:
        assert client.ask("POST", path, {}, headers)[0].status == 403


def test_the_page_may_ask_from_its_own_origin(client) -> None:
    origin = f"http://127.0.0.1:{client.place.port}"
    assert client.ask("GET", "api/run", headers={"Origin": origin})[0].status == 200


def test_hostile_requests_get_an_answer(client, monkeypatch) -> None:
    monkeypatch.setattr(guard, "MOST_BYTES", 5000)
    assert client.refused("POST", "api/prompt", b"x" * 5001)[0] == 413
    with socket.create_connection(("127.0.0.1", client.place.port)) as stream:
        head = f"POST {client.place.path}api/prompt HTTP/1.1\r\nHost: {client.place.netloc}\r\n"
        stream.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        assert b" 411 " in stream.recv(1000)
    # The body in chunks is longer than the length that the header states.
    with socket.create_connection(("127.0.0.1", client.place.port)) as stream:
        both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        stream.sendall(f"{head}{both}".encode())
        assert b" 411 " in stream.recv(1000)
    with socket.create_connection(("127.0.0.1", client.place.port)) as stream:
        stream.sendall(f"OPTIONS * HTTP/1.1\r\nHost: {client.place.netloc}\r\n\r\n".encode())
        assert b" 403 " in stream.recv(1000)
    bodies = [b"", b"{", b"[" * 4000, b"[]", b"1", b'"x"', b"\xff", b'{"text": 1}', b"{}"]
    bodies += [b'{"text": "\\ud800"}', b'{"name": "\\ud800.txt", "content": ""}']
    bodies += [b'{"text": ""}', b'{"name": "a.txt", "content": "?"}', b'{"name": "a.txt"}']
    for body in bodies:
        status, error = client.refused("POST", "api/prompt", body)
        assert status in REFUSED and error, body
    asked: list[Any] = [
        {"temperature": 1},
        {"seed": -1},
        {"seed": "x"},
        {"seed": True},
        {"prompt": "none"},
        {"prompt": 3},
        {"given": "x"},
        {"given": [1]},
        {"given": [""] * 40},
        {"given": ["\ud800"]},
        {"sample": []},
        {"sample": {"temperature": -1}},
        {"sample": {"temperature": "hot"}},
        {"sample": {"top_k": 1.5}},
        {"sample": {"bias": ["x=1"]}},
        {"limit": {"length": -3}},
        {"limit": {"seconds": 3}},
        {"from": 1},
        {"from": {"piece": "none"}},
    ]
    for body in asked:
        status, error = client.refused("POST", "api/pieces", body)
        assert status in REFUSED and error, body
    # JSON of Python has NaN.
    status, error = client.refused("POST", "api/pieces", b'{"sample": {"temperature": NaN}}')
    assert status == 400 and "NaN" in error
    name, _ = client.piece(limit={"length": 5})
    for start in ({"tokens": 9**9}, {"tokens": -1}, {"tokens": 1, "token": 10**6}, {"tokens": 1.0}):
        body = {"from": {"piece": name, "token": 0, **start}}
        assert client.refused("POST", "api/pieces", body)[0] in REFUSED, start
    for path in ("events?after=x", "alternatives", "alternatives?at=99999", "alternatives?at=-1"):
        assert client.refused("GET", f"api/pieces/{name}/{path}")[0] in REFUSED, path


def test_the_parts_of_a_view_come_as_differences(client, run, monkeypatch) -> None:
    """A domain whose pieces are no text: each character is a note, and the last one is changed."""

    def view(self: object, piece: str) -> View:
        notes = [[at, 1, ord(sign) % 128, 80, 0] for at, sign in enumerate(piece)]
        last = [[*notes.pop()[:3], 127, 0]] if notes else []
        return View("roll", [*notes, *last], {"tracks": [], "bars": [0, len(piece)]})

    monkeypatch.setattr(type(run.codec), "text_stream", lambda self: None)
    monkeypatch.setattr(type(run.domain), "view", view)
    monkeypatch.setattr(session, "PACE", 0)
    assert client.get("api/run")["view"] == "roll"
    prompt = client.post("api/prompt", {"text": "9 gr"})
    assert [len(prompt["view"]["parts"]), prompt["view"]["at"]] == [4, 0]
    _, events = client.piece(seed=1, limit={"length": 300}, prompt=prompt["prompt"])
    [expected] = seqgen.generate(run, prompt="9 gr", seed=1, limit=seqgen.LimitConfig(length=300))
    parts: list[Any] = []
    about: dict[str, Any] = {}
    changes = [content for _, kind, content in events if kind == "view"]
    for change in changes:
        parts[change["at"] :], about = change["parts"], change.get("about", about)
    shown = run.domain.view(expected.piece)
    assert (parts, about) == (shown.parts, shown.about) and len(changes) > 1
    assert [run.vocab.names[token] for token in expected.ids] == [
        text for _, text, _ in tokens_of(events)
    ]


def test_a_file_is_a_prompt(client) -> None:
    content = base64.b64encode(b"8 green bottles").decode()
    prompt = client.post("api/prompt", {"name": "my words.txt", "content": content})
    assert "".join(text for _, text in prompt["tokens"]) == "8 green bottles"
    _, events = client.piece(prompt=prompt["prompt"], limit={"length": 5})
    assert "--prompt 'my words.txt'" in events[-1][2]["command"]


def test_a_parser_that_hangs_is_ended(client, run, monkeypatch) -> None:
    """Another process reads the file, so that no parser holds up the end of the server."""
    monkeypatch.setattr(client.server._playground, "_has_read", True)
    monkeypatch.setattr(playground, "PATIENCE", 0.5)
    monkeypatch.setattr(playground, "QUEUE", 0.01)
    monkeypatch.setattr(run.domain, "read", lambda *_: time.sleep(600), raising=False)
    body = {"name": "a.txt", "content": base64.b64encode(b"8 green").decode()}
    answers: list[tuple[int, str]] = []
    reads = workers.read_alone

    def read_alone(task: Any, patience: float) -> Any:
        # Meanwhile no other file is read.
        answers.append(client.refused("POST", "api/prompt", body))
        return reads(task, patience)

    monkeypatch.setattr(workers, "read_alone", read_alone)
    status, error = client.refused("POST", "api/prompt", body)
    assert status == 422 and error.startswith("a.txt: its parser took longer")
    assert [status for status, _ in answers] == [429]


def test_a_prompt_has_at_most_what_a_page_holds(client, monkeypatch) -> None:
    monkeypatch.setattr(asking, "MOST_TOKENS", 6)
    status, error = client.refused("POST", "api/prompt", {"text": "7 green"})
    assert status == 422 and "at most 6 tokens" in error and "found 7" in error


def test_a_fault_of_a_plugin_is_told_on_the_terminal_only(serve, run, monkeypatch) -> None:
    logged: list[str] = []
    place = Playground(run, logged.append)
    monkeypatch.setattr(type(run.codec), "decode", lambda self, ids: 1 / 0)
    name = place.begin({"limit": {"length": 3}})["piece"]
    place.session(name).join(20)
    [text] = place.session(name).events._texts[-1:]
    assert "the terminal says" in text and "/" not in text.split("data: ")[1]
    assert "division by zero" in logged[0]


def test_a_fault_of_the_unit_comes_as_an_event(client) -> None:
    _, [(_, kind, content)] = client.piece(limit={"length": 3, "unit": "bars"})
    assert kind == "error" and "unit must be one of" in content["error"]


def test_a_page_hears_of_compiling(client, monkeypatch) -> None:
    monkeypatch.setattr(client.server._playground, "is_compiling", True)
    _, events = client.piece(limit={"length": 2})
    assert events[0][1] == "note" and "compiling" in events[0][2]["note"]
    assert events[-1][1] == "done"


def test_a_fault_of_the_first_tokens_is_left_to_the_first_piece(run, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise DataError("it has to be given a text")

    monkeypatch.setattr(playground, "watch", fail)
    Playground(run, print).warm_up()


def test_two_hundred_pieces_leave_no_thread_and_few_pieces(client, monkeypatch) -> None:
    monkeypatch.setattr(playground, "MOST_PIECES", 50)
    before = {thread for thread in threading.enumerate() if thread.name == "seqgen-piece"}
    for _ in range(200):
        client.piece(limit={"length": 2})
    left = {thread for thread in threading.enumerate() if thread.name == "seqgen-piece"} - before
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)
    assert len(client.server._playground._sessions) <= 50
    assert client.refused("GET", "api/pieces/1/events")[0] == 404


def test_too_many_pieces_at_once_are_refused(client, monkeypatch) -> None:
    monkeypatch.setattr(playground, "MOST_LIVE", 1)
    name = client.post("api/pieces", {"limit": {"length": 10**6, "least_length": 10**6}})["piece"]
    status, error = client.refused("POST", "api/pieces", {})
    assert status == 429 and "stop one" in error
    client.ask("DELETE", f"api/pieces/{name}")
    assert client.events(name)[-1][1] == "done"


def test_a_connection_ends_at_once_when_the_server_does(serve, run, monkeypatch) -> None:
    """The piece itself hangs in a step."""
    held = threading.Event()

    def hang(*_: object) -> None:
        held.wait()
        raise DataError("the end")

    monkeypatch.setattr(session, "watch", hang)
    client = serve(run)
    name = client.post("api/pieces", {})["piece"]
    listener = threading.Thread(target=client.events, args=[name])
    listener.start()
    client.server._playground.close()
    listener.join(30)
    assert not listener.is_alive() and client.server._playground.session(name).is_live
    held.set()
    assert client.refused("POST", "api/pieces", {}) == (429, "the server is ending")


def test_a_taken_port_is_named(run, seqgen_command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, error = seqgen_command("serve", run.folder, "--port", port, "--no-browser")
    assert status == 1 and f"port {port}" in error and "--port" in error


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_signals_end_it_while_a_piece_is_written(run, number, status) -> None:
    command = [sys.executable, "-m", "seqgen", "serve", str(run.folder), "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as process, ExitStack() as opened:
        opened.callback(process.kill)
        found = re.search(r"http://127.0.0.1:(\d+)(/\S+/)", process.stdout.readline())
        connection = opened.enter_context(
            closing(HTTPConnection("127.0.0.1", int(found[1]), timeout=60))
        )
        body = json.dumps({"limit": {"length": 10**6, "least_length": 10**6}})
        connection.request("POST", f"{found[2]}api/pieces", body)
        piece = json.loads(connection.getresponse().read())["piece"]
        connection.request("GET", f"{found[2]}api/pieces/{piece}/events")
        opened.enter_context(closing(connection.getresponse())).readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == status, errors
        assert "Traceback" not in errors
