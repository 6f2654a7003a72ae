"""Wall time of ``seqgen generate``, 1,000 characters from a small run.

The figure is the ratio to ``python -c "import torch"``: medians of eleven runs each, in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Benchmark

import seqgen

RUNS = 11


def wall_seconds(arguments: list[str]) -> float:
    """Return the seconds that Python takes with these arguments."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - began


def main() -> None:
    benchmark = Benchmark("generate_cli", "times importing PyTorch", minutes=0.1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = seqgen.prepare("text")
        config = seqgen.TrainConfig(minutes=benchmark.minutes, device="cpu")
        model = seqgen.ModelConfig(hidden=128)
        run = seqgen.create_run(Path(folder) / "run", corpus, model, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        command = ["-m", "seqgen", "generate", str(run.folder), "--length", "1000"]
        command += ["--ban", "<end>"]
        wall_seconds(command)
        times = [(wall_seconds(command), wall_seconds(["-c", "import torch"])) for _ in range(RUNS)]
    ours, torchs = (statistics.median(column) for column in zip(*times, strict=True))
    benchmark.finish(ours / torchs, baselines={"import torch": torchs}, generate=ours)


if __name__ == "__main__":
    main()
