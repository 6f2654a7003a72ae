"""Hosts that train together: network namespaces, each with its own torchrun."""

import itertools
import time
from pathlib import Path

import pytest
from namespaces import TUN, NoNamespaces, hosts

import seqgen

TOKENS = 250_000
TRAIN = (
    *("--hidden=32", "--embedding=8", "--dropout=0.1", "--batch-size=8", "--window=16"),
    *("--device=cpu", "--evaluations=40", f"--tokens={TOKENS}"),
)


@pytest.mark.slow
def test_a_training_survives_the_loss_of_a_host_and_its_return(
    corpus: seqgen.Corpus, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    words = ("train", "text", corpus.folder, *TRAIN, "--out", folder)
    delay = 0.001 if TUN.exists() else 0.0
    try:
        with hosts(tmp_path, 3, *words, delay=delay) as made:
            for number in (1, 2, 3):
                made.start(number)
            step = made.until(1, folder)
            made.kill(3)
            step = made.until(step, folder)
            made.start(3)
            time.sleep(5)
            made.until(step, folder)
            made.finish()
            told = (tmp_path / "host 1.txt").read_text()
    except NoNamespaces as reason:
        pytest.skip(str(reason))
    assert told.count("going on with") >= 2, told
    run = seqgen.load(folder, "cpu")
    assert run.info["launch"] == "hosts" and not (folder / "checkpoints").exists()
    assert run.info["result"]["valid_loss"] < 0.3
    steps = [report["step"] for report in run.metrics]
    assert all(early < late for early, late in itertools.pairwise(steps)), "no step twice"
    assert run.metrics[-1]["tokens"] >= TOKENS, "the whole budget was read"
