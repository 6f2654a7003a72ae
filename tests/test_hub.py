"""Runs that go to the Hugging Face hub and come back, with a server of our own in its place."""

import base64
import json
import shutil
from collections.abc import Iterator
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

import seqgen
from seqgen.errors import ConfigError, PluginError, RunError
from seqgen.files import RUN
from seqgen.run.results import METRICS, PROOFREADER, WEIGHTS

NAME = "ada/verses"
TOKEN = "hf_of_ada"


class Hub(BaseHTTPRequestHandler):
    """Answers the requests of the hub that `huggingface_hub` sends for one repository."""

    files: dict[str, bytes]
    #: Sizes that the hub claims in place of the true ones.
    claims: dict[str, int | None]
    created: list[dict[str, Any]]

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/validate-yaml"):
            return self._answer({"errors": [], "warnings": []})
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._answer({"error": "Invalid username or password."}, 401)
        if self.path == "/api/repos/create":
            self.created.append(json.loads(body))
            return self._answer({"url": f"http://{self.headers['Host']}/{NAME}", "id": NAME})
        if self.path == f"/api/models/{NAME}/preupload/main":
            modes = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            return self._answer(
                {"files": [{"path": each["path"], **modes} for each in json.loads(body)["files"]]}
            )
        assert self.path == f"/api/models/{NAME}/commit/main", self.path
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                self.files[line["value"]["path"]] = content
            if line["key"] == "deletedFile":
                del self.files[line["value"]["path"]]
        return self._answer(
            {
                "commitUrl": f"http://{self.headers['Host']}/{NAME}/commit/{'c' * 40}",
                "commitOid": "c" * 40,
            }
        )

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path in (f"/api/models/{NAME}", f"/api/models/{NAME}/revision/main"):
            siblings = [
                {"rfilename": name, "size": self.claims.get(name, len(content))}
                for name, content in self.files.items()
            ]
            return self._answer({"id": NAME, "sha": "c" * 40, "siblings": siblings})
        name = path.rsplit("/", 1)[-1]
        if path != f"/{NAME}/resolve/{'c' * 40}/{name}" or name not in self.files:
            return self._answer({"error": "Repository not found"}, 404)
        return self._send(self.files[name], "application/octet-stream")

    do_HEAD = do_GET

    def _answer(self, value: object, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, content: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", "c" * 40)
        self.send_header("ETag", f'"{sha1(content).hexdigest()}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@pytest.fixture
def hub(monkeypatch, tmp_path: Path) -> Iterator[type[Hub]]:
    """A hub on this machine; Ada has logged in."""
    from huggingface_hub import constants

    class Mine(Hub):
        files, claims, created = {}, {}, []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.chdir(tmp_path)
    yield Mine
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pushed(hub: type[Hub], run: seqgen.Run, tmp_path: Path) -> type[Hub]:
    """A hub that holds a run."""
    seqgen.push(run, NAME)
    return hub


def test_a_run_comes_back_the_same_from_the_hub(hub, run, seqgen_command, tmp_path: Path) -> None:
    # Other tests share the run, and write samples into its folder.
    samples = shutil.ignore_patterns("samples")
    folder = Path(shutil.copytree(run.folder, tmp_path / "mine", ignore=samples))
    about = json.loads((folder / RUN).read_text())
    about["corpus"]["folder"] = "/home/ada/corpora/verses"
    (folder / RUN).write_text(json.dumps(about))
    (folder / "samples").mkdir()
    hub.files |= {PROOFREADER: b"of another run", "notes.txt": b"Ada's"}
    status, out, _ = seqgen_command("push", folder, NAME, "--private", "--license", "mit", "--json")
    assert status == 0 and json.loads(out)["commit"] == "c" * 40
    assert hub.created[0]["visibility"] == "private"
    assert sorted(hub.files) == sorted([RUN, WEIGHTS, METRICS, "README.md", "notes.txt"])
    assert not any(b"/home/ada" in content for content in hub.files.values())
    _, front, text = hub.files["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "license": "mit",
        "pipeline_tag": "text-generation",
        "library_name": "seqgen",
        "tags": ["seqgen", "lstm", "text"],
    }
    assert f"seqgen pull {NAME}\n    seqgen generate verses -n 4" in text

    status, out, err = seqgen_command("pull", NAME)
    assert (status, out) == (0, "verses\n"), err
    assert sorted(path.name for path in Path("verses").iterdir()) == sorted(
        hub.files.keys() - {"notes.txt"}
    )
    back = seqgen.load("verses", "cpu")
    ids = [piece.ids.tolist() for piece in seqgen.generate(back, 2)]
    assert ids == [piece.ids.tolist() for piece in seqgen.generate(run, 2)]
    status, _, err = seqgen_command("pull", NAME)
    assert status == 1 and "verses is already there" in err and "--overwrite" in err
    assert seqgen_command("pull", NAME, "--overwrite", "--json")[0] == 0


def test_what_is_pulled_is_checked_before_its_folder_appears(pushed) -> None:
    sound = dict(pushed.files)
    about = json.loads(sound[RUN])
    wider = about | {"model": about["model"] | {"hidden": 63}}
    for name, content, words in (
        (WEIGHTS, b"\x80\x04pickle", "model.safetensors"),
        (RUN, b"[]", "run.json"),
        (RUN, json.dumps(wider).encode(), "model.safetensors"),
        (METRICS, b"{\n", "metrics.jsonl"),
        (PROOFREADER, b"", "proofreader.safetensors"),
    ):
        pushed.files.clear()
        pushed.files.update(sound | {name: content})
        with pytest.raises(RunError) as refused:
            seqgen.pull(NAME, "new")
        assert NAME in str(refused.value) and words in str(refused.value), (name, content)
        assert not list(Path().iterdir())


@pytest.mark.parametrize("size", [2**33, None, 17])
def test_a_size_that_is_too_large_or_wrong_is_refused(pushed, size: int | None) -> None:
    pushed.claims[WEIGHTS] = size
    with pytest.raises(RunError, match=r"model\.safetensors of ada/verses"):
        seqgen.pull(NAME, "new")
    assert not list(Path().iterdir())


def test_a_repository_without_a_run_and_one_that_is_not_there(hub) -> None:
    hub.files["weights.bin"] = b""
    with pytest.raises(RunError, match=r"holds no run of seqgen: it has no run\.json"):
        seqgen.pull(NAME, "new")
    with pytest.raises(RunError, match="bob/nothing could not be downloaded"):
        seqgen.pull("bob/nothing", "new")


def test_without_a_token_nothing_is_pushed(hub, run, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(RunError, match="hf auth login"):
        seqgen.push(run, NAME)
    assert not hub.files


def test_names_are_checked_and_the_extra_is_named(run, monkeypatch) -> None:
    for name in ("verses", "a/b/c", "../x", "", "ada/ver ses"):
        with pytest.raises(ConfigError, match="OWNER/NAME"):
            seqgen.pull(name, "new")
    with pytest.raises(ConfigError, match="license: expected a short name"):
        seqgen.push(run, NAME, license="MIT\nx: y")
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(PluginError, match=r"seqgen-toolkit\[hub\]"):
        seqgen.push(run, NAME)
