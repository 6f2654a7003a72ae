"""Promises of a codec: pieces become ids and come back, whatever the ids are."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from seqgen.conformance.subject import (
    TOKENS,
    NothingToCheck,
    Promise,
    Subject,
    fitted,
    random_ids,
)
from seqgen.data.rows import codec_rows
from seqgen.errors import DataError
from seqgen.plugin import Codec, Ids
from seqgen.plugins.checks import checked_beginnings, checked_ids, checked_variations
from seqgen.unknown import Unknown
from seqgen.vocab import Vocab


def fits_in_any_order(subject: Subject, folder: Path) -> None:
    """What is learned does not depend on chance or the order of the pieces."""
    states = [
        fitted(type(subject.codec), pieces, subject.codec.options).state()
        for pieces in (subject.pieces, subject.pieces, subject.pieces[::-1])
    ]
    assert states[0] == states[1] == states[2]


def names_its_tokens(subject: Subject, folder: Path) -> None:
    """Token names are unique, all or none have a group and a word number; places have words."""
    codec = subject.codec
    Vocab.of(codec.vocab)
    assert all(isinstance(name, str) for name in codec.vocab)
    assert len(codec.groups) in (0, len(codec.vocab)), (len(codec.groups), len(codec.vocab))
    assert all(group >= 0 for group in codec.groups), codec.groups
    numbers = codec.word_numbers
    assert len(numbers) in (0, len(codec.vocab)), (len(numbers), len(codec.vocab))
    assert all(0 <= number <= len(codec.vocab) for number in numbers), numbers
    for ids in subject.ids:
        assert all(codec.place(ids, at) for at in (0, len(ids) // 2, len(ids) - 1))


def names_its_boundaries(subject: Subject, folder: Path) -> None:
    """Boundaries are ids of the vocabulary, each named once, the same for every fit."""
    codec = subject.codec
    if not codec.boundaries:
        raise NothingToCheck("the codec has no boundaries")
    assert len(set(codec.boundaries)) == len(codec.boundaries), codec.boundaries
    Vocab.of(codec.vocab).resets(codec.boundaries)
    again = type(codec).fit(subject.pieces[::-1], codec.options)
    assert tuple(again.boundaries) == tuple(codec.boundaries)


def encodes_into_its_vocabulary(subject: Subject, folder: Path) -> None:
    """Ids are whole numbers within the vocabulary."""
    for piece in subject.pieces:
        ids = subject.codec.encode(piece)
        assert ids.ndim == 1 and ids.dtype == np.int64, (ids.shape, ids.dtype)
        assert len(ids) and 0 <= ids.min() <= ids.max() < len(subject.codec.vocab)


def round_trips(subject: Subject, folder: Path) -> None:
    """Encoding a decoded piece gives the same ids again, or some if it is not idempotent."""
    codec = subject.codec
    for piece in subject.pieces:
        ids = codec.encode(piece)
        check_repeated(codec, codec.encode(codec.decode(ids)), ids)


def check_repeated(codec: Codec, repeated: Ids, ids: Ids) -> None:
    """Check the ids of a decoded piece."""
    if codec.idempotent:
        np.testing.assert_array_equal(repeated, ids)
    else:
        checked_ids(codec, repeated)


def survives_files(subject: Subject, folder: Path) -> None:
    """A piece that is written and read again encodes as `round_trips` says.

    That holds for `exact_format`. What the first format keeps of a piece can be encoded. If `write`
    returns several files, the first is the one to read.
    """
    codec, formats = subject.codec, subject.domain.formats
    exact = subject.domain.exact_format or formats[0]
    assert exact in formats, f"exact_format is {exact!r}; it must be one of {', '.join(formats)}"
    for number, piece in enumerate(subject.pieces):
        ids = codec.encode(piece)
        for suffix in dict.fromkeys((exact, formats[0])):
            path, *_ = subject.write(codec.decode(ids), folder / f"{number}{suffix}")
            [again] = subject.read(path)
            repeated = checked_ids(codec, codec.encode(again))
            if suffix == exact:
                check_repeated(codec, repeated, ids)


def mends_prompts(subject: Subject, folder: Path) -> None:
    """A mended piece can be encoded, and known symbols stay as they are."""
    alone = type(subject.codec).fit(subject.pieces[:1], subject.codec.options)
    policies: tuple[Unknown, ...] = ("skip", "nearest")
    for piece, unknown in itertools.product(subject.pieces, policies):
        assert not subject.codec.mend_prompt(piece, unknown).changes
        try:
            mended = alone.mend_prompt(piece, unknown)
        except DataError:
            continue
        alone.encode(mended.piece)
        assert all(was != now and count > 0 for (was, now), count in mended.changes.items())


def decodes_anything(subject: Subject, folder: Path) -> None:
    """Any ids, also cut short, decode to a piece that can be written, read and encoded."""
    codec, suffix = subject.codec, subject.domain.formats[0]
    cut = [ids[:length] for ids in subject.ids[:2] for length in (1, len(ids) // 2, len(ids) - 1)]
    for number, ids in enumerate([*random_ids(codec), *cut]):
        path, *_ = subject.write(codec.decode(ids), folder / f"{number}{suffix}")
        try:
            again = [codec.encode(piece) for piece in subject.read(path)]
        except DataError as error:
            # A piece with next to nothing in it may be refused; fifty tokens are something.
            assert len(ids) < 50, (
                f"the file of {len(ids)} decoded ids is refused ({error}); decode must repair what "
                f"a model may write, or read and encode must accept it"
            )
            continue
        for repeated in again:
            check_repeated(codec, codec.encode(codec.decode(repeated)), repeated)


def decodes_all_of_its_tokens(subject: Subject, folder: Path) -> None:
    """Every token can be decoded, alone and repeated."""
    for token in range(len(subject.codec.vocab)):
        subject.codec.decode(np.full(9, token))


def saves_its_state(subject: Subject, folder: Path) -> None:
    """State and options survive JSON and rebuild the same codec."""
    codec = subject.codec
    state = json.loads(json.dumps(codec.state(), allow_nan=False))
    options = type(codec).options_type(**json.loads(json.dumps(asdict(codec.options))))
    again = type(codec).from_state(state, options)
    assert tuple(again.vocab) == tuple(codec.vocab)
    assert tuple(again.feature_sizes) == tuple(codec.feature_sizes)
    assert tuple(again.boundaries) == tuple(codec.boundaries)
    assert tuple(again.groups) == tuple(codec.groups)
    assert tuple(again.word_numbers) == tuple(codec.word_numbers)
    ids = codec.encode(subject.pieces[0])
    np.testing.assert_array_equal(again.encode(subject.pieces[0]), ids)
    np.testing.assert_array_equal(again.masks(ids), codec.masks(ids))


def goes_on_with_other_pieces(subject: Subject, folder: Path) -> None:
    """A codec that is fitted again encodes these pieces, and its state rebuilds it."""
    codec = subject.codec
    if type(codec).refit is Codec.refit:
        raise NothingToCheck("the codec is fitted anew")
    pieces = subject.pieces[:3]
    again = codec.refit(pieces, codec.options)
    Vocab.of(again.vocab)
    rebuilt = type(codec).from_state(again.state(), codec.options)
    assert tuple(rebuilt.vocab) == tuple(again.vocab)
    for piece in pieces:
        ids = again.encode(piece)
        assert len(ids) and 0 <= ids.min() <= ids.max() < len(again.vocab)
        np.testing.assert_array_equal(rebuilt.encode(again.decode(ids)), ids)


def augments_within_its_vocabulary(subject: Subject, folder: Path) -> None:
    """Augmenting leaves its argument alone, depends on the generator only, and decodes."""
    codec = subject.codec
    if type(codec).augment is Codec.augment:
        raise NothingToCheck("the codec does not augment")
    for ids in subject.ids:
        kept = ids.copy()
        kept.setflags(write=False)
        one, two = (codec.augment(kept, np.random.default_rng(1)) for _ in range(2))
        np.testing.assert_array_equal(one, two)
        assert len(one) and 0 <= one.min() <= one.max() < len(codec.vocab)
        codec.decode(one)


def recognises_variations(subject: Subject, folder: Path) -> None:
    """Every variation, and every fit of the codec, shares a passage with the piece."""
    codec = subject.codec
    found = [codec.passages(ids) for ids in subject.ids]
    if not any(map(len, found)):
        raise NothingToCheck("the codec finds no passages")
    alone = type(codec).fit(subject.pieces[:1], codec.options)
    ids = np.asarray(alone.encode(subject.pieces[0]), np.int64)[:TOKENS]
    np.testing.assert_array_equal(alone.passages(ids), found[0])
    for ids, passages in zip(subject.ids, found, strict=True):
        assert passages.ndim == 1 and passages.dtype == np.int64, (passages.shape, passages.dtype)
        np.testing.assert_array_equal(codec.passages(ids), passages)
        for seed in range(5):
            varied = codec.augment(ids, np.random.default_rng(seed))
            assert not len(passages) or np.isin(codec.passages(varied), passages).any()
    for ids in random_ids(codec):
        codec.passages(ids)


def varies_within_one_class(subject: Subject, folder: Path) -> None:
    """Variations are different pieces, each with the same variations in the same order."""
    codec = subject.codec
    if type(codec).variations is Codec.variations:
        raise NothingToCheck("the codec has no variations")
    for ids in [*subject.ids, *random_ids(codec)]:
        versions, _ = checked_variations(codec, ids)
        assert len(np.unique(versions, axis=0)) == len(versions), "a variation comes twice"
        for version in versions[[0, len(versions) // 2, -1]]:
            np.testing.assert_array_equal(codec.variations(version), versions)


def continues_pieces(subject: Subject, folder: Path) -> None:
    """The rest of a piece after any prompt can be decoded."""
    codec = subject.codec
    for ids in [*subject.ids, *random_ids(codec)]:
        for start in (0, 1, len(ids) // 2, len(ids)):
            kept = codec.continuation(ids, min(start, len(ids)))
            assert len(kept) <= len(ids) and (kept < len(codec.vocab)).all()
            codec.decode(kept)


def begins_inside_pieces(subject: Subject, folder: Path) -> None:
    """Places where a piece could begin rise, lie inside it, and have features and masks."""
    codec = subject.codec
    some = False
    for ids in [*subject.ids, *random_ids(codec)]:
        found = checked_beginnings(codec, codec.beginnings(ids), len(ids))
        for position in found[:5].tolist():
            some = True
            kept = codec.continuation(ids, position)
            assert (kept < len(codec.vocab)).all()
            codec_rows(codec, kept)
    if not some:
        raise NothingToCheck("no piece has a place inside where a piece could begin")


def shows_text_as_it_comes(subject: Subject, folder: Path) -> None:
    """The texts of single ids join to the text of all of them, and an open end to its prompt."""
    if subject.codec.text_stream() is None:
        raise NothingToCheck("pieces are not shown while they are written")
    for ids in subject.ids:
        typed = subject.codec.text_stream()
        assert typed is not None
        assert "".join(map(typed, ids.tolist())) == subject.codec.decode(ids)
        for count in (0, 1, len(ids) // 3, len(ids)):
            prompt = subject.codec.encode(subject.codec.decode(ids[:count]))
            if (end := subject.codec.open_end(prompt)) is not None:
                assert end.text and 0 <= end.kept < len(prompt), (end.kept, len(prompt))
                before = subject.codec.decode(prompt[: end.kept])
                assert before + end.text == subject.codec.decode(prompt)
                assert len(end.spellings(prompt[: end.kept])) == len(subject.codec.vocab)


PROMISES: tuple[Promise, ...] = (
    fits_in_any_order,
    names_its_tokens,
    names_its_boundaries,
    encodes_into_its_vocabulary,
    round_trips,
    survives_files,
    mends_prompts,
    decodes_anything,
    decodes_all_of_its_tokens,
    saves_its_state,
    goes_on_with_other_pieces,
    augments_within_its_vocabulary,
    recognises_variations,
    varies_within_one_class,
    continues_pieces,
    begins_inside_pieces,
    shows_text_as_it_comes,
)
