"""What a plugin may get wrong never reaches compiled code; the error names its codec."""

from types import SimpleNamespace

import numpy as np
import pytest

import seqgen
from seqgen.config import LimitConfig
from seqgen.errors import PluginError
from seqgen.grammar import IndexedMasks, packed, unpacked
from seqgen.plugins.checks import checked_masks


def write(run: seqgen.Run, prompt: object = None) -> None:
    list(seqgen.generate(run, 2, prompt=prompt, limit=LimitConfig(length=40)))


@pytest.mark.parametrize("ids", [[0, 10**6], [-1], [0.5], [[0, 1]], ["a"]])
def test_ids_of_a_prompt(ids, run, monkeypatch) -> None:
    monkeypatch.setattr(run.codec, "encode", lambda piece: np.array(ids))
    with pytest.raises(PluginError, match=r"codec CharacterCodec must give ids .*; upgrade"):
        write(run, "x")


@pytest.mark.parametrize("row", [(0,), (), "more", "large", "negative", "float"])
def test_features_of_a_tracker(row, chorales, monkeypatch) -> None:
    sizes = chorales.codec.feature_sizes
    given = {
        "more": (*(0 for _ in sizes), 0),
        "large": sizes,
        "negative": (-1, *(0 for _ in sizes[1:])),
        "float": tuple(0.5 for _ in sizes),
    }.get(row, row)
    tracker = type(chorales.codec.tracker())
    monkeypatch.setattr(tracker, "features", lambda self: given)
    with pytest.raises(PluginError, match=r"must give features .*; upgrade"):
        write(chorales)


@pytest.mark.parametrize("mask", [np.ones(1, bool), np.ones(3, bool), True, "short", "whole"])
def test_masks_of_a_tracker(mask, chorales, monkeypatch) -> None:
    count = len(chorales.codec.vocab)
    given = {"short": np.ones(count, bool), "whole": np.ones(count + 1, int)}
    if isinstance(mask, str):
        mask = given[mask]
    tracker = type(chorales.codec.tracker())
    monkeypatch.setattr(tracker, "forced", lambda self: None)
    monkeypatch.setattr(tracker, "allowed", lambda self: mask)
    with pytest.raises(PluginError, match=r"must give a mask .* truth values, found"):
        write(chorales)


@pytest.mark.parametrize("token", [-1, 10**6, 0.5, "x"])
def test_forced_tokens_of_a_tracker(token, chorales, monkeypatch) -> None:
    tracker = type(chorales.codec.tracker())
    monkeypatch.setattr(tracker, "forced", lambda self: token)
    with pytest.raises(PluginError, match=r"must give a forced token from 0 to"):
        write(chorales)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.ones((3, 2), np.uint8), "as uint8"),
        (np.full((4, 2), 255), "as uint8"),
        (np.full((4, 2), 255, np.uint8), "of 10 ids"),
        (np.array([[1, 0]] * 3 + [[0, 0]], np.uint8), "at least one id, found none at position 3"),
    ],
)
def test_masks_of_a_piece(rows, expected) -> None:
    codec = SimpleNamespace(vocab="abcdefghi")
    with pytest.raises(PluginError, match=f"must give masks .*{expected}"):
        checked_masks(codec, rows, 4)


@pytest.mark.parametrize(
    ("table", "rows", "expected"),
    [
        ([[1, 0]], [0, 0, 0], "rows of masks as 4 whole numbers"),
        ([[1, 0]], [0.0, 0.0, 0.0, 0.0], "rows of masks as 4 whole numbers"),
        ([[1, 0]], [0, 0, 0, 1], "rows of masks as numbers below 1, found 0 to 1"),
        ([[1, 0]], [0, 0, 0, -1], "rows of masks as numbers below 1, found -1 to 0"),
        ([[1, 0], [255, 255]], [0, 0, 0, 1], "masks of 10 ids"),
        ([[1, 0], [0, 0]], [0, 0, 0, 1], "at least one id, found none in row 1"),
    ],
)
def test_indexed_masks_of_a_piece(table, rows, expected) -> None:
    codec = SimpleNamespace(vocab="abcdefghi")
    masks = IndexedMasks(np.array(table, np.uint8), np.array(rows))
    with pytest.raises(PluginError, match=f"must give .*{expected}"):
        checked_masks(codec, masks, 4)


def test_rows_that_no_position_has_may_be_empty() -> None:
    codec = SimpleNamespace(vocab="abcdefghi")
    masks = IndexedMasks(np.array([[0, 0], [1, 0]], np.uint8), np.ones(4, np.uint8))
    assert checked_masks(codec, masks, 4) is masks


def test_right_masks_of_a_piece() -> None:
    codec = SimpleNamespace(vocab="abcdefghi", masks=lambda ids: None)
    table = np.eye(10, dtype=bool)[[0, 9, 8, 7]]
    rows = packed(table)
    np.testing.assert_array_equal(unpacked(checked_masks(codec, rows, 4), 10), table)
    assert checked_masks(codec, None, 4).shape == (4, 0)
    codec.masks = lambda ids: rows[:1]
    with pytest.raises(PluginError, match="for every piece or for none, found None"):
        checked_masks(codec, None, 4)


def test_features_of_a_piece(chorales, monkeypatch) -> None:
    corpus = chorales.corpus()
    codec = corpus.codec
    right = codec.features(corpus.piece(0))
    from seqgen.data.rows import codec_rows

    rows = codec_rows(codec, corpus.piece(0))
    np.testing.assert_array_equal(rows.features, right)
    # Every lane holds those of a whole piece.
    assert rows.features.itemsize == np.min_scalar_type(max(codec.feature_sizes) - 1).itemsize < 8
    part, _ = rows.cut(3, 9)
    assert part.dtype == np.int64
    np.testing.assert_array_equal(part, right[3:9])
    for wrong in (right[:-1], right[:, :-1], right + 1000, right - 1000, right.astype(float)):
        monkeypatch.setattr(codec, "features", lambda ids, wrong=wrong: wrong)
        with pytest.raises(PluginError, match="must give features"):
            codec_rows(codec, corpus.piece(0))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("boundaries", (10**6,), "boundaries that are not ids"),
        ("boundaries", (-1,), "boundaries that are not ids"),
        ("boundaries", 5, "nothing of its state"),
        ("groups", (0, 1), "groups of 2 tokens"),
        ("feature_sizes", (0,), "features without values"),
        ("feature_sizes", ("x",), "nothing of its state"),
    ],
)
def test_what_a_codec_says_of_itself(name, value, message, run, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    def altered(cls, state, options):
        codec = cls(state["characters"], state["dropped"], options)
        setattr(codec, name, value)
        return codec

    monkeypatch.setattr(CharacterCodec, "from_state", classmethod(altered))
    with pytest.raises(PluginError, match=message) as caught:
        _ = seqgen.load(run.folder, "cpu").codec
    assert str(run.folder) in str(caught.value)
