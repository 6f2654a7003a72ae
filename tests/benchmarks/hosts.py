"""Training on two hosts against one, and with hosts that are killed and come back.

Hosts are network namespaces of this machine, each with one process of one thread, so two hosts need
two free cores. The figure is tokens a second of two hosts over those of one, with the same batch, a
network of two layers of 512, and packets that take a millisecond from host to host.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness import Benchmark
from namespaces import NoNamespaces, hosts

import seqgen

LARGE = ("--layers", "2", "--hidden", "512", "--embedding", "64", "--dropout", "0")
SMALL = ("--layers", "1", "--hidden", "64", "--embedding", "16", "--dropout", "0.1")
BATCH = ("--batch-size", "64", "--window", "64", "--threads", "1", "--device", "cpu")
#: Milliseconds from host to host, and numbers in the messages.
LINKS = {"1 ms": (1, "float32"), "20 ms": (20, "float32"), "20 ms, 16 bits": (20, "bfloat16")}

KILLS = {"kills": {"type": int, "default": 3, "help": "trainings of which one host is killed"}}


def train(folder: Path, corpus: Path, *settings: str) -> tuple[str, ...]:
    return ("train", "text", str(corpus), *BATCH, *settings, "--out", str(folder / "run"))


def speed(
    folder: Path, corpus: Path, count: int, tokens: int, delay: float = 0, numbers: str = "float32"
) -> float:
    """Return the tokens a second of some hosts, without the first second."""
    settings = ("--tokens", str(tokens), "--evaluations", "1", "--gradients", numbers)
    words = train(folder, corpus, *LARGE, *settings)
    with hosts(folder, count, *words, delay=delay / 1000) as made:
        for number in range(1, count + 1):
            made.start(number)
        made.finish()
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["valid_loss"] is None]
    return float(
        (rows[-1]["tokens"] - rows[0]["tokens"]) / (rows[-1]["seconds"] - rows[0]["seconds"])
    )


def loss(
    folder: Path, corpus: Path, seed: int, delay: float = 0, chance: random.Random | None = None
) -> float:
    """Return the loss of a training on three hosts; with `chance` one is killed and comes back."""
    settings = (*SMALL, "--tokens", "1500000", "--evaluations", "20", "--seed", str(seed))
    with hosts(folder, 3, *train(folder, corpus, *settings), delay=delay / 1000) as made:
        for number in (1, 2, 3):
            made.start(number)
        if chance is not None:
            made.until(1, folder / "run")
            time.sleep(chance.uniform(0, 5))
            lost = chance.choice((2, 3))
            step = made.until(0, folder / "run")
            made.kill(lost)
            # The others go on without it, or the run would be that of three hosts, bit for bit.
            made.until(step, folder / "run")
            made.start(lost)
        made.finish()
    return float(seqgen.load(folder / "run", "cpu").info["result"]["valid_loss"])


def main() -> None:
    benchmark = Benchmark("hosts", "times the tokens a second of one host", 2.0, KILLS)
    chance = random.Random(benchmark.seed)
    tokens = round(benchmark.minutes * 200_000)
    with tempfile.TemporaryDirectory() as place:
        folders = (Path(place) / str(number) for number in range(1000))

        def new() -> Path:
            folder = next(folders)
            folder.mkdir()
            return folder

        corpus = new()
        seqgen.prepare("text", out=corpus / "corpus")
        corpus /= "corpus"
        try:
            alone = speed(new(), corpus, 1, tokens)
            speeds = {
                link: speed(new(), corpus, 2, tokens, *settings) for link, settings in LINKS.items()
            }
        except NoNamespaces as reason:
            sys.exit(str(reason))
        benchmark.say(f"tokens a second of one host: {alone:.0f}; of two: {speeds}")
        whole = [loss(new(), corpus, seed) for seed in range(3)]
        broken = []
        for number in range(benchmark.given.kills):
            broken.append(loss(new(), corpus, number % 3, (1, 20)[number % 2], chance))
            benchmark.say(f"loss after a host was killed and came back: {broken[-1]:.4f}")
    benchmark.finish(
        speeds["1 ms"] / alone,
        baselines={"tokens a second of one host": alone},
        times={link: found / alone for link, found in speeds.items()},
        losses_of_whole_trainings=whole,
        losses_with_a_host_killed=broken,
        spread=statistics.pstdev(whole),
    )


if __name__ == "__main__":
    main()
