"""Small copies of runs, and the runs that come with the plugins."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from seqgen_handwriting.demo import Writer, write_line

import seqgen
from seqgen.errors import CorpusError, DataError, RunError
from seqgen.plugins.discovery import load_domain
from seqgen.run.slimming import write_slim
from seqgen.serve.playground import Playground
from seqgen.storage.tensors import halved, read_weights

SHORT = seqgen.LimitConfig(length=40)


@pytest.fixture(scope="module")
def slim(run, tmp_path_factory) -> Path:
    """A small copy of the run of the verses."""
    folder = tmp_path_factory.mktemp("slim") / "model"
    write_slim(run, folder, "It read *verses*.")
    return folder


@pytest.fixture
def bundled(slim, tmp_path, monkeypatch) -> None:
    """Let the small copy come with the domain of texts; work in an empty folder."""
    monkeypatch.setattr("seqgen.run.folder.bundled_model", lambda name: slim)
    monkeypatch.setattr("seqgen.plugins.discovery.bundled_model", lambda name: slim)
    monkeypatch.chdir(tmp_path)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_small_copy_has_the_weights_in_half_the_space(run, slim) -> None:
    own, copy = run.weights, seqgen.load(slim, "cpu").weights
    assert own.keys() == copy.keys()
    for name, array in copy.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, own[name].astype(np.float16).astype(np.float32))
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (slim, run.folder)]
    assert sizes[0] < 0.55 * sizes[1]
    # The loss beside the weights is that of `run.json`, so no report is needed to know it.
    assert seqgen.load(slim, "cpu").info["result"] == run.info["result"]


def test_a_small_copy_predicts_and_writes_nearly_as_the_run(run, slim) -> None:
    copy, text = seqgen.load(slim, "cpu"), "3 green bottles hanging on the wall"
    [own], [other] = seqgen.score(run, [text]), seqgen.score(copy, [text])
    assert other.nats == pytest.approx(own.nats, rel=0.01)
    assert [new.piece for new in seqgen.generate(copy, 2, limit=SHORT)]


def test_a_small_copy_says_nothing_of_this_machine(run, slim, tmp_path, monkeypatch) -> None:
    assert set(files_of(slim)) == {"run.json", "model.safetensors", "metrics.jsonl", "README.md"}
    for name, content in files_of(slim).items():
        assert str(run.corpus().folder.parent).encode() not in content, name
    # A machine whose cache does not remember the corpus.
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path))
    with pytest.raises(CorpusError, match="comes without it"):
        seqgen.load(slim).corpus()
    assert "It read *verses*." in (slim / "README.md").read_text()


@pytest.mark.parametrize("value", [70_000.0, -1e30, float("nan"), float("inf")])
def test_weights_that_float16_cannot_hold_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"the tensor output\.bias"):
        halved({"output.bias": np.array([0.5, value], np.float32)})


def test_halves_must_fit_the_table_as_well(run, tmp_path: Path) -> None:
    table, path = run.kinds, tmp_path / "model.safetensors"
    halves = halved(run.weights)
    mixed = halves | {"output.bias": run.weights["output.bias"]}
    path.write_bytes(safetensors.numpy.save(mixed))
    assert {array.dtype for array in read_weights(path, table).values()} == {np.dtype(np.float32)}
    for wrong in (halves["output.bias"][:-1], halves["output.bias"].astype(np.int64)):
        path.write_bytes(safetensors.numpy.save(halves | {"output.bias": wrong}))
        with pytest.raises(RunError, match="does not fit"):
            read_weights(path, table)


def test_the_name_of_a_domain_means_its_model(bundled, slim, seqgen_command) -> None:
    before = files_of(slim)
    status, out, _ = seqgen_command("generate", "text", "-n", 2, "--length", 40)
    assert status == 0 and out
    assert sorted(path.name for path in Path("new-text/samples/1").glob("*.txt"))
    assert seqgen_command("generate", "text", "--length", 40)[0] == 0
    assert Path("new-text/samples/2/manifest.json").exists()
    described = seqgen_command("info", "text")[1]
    assert "It read *verses*." in described and "seqgen generate text -n 4" in described
    Path("new.txt").write_text("3 green bottles")
    status, out, _ = seqgen_command("score", "text", "new.txt", "--json")
    assert status == 0 and json.loads(out)
    assert seqgen_command("export", "text", "--web")[1].startswith("new-text/model.html")
    assert files_of(slim) == before
    assert seqgen.load("text").name == "text" and seqgen.load("text").folder == slim


def test_the_playground_names_it_as_the_command_does(bundled, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SEQGEN_CACHE", str(tmp_path))  # which does not remember the corpus
    place = Playground(seqgen.load("text", "cpu"), print)
    begun = place.begin({"limit": {"length": 20}})
    assert begun["command"] == "seqgen generate text --length 20 --seed 0"
    place.join(20)
    kept = place.keep(begun["piece"])
    assert kept == {"folder": "new-text/samples/1", "files": ["text-1.txt"]}
    assert Path("new-text/samples/1/text-1.txt").is_file()
    assert not place.about()["has_corpus"]
    with pytest.raises(DataError, match="start the playground again with its place"):
        place.novelty(begun["piece"])


def test_a_folder_hides_the_model_of_a_domain(bundled, run, seqgen_command) -> None:
    write_slim(run, Path("text"), "It is the folder.")
    status, out, err = seqgen_command("info", "text")
    assert status == 0 and "It is the folder." in out
    assert "text is the folder here, not the model that comes with the domain text" in err
    assert seqgen.load("text").folder == Path("text") == seqgen.load("text").output


def test_a_training_may_start_from_it(bundled, slim, verses, seqgen_command) -> None:
    options = ("--from", "text", "--tokens", 2000, "--out", "mine", "--json")
    status, out, err = seqgen_command("train", "text", verses, *options)
    assert status == 0, err
    assert json.loads(out)["from"]["run"] == "text"
    assert seqgen.load("mine", "cpu").weights.keys() == seqgen.load(slim).weights.keys()


def test_a_domain_without_a_model_says_so(seqgen_command, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seqgen.run.folder.bundled_model", lambda name: None)
    for command in ("generate", "info"):
        status, _, err = seqgen_command(command, "text")
        assert status == 1 and "no model comes with the domain 'text'" in err
        assert "seqgen train text" in err


#: A sentence about Python.
SENTENCE = "The function returns a list of strings, or raises an exception if a value is missing."

#: The digest of the weights that come with a domain, and the nats per token of a fixed file.
BUNDLED = {
    "handwriting": ("5e5b432a9e4aaeb1cf01a889bb39f2c8fa330d9c724d67da3fc617a74850bd8e", 1.724),
    "text": ("82f721f46f5c0aabed0a11690e0341ab53363d91ff34ca1e23afe0f80a8272b4", 0.903),
    "music": ("2acb28bc9f06a200d4990acc51af55b8f7188470206378f858043680ddeb7e4c", 0.286),
}


def fixed_file(domain: str, folder: Path) -> Path:
    """Return a file for a domain: a sentence, a drawn line, or a chorale that music21 ships."""
    if domain == "handwriting":
        line = write_line("thank you for the 12 eggs", Writer.number(3), seed=0)
        return seqgen.load(domain).write(line, folder / "line.json")[0]
    if domain == "music":
        [chorale] = [path for path in load_domain("music")[0].demo(folder) if path.stem == "bwv269"]
        return chorale
    (folder / "sentence.txt").write_text(SENTENCE)
    return folder / "sentence.txt"


@pytest.mark.parametrize("domain", BUNDLED)
def test_the_models_that_come_along_are_small_and_predict(domain: str, tmp_path: Path) -> None:
    digest, loss = BUNDLED[domain]
    run = seqgen.load(domain, "cpu")
    files = files_of(run.folder)
    reader = {"proofreader.safetensors"} if domain == "handwriting" else set()
    assert set(files) == {"run.json", "model.safetensors", "metrics.jsonl", "README.md"} | reader
    assert sum(map(len, files.values())) <= 2_000_000
    assert hashlib.sha256(files["model.safetensors"]).hexdigest() == digest
    assert "## Data and licence" in run.info["about"]
    total = seqgen.score_table(run, [fixed_file(domain, tmp_path)]).total
    assert total.loss("network") == pytest.approx(loss, abs=0.01)
