"""Faults of plugin code: each names distribution, method, line and rule; none harms the rest."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import seqgen
import seqgen.plugins.faults
from seqgen.cli.arguments import with_options
from seqgen.errors import DataError, PluginError
from seqgen.plugins.faults import RULES, PluginFault

HOOK = """
from seqgen.plugin import DomainSpec, hookimpl

@hookimpl
def seqgen_domains():
    return [DomainSpec("faulty", "letters", (".abc",), "seqgen_faulty.domain:Faulty", contract=2)]
"""

#: Letters, with every method of the contract; each fails as the file `FAIL` says.
DOMAIN = """
import os, sys
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from seqgen.errors import DataError
from seqgen.plugin import Codec, Domain, Metric
from seqgen.unknown import Mended

FAIL = Path(__file__).with_name("FAIL")

def fails(method):
    name, _, how = FAIL.read_text().partition(" ")
    if name == method:
        exec(how, {"os": os, "sys": sys, "DataError": DataError})

@dataclass(frozen=True)
class Options:
    pass

class Letters(Codec):
    options_type = Options
    vocab = tuple("abc")
    feature_sizes = (2,)

    def __init__(self, options):
        self.options = options

    @classmethod
    def fit(cls, pieces, options):
        fails("fit")
        return cls(options)

    def encode(self, piece):
        fails("encode")
        return np.array(["abc".index(letter) for letter in piece], np.int64)

    def decode(self, ids):
        fails("decode")
        return "".join("abc"[token] for token in ids)

    def state(self):
        fails("state")
        return {}

    @classmethod
    def from_state(cls, state, options):
        fails("from_state")
        return cls(options)

    def augment(self, ids, rng):
        fails("augment")
        return ids

    def continuation(self, ids, start):
        fails("continuation")
        return ids[start:]

    def text_stream(self):
        def typed(token):
            fails("text_stream")
            return "abc"[token]
        return typed

    def features(self, ids):
        fails("features")
        return np.r_[0, np.asarray(ids) % 2][:, None]

    def tracker(self, condition=None):
        fails("tracker")
        return Follower()

    def candidates(self, condition):
        fails("candidates")
        return 1

    def most_tokens(self, condition):
        fails("most_tokens")
        return 30

    def mend_prompt(self, piece, unknown):
        fails("mend_prompt")
        return Mended(piece)

    def mend_condition(self, condition, unknown):
        fails("mend_condition")
        return Mended(condition)

    def place(self, ids, position):
        fails("place")
        return str(position)

    def units(self, ids):
        fails("units")
        return {"letters": float(len(ids))}

    def passages(self, ids):
        fails("passages")
        return np.zeros(0, np.int64)

class Follower:
    odd = 0
    def features(self):
        fails("Follower.features")
        return (self.odd,)
    def allowed(self):
        fails("allowed")
        return np.ones(4, bool)
    def forced(self):
        fails("forced")
        return None
    def push(self, token):
        fails("push")
        self.odd = token % 2
    def __deepcopy__(self, memo):
        fails("__deepcopy__")
        return Follower()

class Faulty(Domain):
    codecs = {"letters": Letters, "others": Letters}
    formats = (".abc",)

    def read(self, path, options):
        fails("read")
        print("read", path)
        return [path.read_text().strip()]

    def from_text(self, text):
        fails("from_text")
        return text

    def suggest(self, pieces):
        fails("suggest")
        return "letters", "any"

    def write(self, piece, path, options):
        fails("write")
        path.write_text(piece)
        return [path]

    def preview(self, piece):
        fails("preview")
        return {"text/plain": piece}

    def describe(self, piece):
        fails("describe")
        return {"length": len(piece)}

    def demo(self, folder):
        fails("demo")
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (folder / f"{number}.abc").write_text("abc" * (number + 5))
        return sorted(folder.glob("*.abc"))

    def metrics(self, generated, reference):
        fails("metrics")
        return {}

    def probes(self, codec):
        fails("probes")
        return ["x"]

    def measure_probes(self, probes, written, reference):
        fails("measure_probes")
        return {}

    def likelihoods(self, codec, predictor, pieces):
        fails("likelihoods")
        return {}
"""


@pytest.fixture(scope="module")
def install(write_metadata):
    """Return a function that makes an installed distribution of a package."""

    def make(folder: Path, name: str, files: dict[str, str]) -> None:
        package = folder / f"seqgen_{name}"
        package.mkdir()
        for file, content in files.items():
            (package / file).write_text(content)
        points = {name: f"seqgen_{name}"}
        write_metadata(folder, f"seqgen-{name}", points, version="3.1")

    return make


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, install):
    """A plugin that fails where `fail` is called for, with files, a corpus and a run."""
    folder = tmp_path_factory.mktemp("faulty")
    install(folder, "faulty", {"__init__.py": HOOK, "domain.py": DOMAIN})
    switch = folder / "seqgen_faulty" / "FAIL"
    switch.write_text("")
    seqgen.plugins.faults._announced.cache_clear()
    sys.path.insert(0, str(folder))
    try:
        files = folder / "files"
        seqgen.load_domain("faulty")[0].demo(files)
        corpus = seqgen.prepare("faulty", [files], folder / "corpus", jobs=1)
        model = seqgen.ModelConfig(hidden=32, embedding=8, dropout=0.0)
        config = seqgen.TrainConfig(tokens=500, batch_size=2, window=16, device="cpu")
        run = seqgen.create_run(folder / "run", corpus, model, config)
        for _ in seqgen.train(run, corpus):
            pass

        seqgen.generate_samples(run, 2, limit=seqgen.LimitConfig(length=9))

        def fail(method: str, how: str = "raise KeyError('seven')") -> None:
            switch.write_text(f"{method} {how}")

        yield SimpleNamespace(folder=folder, files=files, fail=fail)
    finally:
        sys.path.remove(str(folder))
        for name in ("seqgen_faulty", "seqgen_faulty.domain"):
            sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def sound(request):
    """End every fault with its test."""
    yield
    if "faulty" in request.fixturenames:
        request.getfixturevalue("faulty").fail("nothing")


PREPARE = ("prepare", "faulty", "files", "--out", "OUT", "--jobs", "1")
TRAIN = ("train", "faulty", "corpus", "--tokens", "300", "--out", "OUT")
GENERATE = ("generate", "run", "--count", "1", "--length", "9", "--out", "OUT")
#: A command that calls each method, by the name that it fails with.
COMMANDS = {
    **dict.fromkeys(("fit", "state", "units", "passages", "suggest"), PREPARE),
    "demo": ("prepare", "faulty", "--out", "OUT"),
    **dict.fromkeys(("augment", "features"), TRAIN),
    **dict.fromkeys(("tracker", "candidates", "decode", "write"), GENERATE),
    **dict.fromkeys(("Follower.features", "allowed", "forced", "push", "__deepcopy__"), GENERATE),
    "most_tokens": ("generate", "run", "--count", "1", "--out", "OUT"),
    "preview": (*GENERATE, "--page"),
    **dict.fromkeys(
        ("from_text", "encode", "mend_prompt"), (*GENERATE, "--prompt", "ab", "--unknown", "skip")
    ),
    "continuation": (*GENERATE, "--prompt", "ab", "--without-prompt"),
    "mend_condition": (*GENERATE, "--given", "ab", "--unknown", "skip"),
    "place": ("generate", "run", "--count", "1", "--length", "60", "--novelty", "--out", "OUT"),
    **dict.fromkeys(("metrics", "probes", "measure_probes"), ("compare", "run")),
    "likelihoods": ("score", "run", "files"),
}


def run_command(faulty, tmp_path: Path, command, arguments) -> int:
    places = {name: faulty.folder / name for name in ("files", "corpus", "run")}
    places["OUT"] = tmp_path / "out"
    return command(*(places.get(argument, argument) for argument in arguments))


@pytest.mark.parametrize("method", COMMANDS)
def test_a_fault_names_its_author_place_and_rule(
    method: str, faulty, tmp_path, command, capsys
) -> None:
    faulty.fail(method)
    status = run_command(faulty, tmp_path, command, COMMANDS[method])
    said = " ".join(capsys.readouterr().err.split())
    assert status == PluginError.exit_status == 3, said
    assert "Traceback" not in said
    assert "seqgen-faulty 3.1: " in said and "KeyError: 'seven'" in said
    name = method.rpartition(".")[2]
    assert f".{name}" in said.partition(" fails (")[0]
    assert with_options(RULES[name].text) in said
    assert f"{faulty.folder}/seqgen_faulty/domain.py, line " in said


@pytest.mark.parametrize("method", ["read", "encode", "describe"])
def test_faults_with_a_file_cost_the_file(method, faulty, tmp_path, command, capsys) -> None:
    """Also in other processes, whose traceback is shown on request."""
    faulty.fail(method)
    arguments = [argument if argument != "1" else "2" for argument in PREPARE]
    assert run_command(faulty, tmp_path, command, ["--traceback", *arguments][1:]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert "none of the files could be used" in said
    assert f"seqgen-faulty 3.1: {'Faulty' if method != 'encode' else 'Letters'}.{method}" in said
    with pytest.raises(DataError):
        run_command(faulty, tmp_path, command, ["--traceback", *arguments])


def test_what_the_contract_allows_stays_a_data_error(faulty, tmp_path, command, capsys) -> None:
    for method in ("tracker", "encode", "candidates", "from_text"):
        faulty.fail(method, "raise DataError('not like this')")
        arguments = (*GENERATE, "--prompt", "ab")
        assert run_command(faulty, tmp_path, command, arguments) == 4
        assert "not like this" in capsys.readouterr().err
    faulty.fail("decode", "raise DataError('not like this')")
    assert run_command(faulty, tmp_path, command, GENERATE) == 3
    faulty.fail("write", "raise OSError(28, 'No space left on device', 'x')")
    assert run_command(faulty, tmp_path, command, GENERATE) == 1


def test_functions_raise_the_same_error_from_the_author_s(faulty) -> None:
    run = seqgen.load(faulty.folder / "run", "cpu")
    for method in ("decode", "push", "forced"):
        faulty.fail(method)
        with pytest.raises(PluginFault, match=f"{method} fails") as caught:
            list(seqgen.generate(run, 1))
        assert isinstance(caught.value.__cause__, KeyError)


def test_sys_exit_in_a_method_is_a_fault(faulty, tmp_path, command, capsys) -> None:
    faulty.fail("decode", "sys.exit(0)")
    assert run_command(faulty, tmp_path, command, GENERATE) == 3


def with_path(folder: Path) -> dict[str, str]:
    """Return the environment of a process that finds the plugins in a folder."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path}


def shell(faulty_folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seqgen", *map(str, arguments)],
        env=with_path(faulty_folder),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt, which would have ended the process"),
        ("sys.exit(5)", "SystemExit: 5, which would"),
        ("os._exit(5)", r"os._exit(5), which would"),
        ("print('noise') or os.fork() or os._exit(0)", ""),
    ],
)
def test_a_reader_that_ends_the_process_costs_its_file(how, reason, faulty, tmp_path) -> None:
    faulty.fail("read", f"if '3.abc' in str(sys._getframe(2).f_locals): {how}")
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        done = shell(faulty.folder, "prepare", "faulty", faulty.files, "--out", out, "--jobs", jobs)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{out}\n"
        skipped = json.loads((out / "corpus.json").read_text())["skipped"]
        assert [Path(entry["source"]).name for entry in skipped] == (
            ["13.abc", "3.abc"] if reason else []
        )
        assert all(reason in entry["reason"] for entry in skipped)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('noise'); sys.stderr.write('noise')", ""),
        ("raise KeyboardInterrupt", "KeyboardInterrupt, which would have ended the process"),
        ("sys.exit(0)", "SystemExit: 0, which would"),
        ("os._exit(0)", "os._exit(0), which would"),
        ("time.sleep(1e6)", "import had not ended after 2 seconds"),
    ],
)
def test_a_module_that_misbehaves_costs_only_its_plugin(
    code, problem, tmp_path: Path, install
) -> None:
    hook = HOOK.replace("faulty", "rude")
    install(tmp_path, "rude", {"__init__.py": f"import os, sys, time\n{hook}\n{code}"})
    start = "import seqgen.plugins.guard as guard; guard.IMPORT_SECONDS = 2.0"
    command = f"{start}; import sys; sys.argv = ['x', 'domains', '--json']"
    done = subprocess.run(
        [sys.executable, "-c", f"{command}; from seqgen.__main__ import main; main()"],
        env=with_path(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert found["text"]["status"] == "ok"
    assert found["rude"]["status"] == ("broken" if problem else "ok")
    assert problem in found["rude"]["problem"]
    if problem:
        assert f"{tmp_path}/seqgen_rude/__init__.py, line 9" in found["rude"]["problem"]


def test_the_kit_finds_prints_shared_trackers_and_faults(faulty, tmp_path, monkeypatch) -> None:
    from seqgen.conformance import codecs, domains, trackers
    from seqgen.conformance.subject import subject_of
    from seqgen.testing import Check

    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path))
    subject = subject_of("faulty", "letters")
    with pytest.raises(AssertionError, match="read "):
        domains.prints_nothing(subject, tmp_path / "demo")
    trackers.copies_its_tracker(subject, tmp_path)
    follower = type(subject.codec.tracker())
    monkeypatch.setattr(follower, "__deepcopy__", lambda self, memo: self)
    with pytest.raises(AssertionError):
        trackers.copies_its_tracker(subject, tmp_path)
    faulty.fail("decode")
    with pytest.raises(PluginFault, match="decode must return a piece"):
        Check("faulty", "letters", codecs.decodes_anything).run(tmp_path)


def test_every_method_of_the_contract_has_its_rule() -> None:
    from seqgen.plugin import Codec, Domain, Tracker

    for protocol in (Codec, Domain, Tracker):
        methods = inspect.getmembers_static(
            protocol, lambda member: inspect.isroutine(member) or isinstance(member, classmethod)
        )
        assert {name for name, _ in methods if name[0] != "_"} <= RULES.keys()


def test_members_without_a_default_are_missed_at_once(tmp_path: Path, monkeypatch, install) -> None:
    code = "from seqgen.plugin import Domain\nclass Faulty(Domain): codecs, formats = {}, ()\n"
    install(tmp_path, "bare", {"__init__.py": HOOK.replace("faulty", "bare"), "domain.py": code})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="Faulty lacks read, write, preview, demo"):
        seqgen.load_domain("bare")
