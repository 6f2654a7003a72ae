"""Promises of codecs that write given text: symbols in order, and every text to its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.numpy

from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_states import BETWEEN, START
from seqgen.conformance.subject import NothingToCheck, Promise, Subject, random_ids
from seqgen.grammar import unpacked
from seqgen.plugin import Ids
from seqgen.plugins.checks import next_mask
from seqgen.plugins.proofreaders import checked_arrays, proofreader_of

#: Texts that are requested, words of each, and symbols of a word.
TEXTS, WORDS, SYMBOLS = 8, 3, 3

#: Largest number of tokens of a requested text.
LONGEST = 20_000


def spells_its_pieces(subject: Subject, folder: Path) -> None:
    """Tokens of symbols are where the dictation says, and pieces with text are its spelling."""
    codec, dictation = subject.codec, _dictation(subject)
    names = tuple(codec.vocab[dictation.first : dictation.size])
    assert names == dictation.tokens, f"expected the tokens {dictation.tokens}, found {names}"
    for piece in subject.pieces:
        ids = np.asarray(codec.encode(piece), np.int64)
        is_symbol = (ids >= dictation.first) & (ids < dictation.advance)
        if is_symbol.any():
            text = ids[int(np.argmax(is_symbol)) :]
            assert dictation.spelled(text) is not None, "a piece is not what Dictation.spell gives"


def follows_its_dictation(subject: Subject, folder: Path) -> None:
    """Features hold those of the dictation, and masks allow no more than its grammar."""
    codec, dictation, count = subject.codec, _dictation(subject), len(subject.codec.vocab) + 1
    for ids in [*subject.ids, *random_ids(codec)]:
        rows, own = codec.features(ids), dictation.follow(ids).features
        columns = range(rows.shape[1] - own.shape[1] + 1)
        assert any(
            np.array_equal(rows[:, first : first + own.shape[1]], own) for first in columns
        ), "Dictation.features are not among the features"
        masks = codec.masks(ids)
        assert masks is not None, "a codec with dictation needs masks"
        allowed, grammar = unpacked(masks[:], count), np.zeros((len(ids) + 1, count), bool)
        order = unpacked(dictation.masks(ids), dictation.size + 1)
        grammar[:, : dictation.size], grammar[:, -1] = order[:, :-1], order[:, -1]
        assert not (allowed & ~grammar).any(), "masks allow what the dictation forbids"


def writes_requested_texts(subject: Subject, folder: Path) -> None:
    """Any text of the alphabet can be requested, is written to its end, and decodes to itself."""
    codec, dictation = subject.codec, _dictation(subject)
    if any(len(symbol) > 1 for symbol in dictation.alphabet):
        conditions = [piece for piece in subject.pieces if _text(subject, codec.encode(piece))]
    else:
        conditions = _random_texts(dictation)
    if not conditions:
        raise NothingToCheck("no piece has a text to request")
    for seed, condition in enumerate(conditions):
        given = condition if isinstance(condition, str) else _text(subject, codec.encode(condition))
        ids = _written(subject, condition, seed)
        for found in (_text(subject, ids), _text(subject, codec.encode(codec.decode(ids)))):
            assert [*found] == [*given], f"{given!r} was requested, {found!r} was written"
        most = codec.most_tokens(condition)
        assert most is None or len(ids) <= most, f"{len(ids)} tokens, most_tokens says {most}"


def _dictation(subject: Subject) -> Dictation:
    """Return the dictation of the codec."""
    if subject.codec.dictation is None:
        raise NothingToCheck("the codec writes no given text")
    return subject.codec.dictation


def _text(subject: Subject, ids: Ids) -> str | list[str]:
    """Return the symbols that ids open, as a text if each is one character."""
    dictation = _dictation(subject)
    symbols, _ = dictation.read(ids[np.asarray(ids) < dictation.size])
    return symbols if any(len(each) > 1 for each in dictation.alphabet) else "".join(symbols)


def _random_texts(dictation: Dictation) -> list[str]:
    """Return texts of random words, with silent symbols in between."""
    rng = np.random.default_rng(0)
    voiced = [dictation.alphabet[number] for number in np.flatnonzero(~dictation.silent)]
    quiet = [each for each in dictation.alphabet if each not in voiced] or [""]
    return [
        str(rng.choice(quiet)).join(
            "".join(rng.choice(voiced, rng.integers(1, SYMBOLS + 1))) for _ in range(WORDS)
        )
        for _ in range(TEXTS)
    ]


def _written(subject: Subject, condition: object, seed: int) -> Ids:
    """Write a requested text with random content; the end comes in no word."""
    codec, dictation, ids = subject.codec, _dictation(subject), list[int]()
    rng, tracker = np.random.default_rng(seed), subject.codec.tracker(condition)
    assert tracker is not None, "a codec with dictation needs a tracker"
    end = len(codec.vocab)
    while len(ids) < LONGEST:
        possible = np.flatnonzero(next_mask(codec, tracker))
        # To advance as often as not gives short texts.
        may_advance = dictation.advance in possible and rng.random() < 0.5
        token = dictation.advance if may_advance else int(rng.choice(possible))
        if token == end:
            found = dictation.situations(np.array(ids, np.int64))[-1]
            assert found in (START, BETWEEN), "the piece ends within a word"
            return np.array(ids, np.int64)
        tracker.push(token)
        ids.append(token)
    raise AssertionError(f"the text {condition!r} has no end after {LONGEST:,} tokens")


def proofreads(subject: Subject, folder: Path) -> None:
    """A proofreader can be saved, and reads the last symbol of anything that `decode` returns."""
    codec, dictation = subject.codec, _dictation(subject)
    learned = subject.domain.learn_proofreader(map(codec.decode, subject.ids))
    if learned is None:
        raise NothingToCheck("the domain does not proofread")
    arrays = checked_arrays(subject.domain, learned)
    read = proofreader_of(subject.domain, learned)
    copied = proofreader_of(subject.domain, safetensors.numpy.load(safetensors.numpy.save(arrays)))
    of_corpus = []
    for ids in subject.ids:
        for end in np.flatnonzero(ids == dictation.advance)[1:20].tolist():
            piece = codec.decode(ids[:end])
            of_corpus.append(read(piece))
            assert of_corpus[-1] == copied(piece), "the arrays do not hold all that was learned"
    for ids in random_ids(codec):
        read(codec.decode(ids))
    share = np.mean(np.array(of_corpus) >= 1)
    assert share < 0.5, f"of the pieces that it learned from it misreads {share:.0%}"


PROMISES: tuple[Promise, ...] = (
    spells_its_pieces,
    follows_its_dictation,
    writes_requested_texts,
    proofreads,
)
