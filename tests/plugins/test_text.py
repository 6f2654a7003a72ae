from pathlib import Path

import pytest
from hypothesis import given
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


@given(st.lists(ANY_TEXT, min_size=1))
def test_ids_are_in_the_order_of_code_points(pieces: list[str]) -> None:
    codec = CharacterCodec.fit(pieces, CharacterOptions())
    assert list(codec.vocab) == sorted(set("".join(pieces)))


def test_an_unknown_character_is_named_with_its_position() -> None:
    codec = CharacterCodec.fit(["abc"], CharacterOptions())
    with pytest.raises(DataError, match=r"character 'é' at position 1 .* alphabet of 3"):
        codec.encode("aéb")


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
    assert domain.read(path) == [text]


def test_line_ends_and_byte_order_marks_go(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert Text().read(path) == ["one\ntwo\n"]


def test_the_demo_is_prose_and_source_of_this_python(tmp_path: Path) -> None:
    files = Text().demo(tmp_path)
    texts = [Text().read(path)[0] for path in files]
    assert any("import" in text for text in texts) and any("statement" in text for text in texts)
    assert sum(map(len, texts)) > 300_000


@pytest.mark.parametrize(("unknown", "wanted"), [("skip", "te  h "), ("nearest", '"ete" - ha e')])
def test_a_prompt_is_adapted(unknown: str, wanted: str) -> None:
    codec = CharacterCodec.fit(['"the" - a'], CharacterOptions())
    adapted = codec.adapt("“Ete” – hA É😀", unknown)
    assert codec.decode(codec.encode(adapted)).strip() == wanted.strip()
