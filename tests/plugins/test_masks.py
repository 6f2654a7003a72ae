"""Masks of whole pieces are those of the tracker at each position, for any ids."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.grammar import NO_LIMITS, VoiceLimits
from seqgen_music.codecs.chorale.raster import VOICES
from seqgen_music.codecs.chorale.tracker import ChoraleTracker
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.melody.line import MelodyOptions
from seqgen_music.files.midi_writing import write_midi
from seqgen_music.music import Music, Track, make_notes

import seqgen
from seqgen.grammar import unpacked
from seqgen.plugin import Codec, Ids
from seqgen.plugins.checks import checked_masks, next_mask

#: Short bars and low limits: short ids meet every rule.
METRES = [(1, 8), (1, 4), (3, 4)]
LIMITS = VoiceLimits(((60, 62), (60, 61), (58, 60), (58, 59)))
CHORALES = [
    ChoraleCodec(58, 62, METRES, ChoraleOptions("held"), LIMITS),
    ChoraleCodec(58, 62, [(1, 4)], ChoraleOptions("grid"), LIMITS),
]
MELODIES = [
    MelodyCodec(60, 62, METRES[1:], 100.0, steps, MelodyOptions(), kinds)
    for steps, kinds in ((1, ()), (4, ()), (4, ("major", "minor")))
]
MADE = [*CHORALES, *MELODIES]


def masks(codec: Codec, ids: Ids) -> np.ndarray:
    rows = checked_masks(codec, codec.masks(ids), len(ids) + 1)
    return unpacked(rows, len(codec.vocab) + 1)


def check(codec: Codec, ids: Ids) -> None:
    """Compare the masks with the tracker's, position by position."""
    tracker = codec.tracker()
    if isinstance(codec, ChoraleCodec) and codec.layout.phrases:
        # A new piece has to have a plan, and ends with it.
        tracker = ChoraleTracker(codec._grammar, NO_LIMITS)
    for position, row in enumerate(masks(codec, ids)):
        np.testing.assert_array_equal(row, next_mask(codec, tracker), str(position))
        if position < len(ids):
            tracker.push(int(ids[position]))


@st.composite
def likely_ids(draw) -> tuple[Codec, Ids]:
    """Draw a codec and ids, with or without a header, with runs of "rest" and of "hold"."""
    codec = draw(st.sampled_from(MADE))
    table = codec.layout.table
    common = [table.id(kind) for kind in ("rest", "hold") if kind in table.kinds]
    runs = st.tuples(st.sampled_from(common), st.integers(1, 12))
    others = st.tuples(st.integers(0, len(table) - 1), st.just(1))
    drawn = draw(st.lists(runs | runs | others, max_size=30))
    ids = [token for token, count in drawn for _ in range(count)]
    if "metre" in table.kinds and draw(st.booleans()):
        metre, upbeat = (draw(st.sampled_from(table.values(kind))) for kind in ("metre", "upbeat"))
        ids = [table.id("metre", metre), table.id("upbeat", upbeat), *ids]
    return codec, np.array(ids, np.int64)


@settings(deadline=None, max_examples=300)
@given(likely_ids())
def test_masks_of_any_ids(drawn: tuple[Codec, Ids]) -> None:
    check(*drawn)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(MADE), st.randoms(use_true_random=False))
def test_masks_of_what_the_tracker_allows(codec: Codec, random) -> None:
    tracker, ids = codec.tracker(), []
    while len(ids) < 120:
        token = random.choice(np.flatnonzero(next_mask(codec, tracker)).tolist())
        if token == len(codec.vocab):
            break
        tracker.push(token)
        ids.append(token)
    check(codec, np.array(ids, np.int64))


@pytest.fixture(scope="module", params=["chorale", "chorale grid", "melody"])
def corpus(request, chorales: seqgen.Run) -> tuple[Codec, list[Ids]]:
    """Return a codec, and the ids of four chorales by Bach."""
    name, _, form = request.param.partition(" ")
    made = chorales.corpus()
    pieces = [made.codec.decode(np.asarray(made.piece(index), np.int64)) for index in range(4)]
    codec_class = {"chorale": ChoraleCodec, "melody": MelodyCodec}[name]
    codec = codec_class.fit(pieces, codec_class.options_type(*filter(None, [form])))
    return codec, [codec.encode(piece) for piece in pieces]


def test_masks_of_real_pieces_allow_every_token(corpus) -> None:
    codec, pieces = corpus
    for ids in pieces:
        check(codec, ids)
        for seed in range(3):
            moved = codec.augment(ids, np.random.default_rng(seed))
            check(codec, moved)
            whole = np.append(moved, len(codec.vocab))
            assert masks(codec, moved)[np.arange(len(whole)), whole].all()


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_masks_of_cut_and_damaged_pieces(corpus, data) -> None:
    codec, pieces = corpus
    ids = data.draw(st.sampled_from(pieces))[: data.draw(st.integers(0, 90))].copy()
    for _ in range(data.draw(st.integers(0, 3)) if len(ids) else 0):
        place = data.draw(st.integers(0, len(ids) - 1))
        ids[place] = data.draw(st.integers(0, len(codec.vocab) - 1))
    check(codec, ids)


def four_voices(soprano: int) -> Music:
    """Return a scale in four voices; the soprano begins at this pitch."""
    rows = [
        (480 * step, 480, first + step, 80, voice)
        for voice, first in enumerate((soprano, 60, 55, 40))
        for step in range(8)
    ]
    return Music(make_notes(rows), tuple(map(Track, VOICES)), 480)


def test_held_out_pieces_decide_neither_ranges_nor_limits(tmp_path: Path) -> None:
    made = []
    for name, soprano in (("like", 72), ("lower", 50)):
        (tmp_path / name).mkdir()
        paths = [tmp_path / name / f"{number}.mid" for number in range(3)]
        for path, pitch in zip(paths, (72, 71, soprano), strict=True):
            write_midi(four_voices(pitch), path)
        folder = tmp_path / f"{name} corpus"
        corpus = seqgen.prepare(
            "music", [tmp_path / name], folder, codec="chorale", valid=paths[2:]
        )
        assert corpus.info["skipped"] == []
        made.append(corpus)
    like, lower = (corpus.codec for corpus in made)
    assert like.state() == lower.state() and like.limits.ranges[0] == (71, 79)
    # The held-out soprano below its range is forbidden there, and encoded all the same.
    ids = np.append(lower.encode(four_voices(50)), len(lower.vocab))
    forbidden = ~masks(lower, ids[:-1])[np.arange(len(ids)), ids]
    assert forbidden.sum() == 8 and set((np.flatnonzero(forbidden) - 3) % 4) == {0}
