"""Two processes on one machine, as torchrun starts them, against one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

import seqgen
from seqgen.training.parallel import World

SETTINGS = (
    *("--hidden", "32", "--embedding", "8", "--dropout", "0", "--batch-size", "8"),
    *("--window", "16", "--device", "cpu", "--evaluations", "4"),
)


def command(processes: int, *arguments: object) -> str:
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    launch = launch if processes > 1 else []
    line = [sys.executable, *launch, "-m", "seqgen", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


def evaluations(folder: Path) -> list[tuple[int, int, float]]:
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["tokens"], row["valid_loss"]) for row in rows if row["valid_loss"]]


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "tokens"), [("lstm", 20_000), ("gru", 4_000)])
def test_two_processes_learn_what_one_learns(
    architecture: str, tokens: int, corpus: seqgen.Corpus, tmp_path: Path
) -> None:
    """To 1e-3 of a nat: gradients are added up in another order."""
    for processes in (1, 2):
        shown = command(
            *(processes, "train", "text", corpus.folder, *SETTINGS),
            *("--architecture", architecture, "--tokens", tokens),
            *("--out", tmp_path / str(processes)),
        )
        assert shown.count("weights, about") == 1, "one process tells"
    one, two = evaluations(tmp_path / "1"), evaluations(tmp_path / "2")
    assert [row[:2] for row in one] == [row[:2] for row in two] and len(one) == 4
    assert [row[2] for row in two] == pytest.approx([row[2] for row in one], abs=1e-3)
    assert not (tmp_path / "2/checkpoints").exists()
    text = next(seqgen.generate(seqgen.load(tmp_path / "2", "cpu"), 1)).piece
    assert isinstance(text, str)


def test_messages_may_have_sixteen_bits(monkeypatch) -> None:
    """Another process with the same gradients doubles them."""
    sent = []

    def add(together: torch.Tensor) -> None:
        sent.append((together.dtype, together.nbytes))
        together *= 2

    monkeypatch.setattr("torch.distributed.all_reduce", add)
    gradient = torch.tensor([1.0, 1 / 3, -1e-20, 1e20])
    for coarse in (False, True):
        model = torch.nn.Linear(2, 2, bias=False)
        model.weight.grad = gradient.reshape(2, 2).clone()
        World(0, 2).add_gradients(model, coarse)
        rounded = gradient.bfloat16().float() if coarse else gradient
        assert torch.equal(model.weight.grad, 2 * rounded.reshape(2, 2))
    assert sent == [(torch.float32, 16), (torch.bfloat16, 8)]


def processes(count: int, *words: object) -> None:
    """Run a script in some processes."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    done = subprocess.run(
        [sys.executable, *launch, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


#: Trains until evaluation number STOP, or to the end: CORPUS (FOLDER STOP)...
SCRIPT = """
import sys, seqgen
from seqgen.training.parallel import join
corpus = seqgen.Corpus(sys.argv[1])
config = seqgen.TrainConfig(
    tokens=8000, batch_size=8, window=16, evaluations=4, device="cpu")
shape = seqgen.ModelConfig(hidden=16, embedding=8, dropout=0.3, context_rows=9)
for folder, stop in zip(sys.argv[2::2], map(int, sys.argv[3::2])):
    with join().leader_first():
        if join().leads and stop >= 0:
            seqgen.create_run(folder, corpus, shape, config)
        run = seqgen.Run(folder, "cpu")
    evaluated = 0
    for report in seqgen.train(run, corpus):
        evaluated += report.valid_loss is not None or not join().leads
        if evaluated and evaluated == stop:
            break
join().leave()
"""


@pytest.mark.slow
def test_two_processes_go_on_from_their_checkpoint(corpus: seqgen.Corpus, tmp_path: Path) -> None:
    """Both leave after the second evaluation, and go on exactly, dropout included.

    One process or three go on too, each with its part of the eight sequences.
    """
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    both = (tmp_path / "unbroken", 0, tmp_path / "broken", 2)
    processes(2, script, corpus.folder, *both)
    for other in ("alone", "three"):
        shutil.copytree(tmp_path / "broken", tmp_path / other)
    processes(2, script, corpus.folder, tmp_path / "broken", -1)
    unbroken, broken = (
        safetensors.numpy.load_file(tmp_path / folder / "model.safetensors")
        for folder in ("unbroken", "broken")
    )
    assert unbroken.keys() == broken.keys()
    assert all(np.array_equal(unbroken[name], broken[name]) for name in unbroken)
    processes(3, script, corpus.folder, tmp_path / "three", -1)
    list(seqgen.train(seqgen.Run(tmp_path / "alone", "cpu"), corpus))
    whole = evaluations(tmp_path / "unbroken")
    for other in ("alone", "three"):
        found = evaluations(tmp_path / other)
        assert [row[:2] for row in found] == [row[:2] for row in whole], "the same tokens"
        assert found[-1][2] == pytest.approx(whole[-1][2], abs=0.1), "other dropout only"
