"""Near-duplicates stay on one side of the split; a codec is suggested where none is named."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqgen_text.codecs.characters import CharacterCodec
from seqgen_text.domain import Text

import seqgen
from seqgen.data.corpus import Corpus
from seqgen.data.near_duplicates import PASSAGES, NearDuplicates
from seqgen.data.splits import LARGE_GROUP, LONG_PIECE, SPLITS, assign_splits, draw
from seqgen.errors import ConfigError, PluginError

#: What ``corpus.json`` counts of them.
KEYS = ("near_duplicates", "near_duplicate_groups", "near_duplicates_across_splits")

#: Pieces without a near-duplicate, enough for all splits to have some.
LONERS = [frozenset([number]) for number in range(1000, 1100)]


def hashed(passage: object) -> int:
    return int.from_bytes(hashlib.sha256(str(passage).encode()).digest()[:8], "little", signed=True)


def leaders_of(pieces: Sequence[Iterable[int]], ranks: Sequence[int]) -> list[int]:
    found = NearDuplicates()
    for number, passages in enumerate(pieces):
        found.add(number, np.array([hashed(passage) for passage in passages], np.int64))
    return found.leaders(ranks).tolist()


def groups_of(pieces: Sequence[frozenset[int]]) -> list[set[int]]:
    """Return the groups of near-duplicates in the plainest way."""
    groups: list[tuple[set[int], set[int]]] = []
    for number, passages in enumerate(pieces):
        members, all_passages = {number}, set(passages)
        apart = []
        for group in groups:
            if group[1] & all_passages:
                members |= group[0]
                all_passages |= group[1]
            else:
                apart.append(group)
        groups = [*apart, (members, all_passages)]
    return [members for members, _ in groups]


def splits_of(pieces: Sequence[frozenset[int]], seed: int = 0) -> dict[frozenset[int], int]:
    """Return the split of each piece, all of which are short and of different passages."""
    digests = [hashlib.sha256(repr(sorted(piece)).encode()).digest() for piece in pieces]
    ranks = [int.from_bytes(digest[:8], "little") for digest in digests]
    leaders = np.array(leaders_of(pieces, ranks))
    rows = assign_splits([draw(digest, seed) for digest in digests], [9] * len(pieces), leaders)
    assert rows["piece"].tolist() == list(range(len(pieces)))
    return dict(zip(pieces, rows["split"].tolist(), strict=True))


SOME_PIECES = st.sets(st.frozensets(st.integers(0, 40), max_size=4), max_size=40).map(list)


@settings(deadline=None)
@given(SOME_PIECES, st.randoms(use_true_random=False))
def test_the_lowest_rank_of_a_group_leads_it(pieces, random) -> None:
    ranks = random.sample(range(1000), len(pieces))
    leaders = leaders_of(pieces, ranks)
    for group in groups_of(pieces):
        assert {leaders[piece] for piece in group} == {min(group, key=lambda piece: ranks[piece])}


@settings(deadline=None)
@given(SOME_PIECES)
def test_no_group_straddles_splits(pieces) -> None:
    splits = splits_of(pieces + LONERS)
    for group in groups_of(pieces):
        found = {splits[pieces[number]] for number in group}
        assert len(found) == 1
        assert len(group) <= LARGE_GROUP or found == {0}


@settings(deadline=None)
@given(SOME_PIECES, SOME_PIECES)
def test_more_pieces_move_only_what_gains_a_near_duplicate(old, new) -> None:
    new = [piece for piece in new if piece not in old]
    before, after = splits_of(old + LONERS), splits_of(old + LONERS + new)
    for group in groups_of(old + new):
        if all(number < len(old) for number in group):
            assert all(before[old[number]] == after[old[number]] for number in group)


@settings(deadline=None)
@given(SOME_PIECES, st.randoms(use_true_random=False))
def test_the_order_of_pieces_makes_no_difference(pieces, random) -> None:
    shuffled = random.sample(pieces + LONERS, len(pieces) + len(LONERS))
    assert splits_of(pieces + LONERS) == splits_of(shuffled)


def test_of_groups_as_many_are_held_out_as_of_pieces() -> None:
    """The leader is chosen by its content, not by its draw, which would favour one split."""
    groups = [[frozenset([10 * n, 10 * n + k]) for k in range(1, 6)] for n in range(10, 2010)]
    splits = splits_of([piece for group in groups for piece in group])
    shares = np.bincount([splits[group[0]] for group in groups]) / len(groups)
    np.testing.assert_allclose(shares, [0.85, 0.1, 0.05], atol=0.03)


def test_long_pieces_are_known_by_a_few_of_their_passages() -> None:
    one, other = range(10_000), range(8_000, 18_000)
    found = NearDuplicates()
    for number, passages in enumerate((one, other, range(20_000, 30_000))):
        found.add(number, np.array([hashed(passage) for passage in passages], np.int64))
    assert found.leaders([0, 1, 2]).tolist() == [0, 0, 2]
    assert len(found._hashes) == 3 * PASSAGES


def test_a_long_piece_with_a_near_duplicate_is_not_cut() -> None:
    draws, lengths = array("d", [0.5, 0.5, 0.5, 0.01, 0.12]), [LONG_PIECE + 1] * 3 + [9, 9]
    rows = assign_splits(draws, lengths, np.array([0, 0, 2, 3, 4]))
    assert rows["piece"].tolist() == [0, 1, 2, 2, 2, 3, 4]
    assert rows["split"].tolist() == [0, 0, 0, 1, 2, 1, 2]


# In a corpus ------------------------------------------------------------------------------------


@pytest.fixture
def lines_are_passages(monkeypatch) -> None:
    """Make texts that share a line near-duplicates."""

    def passages(self, ids):
        return np.array([hashed(line) for line in self.decode(ids).splitlines()], np.int64)

    monkeypatch.setattr(CharacterCodec, "passages", passages)


def text_splits(corpus: Corpus) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for split in SPLITS:
        for segment in corpus.segments(split):
            text = corpus.codec.decode(corpus.piece(segment.piece))
            found.setdefault(text, set()).add(split)
    return found


def write_rhymes(folder: Path, rhymes: dict[int, str]) -> None:
    for number, rhyme in rhymes.items():
        (folder / f"{number:03}.txt").write_text(f"poem {number}\n{rhyme}\n")


@pytest.mark.usefixtures("lines_are_passages")
def test_near_duplicates_are_kept_together_and_counted(tmp_path: Path, seqgen_said) -> None:
    write_rhymes(tmp_path, {number: f"rhyme {number // 3}" for number in range(90)})
    write_rhymes(tmp_path, {number: f"a rhyme of its own {number}" for number in range(90, 120)})
    corpus = seqgen.prepare("text", [tmp_path], jobs=1)
    splits = text_splits(corpus)
    for rhyme in range(30):
        found = [where for text, where in splits.items() if f"\nrhyme {rhyme}\n" in text]
        assert len(found) == 3 and len(set.union(*found)) == 1
    counts = [corpus.info[key] for key in KEYS]
    assert counts == [90, 30, 0]
    assert set.union(*splits.values()) == set(SPLITS)
    said = seqgen_said(corpus)
    assert "90 pieces are near-duplicates, in 30 groups; no group is split" in said


@pytest.mark.usefixtures("lines_are_passages")
def test_published_splits_stay_and_their_near_duplicates_are_counted(
    tmp_path: Path, seqgen_said
) -> None:
    pieces = {
        "train": ["a\nold rhyme\n", "b\nolder rhyme\n", "c new\n"],
        "valid": ["dear\nold rhyme\n", "ey\nnew rhyme\n"],
        "test": ["her\nolder rhyme\n", "wry\nnew rhyme\n", "hw\n"],
    }
    corpus = seqgen.write_corpus(tmp_path / "corpus", "text", pieces)
    assert text_splits(corpus) == {text: {split} for split in SPLITS for text in pieces[split]}
    counts = [corpus.info[key] for key in KEYS]
    assert counts == [6, 3, 2]
    assert "in 3 groups; 2 held-out pieces have one in training" in seqgen_said(corpus)


def test_texts_have_no_near_duplicates(corpus: Corpus, seqgen_said) -> None:
    assert [corpus.info[key] for key in KEYS] == [0, 0, 0]
    assert "near-duplicates" not in seqgen_said(corpus)


# The codec that is suggested --------------------------------------------------------------------


class Shouting(CharacterCodec):
    """Another codec of texts."""


@pytest.fixture
def seen(monkeypatch) -> list[str]:
    """Give texts two codecs; return the pieces that are looked at to choose one."""
    looked_at: list[str] = []

    def suggest(self, pieces):
        looked_at[:] = pieces
        return "shouting", f"{len(looked_at)} texts are loud"

    monkeypatch.setattr(Text, "codecs", {"characters": CharacterCodec, "shouting": Shouting})
    monkeypatch.setattr(Text, "suggest", suggest)
    return looked_at


@pytest.fixture
def seqgen_said(capsys):
    """Return a function that returns what is said of a corpus."""
    from seqgen.cli.console import say_corpus

    def said(corpus: Corpus) -> str:
        capsys.readouterr()
        say_corpus(corpus)
        return capsys.readouterr().err

    return said


def test_a_codec_is_suggested_with_its_reason(verses: Path, seen, seqgen_said, tmp_path) -> None:
    corpus = seqgen.prepare("text", [verses], tmp_path / "c", options={"rarest": 2}, jobs=1)
    assert sorted(seen) == sorted(path.read_text() for path in verses.iterdir())
    assert corpus.info["codec"]["name"] == "shouting"
    assert corpus.info["codec"]["options"]["rarest"] == 2
    assert isinstance(corpus.codec, Shouting)
    assert "chose codec shouting: 40 texts are loud" in seqgen_said(corpus)


def test_a_codec_that_is_named_needs_no_reason(verses: Path, seen, seqgen_said, tmp_path) -> None:
    corpus = seqgen.prepare("text", [verses], tmp_path / "c", codec="characters", jobs=1)
    assert not seen
    assert corpus.info["codec"]["name"] == "characters"
    assert "chose codec" not in seqgen_said(corpus)


def test_what_was_suggested_once_is_found_again(verses: Path, seen, monkeypatch) -> None:
    first = seqgen.prepare("text", [verses], seed=9, jobs=1)
    seen.clear()
    reads = []
    again = seqgen.prepare("text", [verses], seed=9, progress=lambda *now: reads.append(now))
    assert again.folder == first.folder and not reads and not seen


def test_a_small_corpus_is_read_once_to_choose_and_to_encode(verses, seen, monkeypatch) -> None:
    whole, reads = Text.read, []

    def counted(self, path, options):
        reads.append(path)
        return whole(self, path, options)

    monkeypatch.setattr(Text, "read", counted)
    seqgen.prepare("text", [verses], seed=10, jobs=1)
    assert len(reads) == len(set(reads)) == 40


def test_of_a_large_corpus_some_files_are_looked_at(verses, seen, tmp_path, monkeypatch) -> None:
    kept = seqgen.prepare("text", [verses], tmp_path / "kept", jobs=1)
    monkeypatch.setattr("seqgen.data.reading.KEPT_BYTES", 0)
    monkeypatch.setattr("seqgen.data.reading.SAMPLED_FILES", 5)
    streamed = seqgen.prepare("text", [verses], tmp_path / "streamed", jobs=1)
    texts = [path.read_text() for path in sorted(verses.iterdir())]
    assert seen == [texts[number] for number in (0, 10, 20, 29, 39)]
    for name in ("tokens", "segments"):
        one, two = ((c.folder / f"{name}.npy").read_bytes() for c in (kept, streamed))
        assert one == two


def test_options_that_no_codec_has_are_refused_before_reading(verses: Path, seen) -> None:
    with pytest.raises(ConfigError, match="unknown setting 'rare'"):
        seqgen.prepare("text", [verses], options={"rare": 3}, jobs=1)
    assert not seen


def test_given_pieces_are_looked_at_too(tmp_path: Path, seen) -> None:
    corpus = seqgen.write_corpus(tmp_path / "c", "text", {"train": ["ab", "ba"], "test": ["b"]})
    assert seen == ["ab", "ba"]
    assert corpus.info["reason"] == "2 texts are loud"


def test_a_bad_suggestion_blames_the_plugin(verses: Path, seen, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(Text, "suggest", lambda self, pieces: ("whispering", ""))
    with pytest.raises(PluginError, match="no codec 'whispering'"):
        seqgen.prepare("text", [verses], tmp_path / "c", jobs=1)

    def broken(self, pieces):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(Text, "suggest", broken)
    with pytest.raises(PluginError, match=r"seqgen-text .* cannot choose .*; name one of charac"):
        seqgen.prepare("text", [verses], tmp_path / "c", jobs=1)
    assert not (tmp_path / "c").exists()


def test_the_first_codec_is_the_default() -> None:
    name, _ = Text().suggest([])
    assert name == next(iter(Text.codecs)) == "characters"
