"""Archives and compressed files are read one member at a time, and lies in them do no harm."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import seqgen
from seqgen.data import decompression, unpacking
from seqgen.data.finding import Packed, packed
from seqgen.plugins.discovery import load_domain

#: What is said of a corpus with a short file.
WHOLE = "pieces: each whole file, not its lines (0.txt: it has fewer than 50 lines)"

#: Texts by their names in an archive.
TEXTS = {
    f"{site}/{number}.txt": f"{number} bottles of {site}\n" for site in "ab" for number in range(6)
}

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def tar_of(members: dict[str, str]) -> bytes:
    """Return a tar archive with a folder, a link, a hidden file and a file of another kind."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("a", tarfile.DIRTYPE), ("link.txt", tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        for name, text in {**members, ".hidden.txt": "x", "picture.png": "x"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zip_of(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def sources(corpus: seqgen.Corpus) -> list[str]:
    return [origin.source for origin in corpus.origins()]


def reasons(corpus: seqgen.Corpus) -> dict[str, str]:
    return {entry["source"]: entry["reason"] for entry in corpus.info["skipped"]}


@pytest.mark.parametrize("kept", [2**20, 100], ids=["kept", "read twice"])
@pytest.mark.parametrize("compression", COMPRESS)
def test_members_are_pieces(compression: str, kept: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", kept)
    path = tmp_path / f"texts.tar{compression}"
    path.write_bytes(COMPRESS[compression](tar_of(TEXTS)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    out = tmp_path.parent / f"{tmp_path.name}-corpus"  # not one of the cache
    corpus = seqgen.prepare("text", [tmp_path], out, jobs=1, labels={"site": "{}/*.txt"})
    assert sources(corpus) == [f"{path.name}/{name}" for name in TEXTS]
    assert set(corpus.codec.labels[0].values) == {"a", "b"}
    assert corpus.info["unread"] == {".png": 1, "hidden": 1, unpacking.LINK: 1}
    assert not corpus.info["skipped"]
    assert not [*temporary.iterdir()]


def test_other_processes_read_members(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "texts.zip", TEXTS)
    corpus = seqgen.prepare("text", [path], jobs=2)
    assert sources(corpus) == [f"{path.name}/{name}" for name in TEXTS]
    again = seqgen.prepare("text", [path], jobs=1, out=tmp_path / "again")
    assert again.info["digests"] == corpus.info["digests"]


@pytest.mark.parametrize("compression", [one for one in COMPRESS if one])
def test_a_compressed_file_is_a_file(compression: str, tmp_path: Path) -> None:
    compress = COMPRESS[compression]
    path = tmp_path / f"book.txt{compression}"
    # Several streams in a row are one file, as with gzip and cat.
    path.write_bytes(compress(b"a long book ") + compress(b"and its end"))
    (tmp_path / f"picture.png{compression}").write_bytes(compress(b"x"))
    corpus = seqgen.prepare("text", [tmp_path])
    assert sources(corpus) == [path.name]
    assert corpus.codec.decode(corpus.piece(0)) == "a long book and its end"
    assert corpus.info["unread"] == {compression: 1}


#: Lines of a list.
NAMES = [f"{first} {last}" for first in ("Ada", "Bo", "Cy", "Di") for last in map(str, range(30))]
NAMES = [f"{name} of {name[::-1]}ville" for name in NAMES]


def chosen(path: Path) -> str:
    """Return what was found to be a piece."""
    return str(seqgen.prepare("text", [path]).info["chosen"][0])


def test_lists_and_tables_are_recognised_in_archives(tmp_path: Path) -> None:
    text = "\n".join(NAMES) + "\n"
    path = tmp_path / "names.txt.gz"
    path.write_bytes(gzip.compress(text.encode()))
    corpus = seqgen.prepare("text", [path])
    assert [corpus.codec.decode(corpus.piece(at)) for at in range(len(NAMES))] == NAMES
    names = {f"{number}.txt": text.replace("ville", str(number)) for number in range(3)}
    lists = zip_of(tmp_path / "lists.zip", names)
    assert "the 360 lines looked at are a list" in chosen(lists)
    mixed = zip_of(tmp_path / "mixed.zip", {**names, "a/0.txt": "some prose"})
    assert chosen(mixed) == WHOLE
    tables = tmp_path / "tables.tar"
    tables.write_bytes(tar_of({"a.csv": "text,n\na,1\n", "b.csv": "text,n\nb,1\n"}))
    assert chosen(tables) == "pieces: each row of a table"


def test_many_members_are_not_looked_at(tmp_path: Path, monkeypatch) -> None:
    names = {f"{number}.txt": "\n".join(NAMES) for number in range(3)}
    path = zip_of(tmp_path / "lists.zip", names)
    for name in ("LOOKED_AT", "LOOKED_INTO"):
        monkeypatch.setattr(unpacking, name, 0)
        assert chosen(path).startswith("pieces: each whole file, not its lines (lists.zip")
        monkeypatch.undo()
    monkeypatch.setattr(unpacking, "LOOK", 10)
    monkeypatch.setattr(unpacking, "CHUNK", 10)
    assert chosen(path) == WHOLE


def test_names_point_nowhere(tmp_path: Path) -> None:
    names = ["/etc/evil.txt", "../../evil.txt", "..\\evil2.txt", "a\x00b.txt", "n" * 3000 + ".txt"]
    path = zip_of(tmp_path / "a.zip", {"ok.txt": "fine"})
    tar = tmp_path / "b.tar"
    tar.write_bytes(tar_of({name: f"text {name[:9]}" for name in names if "\x00" not in name}))
    before = {*tmp_path.rglob("*")}
    corpus = seqgen.prepare("text", [path, tar], tmp_path / "corpus")
    assert sources(corpus)[:3] == ["a.zip/ok.txt", "b.tar/etc/evil.txt", "b.tar/evil.txt"]
    assert all(source.startswith(("a.zip/", "b.tar/")) for source in sources(corpus))
    made = {*tmp_path.rglob("*")} - before
    assert all(one.is_relative_to(tmp_path / "corpus") or one.name.startswith(".") for one in made)


def test_what_is_damaged_costs_itself(tmp_path: Path) -> None:
    good = zip_of(tmp_path / "good.zip", TEXTS)
    content = bytearray(good.read_bytes())
    at = content.index(b"a/2.txt") + len("a/2.txt")
    content[at] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(content)
    tar = gzip.compress(tar_of(TEXTS))
    (tmp_path / "cut.tar.gz").write_bytes(tar[: len(tar) // 2])
    (tmp_path / "lie.txt.xz").write_bytes(b"no xz at all")
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (tmp_path / "none.tar").write_bytes(b"")
    zip_of(tmp_path / "nested.zip", {"inner.zip": "PK", "inner.txt.gz": "x", "a.txt": "a text"})
    encrypted = bytearray(zip_of(tmp_path / "locked.zip", {"a.txt": "secret"}).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(mark) + offset] |= 1
    (tmp_path / "locked.zip").write_bytes(encrypted)
    corpus = seqgen.prepare("text", [tmp_path], tmp_path.parent / "out-of-damaged")
    found = reasons(corpus)
    assert found.keys() == {
        *("bad.zip/a/2.txt", "cut.tar.gz", "lie.txt.xz", "empty.zip", "none.tar"),
        *("nested.zip/inner.zip", "nested.zip/inner.txt.gz", "locked.zip/a.txt"),
    }
    assert found["locked.zip/a.txt"] == "it is encrypted"
    assert found["empty.zip"] == "holds no file"
    assert "an archive in an archive" in found["nested.zip/inner.zip"]
    for name in ("bad.zip/a/2.txt", "cut.tar.gz", "lie.txt.xz", "none.tar"):
        assert "it is damaged (" in found[name], name
    # The one member of a compressed file has no number.
    assert found["lie.txt.xz"].startswith("it is damaged")


@pytest.mark.parametrize(
    "name", ["bomb.txt.gz", "bomb.tar.gz", "bomb.zip", "bomb.txt.xz", "bomb.txt.zst"]
)
def test_bombs_are_stopped(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "ALLOWANCE", 2**20)
    monkeypatch.setattr(unpacking, "CHUNK", 2**16)
    zeros = "0" * 2**23
    path = tmp_path / name
    if name.endswith(".zip"):
        zip_of(path, {"a.txt": "short", "b.txt": zeros})
    else:
        content = tar_of({"a.txt": "short", "b.txt": zeros}) if ".tar" in name else zeros.encode()
        path.write_bytes(COMPRESS[path.suffix](content))
    (tmp_path / "text.txt").write_text("a text")
    corpus = seqgen.prepare("text", [tmp_path])
    [reason] = reasons(corpus).values()
    assert "more than 200 times its size" in reason
    assert "text.txt" in sources(corpus)


def test_a_header_without_end_is_stopped(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_HEADER", 2**14)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.pax_headers = {"comment": "x" * 2**20}
        archive.addfile(entry)
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    (tmp_path / "text.txt").write_text("a text")
    corpus = seqgen.prepare("text", [tmp_path])
    assert "a header in it has over" in reasons(corpus)["a.tar"]


def test_the_memory_that_xz_asks_for_is_bounded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(decompression, "MOST_MEMORY", 2**20)
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"text", preset=9))
    (tmp_path / "text.txt").write_text("a text")
    corpus = seqgen.prepare("text", [tmp_path])
    assert "emory" in reasons(corpus)["a.txt.xz"]


def test_how_a_file_is_packed_shows_in_its_name() -> None:
    assert packed("a.ZIP") == Packed("zip")
    assert packed("a.tgz") == packed("a.tar.gz") == Packed("tar", ".gz")
    assert packed("a.b.txt.bz2") == Packed("", ".bz2", ".txt")
    assert packed("gz") is packed("a.txt") is packed("zip") is None
    assert packed(".zip") == Packed("zip")


def test_music_comes_in_archives_too(tmp_path: Path) -> None:
    domain, _ = load_domain("music")
    [file, *_] = domain.demo(tmp_path / "demo")
    with zipfile.ZipFile(tmp_path / "music.zip", "w") as archive:
        archive.write(file, f"folder/{file.name}")
    corpus = seqgen.prepare("music", [tmp_path / "music.zip"], tmp_path / "corpus")
    assert corpus.info["pieces"] == 1
    assert sources(corpus) == [f"music.zip/folder/{file.name}"]
