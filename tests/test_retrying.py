"""Symbols that are misread are drawn again: Morse code, and a proofreader that knows it."""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import seqgen
from seqgen.config import LimitConfig
from seqgen.errors import ConfigError, CorpusError, PluginError, RunError
from seqgen.evaluation.proofreading import proofreader_for
from seqgen.evaluation.scoring import score_ids
from seqgen.generation.pieces import Words
from seqgen.generation.retrying import DOUBT
from seqgen.plugins.proofreaders import MOST_BYTES, checked_arrays
from seqgen.run.proofreader import HEADER, save_proofreader, saved_proofreader
from seqgen.run.results import PROOFREADER

PAGE = Path(__file__).parent.parent / "docs" / "writing-a-plugin.md"
TEXT = "see a toast ten tons at noon"
CODES = {"a": ".-", "e": ".", "n": "-.", "o": "---", "s": "...", "t": "-"}


def by_code(piece: list[tuple[str, str]]) -> float:
    """Misread what is not the code of its letter."""
    letter, marks = piece[-1]
    return float(marks != CODES[letter]) + 0.1 * abs(len(marks) - len(CODES[letter]))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The plugin of the page on plugins, with another name."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text().split("## Dictation")[1], re.DOTALL)
    assert found is not None
    path = tmp_path_factory.mktemp("plugin") / "proofread.py"
    path.write_text(found[1].replace('name = "morse"', 'name = "proofread"'))
    return seqgen.load_plugin(path)


@pytest.fixture(scope="module")
def morse(plugin: str, tmp_path_factory: pytest.TempPathFactory) -> seqgen.Run:
    """A model that has hardly learned the code."""
    folder = tmp_path_factory.mktemp("morse")
    domain, _ = seqgen.load_domain(plugin)
    pieces = [piece for path in domain.demo(folder / "demo") for piece in domain.read(path, None)]
    kind, learned = type(domain), {"seen": np.ones(1, np.float32)}
    kind.learn_proofreader = lambda self, pieces: learned if list(pieces) else None
    kind.proofreader = lambda self, learned: by_code
    corpus = seqgen.write_corpus(folder / "corpus", plugin, {"train": pieces})
    config = seqgen.TrainConfig(epochs=2, evaluations=1, batch_size=2, learning_rate=0.02)
    run = seqgen.create_run(folder / "run", corpus, seqgen.ModelConfig(hidden=12), config)
    for _ in seqgen.train(run, corpus):
        pass
    return seqgen.load(run.folder, "cpu")


def wrong_words(piece: list[tuple[str, str]]) -> int:
    words = "".join("x" if marks != CODES.get(letter, "") else letter for letter, marks in piece)
    return sum("x" in word for word in words.split(" "))


def written(run: seqgen.Run, count: int = 6, **options: Any) -> list[seqgen.Generated]:
    return list(seqgen.generate(run, count, condition=TEXT, **options))


def of_pieces(new: list[seqgen.Generated]) -> list[Any]:
    return [(one.index, one.ids.tolist(), one.stopped_by, one.words) for one in new]


def test_fewer_words_are_misread_and_the_text_stays(morse: seqgen.Run) -> None:
    before, after = written(morse), written(morse, tries=10)
    assert all(one.words is None for one in before)
    for one in after:
        assert "".join(letter for letter, _ in one.piece) == TEXT and one.stopped_by == "end"
        assert one.words is not None and one.words.written == len(TEXT.split())
        assert one.words.misread == wrong_words(one.piece) <= one.words.again
    wrong = [sum(wrong_words(one.piece) for one in new) for new in (before, after)]
    assert wrong[1] < wrong[0] / 3 and wrong[0] > 12


def test_the_state_after_a_redrawn_symbol_is_that_of_the_piece(morse: seqgen.Run) -> None:
    new = written(morse, tries=4)
    for one, score in zip(new, score_ids(morse, [one.ids for one in new]), strict=True):
        nats = score.nats + score.end_nats
        # What was forced counts in both.
        assert one.log_probability == pytest.approx(-nats, rel=1e-4)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_batch_changes_nothing(morse: seqgen.Run, batch_size: int) -> None:
    whole = of_pieces(written(morse, tries=3, seed=4))
    assert of_pieces(written(morse, tries=3, seed=4, batch_size=batch_size)) == whole
    assert of_pieces(written(morse, tries=3, seed=5)) != whole


def test_what_is_read_at_once_is_written_as_without(morse: seqgen.Run) -> None:
    plain = [(one.ids.tolist(), one.log_probability) for one in written(morse)]
    new = written(morse, tries=5, proofreader=lambda piece: DOUBT)
    assert [(one.ids.tolist(), one.log_probability) for one in new] == plain
    assert {one.words for one in new} == {Words(7, 0, 0)}


def test_a_doubtful_symbol_is_drawn_again_and_is_not_misread(morse: seqgen.Run) -> None:
    reads = 0

    def doubtful(piece: list[tuple[str, str]]) -> float:
        nonlocal reads
        reads += 1
        return 0.9

    [new] = seqgen.generate(morse, condition="stone", tries=3, proofreader=doubtful)
    assert reads == 3 * len("stone") and new.words == Words(1, 1, 0)


def test_the_best_of_so_many_attempts_stays(morse: seqgen.Run) -> None:
    seen: dict[tuple[Any, ...], list[tuple[float, str]]] = defaultdict(list)

    def moody(piece: list[tuple[str, str]]) -> float:
        """Misread every attempt, some more than others."""
        doubt = 1 + hash(piece[-1][1]) % 97 / 97
        seen[tuple(letter for letter, _ in piece)].append((doubt, piece[-1][1]))
        return doubt

    text = "stone"
    [new] = seqgen.generate(morse, condition=text, tries=4, proofreader=moody)
    assert new.words == Words(1, 1, 1)
    for end, (_, marks) in enumerate(new.piece, 1):
        attempts = seen[(*text[:end],)]
        assert len(attempts) == 4 and marks == min(attempts, key=lambda one: one[0])[1]


def test_a_prompt_stays_and_labels_are_no_letters(morse: seqgen.Run, tmp_path: Path) -> None:
    prompt = [("s", "---"), ("e", ".")]
    [new] = seqgen.generate(morse, condition="so", prompt=prompt, tries=6)
    assert new.piece[:2] == prompt and new.words is not None and new.words.written == 1
    [rest] = seqgen.generate(morse, condition="so", prompt=prompt, tries=6, with_prompt=False)
    assert rest.piece == new.piece[-2:]
    corpus = morse.corpus()
    labelled = [
        seqgen.Labelled({"hand": "ab"[at % 2]}, corpus.codec.decode(corpus.piece(at)))
        for at in range(12)
    ]
    own = seqgen.write_corpus(tmp_path / "corpus", morse.info["domain"], {"train": labelled})
    run = seqgen.create_run(
        tmp_path / "run", own, seqgen.ModelConfig(hidden=8), seqgen.TrainConfig(tokens=500)
    )
    for _ in seqgen.train(run, own):
        pass
    condition = seqgen.Labelled({"hand": "b"}, "set tea")
    for new in seqgen.generate(run, 2, condition=condition, tries=3):
        assert "".join(letter for letter, _ in new.piece) == "set tea"
        assert new.words is not None and new.words.written == 2


def test_limits_hold(morse: seqgen.Run) -> None:
    for length in (1, 9, 23, 40):
        limit = LimitConfig(length=length)
        for one in written(morse, 3, tries=4, limit=limit):
            assert len(one.ids) == length and one.stopped_by == "length"

    def slow(piece: Any) -> float:
        """Misread so long that the time is up."""
        return 2.0

    [one] = written(morse, 1, tries=10_000, proofreader=slow, limit=LimitConfig(seconds=0.3))
    assert one.stopped_by == "time"
    assert TEXT.startswith("".join(letter for letter, _ in one.piece))


def test_after_ctrl_c_what_is_written_comes(morse: seqgen.Run) -> None:
    def interrupt(ended: int, drawn: int, ids: Any) -> None:
        if drawn > 200:
            raise KeyboardInterrupt

    new = seqgen.generate(morse, 3, condition=TEXT, tries=3, progress=interrupt)
    found = [next(new) for _ in range(3)]
    assert {one.stopped_by for one in found} == {"interrupt"}
    with pytest.raises(KeyboardInterrupt):
        next(new)


def test_what_cannot_be_proofread_is_refused(
    morse: seqgen.Run, run: seqgen.Run, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"this model writes none \(codec "):
        next(seqgen.generate(run, tries=2))
    with pytest.raises(ConfigError, match="5 candidates are written side by side; use one"):
        next(seqgen.generate(morse, condition="a", tries=2, candidates=5))
    with pytest.raises(ConfigError, match="a beam search does not sample"):
        seqgen.generate_samples(morse, folder=tmp_path / "out", beam=2, tries=2)
    with pytest.raises(PluginError, match="must return a number, 0 or more, found nan"):
        next(seqgen.generate(morse, condition="a", tries=2, proofreader=answering(morse, np.nan)))


def answering(run: seqgen.Run, answer: Any) -> Callable[[Any], float]:
    """Return a proofreader of a domain with this answer, checked."""
    from seqgen.plugins.proofreaders import proofreader_of

    kind = type(
        "Broken", (type(run.domain),), {"proofreader": lambda self, _: lambda piece: answer}
    )
    return proofreader_of(kind(), {})


@pytest.mark.parametrize(
    "learned",
    [
        {},
        [1.0],
        {"a": [1.0]},
        {"a": np.zeros(2)},
        {"a": np.array([np.inf], np.float32)},
        {"a": np.zeros(MOST_BYTES, np.float32)},
        {f"a{number}": np.zeros(1, np.float32) for number in range(65)},
    ],
)
def test_what_cannot_be_saved_is_the_fault_of_the_plugin(morse: seqgen.Run, learned: Any) -> None:
    with pytest.raises(PluginError, match="learn_proofreader must return None, or up to 64 arrays"):
        checked_arrays(morse.domain, learned)


@pytest.fixture
def copied(morse: seqgen.Run, tmp_path: Path) -> seqgen.Run:
    """The run in another folder, far from its corpus."""
    copy = shutil.copytree(morse.folder, tmp_path / "copy")
    return seqgen.load(copy, "cpu", morse.corpus().folder)


def test_a_run_without_a_proofreader_learns_it_from_its_corpus(copied: seqgen.Run) -> None:
    (copied.folder / PROOFREADER).unlink()
    with pytest.raises(ConfigError, match=r"pass proofreader=seqgen\.learn_proofreader\(run\)"):
        next(seqgen.generate(copied, condition="a", tries=2))
    learned = seqgen.learn_proofreader(copied)
    again = written(copied, 2, tries=3, proofreader=learned)
    samples = seqgen.generate_samples(copied, 2, condition=TEXT, tries=3)
    assert of_pieces(samples.pieces) == of_pieces(again)
    assert samples.manifest["settings"]["tries"] == 3
    copied.info["corpus"] |= {"folder": "gone", "key": "0" * 64}
    with pytest.raises(CorpusError, match="no proofreader, and none can be learned"):
        proofreader_for(copied)


def test_a_domain_that_does_not_proofread_says_so(copied: seqgen.Run, monkeypatch) -> None:
    monkeypatch.setattr(type(copied.domain), "learn_proofreader", lambda self, pieces: None)
    with pytest.raises(ConfigError, match="cannot read the words of these pieces"):
        seqgen.learn_proofreader(copied)


def test_damaged_proofreaders_are_refused(copied: seqgen.Run) -> None:
    path = copied.folder / PROOFREADER
    assert saved_proofreader(copied) is not None
    save_proofreader(copied, {"seen": np.ones(1, np.float32)})
    good = path.read_bytes()
    many = {f"a{number}": np.zeros(1, np.float32) for number in range(65)}
    hostile = [
        b"",
        good[:-1],
        good + b"x",
        b"\xff" * 64,
        (2**60).to_bytes(8, "little") + b"{}",
        b"x" * (MOST_BYTES + HEADER + 1),
        safetensors.numpy.save(many),
        safetensors.numpy.save({"a": np.zeros(3, np.float64)}),
        safetensors.numpy.save({"a": np.array([np.nan], np.float32)}),
    ]
    for content in hostile:
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"proofreader\.safetensors is damaged: "):
            saved_proofreader(copied)
    path.unlink()
    path.mkdir()
    with pytest.raises(RunError, match="is damaged"):
        saved_proofreader(copied)


def test_the_command_says_what_was_read(morse: seqgen.Run, tmp_path: Path, seqgen_command) -> None:
    settings = tmp_path / "options.toml"
    settings.write_text("[generate]\ntries = 2\n")
    out = tmp_path / "out"
    arguments = (morse.folder, "-n", 2, "--given", TEXT, "--out", out, "--config", settings)
    status, _, said = seqgen_command("generate", *arguments)
    manifest = json.loads((out / "manifest.json").read_text())
    words = [piece["words"] for piece in manifest["pieces"]]
    assert status == 0 and manifest["settings"]["tries"] == 2
    again, misread = (sum(each[name] for each in words) for name in ("again", "misread"))
    assert misread > 0
    assert f"{again} of 14 words had letters that were drawn again; {misread} could not" in said
