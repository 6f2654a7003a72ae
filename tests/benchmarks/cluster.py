"""Preparing on a local Dask cluster of two workers of one core, against one process.

Data: the smallest MIDI files under ``music/`` in 25 keys, until there are `FILES`. Both prepare
them `RUNS` times, by turns; the figure is the median of the ratios. Then a worker is killed at a
random moment, `KILLS` times, while `SMALL` files are prepared. All corpora must have the bytes that
one process makes.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import statistics
import threading
import time
import warnings
from pathlib import Path

import pretty_midi
from harness import Benchmark

import seqgen
from seqgen.cluster import Cluster

FILES, SMALL = 2000, 100
RUNS, KILLS = 3, 20


def transposed(files: list[Path], folder: Path) -> list[Path]:
    """Write `FILES` files, each one of the given files in another key."""
    folder.mkdir()
    made: list[Path] = []
    for file in sorted(files, key=lambda file: file.stat().st_size):
        midi = pretty_midi.PrettyMIDI(str(file))
        for _ in range(min(25, FILES - len(made))):
            for instrument in midi.instruments:
                for note in instrument.notes if not instrument.is_drum else ():
                    note.pitch = (note.pitch + 1) % 128
            made.append(folder / f"{len(made):05}.mid")
            midi.write(str(made[-1]))
    return made


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def prepared(files: list[Path], out: Path, jobs: int = -1) -> tuple[float, dict[str, str]]:
    """Return the seconds that preparing takes, and the digests of the corpus."""
    began = time.perf_counter()
    seqgen.prepare("music", files, out, jobs=jobs)
    taken, found = time.perf_counter() - began, digests(out)
    # A corpus that is there would be taken as it is.
    shutil.rmtree(out)
    return taken, found


def kill_one(cluster: Cluster, delay: float) -> None:
    time.sleep(delay)
    if pids := list(cluster._client.run(os.getpid).values()):
        os.kill(random.choice(pids), signal.SIGKILL)


def survives(cluster: Cluster, files: list[Path], out: Path, delay: float) -> dict[str, str]:
    """Return the digests of a corpus during whose preparation a worker is killed."""
    killer = threading.Thread(target=kill_one, args=(cluster, delay))
    killer.start()
    found = prepared(files, out)[1]
    killer.join()
    return found


def main() -> None:
    benchmark = Benchmark("cluster", "times as fast on two workers", minutes=0.0)
    os.environ["LOKY_MAX_CPU_COUNT"] = "2"
    random.seed(0)
    with benchmark.folder() as folder:
        warnings.simplefilter("ignore")
        found = sorted(benchmark.data.joinpath("music").rglob("*.mid"))
        files = transposed(found, folder / "midi")
        ratios, equal = [], True
        for _ in range(RUNS):
            one, here = prepared(files, folder / "here", jobs=1)
            with seqgen.on_cluster("local") as cluster:
                prepared(files[:SMALL], folder / "warm")
                two, there = prepared(files, folder / "there")
            ratios.append(one / two)
            benchmark.say(f"one process {one:.1f} s, two workers {two:.1f} s")
            equal &= here == there
        small = prepared(files[:SMALL], folder / "small", jobs=1)[1]
        with seqgen.on_cluster("local") as cluster:
            taken = prepared(files[:SMALL], folder / "warm")[0]
            sound = sum(
                survives(cluster, files[:SMALL], folder / "killed", random.uniform(0, taken))
                == small
                for _ in range(KILLS)
            )
    benchmark.finish(
        statistics.median(ratios),
        baselines={"one process": 1.0},
        ratios=ratios,
        same_bytes=equal,
        kills=KILLS,
        sound=sound,
    )


if __name__ == "__main__":
    main()
