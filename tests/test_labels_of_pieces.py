"""Labels that pieces bring along: where they come from, which ones are used, and given splits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from seqgen_text.codecs.characters import CharacterCodec, CharacterOptions

import seqgen
from seqgen.cli.settings import parse_labels
from seqgen.conditions.labels import Label, Labelled
from seqgen.conditions.requests import Request
from seqgen.data.corpus import CorpusWriter
from seqgen.data.labelling import Census, Labelling
from seqgen.data.splits import SPLITS, WORDS, named_split
from seqgen.errors import ConfigError, CorpusError, DataError

#: Files of lines, each with its labels before the text.
LINES = [
    f"site={'ab'[number % 2]} mood={['glad', 'sad', ''][number % 3]} name=n{number} "
    f"split={['train', 'dev', 'TEST', 'train'][number // 10]}|{number} green bottles\n"
    for number in range(40)
]


@pytest.fixture
def lines(tmp_path: Path, monkeypatch) -> Path:
    """A file of labelled lines, which the domain reads so."""
    from seqgen_text.domain import Text

    def read(self, path: Path, options: object) -> Iterator[Labelled | DataError]:
        for line in path.read_text().splitlines():
            head, _, text = line.partition("|")
            yield Labelled(
                dict(part.split("=") for part in head.split()), text, 1.0, {"from": "it"}
            )

    def labels(self, piece: str) -> dict[str, str]:
        return {"site": "of the domain", "parity": str(int(piece[0]) % 2)}

    monkeypatch.setattr(Text, "read", read)
    monkeypatch.setattr(Text, "labels", labels)
    path = tmp_path / "lines" / "file.txt"
    path.parent.mkdir()
    path.write_text("".join(LINES))
    return path


def of(corpus: seqgen.Corpus) -> list[Label]:
    return list(getattr(corpus.codec, "labels", ()))


def test_useful_labels_are_used_and_the_others_are_said(lines: Path) -> None:
    corpus = seqgen.prepare("text", [lines], jobs=1)
    assert of(corpus) == [
        Label("site", "", {"a": 20, "b": 20}),
        Label("mood", "", {"glad": 14, "sad": 13}, without=13),
        Label("split", "", {"TEST": 10, "dev": 10, "train": 20}),
        Label("parity", "", {"0": 15, "1": 25}),
    ]
    assert corpus.info["labels_left_out"] == {
        "name": 'it has 40 values in 40 pieces; `labels={"name": ""}` uses it'
    }
    assert next(corpus.origins()).facts == {"from": "it"}
    heads = [corpus.vocab.names[corpus.piece(index)[0]] for index in range(2)]
    assert heads == ["site=a", "site=b"]


def test_the_user_the_file_and_the_domain_in_this_order(lines: Path) -> None:
    def values(**sources: str) -> dict[str, set[str]]:
        corpus = seqgen.prepare("text", [lines], labels=sources, jobs=1)
        return {label.name: set(label.values) for label in of(corpus)}

    assert values(site="") == {"site": {"a", "b"}}
    assert values(site="{}/*.txt") == {"site": {"lines"}}
    # Without a value in the path the file's own counts.
    assert values(site="{}.other") == {"site": {"a", "b"}}
    assert values(parity="", name="") == {
        "parity": {"0", "1"},
        "name": {f"n{number}" for number in range(40)},
    }


def test_no_label_at_all(lines: Path, seqgen_command) -> None:
    assert parse_labels([]) is None and parse_labels(["none"]) == {}
    for both in (["none", "who"], ["who={}/*", "none"]):
        with pytest.raises(ConfigError, match="--label none uses no label, and there are others"):
            parse_labels(both)
    with pytest.raises(ConfigError, match=r"labels must be a mapping, found \['site'\]"):
        seqgen.prepare("text", [lines], labels=["site"])
    assert of(seqgen.prepare("text", [lines], labels={}, jobs=1)) == []
    status, out, err = seqgen_command("prepare", "text", lines, "--label", "none", "--report")
    assert status == 0 and "label " not in err + out
    status, out, err = seqgen_command("prepare", "text", lines, "--report")
    assert "label site: 2 values" in err
    assert "label name is left out: it has 40 values in 40 pieces; --label name uses it" in out


def uses(name: str) -> str:
    return f'`labels={{"{name}": ""}}` uses it'


def test_which_labels_are_useless() -> None:
    census = Census(Labelling(None))
    for number in range(2000):
        labels = {"one": "x", "each": str(number), "few": str(number % 400), "two": str(number % 2)}
        labels["rare"] = "y" if number < 9 and number % 2 else "z" if number < 9 else ""
        census.count(Labelled(labels, ""))
    assert [label.name for label in census.labels()] == ["two"]
    assert census.left_out == {
        "one": f"it has one value, 'x'; {uses('one')}",
        "each": f"it has over 300 values; {uses('each')}",
        "few": f"it has over 300 values; {uses('few')}",
        "rare": f"it has 2 values in 9 pieces; {uses('rare')}",
    }
    census = Census(Labelling(None))
    for number in range(20):
        census.count(Labelled({f"n{name}": str(number % 2) for name in range(150)}, ""))
    assert len(census.labels()) == 16
    assert len(census.left_out) == 84
    assert all(reason.startswith("there are 16 others; ") for reason in census.left_out.values())


def test_a_codec_that_cannot_have_labels_gets_none_unless_asked(lines: Path) -> None:
    options = {"boundary": "line"}
    corpus = seqgen.prepare("text", [lines], options=options, jobs=1)
    assert of(corpus) == []
    assert "a boundary token resets the state" in corpus.info["labels_left_out"]["site"]
    with pytest.raises(ConfigError, match="a boundary token resets the state"):
        seqgen.prepare("text", [lines], options=options, labels={"site": ""}, jobs=1)


def test_only_labels_named_like_a_request_are_left_out(lines: Path, monkeypatch) -> None:
    requests = {"site": Request("Site of the codec's own.", "a", str)}
    monkeypatch.setattr(CharacterCodec, "requests", requests)
    corpus = seqgen.prepare("text", [lines], jobs=1)
    assert "site" not in of(corpus) and of(corpus)
    assert "site=VALUE is a request of the codec's own" in corpus.info["labels_left_out"]["site"]
    with pytest.raises(ConfigError, match="give the label another name"):
        seqgen.prepare("text", [lines], labels={"site": ""}, jobs=1)


def test_scores_know_the_labels_of_pieces(lines: Path) -> None:
    from seqgen.data.encoding import encode_files

    corpus = seqgen.prepare("text", [lines], jobs=1)
    again = [ids.tolist() for _, ids in encode_files("text", [lines], corpus.codec, jobs=1)]
    assert again == [corpus.piece(index).tolist() for index in range(40)]


def splits_of(corpus: seqgen.Corpus) -> dict[str, list[int]]:
    return {split: [one.piece for one in corpus.segments(split)] for split in SPLITS}


def test_a_label_says_the_split(lines: Path) -> None:
    corpus = seqgen.prepare("text", [lines], split_label="split", jobs=1)
    assert splits_of(corpus) == {
        "train": [*range(10), *range(30, 40)],
        "valid": [*range(10, 20)],
        "test": [*range(20, 30)],
    }
    assert corpus.info["seed"] is None
    assert "split" not in [label.name for label in of(corpus)]
    assert seqgen.prepare("text", [lines], jobs=1).folder != corpus.folder


def test_a_split_that_is_no_split_costs_its_piece(lines: Path) -> None:
    lines.write_text("".join(LINES).replace("name=n5 split=train", "name=n5 split=other"))
    corpus = seqgen.prepare("text", [lines], split_label="split", jobs=1)
    [skipped] = corpus.info["skipped"]
    assert skipped["reason"].endswith("found 'other'") and skipped["source"].endswith("piece 6")
    assert corpus.info["pieces"] == 39
    for missing, name in (("dev", "valid"), ("train", "train")):
        lines.write_text("".join(line for line in LINES if f"split={missing}" not in line))
        with pytest.raises(CorpusError, match=f"by the label 'split' no piece is for {name}"):
            seqgen.prepare("text", [lines], split_label="split", jobs=1)


def test_folders_say_the_split(tmp_path: Path, seqgen_command) -> None:
    for number, split in enumerate(("train", "train", "validation", "test")):
        (tmp_path / split).mkdir(exist_ok=True)
        (tmp_path / split / f"{number}.txt").write_text(f"{number} the same text")
    given = ("--label", "part={}/*.txt", "--split-label", "part")
    assert seqgen_command("prepare", "text", tmp_path, *given)[0] == 0
    corpus = seqgen.prepare("text", [tmp_path], labels={"part": "{}/*.txt"}, split_label="part")
    assert {name: len(parts) for name, parts in splits_of(corpus).items()} == {
        "train": 2,
        "valid": 1,
        "test": 1,
    }
    assert of(corpus) == []
    status, _, err = seqgen_command(
        *("prepare", "text", tmp_path, *given, "--valid", tmp_path / "test")
    )
    assert status and "given twice" in err


def test_words_for_splits() -> None:
    assert {named_split(word.upper()) for word in WORDS} == set(SPLITS)
    for word in ("", "trains", "0"):
        with pytest.raises(DataError, match="its split must be one of train"):
            named_split(word)
    with pytest.raises(ConfigError, match="a word of letters"):
        Labelling({}, split="a b")


def test_a_label_without_a_value_is_none(lines: Path, monkeypatch) -> None:
    from seqgen_text.domain import Text

    names = [None, "anna", "bob"]
    monkeypatch.setattr(Text, "labels", lambda self, piece: {"who": names[int(piece[0]) % 3]})
    assert of(seqgen.prepare("text", [lines], labels={"who": ""}, jobs=1)) == [
        Label("who", "", {"anna": 13, "bob": 13}, without=14)
    ]


@pytest.mark.parametrize("wrong", [None, ["who"], "who"])
def test_labels_that_are_no_mapping_are_said(
    lines: Path, tmp_path: Path, monkeypatch, wrong: object
) -> None:
    from seqgen_text.domain import Text

    monkeypatch.setattr(Text, "labels", lambda self, piece: wrong)
    with pytest.raises(CorpusError, match="its labels must be a mapping, found"):
        seqgen.prepare("text", [lines], tmp_path / "corpus", jobs=1)


@pytest.mark.parametrize("fact", [[1], None, float("nan"), object()])
def test_facts_that_no_corpus_can_hold_are_refused(tmp_path: Path, fact: object) -> None:
    codec = CharacterCodec.fit(["abc"], CharacterOptions())
    with (
        CorpusWriter(tmp_path, codec) as writer,
        pytest.raises(DataError, match=r"are not texts and finite numbers .*; tell its authors"),
    ):
        writer.add("here", np.array([0]), {"odd": fact})
