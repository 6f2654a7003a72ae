import json
import math
import os
from pathlib import Path

import pytest

from seqgen.errors import DataError, RunError
from seqgen.files import (
    finite,
    free_name,
    is_output,
    new_folder,
    page_name,
    plain_text,
    read_description,
    text_of,
    write_atomic,
    write_json,
)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(ZeroDivisionError), new_folder(path, marker="mark") as folder:
        (folder / "mark").write_text("")
        assert not path.exists()
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with new_folder(path, marker="mark") as folder:
        (folder / "mark").write_text("1")
    assert (path / "mark").read_text() == "1"


MARK = '{"seqgen": "test"}'


def test_only_a_folder_of_the_same_kind_is_replaced_and_only_if_asked(tmp_path: Path) -> None:
    ours, foreign = tmp_path / "ours", tmp_path / "foreign"
    for path, content in ((ours, MARK), (foreign, '{"name": "somebody else\'s"}')):
        path.mkdir()
        (path / "mark").write_text(content)
    with pytest.raises(RunError, match="pass `overwrite=True`"), new_folder(ours, marker="mark"):
        pass
    with (
        pytest.raises(RunError, match="not made by this command"),
        new_folder(foreign, marker="mark", overwrite=True),
    ):
        pass
    assert "somebody else" in (foreign / "mark").read_text()
    with new_folder(ours, marker="mark", overwrite=True) as folder:
        (folder / "mark").write_text("new")
    assert (ours / "mark").read_text() == "new"


def test_pages_are_numbered_before_the_suffix() -> None:
    path = Path("pieces/no.1.score.svg")
    assert page_name(path, ".score.svg", 1) == path
    assert page_name(path, ".score.svg", 2) == Path("pieces/no.1-page-2.score.svg")


def test_free_name_counts_up(tmp_path: Path) -> None:
    assert free_name(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert free_name(tmp_path / "run") == tmp_path / "run-3"


def test_text_is_read_in_one_way() -> None:
    for data in (b"a\nb", b"a\r\nb", b"a\rb", b"\xef\xbb\xbfa\r\nb"):
        assert text_of(data) == plain_text(data.decode()) == "a\nb"
    with pytest.raises(DataError, match="byte 4 is not UTF-8"):
        text_of(b"a\r\nb\xff")


def test_a_description_is_read_with_a_mark_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b'\xef\xbb\xbf{"seqgen": "run"}')
    assert read_description(tmp_path / "run.json") == {"seqgen": "run"} and is_output(tmp_path)
    (tmp_path / "run.json").unlink()
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(OSError, match=r"run\.json is not a file"):
        read_description(tmp_path / "run.json")
    assert not is_output(tmp_path)


def test_a_full_disk_is_told_with_the_folder_that_was_being_made(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="No space left") as refused,
        new_folder(tmp_path / "corpus", marker="mark"),
    ):
        raise OSError(28, "No space left on device")
    assert refused.value.filename == str(tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_infinity(tmp_path: Path) -> None:
    value = {"a": [1.5, math.inf, {"b": (-math.inf, True)}], "c": math.nan, "d": None}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", value)
    for in_words, (least, most, nan) in ((True, ("-inf", "inf", "nan")), (False, [None] * 3)):
        write_json(tmp_path / "a.json", finite(value, in_words=in_words))
        found = json.loads((tmp_path / "a.json").read_text())
        assert found == {"a": [1.5, most, {"b": [least, True]}], "c": nan, "d": None}
