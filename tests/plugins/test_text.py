import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.bytes import ByteCodec, ByteOptions
from seqgen_text.codecs.characters import BOUNDARIES, CharacterCodec, CharacterOptions
from seqgen_text.domain import ReadOptions, Text

import seqgen
from seqgen.conformance.models import learns_and_writes
from seqgen.conformance.subject import Subject
from seqgen.errors import ConfigError, DataError
from seqgen.plugin import Note
from seqgen.plugins.discovery import load_domain
from seqgen.stepping.torch_stepper import TorchStepper
from seqgen.testing import PROMISES, NothingToCheck

NASTY = ["", "a", "\n", "héllo", "日本語", "🙂👨‍👩‍👧", "a\x00b", "\t \u2028", "ß" * 100]
ANY_TEXT = st.text(st.characters(codec="utf-8"))

#: Text of what boundaries are made of, and of what might be taken for them.
LINES = st.text(st.sampled_from("\n\r\f\v\x85\u2028\u2029a\ud800\udc00") | st.characters())


@given(st.lists(ANY_TEXT, min_size=1))
def test_any_text_comes_back(pieces: list[str]) -> None:
    codec = CharacterCodec.fit(pieces, CharacterOptions())
    assert [codec.decode(codec.encode(piece)) for piece in pieces] == pieces


def test_letters_have_word_numbers_and_both_cases_share_one() -> None:
    codec = CharacterCodec.fit(["aBb é, É日1\n"], CharacterOptions())
    number = dict(zip(codec.vocab, codec.word_numbers, strict=True))
    assert number["b"] == number["B"] and number["é"] == number["É"]
    assert len({number[each] for each in "abé日"} - {0}) == 4
    assert not any(number[each] for each in " ,1\n")
    inside = ByteCodec(ByteOptions()).word_numbers
    assert inside[ord("q")] == inside[ord("Q")] > 0 and not inside[ord(" ")]
    assert len(inside) == 256 and len(set(inside[0x80:]) - {0}) == 128


@given(st.lists(ANY_TEXT, min_size=1), st.integers(1, 5), st.integers(1, 3))
def test_chunks_change_nothing(pieces: list[str], chunk: int, rarest: int) -> None:
    options = CharacterOptions(rarest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.codecs.characters.CHUNK", chunk)
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


def test_unknown_characters_are_named_with_their_first_positions() -> None:
    codec = CharacterCodec.fit(["abc"], CharacterOptions())
    with pytest.raises(DataError, match=r"^character 'é' at position 2 is not .* alphabet of 3"):
        codec.encode("aébé")
    with pytest.raises(DataError, match=r"^characters 'ß' at position 1, 'é' at position 3 are"):
        codec.encode("ßaéßé")
    with pytest.raises(DataError, match=r"'9' at position 10, and 16 others are not in .* them$"):
        codec.encode("0123456789ABCDEFGHIJKLMNOP")


def test_unknown_characters_count_also_far_into_a_piece() -> None:
    codec = CharacterCodec.fit(["ab" * 100 + "z"], CharacterOptions(rarest=2))
    with pytest.raises(DataError, match=r"'🙂' at position 200,002, 'é' at position 200,003 "):
        codec.encode("ab" * 100_000 + "z🙂é")


def test_rare_characters_are_left_out() -> None:
    codec = CharacterCodec.fit(["aaab"], CharacterOptions(rarest=2))
    assert codec.vocab == ("a",)
    assert codec.decode(codec.encode("aba")) == "aa"


def test_units_count_bytes_and_words() -> None:
    codec = CharacterCodec.fit(["aé日🙂"], CharacterOptions())
    units = codec.units(codec.encode("aé日🙂"))
    assert units == {"words": 1.0, "characters": 4.0, "bytes": 10.0}


@pytest.mark.parametrize("boundary", ["none", "paragraph"])
@given(text=st.text("ab \n\t\u00a0\u2003"))
def test_words_are_what_is_between_blanks(text: str, boundary: str) -> None:
    codec = CharacterCodec.fit(["ab \n\t\u00a0\u2003"], CharacterOptions(boundary=boundary))
    assert codec.units(codec.encode(text))["words"] == len(text.split())


@pytest.mark.parametrize("text", NASTY[1:])
def test_files_keep_text_whole(text: str, tmp_path: Path) -> None:
    domain = Text()
    [path] = domain.write(text, tmp_path / "piece.txt")
    assert path.read_bytes() == text.encode()
    assert [piece for piece in domain.read(path) if isinstance(piece, str)] == [text]


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
        patch.setattr("seqgen_text.files.pieces.LONGEST", longest)
        if not whole:
            with pytest.raises(DataError, match="empty"):
                list(Text().read(path))
            return
        pieces = list(Text().read(path))
        patch.setattr("seqgen_text.files.decoding.CHUNK", chunk)
        assert list(Text().read(path)) == pieces
    assert "".join(pieces) == whole
    assert all(0 < len(piece) <= longest for piece in pieces)
    assert len(pieces) == 1 or len(whole) > longest


def test_pieces_of_a_large_file_end_where_paragraphs_or_lines_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.pieces.LONGEST", 10)
    path = tmp_path / "large.txt"
    pieces = ["12345\n\n", "12345678\n", "1\n34567890", "12345678\n\n", "123"]
    path.write_text("".join(pieces))
    assert list(Text().read(path)) == pieces


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text("ab\n日|", max_size=40), st.sampled_from(["|", "||", "\\n", "日\\n"]), st.integers(1, 9)
)
def test_a_delimiter_splits_files_wherever_it_lies(tmp_path, text, delimiter, chunk) -> None:
    path = tmp_path / "records.txt"
    path.write_bytes(text.encode())
    options = ReadOptions(delimiter=delimiter)
    records = [part for part in text.split(delimiter.replace("\\n", "\n")) if part]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen_text.files.decoding.CHUNK", chunk)
        if not records:
            with pytest.raises(DataError, match="empty"):
                list(Text().read(path, options))
            return
        assert list(Text().read(path, options)) == records
        patch.setattr("seqgen_text.files.pieces.LONGEST", 3)
        parts = list(Text().read(path, options))
    assert "".join(parts) == "".join(records) and max(map(len, parts)) <= 3


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "cp1252"])
def test_files_of_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("café\r\n".encode(encoding))
    assert list(Text().read(path, ReadOptions(encoding))) == ["café\n"]
    path.write_bytes(b"\x00\xd8A")
    if encoding == "utf-16":
        with pytest.raises(DataError, match="it is not utf-16"):
            list(Text().read(path, ReadOptions(encoding)))
    for unknown in ("klingon", "rot13", ""):
        with pytest.raises(ConfigError, match="encoding must be one that Python knows"):
            ReadOptions(unknown)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_wrong_bytes_are_replaced_and_counted(mark, chunk, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("seqgen_text.files.decoding.CHUNK", chunk)
    path = tmp_path / "bad.txt"
    right = "日本語の文字\r\n" * 6
    for end, count in ((b"\xff!", "1 byte is"), (b"\xe6\x97", "2 bytes are")):
        path.write_bytes(mark + right.encode() + end)
        *pieces, note = Text().read(path)
        shown = end.decode("latin-1").translate({0xFF: 0xFFFD, 0xE6: 0xFFFD, 0x97: 0xFFFD})
        assert pieces == [right.replace("\r\n", "\n") + shown]
        assert note == Note(f"{count} not utf-8 and read as U+FFFD, the first in line 7")


def test_the_demo_is_prose_and_source_of_this_python(tmp_path: Path) -> None:
    files = Text().demo(tmp_path)
    texts = [text for path in files for text in Text().read(path)]
    assert any("import" in text for text in texts) and any("statement" in text for text in texts)
    assert sum(map(len, texts)) > 300_000


@pytest.mark.parametrize(("unknown", "wanted"), [("skip", "te  h "), ("nearest", '"ete" - ha e')])
def test_a_prompt_is_adapted(unknown: str, wanted: str) -> None:
    codec = CharacterCodec.fit(['"the" - a'], CharacterOptions())
    mended = codec.mend_prompt("“Ete” – hA É😀", unknown).piece
    assert codec.decode(codec.encode(mended)).strip() == wanted.strip()


@given(st.lists(LINES, min_size=1), LINES, st.sampled_from(sorted(BOUNDARIES)))
@example(["\n\n\n"], "\n\n\n\n\n", "paragraph")
@example(["\r\n\r\n\u2029\n\n\u2029"], "\u2029\n\n", "paragraph")
@example(["\ud83d\n\n\n\ude00"], "\n\n\ude00\ud83d", "paragraph")
@example([""], "\n\n\f\n", "none")
def test_text_with_boundaries_comes_back(pieces: list[str], other: str, boundary: str) -> None:
    codec = CharacterCodec.fit([*pieces, other], CharacterOptions(boundary=boundary))
    for piece in [*pieces, other, "".join(pieces)]:
        ids = codec.encode(piece)
        assert codec.decode(ids) == piece
        assert "".join(map(codec.text_stream(), ids.tolist())) == piece
        assert codec.units(ids) == {
            "words": len(piece.split()),
            "characters": len(piece),
            "bytes": len(piece.encode("utf-8", "surrogatepass")),
        }
        if boundary != "none":
            assert int(np.isin(ids, codec.boundaries).sum()) == piece.count(BOUNDARIES[boundary])


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 3))
def test_what_any_ids_with_paragraphs_mean_is_kept(tokens: list[int], rarest: int) -> None:
    options = CharacterOptions(boundary="paragraph", rarest=rarest)
    codec = CharacterCodec.fit(["aaa\u2029\u2029\u2029\n\nb"], options)
    text = codec.decode(np.array(tokens, np.int64) % len(codec.vocab))
    assert codec.decode(codec.encode(text)) == text
    # A character that is dropped may leave two newlines in a row.
    again = codec.encode(text.replace("\n", "\nb"))
    np.testing.assert_array_equal(codec.encode(codec.decode(again)), again)


@pytest.mark.parametrize(
    ("boundary", "boundaries", "ids"),
    [
        ("none", (), [2, 0, 0, 0, 2, 1, 3]),
        ("line", (0,), [2, 0, 0, 0, 2, 1, 3]),
        ("page", (1,), [2, 0, 0, 0, 2, 1, 3]),
        ("paragraph", (4,), [2, 4, 0, 2, 1, 3]),
    ],
)
def test_a_boundary_is_a_token(boundary: str, boundaries: tuple[int, ...], ids: list[int]) -> None:
    codec = CharacterCodec.fit(["a\n\n\na\f\u2029"], CharacterOptions(boundary=boundary))
    assert codec.vocab[:4] == ("\n", "\f", "a", "\u2029")
    assert codec.vocab[4:] == (("\n\n",) if boundary == "paragraph" else ())
    assert codec.boundaries == boundaries
    assert codec.encode("a\n\n\na\f\u2029").tolist() == ids


@pytest.mark.parametrize("boundary", ["line", "paragraph", "page"])
@pytest.mark.parametrize("pieces", [["ab"], ["aa\n\f"], []], ids=["none", "rare", "no piece"])
def test_the_boundary_is_in_the_alphabet_however_rare(boundary: str, pieces: list[str]) -> None:
    codec = CharacterCodec.fit(pieces, CharacterOptions(rarest=2, boundary=boundary))
    text = 3 * BOUNDARIES[boundary]
    assert codec.encode(text).tolist() == 3 * list(codec.boundaries)
    again = CharacterCodec.from_state(json.loads(json.dumps(codec.state())), codec.options)
    assert (again.vocab, again.boundaries) == (codec.vocab, codec.boundaries)


def test_rare_characters_count_as_unknown_when_a_prompt_is_adapted() -> None:
    codec = CharacterCodec.fit(["eeeaaaé"], CharacterOptions(rarest=2))
    assert codec.decode(codec.encode("éa")) == "a"
    assert codec.mend_prompt("éa", "nearest").piece == "ea"
    assert codec.mend_prompt("éa", "skip").changes == {("é", ""): 1}


def test_positions_of_unknown_characters_are_those_of_the_user() -> None:
    codec = CharacterCodec.fit(["abc\n\n"], CharacterOptions(boundary="paragraph"))
    with pytest.raises(DataError, match=r"character 'é' at position 8 .* alphabet of 4"):
        codec.encode("a\n\nb\n\n\né\n\n")
    assert codec.mend_prompt("a\n\né\n\u2029\n", "skip").piece == "a\n\n\n\n"
    assert codec.mend_prompt("a\n\nÁ", "nearest").piece == "a\n\na"


@pytest.mark.parametrize("boundary", ["line", "paragraph", "page"])
def test_codecs_with_boundaries_keep_the_contract(boundary: str, tmp_path: Path) -> None:
    pieces = ["one\n\n\ntwo\n\f\nthree\n\n" * 20, "\n\n\n\n\nfour\u2029five\f\f" * 20]
    codec = CharacterCodec.fit(pieces, CharacterOptions(boundary=boundary))
    ids = [codec.encode(piece) for piece in pieces]
    domain, found = load_domain("text")
    subject = Subject("text", found.spec, domain, "characters", codec, pieces, ids)
    # The model of that promise is trained with the default options.
    for promise in set(PROMISES) - {learns_and_writes}:
        place = tmp_path / promise.__name__
        place.mkdir()
        with suppress(NothingToCheck):
            promise(subject, place)


PARAGRAPHS = [
    f"{count} green bottles hanging on the wall,\nand if one green bottle should fall,\n"
    f"there will be {count - 1}."
    for count in range(30, 0, -1)
]


@pytest.fixture(scope="module")
def paragraphs(tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A small model of a text whose paragraphs it reads each on its own."""
    folder = tmp_path_factory.mktemp("paragraphs")
    pieces = {"train": ["\n\n".join(PARAGRAPHS)], "valid": ["\n\n".join(PARAGRAPHS[:3])]}
    corpus = seqgen.write_corpus(
        folder / "corpus", "text", pieces, options={"boundary": "paragraph"}
    )
    config = seqgen.TrainConfig(
        tokens=20_000, batch_size=4, window=32, learning_rate=1e-2, device="cpu"
    )
    model = seqgen.ModelConfig(hidden=32, embedding=16, layers=2, dropout=0.0)
    for _ in seqgen.train(seqgen.create_run(folder / "run", corpus, model, config), corpus):
        pass
    return seqgen.load(folder / "run", "cpu")


def test_a_run_keeps_its_boundaries(paragraphs: seqgen.Run) -> None:
    [boundary] = paragraphs.codec.boundaries
    assert paragraphs.vocab.names[boundary] == "\n\n"
    # More than 256 steps: the resets of a piece lie in several windows.
    assert len(paragraphs.codec.encode("\n\n".join(PARAGRAPHS[:4]))) > 256


@torch.no_grad()
def test_a_text_scores_what_its_paragraphs_score_from_the_zero_state(paragraphs) -> None:
    ids = paragraphs.codec.encode("\n\n".join(PARAGRAPHS[:4]))
    beginnings = [paragraphs.codec.decode(ids[:length]) for length in range(1, len(ids) + 1)]
    scores = list(seqgen.score(paragraphs, beginnings))
    losses = np.diff([0.0, *(score.nats for score in scores)])
    [boundary] = paragraphs.codec.boundaries
    alone: list[float] = []
    for first, part in enumerate(np.split(ids, np.flatnonzero(ids == boundary) + 1)):
        # The boundary itself is read first, whose state is zero like that before START.
        read = [boundary if first else paragraphs.vocab.start, *part[:-1]]
        nothing = torch.zeros((1, len(part), 0), dtype=torch.int64)
        logits, _ = paragraphs.model(torch.tensor([read]), nothing, None)
        chosen = torch.log_softmax(logits[0].double(), 1)[range(len(part)), part]
        alone += (-chosen).tolist()
    np.testing.assert_allclose(losses, alone, atol=1e-4)


WAYS = {
    "generate": lambda run, prompt, limit: [
        new.ids[new.prompt :].tolist()
        for new in seqgen.generate(run, 3, prompt=prompt, limit=limit)
    ],
    "stream": lambda run, prompt, limit: list(seqgen.stream(run, prompt=prompt, limit=limit)),
    "prime": lambda run, prompt, limit: list(
        seqgen.stream(run, prompt=seqgen.prime(run, prompt), limit=limit)
    ),
    "search": lambda run, prompt, limit: [
        new.ids[new.prompt :].tolist()
        for new in seqgen.search(run, 3, 2, prompt=prompt, limit=limit)
    ],
}


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("way", WAYS)
def test_what_follows_a_boundary_does_not_depend_on_what_came_before(
    paragraphs, way: str, device: str, monkeypatch
) -> None:
    if device == "reference":
        stepper = TorchStepper(paragraphs.model)
        for module in ("engine", "beam"):
            monkeypatch.setattr(
                f"seqgen.generation.{module}.choose_stepper", lambda *_, **__: stepper
            )
    limit = seqgen.LimitConfig(length=60)
    prompts = ["9 green bottles", "there will be 7", "\n\n\n" + 13 * "w"]
    one, *others = (WAYS[way](paragraphs, f"{prompt}\n\n", limit) for prompt in prompts)
    assert others == [one, one]
    assert WAYS[way](paragraphs, f"{prompts[0]}\n", limit) != one


HAN = "".join(map(chr, range(0x4E00, 0x4E80)))


@pytest.mark.parametrize(
    ("pieces", "name", "reason"),
    [
        (
            ["to be"] * 9,
            "characters",
            "5 different characters make up 90% of the texts; sub",
        ),
        (["ab" * 500, HAN], "characters", "18 different"),
        ([HAN * 2000], "subwords", "116 different .* subwords learn faster from 100 on"),
        ([HAN * 1000], "characters", "116 different .* too short"),
        ([""], "characters", "0 different"),
        (['{"a": "b"}'] * 9, "characters", '.*; for structure add `options={"grammar": "json"}`$'),
        (["#include <a>\nf();\n}"], "characters", '.* `options={"grammar": "c"}`$'),
        (["\\begin{a}\\label{b}"], "characters", '.* `options={"grammar": "latex"}`$'),
        (["to be or not (to be)\n" * 99], "characters", ".* from 100 on$"),
    ],
)
def test_texts_of_many_characters_get_subwords(pieces: list[str], name: str, reason: str) -> None:
    chosen, why = load_domain("text")[0].suggest(iter(pieces))
    assert chosen == name and re.match(reason, why)
