import itertools
import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import seqgen
from seqgen.config import ModelConfig, TrainConfig
from seqgen.data.batches import FRAMINGS
from seqgen.errors import Diverged, RunError
from seqgen.evaluation.loss import batch_nats
from seqgen.network.model import choose_device
from seqgen.run.folder import Run
from seqgen.training.checkpoints import Checkpoints

MODEL = ModelConfig(layers=2, hidden=24, embedding=8, dropout=0.3)
CONFIG = TrainConfig(
    tokens=6_000, batch_size=4, window=16, evaluations=5, device="cpu", checkpoint=0, seed=3
)


@pytest.fixture(autouse=True)
def report_every_step(monkeypatch) -> None:
    monkeypatch.setattr("seqgen.training.loop.REPORT_EVERY", 0.0)


def begin(folder: Path, corpus: seqgen.Corpus, config: TrainConfig = CONFIG, rows: int = 0) -> Run:
    return seqgen.create_run(
        folder, corpus, replace(MODEL, context_rows=rows, context_dropout=0.5), config
    )


def finish(folder: Path, corpus: seqgen.Corpus) -> bytes:
    for _ in seqgen.train(Run(folder, "cpu"), corpus):
        pass
    return (folder / "model.safetensors").read_bytes()


def losses(folder: Path) -> list[tuple[int, float, float | None]]:
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"], row["valid_loss"]) for row in rows]


@pytest.mark.parametrize("name", ["text", "music", "rising dropout", "contexts"])
def test_a_killed_training_ends_as_the_unbroken_one(
    name: str, corpus, chorales, tmp_path: Path, monkeypatch
) -> None:
    """What is on the disk at some moment is all that a killed process leaves behind."""
    monkeypatch.setattr("seqgen.training.learner.OVERFITTING", 0.05)
    data = chorales.corpus() if name in ("music", "rising dropout") else corpus
    config = replace(CONFIG, most_dropout=0.9 if name == "rising dropout" else None)
    rows = 50 if name == "contexts" else 0
    run, messages = begin(tmp_path / "unbroken", data, config, rows), []
    for number, report in enumerate(seqgen.train(run, data)):
        messages.append(report.message)
        if number in (0, 1, 37, 60) or report.valid_loss is not None:
            shutil.copytree(run.folder, tmp_path / f"killed at {report.step}")
    unbroken = (run.folder / "model.safetensors").read_bytes()
    killed = sorted(tmp_path.glob("killed*"))
    assert len(killed) >= 8 and any(messages) == (name == "rising dropout")
    for folder in killed:
        assert finish(folder, data) == unbroken
        assert losses(folder) == losses(run.folder)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_training_goes_on_under_every_framing_and_in_parts(
    framing: str, corpus, tmp_path: Path
) -> None:
    tokens = 300 if framing == "many-to-one" else 3_000
    config = replace(CONFIG, tokens=tokens, framing=framing, evaluations=3, accumulate=3)
    run = begin(tmp_path / "unbroken", corpus, config)
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None and report.fraction < 0.5:
            shutil.copytree(run.folder, tmp_path / "killed")
    assert finish(tmp_path / "killed", corpus) == (run.folder / "model.safetensors").read_bytes()


def test_ctrl_c_changes_nothing_of_what_is_learned_later(
    chorales, tmp_path: Path, monkeypatch
) -> None:
    """The evaluation that it brings about is no occasion to drop more."""
    monkeypatch.setattr("seqgen.training.learner.OVERFITTING", 0.05)
    data, config = chorales.corpus(), replace(CONFIG, most_dropout=0.9)
    begin(tmp_path / "unbroken", data, config)
    unbroken = finish(tmp_path / "unbroken", data)
    run, calls = begin(tmp_path / "broken", data, config), itertools.count()

    def interrupted(*arguments):
        # Two thirds of the way to an evaluation, when pieces have been recited for long.
        if next(calls) == 68:
            signal.raise_signal(signal.SIGINT)
        return batch_nats(*arguments)

    monkeypatch.setattr("seqgen.training.learner.batch_nats", interrupted)
    reports = list(seqgen.train(run, data))
    assert reports[-1].interrupted and reports[-1].valid_loss is not None
    assert finish(run.folder, data) == unbroken
    rises = {
        folder: [row["step"] for row in Run(folder, "cpu").metrics if row["message"]]
        for folder in (tmp_path / "unbroken", run.folder)
    }
    assert rises[run.folder] == rises[tmp_path / "unbroken"] != []


def test_the_time_spent_is_restored(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus, replace(CONFIG, tokens=0, minutes=0.05))
    for report in seqgen.train(run, corpus):
        if report.fraction > 0.5:
            break
    later = list(seqgen.train(Run(tmp_path / "run", "cpu"), corpus))
    assert later[0].seconds >= report.seconds and later[0].step > report.step
    assert later[-1].fraction == 1 and later[-1].seconds < 2 * 60 * 0.05


def test_two_checkpoints_are_kept_and_none_in_the_end(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus)
    counts = [len(list((run.folder / "checkpoints").iterdir())) for _ in seqgen.train(run, corpus)]
    assert set(counts[1:]) == {2}
    assert not (run.folder / "checkpoints").exists() and not run.is_begun
    with pytest.raises(RunError, match=r"is finished; .* \(`start`\)"):
        next(seqgen.train(run, corpus))


def test_a_training_killed_at_its_very_end_is_finished(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus)
    training = seqgen.train(run, corpus)
    while next(training).fraction < 1:
        pass
    shutil.copytree(run.folder, tmp_path / "killed")
    list(training)
    assert finish(tmp_path / "killed", corpus) == (run.folder / "model.safetensors").read_bytes()
    assert not Run(tmp_path / "killed").is_begun


def test_a_damaged_checkpoint_is_passed_over(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus)
    for report in itertools.islice(seqgen.train(run, corpus), 20):
        step = report.step
    shutil.copytree(run.folder, tmp_path / "copy")
    whole = finish(tmp_path / "copy", corpus)
    before, last = sorted((run.folder / "checkpoints").iterdir())
    last.write_bytes(last.read_bytes()[:1000])
    assert next(seqgen.train(Run(run.folder, "cpu"), corpus)).step == step
    last.write_bytes(b"")
    assert finish(run.folder, corpus) == whole
    begin(tmp_path / "other", corpus)
    (tmp_path / "other/checkpoints").mkdir()
    (tmp_path / "other/checkpoints" / before.name).write_bytes(b"")
    with pytest.raises(RunError, match=r"cannot be used to resume .* delete it"):
        finish(tmp_path / "other", corpus)


def test_a_checkpoint_of_other_circumstances_is_told_and_stays(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus)
    next(seqgen.train(run, corpus))
    saved = {path: path.read_bytes() for path in Checkpoints(run.folder / "checkpoints").paths}
    for path, content in saved.items():
        path.write_bytes(content.replace(b'\\"device\\": \\"cpu\\"', b'\\"device\\": \\"gpu\\"'))
    with pytest.raises(RunError, match="was saved on gpu, this is cpu; resume on the same kind"):
        finish(run.folder, corpus)
    for path, content in saved.items():
        path.write_bytes(content)
    assert finish(run.folder, corpus) == finish(begin(tmp_path / "other", corpus).folder, corpus)


def test_where_a_training_begins_is_written_down(corpus, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", corpus, replace(CONFIG, device="auto"))
    assert run.train_config.device == choose_device("auto").type


def test_a_full_disk_leaves_the_last_checkpoint_whole(corpus, tmp_path: Path, monkeypatch) -> None:
    unbroken = finish(begin(tmp_path / "unbroken", corpus).folder, corpus)
    run = begin(tmp_path / "full", corpus)
    training = seqgen.train(run, corpus)
    for _ in itertools.islice(training, 30):
        pass

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("seqgen.files.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            list(training)
    assert len(list((run.folder / "checkpoints").iterdir())) == 2
    assert finish(run.folder, corpus) == unbroken


def test_a_loss_that_goes_wild_goes_back_with_half_the_step(
    corpus, tmp_path: Path, monkeypatch
) -> None:
    calls = itertools.count()

    def wild(model, batch, state):
        nats, state = batch_nats(model, batch, state)
        return nats * (math.nan if next(calls) == 40 else 1.0), state

    monkeypatch.setattr("seqgen.training.learner.batch_nats", wild)
    run = begin(tmp_path / "run", corpus)
    reports = list(seqgen.train(run, corpus))
    [message] = [report.message for report in reports if report.message]
    assert message == "training diverged at step 41; back to step 40, with 0.5 of the learning rate"
    before, after = (reports[at] for at in (39, 41))
    assert before.step == 40 and after.step == 41
    assert after.learning_rate == pytest.approx(before.learning_rate / 2, rel=0.05)
    assert reports[-1].fraction == 1 and math.isfinite(reports[-1].valid_loss)


def test_weights_that_stay_wild_are_never_saved(corpus, tmp_path: Path, monkeypatch) -> None:
    def wild(model, batch, state):
        nats, state = batch_nats(model, batch, state)
        return nats * math.nan, state

    monkeypatch.setattr("seqgen.training.learner.batch_nats", wild)
    run = begin(tmp_path / "run", corpus)
    with pytest.raises(Diverged, match=r"became nan at step 1; .* smaller learning rate"):
        list(seqgen.train(run, corpus))
    with pytest.raises(RunError, match="holds no trained model"):
        seqgen.load(tmp_path / "run")


def test_ctrl_c_waits_for_the_end_of_a_step(corpus, tmp_path: Path, monkeypatch) -> None:
    import signal

    unbroken = finish(begin(tmp_path / "unbroken", corpus).folder, corpus)
    calls = itertools.count()

    def interrupted(model, batch, state):
        if next(calls) == 50:
            signal.raise_signal(signal.SIGINT)
        return batch_nats(model, batch, state)

    run = begin(tmp_path / "run", corpus)
    with monkeypatch.context() as patch:
        patch.setattr("seqgen.training.learner.batch_nats", interrupted)
        last = list(seqgen.train(run, corpus))[-1]
    assert last.interrupted and last.step == 51 and run.is_begun
    assert finish(run.folder, corpus) == unbroken
