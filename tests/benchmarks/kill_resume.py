"""Kills of a training at random moments, after which it ends as an unbroken one.

A short training of the text demo, with a budget in tokens, runs as its own process. It is killed
(SIGKILL) twenty times at random moments and resumed by ``seqgen resume``. The figure is the number
of kills if the final weights equal those of an unbroken run, byte for byte, and 0 otherwise.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Benchmark

KILLS, TOKENS = 20, 2_500_000
SETTINGS = (
    *("--tokens", str(TOKENS), "--hidden", "96", "--layers", "2", "--dropout", "0.2"),
    *("--checkpoint", "0.02", "--seed", "5", "--device", "cpu"),
)


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "seqgen", *arguments]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet)


def finish(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end; return the seconds it took."""
    began = time.perf_counter()
    if process.wait():
        sys.exit(f"{process.args} failed with status {process.returncode}")
    return time.perf_counter() - began


def main() -> None:
    benchmark = Benchmark("kill_resume", "kills", minutes=0.0)
    chance = random.Random(benchmark.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        corpus = str(folder / "corpus")
        finish(start("prepare", "text", "--out", corpus))
        train = ("train", "text", corpus, *SETTINGS, "--out")
        seconds = finish(start(*train, str(folder / "unbroken")))
        killed = folder / "killed"
        process, moments, kills = start(*train, str(killed)), [], 0
        while kills < KILLS:
            # Starting takes a few seconds; most kills come in the training after it.
            moment = chance.uniform(1, 3 + 2 * seconds / KILLS)
            try:
                process.wait(moment)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            kills += 1
            moments.append(round(moment, 2))
            begun = any(killed.glob("checkpoints/*.safetensors"))
            if not begun and (killed / "model.safetensors").exists():
                break  # it had finished
            process = start("resume", str(killed)) if begun else start(*train, str(killed))
        if process.returncode is None:
            finish(process)
        weights = [
            (path / "model.safetensors").read_bytes() for path in (folder / "unbroken", killed)
        ]
    benchmark.finish(
        kills if weights[0] == weights[1] else 0,
        baselines={"seconds of the unbroken run": seconds},
        moments=moments,
    )


if __name__ == "__main__":
    main()
