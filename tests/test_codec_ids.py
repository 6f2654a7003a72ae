"""Methods of a codec always get ids as int64, though a corpus stores them in the smallest type."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from seqgen_text.codecs.characters import CharacterCodec

import seqgen
from seqgen.data.batches import TrainingStream
from seqgen.evaluation.novelty import measure_novelty
from seqgen.evaluation.table import score_table
from seqgen.grammar import packed
from seqgen.plugin import Codec

PARAGRAPHS = "".join(f"Speaker {number}:\nsays the words\n\n" for number in range(120))

#: Methods with ids, and those whose ids are listed after a run of everything below.
METHODS = [
    name
    for name, method in inspect.getmembers(Codec, inspect.isfunction)
    if "ids" in inspect.signature(method).parameters
]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Give the codec features, masks and variations; return methods with the types they got."""
    found: set[tuple[str, str]] = set()

    def spied(name: str, method):
        place = [*inspect.signature(method).parameters].index("ids") - 1

        def call(self, *arguments):
            ids = arguments[place]
            assert isinstance(ids, np.ndarray)
            found.add((name, str(ids.dtype)))
            return method(self, *arguments)

        return call

    own = {
        # The product does not fit in eight bits.
        "features": lambda self, ids: (np.append(0, ids) * 11 % 256)[:, None],
        "masks": lambda self, ids: packed(np.ones((len(ids) + 1, len(self.vocab) + 1), bool)),
        "augment": lambda self, ids, rng: ids[::-1],
        "variations": lambda self, ids: np.stack([ids, ids[::-1]]),
        "continuation": lambda self, ids, start: ids[start:],
    }
    monkeypatch.setattr(CharacterCodec, "feature_sizes", (256,))
    monkeypatch.setattr(CharacterCodec, "tracker", Codec.tracker)
    for name in METHODS:
        method = own.get(name) or getattr(CharacterCodec, name)
        monkeypatch.setattr(CharacterCodec, name, spied(name, method))
    monkeypatch.setattr("seqgen.data.lanes.BEGIN_EVERY", 100)
    return found


@pytest.mark.parametrize("labels", [{}, {"who": "{}-*.txt"}], ids=["plain", "labelled"])
def test_methods_get_int64(labels, seen, tmp_path: Path) -> None:
    for name in ("anna-1", "anna-2", "ben-1", "ben-2"):
        (tmp_path / f"{name}.txt").write_text(PARAGRAPHS + name)
    corpus = seqgen.prepare("text", [tmp_path], codec="characters", labels=labels)
    assert corpus.piece(0).dtype == np.uint8
    stream = TrainingStream(corpus, 2, 64, seed=0)
    for _ in range(40):
        next(stream)
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    config = seqgen.TrainConfig(tokens=2000, batch_size=2, window=32, device="cpu")
    run = seqgen.create_run(tmp_path / "run", corpus, model, config)
    for _ in seqgen.train(run, corpus):
        pass
    limit = seqgen.LimitConfig(length=5, unit="characters")
    [new] = seqgen.generate(run, prompt="Speaker", limit=limit)
    measure_novelty(corpus, new.ids)
    list(seqgen.score(run, [PARAGRAPHS]))
    list(seqgen.score_over_variations(run, [PARAGRAPHS]))
    score_table(run, [tmp_path])
    names = {name for name, _ in seen}
    assert {dtype for _, dtype in seen} == {"int64"}
    assert names >= {*METHODS} - {"header_values"}


def test_features_of_a_stored_piece_do_not_overflow(seen, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PARAGRAPHS)
    corpus = seqgen.prepare("text", [tmp_path], codec="characters")
    windows = next(TrainingStream(corpus, 1, 64, seed=0))
    is_id = windows.inputs < len(corpus.codec.vocab)
    assert is_id.sum() > 50
    np.testing.assert_array_equal(windows.features[is_id, 0], windows.inputs[is_id] * 11 % 256)
