"""Options that plugins declare: of codecs, of reading and of writing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from seqgen_text.domain import Text

import seqgen
from seqgen.conformance.domains import declares_its_options
from seqgen.conformance.subject import Subject, subject_of
from seqgen.errors import ConfigError, PluginError, SeqgenError
from seqgen.evaluation.table import score_table
from seqgen.options import NoOptions, described, options_from
from seqgen.plugin import Within


@dataclass(frozen=True)
class Some:
    """Options of every type."""

    sharp: bool = False
    """Cut
    corners."""
    width: Annotated[float, Within(0, 5)] = 0.5
    """Width."""


@dataclass(frozen=True)
class More(Some):
    """Options that add one."""

    form: Literal["round", "square"] = "round"
    """Form."""


@dataclass
class Thawed:
    """Options that may change."""

    width: float = 0.5


@dataclass(frozen=True)
class Bare:
    """An option without a default."""

    width: float


def test_options_are_made_of_plain_values() -> None:
    assert options_from(More, {"width": "2", "sharp": "true"}, "here") == More(True, 2.0)
    assert options_from(NoOptions, {}, "here") == NoOptions()
    with pytest.raises(ConfigError, match="here: unknown setting 'widht'; did you mean 'width'"):
        options_from(More, {"widht": 2}, "here")
    with pytest.raises(ConfigError, match="here: width must be from 0 to 5, found 9"):
        options_from(More, {"width": 9.0}, "here")


def test_options_are_described_with_inherited_ones() -> None:
    assert described(More) == [
        {"name": "sharp", "type": "bool", "default": False, "about": "Cut corners."},
        {"name": "width", "type": "float", "default": 0.5, "about": "Width."},
        {"name": "form", "type": "round | square", "default": "round", "about": "Form."},
    ]


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (dict, "must be a frozen dataclass"),
        (Some(), "must be a frozen dataclass"),
        (Thawed, "must be frozen"),
        (Bare, "field 'width' .* has no default"),
    ],
)
def test_options_that_are_no_frozen_dataclass_are_refused(
    declared: type, reason: str, monkeypatch: pytest.MonkeyPatch, verses: Path, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=f"here.* {reason}"):
        options_from(declared, {}, "here")
    subject = subject_of("text", "characters")
    monkeypatch.setattr(Text, "read_options", declared)
    with pytest.raises(PluginError, match=f"read options of text.* {reason}"):
        seqgen.prepare("text", [verses], tmp_path / "corpus")
    with pytest.raises(PluginError, match=reason):
        declares_its_options(subject, tmp_path)


def test_the_kit_demands_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Silent:
        """Options without sentences."""

        width: float = 0.5

    subject: Subject = subject_of("text", "characters")
    declares_its_options(subject, tmp_path)
    monkeypatch.setattr(Text, "write_options", Silent)
    with pytest.raises(AssertionError, match=r"Silent\.width has no docstring"):
        declares_its_options(subject, tmp_path)


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of texts in Latin-1."""
    folder = tmp_path_factory.mktemp("latin")
    for number in range(12):
        (folder / f"{number}.txt").write_bytes(f"{number} bière brûlée. ".encode("latin-1") * 9)
    return folder


def test_a_corpus_and_a_run_keep_their_read_options(
    latin: Path, tmp_path: Path, seqgen_command
) -> None:
    corpus = seqgen.prepare("text", [latin], read_options={"encoding": "latin-1"})
    kept = {
        "encoding": "latin-1",
        "piece": "auto",
        "delimiter": "",
        "text": "",
        "weight": "",
        "header": "auto",
        "normalise": "none",
        "trailing": "keep",
        "markup": "keep",
    }
    assert corpus.info["read_options"] == kept
    assert corpus.info["pieces"] == 12 and not corpus.info["skipped"]
    again = seqgen.prepare("text", [latin], read_options={"encoding": "latin-1"})
    other = seqgen.prepare("text", [latin], read_options={"encoding": "cp1252"})
    assert again.folder == corpus.folder != other.folder
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(tokens=500, batch_size=2, window=8, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    assert run.info["read_options"] == corpus.info["read_options"]
    for _ in seqgen.train(run, corpus):
        pass
    # Prompts and scored files are read in the same way, unless told otherwise.
    scored = score_table(run, [latin / "1.txt"])
    assert scored.total.tokens == len((latin / "1.txt").read_text("latin-1"))
    generate = ("generate", run.folder, "--length", "200", "--prompt", latin / "1.txt")
    status, _, err = seqgen_command(*generate, "--out", tmp_path / "out")
    assert status == 0, err
    written = (tmp_path / "out" / "text-1.txt").read_text("utf-8")
    assert written.startswith("1 bière brûlée.")
    status, _, err = seqgen_command(*generate, "--read", "encoding=utf-8")
    assert status == 4 and "it is not utf-8" in err
    status, _, err = seqgen_command(*generate, "--read", "encodin=utf-8")
    assert status == 2 and "did you mean 'encoding'" in err
    status, _, err = seqgen_command("score", run.folder, "--read", "encoding=utf-8")
    assert status == 2 and "--read is for files" in err
    status, _, err = seqgen_command("train", "text", corpus.folder, "--read", "encoding=utf-8")
    assert status == 2 and "encoded already" in err


@pytest.mark.parametrize("wrong", [{"encoding": 5}, {"encoding": "klingon"}, {"x": 1}])
def test_wrong_options_in_a_folder_are_refused(
    wrong: dict[str, object], latin: Path, tmp_path: Path
) -> None:
    corpus = seqgen.prepare("text", [latin], tmp_path / "c", read_options={"encoding": "latin-1"})
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(tmp_path / "run", corpus, model)
    for file in (corpus.folder / "corpus.json", run.folder / "run.json"):
        info = json.loads(file.read_text())
        file.write_text(json.dumps(info | {"read_options": wrong}))
    with pytest.raises(SeqgenError, match=f"read options of text in {tmp_path}"):
        seqgen.create_run(tmp_path / "other", seqgen.Corpus(corpus.folder), model)
    with pytest.raises(SeqgenError, match=f"read options of text in {tmp_path}"):
        score_table(seqgen.Run(run.folder, "cpu"), [latin])


def test_domains_describes_one_domain(seqgen_command) -> None:
    status, out, _ = seqgen_command("domains", "text")
    assert status == 0
    assert "--codec characters" in out and "rarest=1  (int)" in out and "encoding=auto" in out
    status, out, _ = seqgen_command("domains", "text", "--json")
    about = json.loads(out)
    assert about["formats"] == [".txt"] and about["write_options"] == []
    names = [option["name"] for option in about["read_options"]]
    assert names[:4] == ["encoding", "piece", "delimiter", "text"]
    assert all(option["about"] for codec in about["codecs"] for option in codec["options"])
    status, _, err = seqgen_command("domains", "texd")
    assert status == 3 and "did you mean 'text'" in err
