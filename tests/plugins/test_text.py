from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqgen_text.characters import CharacterCodec, CharacterOptions
from seqgen_text.domain import Text

from seqgen.errors import DataError

NASTY = ["", "a", "\n", "héllo", "日本語", "🙂👨‍👩‍👧", "a\x00b", "\t \u2028", "ß" * 100]
ANY_TEXT = st.text(st.characters(codec="utf-8"))


@given(st.lists(ANY_TEXT, min_size=1))
def test_any_text_comes_back(pieces: list[str]) -> None:
    codec = CharacterCodec.fit(pieces, CharacterOptions())
    assert [codec.decode(codec.encode(piece)) for piece in pieces] == pieces


@given(st.lists(ANY_TEXT, min_size=1), st.integers(1, 5), st.integers(1, 3))
def test_chunks_change_nothing(pieces: list[str], chunk: int, rarest: int) -> None:
    options = CharacterOptions(rarest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.characters.CHUNK", chunk)
        chunked = CharacterCodec.fit(pieces, options)
        ids = [chunked.encode(piece) for piece in pieces]
    codec = CharacterCodec.fit(pieces, options)
    assert codec.state() == chunked.state()
    everything = "".join(pieces)
    common = {character for character in everything if everything.count(character) >= rarest}
    for piece, encoded in zip(pieces, ids, strict=True):
        np.testing.assert_array_equal(codec.encode(piece), encoded)
        assert [codec.vocab[token] for token in encoded] == [c for c in piece if c in common]


@given(st.lists(ANY_TEXT, min_size=1))
def test_ids_are_in_the_order_of_code_points(pieces: list[str]) -> None:
    codec = CharacterCodec.fit(pieces, CharacterOptions())
    assert list(codec.vocab) == sorted(set("".join(pieces)))


def test_an_unknown_character_is_named_with_its_position() -> None:
    codec = CharacterCodec.fit(["abc"], CharacterOptions())
    with pytest.raises(DataError, match=r"character 'é' at position 1 .* alphabet of 3"):
        codec.encode("aéb")


def test_the_first_unknown_character_counts_also_far_into_a_piece() -> None:
    codec = CharacterCodec.fit(["ab" * 100 + "z"], CharacterOptions(rarest=2))
    with pytest.raises(DataError, match=r"character '🙂' at position 200001 "):
        codec.encode("ab" * 100_000 + "z🙂é")


def test_rare_characters_are_left_out() -> None:
    codec = CharacterCodec.fit(["aaab"], CharacterOptions(rarest=2))
    assert codec.vocab == ("a",)
    assert codec.decode(codec.encode("aba")) == "aa"


def test_units_count_bytes() -> None:
    codec = CharacterCodec.fit(["aé日🙂"], CharacterOptions())
    assert codec.units(codec.encode("aé日🙂")) == {"characters": 4.0, "bytes": 10.0}


@pytest.mark.parametrize("text", NASTY[1:])
def test_files_keep_text_whole(text: str, tmp_path: Path) -> None:
    domain = Text()
    [path] = domain.write(text, tmp_path / "piece.txt")
    assert path.read_bytes() == text.encode()
    assert list(domain.read(path)) == [text]


def test_line_ends_and_byte_order_marks_go(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert list(Text().read(path)) == ["one\ntwo\n"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text("a\r\né日🙂\ufeff", min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 20))
def test_a_large_file_comes_in_pieces_that_are_its_text(tmp_path, text, longest, chunk) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(text.encode())
    whole = path.read_text("utf-8-sig")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.domain.LONGEST", longest)
        if not whole:
            with pytest.raises(DataError, match="empty"):
                list(Text().read(path))
            return
        pieces = list(Text().read(path))
        patch.setattr("seqgen_text.domain.CHUNK", chunk)
        assert list(Text().read(path)) == pieces
    assert "".join(pieces) == whole
    assert all(0 < len(piece) <= longest for piece in pieces)
    assert len(pieces) == 1 or len(whole) > longest


def test_pieces_of_a_large_file_end_where_paragraphs_or_lines_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.domain.LONGEST", 10)
    path = tmp_path / "large.txt"
    pieces = ["12345\n\n", "12345678\n", "1\n34567890", "12345678\n\n", "123"]
    path.write_text("".join(pieces))
    assert list(Text().read(path)) == pieces


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_byte_that_is_wrong_is_named(mark, chunk, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.domain.CHUNK", chunk)
    path = tmp_path / "bad.txt"
    for end, reason in ((b"\xff!", "invalid start byte"), (b"\xe6\x97", "unexpected end of data")):
        path.write_bytes(mark + "ab\r\n日".encode() + end)
        with pytest.raises(DataError, match=rf"byte {len(mark) + 7} is not UTF-8 \({reason}\)"):
            list(Text().read(path))


def test_the_demo_is_prose_and_source_of_this_python(tmp_path: Path) -> None:
    files = Text().demo(tmp_path)
    texts = [text for path in files for text in Text().read(path)]
    assert any("import" in text for text in texts) and any("statement" in text for text in texts)
    assert sum(map(len, texts)) > 300_000


@pytest.mark.parametrize(("unknown", "wanted"), [("skip", "te  h "), ("nearest", '"ete" - ha e')])
def test_a_prompt_is_adapted(unknown: str, wanted: str) -> None:
    codec = CharacterCodec.fit(['"the" - a'], CharacterOptions())
    adapted = codec.adapt("“Ete” – hA É😀", unknown)
    assert codec.decode(codec.encode(adapted)).strip() == wanted.strip()
