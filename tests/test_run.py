import json
import shutil
from pathlib import Path

import pytest

import seqgen
from seqgen.config import ModelConfig, TrainConfig
from seqgen.errors import PluginError, RunError
from seqgen.run.card import model_card
from seqgen.run.description import FORMAT

SMALL = ModelConfig(hidden=8, embedding=4)


def test_generating_needs_the_run_folder_only(run, corpus, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(run.folder, tmp_path / "moved")
    monkeypatch.setattr("seqgen.data.corpus.Corpus.__init__", None)
    one = [new.piece for new in seqgen.generate(seqgen.load(tmp_path / "moved", "cpu"), 2)]
    assert one == [new.piece for new in seqgen.generate(run, 2)]


def test_the_folder_tells_how_it_came_about(run, corpus) -> None:
    info = json.loads((run.folder / "run.json").read_text())
    assert info["domain"] == "text" and info["distribution"] == "seqgen-text"
    assert info["vocab_digest"] == corpus.vocab.digest
    assert info["versions"].keys() == {"seqgen", "python", "torch", "numpy"}
    assert info["corpus"]["pieces"] == 40 and info["corpus"]["files"] == 40
    assert info["model"]["hidden"] == 64 and info["train"]["tokens"] == 60_000
    card = (run.folder / "README.md").read_text()
    assert "A text model" in card and f"{info['result']['valid_loss']:.4f}" in card


def test_an_untrained_run_can_be_described(corpus, tmp_path: Path) -> None:
    made = seqgen.create_run(tmp_path / "run", corpus, SMALL)
    assert "| training | none yet |" in model_card(made.info)
    alone = made.info | {"corpus": made.info["corpus"] | {"pieces": 1, "duplicates": 1}}
    assert "| 1 piece, " in model_card(alone) and "| 1 duplicate piece, " in model_card(alone)


def test_nothing_in_the_folder_is_a_pickle(run) -> None:
    names = {path.name for path in run.folder.iterdir() if path.is_file()}
    assert names == {"run.json", "model.safetensors", "metrics.jsonl", "README.md"}


def test_a_run_is_not_replaced_silently(run, corpus, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    with pytest.raises(RunError, match="already there"):
        seqgen.create_run(tmp_path / "run", corpus, SMALL)
    seqgen.create_run(tmp_path / "run", corpus, SMALL, overwrite=True)
    # An untrained run holds nothing to lose.
    seqgen.create_run(tmp_path / "run", corpus, SMALL)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(RunError, match="not made by this command"):
        seqgen.create_run(tmp_path / "thesis", corpus, SMALL, overwrite=True)


def test_what_is_no_run_is_refused_by_name(corpus, run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder .* seqgen train"):
        seqgen.load(tmp_path)
    seqgen.create_run(tmp_path / "untrained", corpus, SMALL)
    with pytest.raises(RunError, match="holds no trained model"):
        seqgen.load(tmp_path / "untrained")
    shutil.copytree(run.folder, tmp_path / "future")
    info = json.loads((run.folder / "run.json").read_text())
    (tmp_path / "future" / "run.json").write_text(json.dumps(info | {"format": FORMAT + 1}))
    with pytest.raises(RunError, match=f"format {FORMAT + 1}, this seqgen reads format {FORMAT}"):
        seqgen.load(tmp_path / "future")


def test_a_damaged_description_is_refused(run, tmp_path: Path) -> None:
    for content in ("[]", "null", "{", f'{{"format": {FORMAT}}}'):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(RunError, match=r"is not a run folder|is damaged"):
            seqgen.load(tmp_path)


def test_a_run_in_which_training_has_begun_is_not_replaced(corpus, tmp_path: Path) -> None:
    config = TrainConfig(tokens=100_000, batch_size=2, window=8, device="cpu")
    first = seqgen.create_run(tmp_path / "run", corpus, SMALL, config)
    training = seqgen.train(first, corpus)
    next(training)
    with pytest.raises(RunError, match="already there"):
        seqgen.create_run(tmp_path / "run", corpus, SMALL)
    training.close()


def test_weights_that_do_not_fit_are_refused(run, corpus, tmp_path: Path) -> None:
    seqgen.create_run(tmp_path / "other", corpus, SMALL, TrainConfig(device="cpu"))
    weights = tmp_path / "other" / "model.safetensors"
    weights.write_bytes((run.folder / "model.safetensors").read_bytes())
    with pytest.raises(RunError, match=r"does not fit run.json"):
        _ = seqgen.load(tmp_path / "other").model
    weights.write_bytes(b"half a file")
    with pytest.raises(RunError, match="cannot be read"):
        _ = seqgen.load(tmp_path / "other").model


def test_a_plugin_that_makes_another_vocabulary_is_refused(run, monkeypatch) -> None:
    from seqgen_text.codecs.characters import CharacterCodec

    def reversed_alphabet(cls, state, options):
        return cls(state["characters"][::-1], "", options)

    monkeypatch.setattr(CharacterCodec, "from_state", classmethod(reversed_alphabet))
    with pytest.raises(PluginError, match="makes another vocabulary"):
        _ = seqgen.load(run.folder).codec


def test_a_state_that_the_plugin_does_not_know_is_told(run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    info = json.loads((tmp_path / "run/run.json").read_text())
    info["codec"]["state"] = {"of": "another version"}
    (tmp_path / "run/run.json").write_text(json.dumps(info))
    with pytest.raises(PluginError, match=r"makes nothing of its state \(KeyError: .*train again"):
        _ = seqgen.load(tmp_path / "run").codec


def test_an_unknown_device_is_refused_before_anything_is_made(run, corpus, tmp_path) -> None:
    with pytest.raises(RunError, match="no device 'abacus' here"):
        seqgen.create_run(tmp_path / "run", corpus, SMALL, TrainConfig(device="abacus"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="no device 'abacus' here"):
        _ = seqgen.load(run.folder, "abacus").model


def test_planning_compiling_baseline_and_calibration_are_part_of_the_time(
    corpus, tmp_path: Path, monkeypatch
) -> None:
    """What they take is taken from the time to learn."""
    config = TrainConfig(minutes=1, device="cpu", threads=1)
    run = seqgen.create_run(tmp_path / "run", corpus, SMALL, config)
    run.info["plan"] |= {"seconds": 7.0, "ending": 5.0}
    run.info["baseline"] = {"order": 1, "valid_loss": 1.0, "uniform": 2.0, "seconds": 3.0}
    budgets = []

    def learn(learner, corpus):
        budgets.append(learner.counts.budget)
        return iter(())

    monkeypatch.setattr("seqgen.training.loop.train", learn)
    monkeypatch.setattr("seqgen.training.session._compile_steps", lambda run: 4.0)
    list(seqgen.train(run, corpus))
    assert budgets == [60.0 - 7.0 - 5.0 - 3.0 - 4.0]
