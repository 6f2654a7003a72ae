"""Shared by all benchmarks: the arguments, and the JSON object that is printed."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch

import seqgen

#: The option that makes `Benchmark.budget` one of tokens.
BY_TOKENS = {"tokens": {"type": int, "default": 0, "help": "train by tokens, not by time"}}


class Benchmark:
    """One run of a benchmark, from its arguments to its result.

    Parameters
    ----------
    name, unit : str
        Name and unit of the figure.
    minutes : float
        Default training time.
    options : mapping, optional
        Further options, as settings of ``add_argument`` by name; their values are in `given`.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        minutes: float,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
        parser.add_argument("--minutes", type=float, default=minutes, help="training time")
        parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="data folder")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--cpu-time",
            action="store_true",
            help="count CPU time instead of wall time, with one thread: for busy machines",
        )
        parser.add_argument("--json", action="store_true", help="print nothing but the result")
        parser.add_argument(
            "--runs",
            type=Path,
            help="keep the corpus and the run in this folder; a run that is there is not trained",
        )
        for option, settings in (options or {}).items():
            parser.add_argument(f"--{option}", **settings)
        arguments = self.given = parser.parse_args()
        if arguments.cpu_time:
            count_cpu_time()
        self.name, self.unit = name, unit
        self.minutes, self.seed = arguments.minutes, arguments.seed
        self._data = arguments.data
        self._quiet = arguments.json
        self._began = time.perf_counter()

    @property
    def data(self) -> Path:
        """The folder of the data sets; the program ends if it is missing."""
        if not self._data.is_dir():
            sys.exit(f"no data folder {self._data}; give its place with --data")
        return self._data

    @contextmanager
    def folder(self, name: str = "") -> Iterator[Path]:
        """Open the folder of a corpus and its run: in that of ``--runs``, or a temporary one."""
        if self.given.runs:
            place = self.given.runs / name
            place.mkdir(parents=True, exist_ok=True)
            yield place
        else:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)

    @property
    def budget(self) -> dict[str, Any]:
        """The training budget, as settings of `seqgen.TrainConfig`."""
        tokens = getattr(self.given, "tokens", 0)
        return {"tokens": tokens} if tokens else {"minutes": self.minutes}

    def corpus(self, folder: Path, *given: Any, **options: Any) -> seqgen.Corpus:
        """Return the corpus ``FOLDER/corpus``, and write it if it is missing."""
        place = folder / "corpus"
        if place.exists():
            return seqgen.Corpus(place)
        return seqgen.write_corpus(place, *given, **options)

    def trained(
        self,
        folder: Path,
        corpus: seqgen.Corpus,
        config: seqgen.TrainConfig,
        model: seqgen.ModelConfig | None = None,
    ) -> seqgen.Run:
        """Return the run ``FOLDER/run``; train it, with automatic settings, unless it is there."""
        if (folder / "run").exists():
            return seqgen.load(folder / "run")
        run = seqgen.create_run(folder / "run", corpus, model=model, train=config)
        for report in seqgen.train(run, corpus):
            self.watch(report)
        return run

    def watch(self, report: seqgen.Report) -> None:
        """Print an evaluation on the error stream."""
        if report.valid_loss is not None:
            self.say(
                f"{report.seconds:6.0f} s  loss {report.loss:.4f}  valid {report.valid_loss:.4f}"
            )

    def say(self, text: str) -> None:
        """Print a line on the error stream, unless ``--json`` is given."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def finish(self, figure: float, baselines: dict[str, float], **more: Any) -> None:
        """Print the result as one JSON object."""
        result = {
            "name": self.name,
            "figure": figure,
            "unit": self.unit,
            "baselines": baselines,
            **more,
            "minutes": self.minutes,
            "seed": self.seed,
            "seconds": time.perf_counter() - self._began,
            "cpu_time": self.given.cpu_time,
            "threads": torch.get_num_threads(),
            "machine": platform.processor() or platform.machine(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "versions": {
                "seqgen": seqgen.__version__,
                "torch": str(torch.__version__),
                "numpy": numpy.__version__,
                "python": platform.python_version(),
            },
        }
        print(json.dumps(result, indent=None if self._quiet else 2))


def count_cpu_time() -> None:
    """Make all clocks count the CPU time of this process, so that other programs take none of it.

    There is one thread, because the threads' times are added.
    """
    torch.set_num_threads(1)
    time.monotonic = time.perf_counter = time.process_time
