"""How preparing and training scale: a simulation, checked against runs on this machine.

What one worker takes is measured. From it the times of 1, 2 and 4 workers are predicted and then
measured. The figure is the largest ratio of measured and predicted speed, or its inverse. Then the
simulation says what 8 to 1,000 workers would do, each on a core of its own. docs/scaling.md tells
what follows. Other work on the machine disturbs the figure.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
from harness import Benchmark

import seqgen

#: Workers that are measured, and numbers for which the simulation predicts.
MEASURED, PREDICTED = (1, 2, 4), (8, 16, 64, 256, 1000)

#: Tasks for each worker that are on their way, as in `seqgen.cluster`.
IN_FLIGHT = 3

#: A network between machines: bytes a second of each, and seconds from one to another.
BYTES_A_SECOND, DELAY = 1.25e9, 0.0005

#: The network that is trained, and its batch.
SHAPE = ("--layers", "2", "--hidden", "512", "--embedding", "64", "--dropout", "0")
BATCH = ("--batch-size", "64", "--window", "64", "--threads", "1", "--device", "cpu")


@dataclass(frozen=True)
class Preparing:
    """What preparing a corpus takes.

    Attributes
    ----------
    reading : sequence of float
        Seconds that a worker takes for each task.
    writing : float
        Seconds that the client takes for each task: it fetches and writes the pieces.
    begin : float
        Seconds before the first task.
    """

    reading: Sequence[float]
    writing: float
    begin: float = 0.0

    def seconds(self, workers: int, cores: float) -> float:
        """Return the seconds that some workers and the client take on some cores together.

        Tasks go to the workers in order, and the client takes the results in order. It sends a task
        when one of `IN_FLIGHT` for each worker has come back.
        """
        # More processes than cores: each is as much slower.
        slow = max(1.0, (workers + self.share(workers)) / cores)
        free = [self.begin] * workers
        written = [self.begin]
        for number, taken in enumerate(self.reading):
            sent = written[max(0, number + 1 - IN_FLIGHT * workers)]
            done = max(heapq.heappop(free), sent) + taken * slow
            heapq.heappush(free, done)
            written.append(max(written[-1], done) + self.writing * slow)
        return written[-1]

    def share(self, workers: int) -> float:
        """Return the share of its time that the client is busy while some workers read."""
        reading = sum(self.reading) / workers
        return min(1.0, self.writing * len(self.reading) / reading)


@dataclass(frozen=True)
class Training:
    """What an update takes.

    Attributes
    ----------
    computing : float
        Seconds of one process for the whole batch.
    fixed : float
        Seconds of every process for the optimizer, which each does alone.
    message : int
        Bytes of the gradients.
    """

    computing: float
    fixed: float
    message: int

    def seconds(self, hosts: int, cores: float, speed: float, delay: float) -> float:
        """Return the seconds of an update with some hosts, by a ring that adds up gradients.

        Every host sends and receives the message nearly twice, in 2 (hosts - 1) rounds. Two short
        messages go with it: the number of targets, and the budget.
        """
        slow = max(1.0, hosts / cores)
        rounds = 2 * (hosts - 1)
        network = rounds * (self.message / hosts / speed + 3 * delay)
        return (self.computing / hosts + self.fixed) * slow + network


def prepare(files: Sequence[Path], out: Path, jobs: int) -> tuple[float, float]:
    """Prepare a corpus in a process of its own; return its wall time and its processor time."""
    script = (
        "import sys, time, pathlib, seqgen\n"
        "files = pathlib.Path(sys.argv[1]).read_text().splitlines()\n"
        "from seqgen_music.domain import MusicDomain\n"
        "seqgen.prepare('music', files[:5], sys.argv[2] + '-warm', codec='multitrack', jobs=1)\n"
        "began, used = time.perf_counter(), time.process_time()\n"
        "seqgen.prepare('music', files, sys.argv[2], codec='multitrack', jobs=int(sys.argv[3]))\n"
        "print(time.perf_counter() - began, time.process_time() - used)\n"
    )
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(map(str, files)))
    line = [sys.executable, "-c", script, str(listed), str(out), str(jobs)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    wall, used = map(float, done.stdout.split()[-2:])
    return wall, used


def copies(files: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Return links to the files until there are `count`."""
    folder.mkdir()
    made = []
    for number in range(count):
        path = folder / f"{number:05}.mid"
        path.symlink_to(files[number % len(files)].resolve())
        made.append(path)
    return made


def train(corpus: Path, out: Path, processes: int, batch: Sequence[str] = BATCH) -> float:
    """Return the seconds of an update with some processes of one thread on this machine."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    words = ["-m", "seqgen", "train", "text", str(corpus), *SHAPE, *batch, "--out", str(out)]
    line = [sys.executable, *launch, *words, "--tokens", "160000", "--evaluations", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(line, check=True, capture_output=True, env=environment)
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    rows = [row for row in rows if row["valid_loss"] is None]
    return float((rows[-1]["seconds"] - rows[0]["seconds"]) / (rows[-1]["step"] - rows[0]["step"]))


def optimizing(corpus: Path, out: Path, whole: float) -> float:
    """Return the seconds of an update that do not shrink with the batch.

    The times of batches of 64 and of 16 sequences lie on a straight line.
    """
    quarter = train(corpus, out, 1, ("--batch-size", "16", *BATCH[2:]))
    return max((4 * quarter - whole) / 3, 0.0)


def main() -> None:
    options = {"files": {"type": int, "default": 2000, "help": "number of MIDI files to prepare"}}
    benchmark = Benchmark("scaling", "times off the prediction", 0.0, options)
    cores = joblib.cpu_count()
    with benchmark.folder() as folder:
        found = sorted(benchmark.data.joinpath("music").rglob("*.mid"))
        files = copies(found, folder / "midi", benchmark.given.files)
        walls = {}
        for workers in MEASURED:
            wall, used = prepare(files, folder / f"corpus-{workers}", workers)
            walls[workers] = wall
            if workers == 2:
                client = used
            benchmark.say(f"preparing with {workers}: {wall:.1f} s, the client {used:.1f} s")
        preparing = of_files(files, walls[1], client)
        corpus = seqgen.prepare("text", out=folder / "text").folder
        updates = {n: train(corpus, folder / f"run-{n}", n) for n in MEASURED}
        benchmark.say(f"seconds of an update: {updates}")
        fixed = optimizing(corpus, folder / "run-16", updates[1])
        run = seqgen.load(folder / "run-1", "cpu")
        weights = sum(weight.numel() for weight in run.model.parameters())
    training = Training(updates[1] - fixed, fixed, 4 * weights)
    predicted = {
        "preparing": {n: preparing.seconds(n, cores) for n in MEASURED},
        # Messages between processes of one machine take no time worth counting.
        "training": {n: training.seconds(n, cores, 1e12, 0.0) for n in MEASURED},
    }
    measured = {"preparing": walls, "training": updates}
    ratios = [
        measured[work][n] / seconds
        for work, each in predicted.items()
        for n, seconds in each.items()
    ]
    alone = preparing.seconds(1, 2), training.seconds(1, 1, BYTES_A_SECOND, DELAY)
    benchmark.finish(
        max(max(ratio, 1 / ratio) for ratio in ratios),
        baselines={},
        measured_seconds=measured,
        predicted_seconds=predicted,
        client_share=client / walls[1],
        speed_up_of_preparing={n: alone[0] / preparing.seconds(n, n + 1) for n in PREDICTED},
        speed_up_of_training={
            n: alone[1] / training.seconds(n, n, BYTES_A_SECOND, DELAY) for n in PREDICTED
        },
        bytes_of_gradients=training.message,
        seconds_of_optimizer=fixed,
    )


def of_files(files: Sequence[Path], alone: float, client: float) -> Preparing:
    """Return what preparing takes, from the seconds of one process and those of a client.

    Reading a file takes time by its bytes.
    """
    sizes = [path.stat().st_size for path in files]
    rate = max(alone - client, 0.0) / sum(sizes)
    return Preparing([size * rate for size in sizes], client / len(files))


if __name__ == "__main__":
    main()
