"""Corpus folders that were altered: they are refused with an error of seqgen, or do no harm."""

import functools
import json
import os
import shutil
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqgen
from seqgen.cli.compare import compare
from seqgen.cli.info import info
from seqgen.cli.score import score
from seqgen.cli.train import train
from seqgen.config import LimitConfig, ModelConfig, TrainConfig
from seqgen.data.corpus import Corpus
from seqgen.data.integrity import ARRAYS, SOURCES
from seqgen.data.shards import TOKENS
from seqgen.errors import CorpusError, DataError, SeqgenError
from seqgen.files import file_digest
from seqgen.report.samples import write_samples

Commands = dict[str, Callable[[], object]]

SHORT: dict[str, Any] = {"tokens": 32, "batch_size": 1, "window": 8, "device": "cpu"}

MODEL = ModelConfig(hidden=8, embedding=4)

LINE = "the same again. "


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one piece in three segments, with an entry under every key."""
    files = tmp_path_factory.mktemp("files")
    (files / "a.txt").write_text(LINE * 60)
    (files / "b.txt").write_text(LINE * 60)
    (files / "c.txt").write_text(LINE * 9)
    (files / "bad.txt").write_bytes(b"\xff\0")
    (files / "other.yml").write_bytes(bytes(8))
    return seqgen.prepare("text", [files], tmp_path_factory.mktemp("whole") / "corpus").folder


@pytest.fixture(scope="module")
def trained(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of this corpus, with samples."""
    corpus, folder = Corpus(whole), tmp_path_factory.mktemp("trained") / "run"
    run = seqgen.create_run(folder, corpus, MODEL, TrainConfig(**SHORT))
    for _ in seqgen.train(run, corpus):
        pass
    write_samples(run, seqgen.generate(run, 2, limit=LimitConfig(length=20)))
    return folder


@pytest.fixture
def altered(whole: Path, tmp_path: Path) -> Path:
    """A copy to alter."""
    return Path(shutil.copytree(whole, tmp_path / "altered"))


def status_of(call: Callable[[], object]) -> int:
    """Return the exit status of a command; nothing but errors of seqgen are caught."""
    try:
        call()
    except SeqgenError as error:
        return error.exit_status
    return 0


@pytest.fixture
def commands(
    altered: Path, trained: Path, tmp_path: Path, monkeypatch
) -> dict[str, Callable[[], object]]:
    """Commands that read the altered corpus."""
    # The packages that are installed are looked through once.
    monkeypatch.setattr("seqgen.plugins.announcements.entry_points", functools.cache(entry_points))
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    about = json.loads((run / "run.json").read_text())
    about["corpus"]["folder"] = str(altered)
    (run / "run.json").write_text(json.dumps(about))
    model, short, out = MODEL, TrainConfig(**SHORT), tmp_path / "out"
    return {
        "info": lambda: info(altered),
        "score": lambda: score(run, altered),
        "compare": lambda: compare(run),
        "train": lambda: train(
            "text", altered, out=out, model=model, training=short, overwrite=True
        ),
        "create": lambda: seqgen.create_run(out, Corpus(altered), model, short, overwrite=True),
    }


def test_every_key_of_corpus_json(
    altered: Path, commands: dict[str, Callable[[], object]], alterations, capsys
) -> None:
    whole = json.loads((altered / "corpus.json").read_text())
    opened = dict.fromkeys(whole, 0)
    for path, changed in alterations(whole):
        (altered / "corpus.json").write_text(json.dumps(changed))
        if status_of(lambda: Corpus(altered)):
            continue
        opened[path[0]] += 1
        # Training for longer reads no more of the description.
        long = changed.keys() < whole.keys()
        for name in ("info", "score", "compare", "train" if long else "create"):
            assert status_of(commands[name]) in range(5), (path, changed, name)
    # The codec checks its own, and a file that is read its options. The others are free texts, and
    # counts that nothing depends on.
    assert opened.pop("codec") + opened.pop("read_options") > 10
    assert 20 < sum(opened.values()) < 45


def load(folder: Path, name: str) -> Any:
    """Return an array of a corpus, or the lines of its sources."""
    path = folder / name
    return path.read_text().splitlines() if name == SOURCES else np.load(path)


def save(folder: Path, name: str, content: Any) -> None:
    """Put other bytes, lines or another array in the place of a file, with their digest."""
    if isinstance(content, np.ndarray):
        np.save(folder / name, content, allow_pickle=True)
    else:
        data = (
            content if isinstance(content, bytes) else "".join(f"{x}\n" for x in content).encode()
        )
        (folder / name).write_bytes(data)
    about = json.loads((folder / "corpus.json").read_text())
    about["digests"][name] = file_digest(folder / name)
    (folder / "corpus.json").write_text(json.dumps(about))


def with_entry(index: int, value: Any, field: str | None = None) -> Callable[[Any], Any]:
    """Return what puts another value at a place of an array."""

    def change(array: Any) -> Any:
        (array if field is None else array[field])[index] = value
        return array

    return change


ALTERED_ARRAYS = {
    "no such id": ("tokens.npy", with_entry(-1, 99), "ids must be below 11, found 99 after 0 ids"),
    "wider ids": ("tokens.npy", lambda ids: ids.astype("u2"), "uint8 was expected, found uint16"),
    "no ids": ("tokens.npy", lambda ids: ids.astype("f4"), "found float32"),
    "objects": ("tokens.npy", lambda ids: ids.astype(object), "tokens.npy is damaged"),
    "a table": ("tokens.npy", lambda ids: ids[None], "one dimension of uint8 was expected"),
    "one id less": ("offsets.npy", with_entry(-1, 1103), "offsets must go from 0 to 1104"),
    "a late start": ("offsets.npy", with_entry(0, 1), "offsets must go from 0 to 1104, found 1"),
    "going back": ("offsets.npy", with_entry(1, 2000), "offsets must rise, found 2000 before 1104"),
    "overflow": ("offsets.npy", with_entry(1, -(2**63)), "offsets must rise, found 0 before -92"),
    "no offsets": ("offsets.npy", lambda rows: rows[:0], "3 offsets were expected, found 0"),
    "short offsets": ("offsets.npy", lambda rows: rows.astype("i4"), "int64 was expected"),
    "before a piece": ("segments.npy", with_entry(0, -9, "start"), "segment 0 must lie in a piece"),
    "no such split": ("segments.npy", with_entry(1, 9, "split"), "segment 1 must lie in a piece"),
    "no such piece": ("segments.npy", with_entry(-1, 2, "piece"), "segment 5 must lie in a piece"),
    "a piece before": ("segments.npy", with_entry(0, -1, "piece"), "segment 0 must lie in a piece"),
    "past a piece": ("segments.npy", with_entry(-1, 2**62, "stop"), "segment 5 must lie in a"),
    "an empty one": ("segments.npy", with_entry(0, 0, "stop"), "segment 0 must lie in a piece"),
    "overlapping": ("segments.npy", with_entry(1, 8, "start"), "segment 1 must follow the"),
    "in disorder": (
        "segments.npy",
        lambda rows: rows[::-1].copy(),
        "segment 1 must follow the",
    ),
    "untrained": (
        "segments.npy",
        with_entry(slice(0, 6), 2, "split"),
        "must be {'train': 0",
    ),
    "one less": ("segments.npy", lambda rows: rows[:-1], "tokens must be "),
    "no weight": ("weights.npy", with_entry(0, np.nan), "weights go from 0 to 100, found nan"),
    "a large weight": ("weights.npy", with_entry(0, 101), "weights go from 0 to 100, found 101"),
    "a weight of 0": ("weights.npy", with_entry(0, 0), "a piece of weight 0 is in the split"),
    "one weight less": ("weights.npy", lambda rows: rows[:-1], "2 weights were expected, found 1"),
    "whole weights": ("weights.npy", lambda rows: rows.astype("i4"), "float32 was expected"),
    "other records": (
        "segments.npy",
        lambda rows: rows["piece"].copy(),
        "expected, found int64",
    ),
}


@pytest.mark.parametrize("kind", ALTERED_ARRAYS)
def test_altered_arrays(kind: str, altered: Path, commands: Commands) -> None:
    name, change, message = ALTERED_ARRAYS[kind]
    save(altered, name, change(load(altered, name)))
    with pytest.raises(
        CorpusError, match="; prepare the corpus again, with `overwrite=True`"
    ) as caught:
        Corpus(altered).piece(0)
    assert message in str(caught.value) and str(altered) in str(caught.value)
    assert [status_of(commands[name]) for name in ("score", "train")] == [4, 4]
    assert status_of(commands["compare"]) in (2, 4)


@pytest.mark.parametrize("name", ARRAYS)
def test_files_that_are_no_arrays(name: str, altered: Path, commands: Commands) -> None:
    whole = (altered / name).read_bytes()
    for data in (
        b"",
        whole[:40],
        whole[:-1],
        b"PK\x03\x04",
        b"\x80\x04N.",
        b"\x93NUMPY",
        b"\xff" * 99,
    ):
        shutil.copy(altered / "corpus.json", altered / "kept.json")
        save(altered, name, data)
        with pytest.raises(CorpusError, match=rf"{name} is damaged: .*; prepare the corpus again"):
            Corpus(altered)
        assert status_of(commands["info"]) == 4
        shutil.move(altered / "kept.json", altered / "corpus.json")
    (altered / name).unlink()
    with pytest.raises(CorpusError, match=rf"{name} is damaged: .*No such file"):
        Corpus(altered)
    os.mkfifo(altered / name)
    with pytest.raises(CorpusError, match=rf"{name} is damaged: it is not a file"):
        Corpus(altered)


def line(source: str, **others: Any) -> str:
    """Return a line of the sources."""
    return json.dumps({"source": source, "units": {}, "facts": {}} | others)


LINES = {
    "one is missing": (lambda lines: lines[:1], "line 2: "),
    "none": (lambda _: [], "line 1: "),
    "no JSON": (lambda lines: ["{", *lines], "line 1: "),
    "a list": (lambda lines: [*lines[:1], "[]"], r"line 2: it must be an object, found \[\]"),
    "no source": (lambda lines: ["{}", *lines], "line 1: it has no key 'source'"),
    "words": (lambda lines: [line("a", units={"bars": "x"})] * 2, "line 1: units.bars"),
    "no fact": (lambda lines: [line("a", facts={"key": []})] * 2, "line 1: facts.key"),
    "no number": (lambda lines: [line("a", facts={"key": np.nan})] * 2, "line 1: .*finite"),
}


@pytest.mark.parametrize("kind", LINES)
def test_altered_sources(kind: str, altered: Path, commands: Commands) -> None:
    change, message = LINES[kind]
    save(altered, SOURCES, change(load(altered, SOURCES)))
    with pytest.raises(CorpusError, match=rf"{SOURCES} is damaged: {message}"):
        list(Corpus(altered).origins())
    assert status_of(commands["score"]) == 4


def test_more_keys_of_a_source_are_passed_over(altered: Path) -> None:
    save(altered, SOURCES, [line(source, later=1) for source in ("first", "second")])
    assert [origin.source for origin in Corpus(altered).origins()] == ["first", "second"]
    assert Corpus(altered).source(1) == "second"


def test_a_source_is_found_without_reading_the_lines_before_it(altered: Path) -> None:
    save(altered, SOURCES, ["{", line("second")])
    assert Corpus(altered).source(1) == "second"
    with pytest.raises(CorpusError, match="line 1: "):
        Corpus(altered).source(0)


@pytest.mark.parametrize("name", [TOKENS, *ARRAYS, SOURCES])
def test_changed_bytes_are_noticed(name: str, altered: Path, commands: Commands) -> None:
    data = bytearray((altered / name).read_bytes())
    if name == "tokens.npy":
        data[-1] = data[-2]
    else:
        data += b"\n"
    (altered / name).write_bytes(data)
    with pytest.raises(CorpusError, match=rf"{name} is damaged: SHA-256 must be .*, found"):
        Corpus(altered).piece(0)
    assert [status_of(commands[name]) for name in ("info", "score", "train")] == [0, 4, 4]


def test_a_vocabulary_is_that_of_its_digest(altered: Path) -> None:
    about = json.loads((altered / "corpus.json").read_text())
    for vocab in (about["vocab"][:-1], about["vocab"][::-1], ["a", "a"], []):
        (altered / "corpus.json").write_text(json.dumps(about | {"vocab": vocab}))
        with pytest.raises(CorpusError, match=r"corpus.json is damaged: .* vocabulary"):
            Corpus(altered)


def damage(folder: Path, kind: str) -> None:
    """Damage a corpus in the way that is named."""
    if kind == "empty":
        (folder / "tokens.npy").write_bytes(b"")
    elif kind == "changed":
        ids = np.load(folder / "tokens.npy")
        np.save(folder / "tokens.npy", ids[::-1])
    elif kind == "no description":
        (folder / "corpus.json").unlink()
    elif kind == "half a description":
        (folder / "corpus.json").write_text('{"seqgen": ')
    else:
        (folder / kind).unlink()


KINDS = ["empty", "changed", "offsets.npy", SOURCES, "no description", "half a description"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_corpus_in_the_cache_is_prepared_again(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LINE * 9 + kind)
    folder = seqgen.prepare("text", [tmp_path]).folder
    whole = {path.name: file_digest(path) for path in folder.iterdir()}
    damage(folder, kind)
    assert seqgen.prepare("text", [tmp_path]).folder == folder
    assert {path.name: file_digest(path) for path in folder.iterdir()} == whole


def test_all_is_on_the_disk_before_the_folder_has_its_name(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.txt").write_text(LINE)
    on_disk, flush = set(), os.fsync

    def noted(descriptor: int) -> None:
        flush(descriptor)
        status = os.fstat(descriptor)
        on_disk.add((status.st_ino, status.st_size))

    monkeypatch.setattr(os, "fsync", noted)
    folder = seqgen.prepare("text", [tmp_path / "a.txt"], tmp_path / "corpus").folder
    files = [path.stat() for path in folder.iterdir()]
    assert len(files) == 6
    assert {(status.st_ino, status.st_size) for status in files} <= on_disk


def test_a_corpus_without_a_seed_makes_a_run(tmp_path: Path) -> None:
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", {"train": [LINE]})
    run = seqgen.create_run(tmp_path / "run", corpus, MODEL, TrainConfig(**SHORT))
    assert run.info["corpus"]["seed"] is None


def test_a_number_that_is_not_finite_blames_the_plugin(tmp_path: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    monkeypatch.setattr(Text, "describe", lambda self, piece: {"size": float("nan")})
    with pytest.raises(DataError, match="tell its authors"):
        seqgen.write_corpus(tmp_path / "corpus", "text", {"train": [LINE]})
