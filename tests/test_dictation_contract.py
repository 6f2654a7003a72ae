"""The plugin of the documentation keeps the promises of dictation, and each can be broken."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqgen
from seqgen.conditions.dictation import Dictation
from seqgen.conditions.dictation_tracker import DictationTracker
from seqgen.conformance.dictations import (
    follows_its_dictation,
    proofreads,
    spells_its_pieces,
    writes_requested_texts,
)
from seqgen.conformance.subject import Subject, subject_of
from seqgen.plugin import Codec
from seqgen.testing import PROMISES, check_domain

PAGE = Path(__file__).parent.parent / "docs" / "writing-a-plugin.md"


@pytest.fixture(scope="module")
def morse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The subject of the codec of the page."""
    section = PAGE.read_text().split("## Dictation")[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    path = tmp_path_factory.mktemp("plugin") / "morse.py"
    path.write_text(found[1])
    name = seqgen.load_plugin(path)
    yield subject_of(name, "marks")


def broken(subject: Subject, **members: Any) -> Subject:
    """Return the subject with other members of its codec."""
    kind = type("Broken", (type(subject.codec),), members)
    return replace(subject, codec=kind.fit(subject.pieces, subject.codec.options))


def test_the_plugin_of_the_page_keeps_the_contract(morse: Subject, tmp_path: Path) -> None:
    # Nineteen promises are about what it does not have, such as boundaries and options.
    assert check_domain("morse", tmp_path) == len(PROMISES) - 20


def test_it_writes_what_is_given(morse: Subject, tmp_path: Path) -> None:
    corpus = seqgen.write_corpus(tmp_path / "corpus", "morse", {"train": morse.pieces})
    config = seqgen.TrainConfig(epochs=30, evaluations=1, batch_size=2, learning_rate=0.03)
    run = seqgen.create_run(tmp_path / "run", corpus, seqgen.ModelConfig(hidden=16), config)
    for _ in seqgen.train(run, corpus):
        pass
    [new] = seqgen.generate(run, 1, condition="see a toast")
    assert "".join(letter for letter, _ in new.piece) == "see a toast"
    assert new.stopped_by == "end"


def test_tokens_at_other_places_are_found(morse: Subject, tmp_path: Path) -> None:
    def init(self: Any, most: Any, options: Any) -> None:
        type(morse.codec).__init__(self, most, options)
        self.vocab = (*self.vocab[::-1],)

    with pytest.raises(AssertionError, match="expected the tokens"):
        spells_its_pieces(broken(morse, __init__=init), tmp_path)


def test_pieces_that_are_not_spelled_are_found(morse: Subject, tmp_path: Path) -> None:
    def encode(self: Codec, piece: Any) -> Any:
        return type(morse.codec).encode(self, piece)[:-1]

    with pytest.raises(AssertionError, match=r"not what Dictation\.spell gives"):
        spells_its_pieces(broken(morse, encode=encode), tmp_path)


def test_missing_features_and_a_loose_grammar_are_found(morse: Subject, tmp_path: Path) -> None:
    def features(self: Codec, ids: Any) -> Any:
        rows = type(morse.codec).features(self, ids)
        return np.roll(rows, 1, axis=0)

    def masks(self: Codec, ids: Any) -> Any:
        return np.full_like(type(morse.codec).masks(self, ids), 0x80)

    with pytest.raises(AssertionError, match="are not among the features"):
        follows_its_dictation(broken(morse, features=features), tmp_path)
    with pytest.raises(AssertionError, match="allow what the dictation forbids"):
        follows_its_dictation(broken(morse, masks=masks), tmp_path)


class Early(DictationTracker):
    """Lets a piece end after the first word."""

    def forced(self) -> int | None:
        token = super().forced()
        is_symbol = token is not None and token < self._dictation.advance
        return self._dictation.size if is_symbol and len(self.left()) else token


class Wordless(DictationTracker):
    """Lets a piece end anywhere."""

    def forced(self) -> int | None:
        return self._dictation.size if len(self.left()) > 1 else super().forced()


class Endless(DictationTracker):
    """Never ends."""

    def forced(self) -> int | None:
        token = super().forced()
        return 0 if token == self._dictation.size else token


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Early, "was requested"),
        (Wordless, "ends within a word"),
        (Endless, "has no end"),
    ],
)
def test_a_text_that_is_not_written_to_its_end_is_found(
    morse: Subject, tmp_path: Path, kind: type[DictationTracker], message: str
) -> None:
    def tracker(self: Any, condition: Any = None) -> DictationTracker:
        return kind(self.dictation, self.request(condition))

    with pytest.raises(AssertionError, match=message):
        writes_requested_texts(broken(morse, tracker=tracker), tmp_path)


def test_a_limit_below_the_text_and_another_text_are_found(morse: Subject, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="most_tokens says 3"):
        writes_requested_texts(broken(morse, most_tokens=lambda self, given: 3), tmp_path)

    def decode(self: Any, ids: Any) -> Any:
        return [("e", "."), *type(morse.codec).decode(self, ids)]

    with pytest.raises(AssertionError, match="was requested"):
        writes_requested_texts(broken(morse, decode=decode), tmp_path)


def test_symbols_of_several_characters_are_requested_by_pieces(
    morse: Subject, tmp_path: Path
) -> None:
    def init(self: Any, most: Any, options: Any) -> None:
        type(morse.codec).__init__(self, most, options)
        names = [symbol if symbol == " " else symbol * 2 for symbol in most]
        self.dictation = Dictation(2, names, list(most.values()), separator=" ")
        self.vocab = ("dot", "dash", *self.dictation.tokens)

    double = [[(s if s == " " else s * 2, m) for s, m in piece] for piece in morse.pieces]
    subject = broken(morse, __init__=init)
    writes_requested_texts(replace(subject, pieces=double), tmp_path)


def with_proofreader(morse: Subject, **members: Any) -> Subject:
    return replace(morse, domain=type("Reader", (type(morse.domain),), members)())


def test_proofreaders_are_checked(morse: Subject, tmp_path: Path) -> None:
    def learn(self: Any, pieces: Any) -> Any:
        longest = max(len(marks) for piece in pieces for _, marks in piece)
        return {"longest": np.array([longest])}

    def read(self: Any, learned: Any) -> Any:
        return lambda piece: float(bool(piece) and len(piece[-1][1]) > learned["longest"][0])

    proofreads(with_proofreader(morse, learn_proofreader=learn, proofreader=read), tmp_path)

    class Array(np.ndarray):
        """Knows more than its numbers."""

    def more(self: Any, pieces: Any) -> Any:
        return {"longest": learn(self, pieces)["longest"].view(Array)}

    def by_type(self: Any, learned: Any) -> Any:
        return lambda piece: 0.1 * (type(learned["longest"]) is Array)

    for members, message in (
        ({"learn_proofreader": learn, "proofreader": lambda self, _: len}, "misreads 100%"),
        ({"learn_proofreader": more, "proofreader": by_type}, "do not hold all that was learned"),
    ):
        with pytest.raises(AssertionError, match=message):
            proofreads(with_proofreader(morse, **members), tmp_path)
