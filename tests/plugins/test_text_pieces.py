"""What a piece of a text is: each kind, forms of text, and the choice by a look at the files."""

import json
import random
import statistics
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqgen_text.domain import ReadOptions, Text
from seqgen_text.files.choosing import choose_pieces, why_no_list
from seqgen_text.files.pieces import split

import seqgen
from seqgen.data.encoding import encode_files
from seqgen.errors import ConfigError, DataError

WORDS = sorted({word for text in topics.values() for word in text.split() if word.isalpha()})
rng = random.Random(0)


def some(count: int) -> list[str]:
    return [word.lower() for word in rng.sample(WORDS, count)]


def pairs() -> list[tuple[str, str]]:
    return list(zip(some(300), some(300), strict=True))


def titles(ends: str = "") -> str:
    return "".join(
        " ".join(some(rng.randint(3, 12))).capitalize() + ends + "\n" for _ in range(300)
    )


def prose(ends: str = "\n\n") -> str:
    text = ends.join(" ".join(some(80)).capitalize() + "." for _ in range(40))
    return "\n".join(textwrap.fill(part, 70) for part in text.split(ends)) if ends == "\n" else text


def verse(between: str) -> str:
    lines = [" ".join(some(6)).capitalize() + rng.choice(["", ",", ";", "."]) for _ in range(200)]
    return between.join("\n".join(lines[at : at + 4]) for at in range(0, 200, 4)) + "\n"


LISTS: dict[str, Callable[[], str]] = {
    "titles": titles,
    "some titles are sentences": lambda: titles() + titles(".")[:6000].rpartition("\n")[0] + "\n",
    "names": lambda: "".join(f"{word}\n" for word in some(500)),
    "capital names": lambda: "".join(f"{a} {b}\n".title() for a, b in pairs()),
    "without a last line end": lambda: titles().rstrip(),
    "Chinese names": lambda: "".join(
        "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(rng.randint(2, 9))) + "\n"
        for _ in range(300)
    ),
}
FILES: dict[str, Callable[[], str]] = {
    "prose with empty lines": prose,
    "prose with broken lines": lambda: prose("\n"),
    "Chinese prose with broken lines": lambda: "".join(
        "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(60 + rng.randint(0, 3))) + "\n"
        for _ in range(100)
    ),
    "paragraphs in one line each": lambda: "".join(
        " ".join(some(rng.randint(5, 60))).capitalize() + ".\n" for _ in range(100)
    ),
    "stanzas": lambda: verse("\n\n"),
    "verse without stanzas": lambda: verse("\n"),
    "a play": lambda: "\n\n".join(f"{some(1)[0].title()}:\n{titles()[:60]}" for _ in range(90)),
    "Python": lambda: Path(statistics.__file__).read_text(),
    "C without empty lines": lambda: "int f(int a) {\nreturn a;\n}\n#define X 1\n" * 50,
    "a chat": lambda: "".join(
        f"{rng.choice(['Ann', 'Bob'])}: {line}\n" for line in titles().split("\n")
    ),
    "a chat with times": lambda: "".join(
        f"[{rng.randint(10, 23)}:{rng.randint(10, 59)}] {line}\n" for line in titles().split("\n")
    ),
    "a log": lambda: "".join(
        f"2026-11-{rng.randint(10, 30)} {line}\n" for line in titles().split("\n")
    ),
    "JSON in one line": lambda: json.dumps([{"text": text} for text in some(400)]),
    "JSON in lines": lambda: "".join(json.dumps({"text": text}) + "\n" for text in some(400)),
    "lyrics": lambda: "".join("La la la\nOh baby\nCome back\n" for _ in range(40)),
    "a table": lambda: "".join(f"{a},{b},{len(a)}\n" for a, b in pairs()),
    "tabs": lambda: "".join(f"{a}\t{b}\n" for a, b in pairs()),
    "numbers": lambda: "".join(f"{rng.random()}\n" for _ in range(300)),
    "a short list": lambda: "\n".join(titles().split("\n")[:20]),
    "lines of a treebank": lambda: "".join(f" {' '.join(some(20))} \n" for _ in range(100)),
    "nothing": lambda: "",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_read_by_lines(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LISTS[name]())
    kind, _, reason = choose_pieces([tmp_path / "a.txt"], "utf-8")
    assert kind == "line", reason


@pytest.mark.parametrize("name", FILES)
def test_other_texts_are_read_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(FILES[name]())
    kind, _, reason = choose_pieces([tmp_path / "a.txt"], "utf-8")
    assert kind == "auto" and reason.startswith("each whole file, not its lines (a.txt: "), reason


def test_topics_of_python_are_no_lists() -> None:
    assert all(why_no_list(text) for text in topics.values())


def test_one_text_of_another_kind_decides(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.py", "d.csv")]
    for path in paths:
        path.write_text(titles())
    assert choose_pieces(paths[:2], "utf-8")[0] == "line"
    assert choose_pieces(paths[:3], "utf-8")[::2] == (
        "auto",
        "each whole file, not its lines (c.py: files of kind .py are no lists)",
    )
    assert choose_pieces(paths, "utf-8")[2] == "each row of a table, and each other file"
    assert choose_pieces(paths[3:], "utf-8")[2] == "each row of a table"
    paths[1].write_bytes(b"\xff\xff\xff" * 99)
    assert choose_pieces(paths[:2], "utf-8")[0] == "auto"
    paths[1].unlink()
    assert choose_pieces(paths[:2], "utf-8")[0] == "auto"


def test_texts_between_marks_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One text.\n<|endoftext|>Another\none.<|endoftext|>")
    corpus = seqgen.prepare("text", [tmp_path])
    texts = [corpus.codec.decode(corpus.piece(number)) for number in range(2)]
    assert texts == ["One text.\n", "Another\none."]
    assert corpus.info["chosen"] == ["pieces: what is between two <|endoftext|>"]


def test_the_choice_is_said_and_kept(tmp_path: Path, seqgen_command) -> None:
    file = tmp_path / "titles.txt"
    file.write_text(titles())
    said = "chose pieces: each line; the 300 lines looked at are a list"
    status, _, err = seqgen_command("prepare", "text", file, "--out", tmp_path / "c")
    assert status == 0 and said in " ".join(err.split())
    corpus = seqgen.Corpus(tmp_path / "c")
    assert corpus.info["read_options"]["piece"] == "line"
    assert corpus.info["pieces"] == len(set(file.read_text().splitlines()))
    status, out, _ = seqgen_command("info", tmp_path / "c")
    assert said.removeprefix("chose ") in out
    # What a run of this corpus scores later is read in the same way.
    (tmp_path / "new.txt").write_text("One\nTwo\n")
    reading = corpus.info["read_options"]
    assert (
        len(
            [
                *encode_files(
                    "text",
                    [tmp_path / "new.txt"],
                    corpus.codec,
                    read_options=reading,
                    unknown="skip",
                )
            ]
        )
        == 2
    )
    whole = seqgen.prepare("text", [file], read_options={"piece": "file"})
    assert whole.info["pieces"] == 1 and whole.info["chosen"] == []


def read(tmp_path: Path, text: str, name: str = "a.txt", **options: str) -> list[object]:
    (tmp_path / name).write_bytes(text.encode())
    return list(Text().read(tmp_path / name, ReadOptions(**options)))


def test_each_kind_of_piece(tmp_path: Path) -> None:
    text = "One\ntwo\n\n \n  Three\n\fFour,4\n"
    assert read(tmp_path, text) == read(tmp_path, text, piece="file") == [text]
    assert read(tmp_path, text, piece="line") == ["One", "two", "  Three", "\fFour,4"]
    assert read(tmp_path, text, piece="paragraph") == ["One\ntwo", "  Three\n\fFour,4"]
    assert read(tmp_path, text, piece="page") == ["One\ntwo\n\n \n  Three\n", "Four,4\n"]
    assert read(tmp_path, text, delimiter="T") == ["One\ntwo\n\n \n  ", "hree\n\fFour,4\n"]
    table = "title,n\nOne,1\nTwo,2\n"
    assert read(tmp_path, table, "a.csv", piece="file") == [table]
    for name in ("a.csv", "a.txt"):
        rows = read(tmp_path, table, name, piece="record")
        assert [row.content for row in rows] == ["One", "Two"]
    assert read(tmp_path, text, piece="file", delimiter="T") == [text]
    with pytest.raises(ConfigError, match="give it with `read_options="):
        ReadOptions(piece="delimiter")
    for kind in ("line", "paragraph", "page", "file"):
        with pytest.raises(DataError, match="empty"):
            read(tmp_path, "\n \n" if kind in ("line", "paragraph") else "", piece=kind)


@given(st.text("a \n\f", max_size=40), st.integers(1, 9), st.integers(2, 9))
def test_kinds_do_not_depend_on_chunks_and_are_bounded(text: str, chunk: int, most: int) -> None:
    chunks = [text[at : at + chunk] for at in range(0, len(text), chunk)]
    for kind in ("file", "line", "paragraph", "page"):
        pieces = list(split(iter([text]), kind))
        assert list(split(iter(chunks), kind)) == pieces
        assert all(pieces)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("seqgen_text.files.pieces.LONGEST", most)
            parts = list(split(iter(chunks), kind))
        assert all(len(part) <= most for part in parts)
        assert [each for part in parts for each in part.split()] or not text.split()
        assert "".join("".join(parts).split()) == "".join("".join(pieces).split())


def test_texts_take_a_unicode_form_and_lose_blanks(tmp_path: Path) -> None:
    text = "Cafe\u0301 \t\nﬁn  \n\n \u3000"
    [nfc] = read(tmp_path, text, normalise="nfc")
    assert nfc == unicodedata.normalize("NFC", text) != text
    [nfkc] = read(tmp_path, text, normalise="nfkc", trailing="strip")
    assert nfkc == "Caf\u00e9\nfin\n\n"
    [row] = read(tmp_path, "title,who\nCafe\u0301 ,x\n", "a.csv", normalise="nfc", trailing="strip")
    assert row.content == "Caf\u00e9" and row.labels == {"who": "x"}
