import copy
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from seqgen_text.codecs.automaton import AutomatonTracker
from seqgen_text.codecs.bytes import ByteCodec, ByteOptions

from seqgen.errors import DataError
from seqgen.grammar import unpacked

CODEC = ByteCodec(ByteOptions())
BYTES = st.lists(st.integers(0, 255) | st.sampled_from(list("é日🙂".encode())), max_size=30)


def ids_of(tokens: list[int] | bytes) -> np.ndarray:
    return np.array([*tokens], np.int64)


@given(st.text(st.characters(codec="utf-8")))
@example("a\r\n\x00\t é日🙂\ufeff\U0010ffff")
def test_any_text_comes_back_and_its_bytes_are_allowed(text: str) -> None:
    ids = CODEC.encode(text)
    assert bytes(ids.tolist()) == text.encode() and CODEC.decode(ids) == text
    assert CODEC.units(ids) == {
        "words": len(text.split()),
        "characters": len(text),
        "bytes": len(ids),
    }
    allowed = unpacked(CODEC.masks(ids)[:], 257)
    assert allowed[range(len(ids) + 1), [*ids.tolist(), 256]].all()


@given(BYTES)
@example([0xE0, 0x80, 0x80])
@example([0xED, 0xA0, 0x80])
@example([0xF4, 0x90, 0x80, 0x80])
@example([0xF0, 0x9F, 0x41])
@example([0xC3, 0xC3, 0xA9])
def test_what_is_allowed_is_what_python_decodes(tokens: list[int]) -> None:
    ids = ids_of(tokens)
    allowed = unpacked(CODEC.masks(ids)[:], 257)
    is_legal = bool(allowed[range(len(ids) + 1), [*tokens, 256]].all())
    try:
        bytes(tokens).decode()
    except UnicodeDecodeError:
        assert not is_legal
    else:
        assert is_legal


@given(BYTES)
def test_any_bytes_decode_as_they_are_shown(tokens: list[int]) -> None:
    text = CODEC.decode(ids_of(tokens))
    assert text == "".join(map(CODEC.text_stream(), tokens))
    whole = bytes(tokens).decode(errors="replace")
    # Only a character that is cut at the end is left out.
    assert whole in (text, f"{text}\ufffd")
    assert CODEC.decode(CODEC.encode(text)) == text


@given(st.text(st.sampled_from("aé日🙂"), max_size=9), st.integers(0, 40))
def test_a_rest_begins_with_a_whole_character(text: str, start: int) -> None:
    ids = CODEC.encode(text)
    rest = CODEC.decode(CODEC.continuation(ids, min(start, len(ids))))
    assert text.endswith(rest) and len(rest.encode()) > len(ids) - start - 4


@given(BYTES, st.integers(0, 4), st.randoms(use_true_random=False))
@example([0xF0, 0x90], 1, None)
def test_a_limit_leaves_whole_characters(tokens: list[int], room: int, draw: Random | None) -> None:
    tracker = CODEC.tracker()
    for token in tokens:
        tracker.push(token)
    # What is missing of the last character is written, whatever the limit.
    missing = missing_bytes(tracker)
    for left in range(max(room, missing), 0, -1):
        ids = np.flatnonzero(tracker.closing(left)).tolist()
        assert set(ids) <= set(np.flatnonzero(tracker.allowed()).tolist())
        token = ids[0] if draw is None else draw.choice(ids)
        if token == 256:
            return
        tracker.push(token)
    assert tracker.closing(0)[256] and tracker.allowed()[256]


def missing_bytes(tracker: AutomatonTracker) -> int:
    """Return how many bytes the last character lacks; any that may come are as good as others."""
    follows = copy.deepcopy(tracker)
    for count in range(4):
        if follows.allowed()[256]:
            return count
        follows.push(int(np.flatnonzero(follows.allowed())[0]))
    raise AssertionError("no character has more than four bytes")


def test_half_a_character_is_refused_with_its_position() -> None:
    with pytest.raises(DataError, match=r"'\\ud83d', a lone surrogate\) at position 3;"):
        CODEC.encode("ab\ud83d")


def test_tokens_below_128_have_the_names_of_characters() -> None:
    assert CODEC.vocab[:128] == tuple(map(chr, range(128)))
    assert CODEC.vocab[0xE2] == "0xE2" and len(set(CODEC.vocab)) == 256
