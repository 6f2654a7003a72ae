"""Processor seconds of the listing commands beyond Python's own start.

The figure is the slowest of ``seqgen --help``, ``domains``, ``plugins list`` and ``--version``, the
median of eleven runs each. The baseline is importing PyTorch, which none of them does.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from harness import Benchmark

RUNS = 11


def processor_seconds(*arguments: str) -> float:
    """Return the median processor time of running Python with these arguments."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def main() -> None:
    benchmark = Benchmark("startup", "seconds of processor time", minutes=0.0)
    bare = processor_seconds("-c", "pass")
    commands = {
        command: processor_seconds("-m", "seqgen", *command.split()) - bare
        for command in ("--help", "domains", "plugins list", "--version")
    }
    benchmark.finish(
        max(commands.values()),
        baselines={"import torch": processor_seconds("-c", "import torch") - bare},
        commands=commands,
    )


if __name__ == "__main__":
    main()
