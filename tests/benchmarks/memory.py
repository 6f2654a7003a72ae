"""Corpora larger than memory: memory for preparing and training on 1 GB of text.

The corpus is prose and source with a few emojis, because one emoji makes every character of a
string take four bytes. It comes as one file, as 250 files, and a tenth of it as a million one-line
pieces. For each, ``seqgen prepare`` with two processes and then ``seqgen train`` are run.

Anonymous memory (``RssAnon`` of Linux) counts: what the programs have allocated, summed over the
process and its children, the peak of fifty samples per second. Pages of the memory-mapped corpus do
not count, because they are the system's cache. ``highest`` counts them and libraries as well
(``VmHWM``, reported by ``ru_maxrss``), of the largest process. The figure is the highest anonymous
peak minus that of the same command on a text of a few kilobytes, which when training is PyTorch,
the model and its gradients.

The first step is timed from the start of the command to its first report, which comes at least a
second after that step. Processor seconds are those of all processes together.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import Benchmark
from seqgen_text.domain import Text

#: Bytes of the corpus, its number of files, and lines of the corpus of small pieces.
SIZE, FILES, LINES = 10**9, 250, 10**6

SAMPLES_A_SECOND = 50

COMMAND = ("-m", "seqgen")

#: The same, but for reading every line as a piece.
BY_LINES = (
    "-c",
    "from seqgen_text.domain import Text; Text.read = lambda self, path, options: path.open(); "
    "from seqgen.cli import main; main()",
)


def write_texts(folder: Path, seed: int) -> dict[str, Path]:
    """Write the corpora; return the path of each."""
    rng = np.random.default_rng(seed)
    sources = Text().demo(folder / "demo")
    texts = [text for path in sources for text in Text().read(path)]
    paragraphs = np.array("\n\n".join([*texts, "🙂"]).split("\n\n"), object)
    places = {name: folder / name for name in ("tiny", "one file", "files", "lines")}
    for place in places.values():
        place.mkdir()
    (places["tiny"] / "tiny.txt").write_text("\n\n".join(paragraphs[:50]))
    with (places["one file"] / "whole.txt").open("wb") as whole:
        for number in range(FILES):
            chosen = rng.choice(paragraphs, 20 * len(paragraphs))
            part = "\n\n".join(chosen).encode()[: SIZE // FILES]
            # The cut may split a character.
            part = part.decode(errors="ignore").ljust(SIZE // FILES - 3).encode()
            whole.write(part)
            (places["files"] / f"{number:03}.txt").write_bytes(part)
    words = np.array(sorted(set(" ".join(texts).split())), object)
    with (places["lines"] / "lines.txt").open("w") as lines:
        for number in range(LINES):
            print(number, *words[rng.integers(len(words), size=12)], file=lines)
    return places


def resident(session: int) -> Iterator[tuple[int, int]]:
    """Yield the anonymous bytes, and the peak of all memory, of every process of a session."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(place.name)) == session:
                status = (place / "status").read_text()
                anonymous, highest = (
                    1024 * int(status.partition(f"{key}:")[2].split()[0])
                    for key in ("RssAnon", "VmHWM")
                )
                yield anonymous, highest
        except (OSError, IndexError):
            continue  # It has ended.


def measure(command: Iterable[str], run: Path | None = None) -> dict[str, float]:
    """Run Python with these arguments to the end; return MB of 10**6 bytes, and seconds.

    Parameters
    ----------
    command : iterable of str
    run : Path, optional
        The run folder that the command makes, to see its first report.
    """
    began = time.perf_counter()
    anonymous = highest = ended = 0
    first = 0.0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=output, start_new_session=True
        )
        while not ended:
            peaks = list(resident(process.pid))
            anonymous = max(anonymous, sum(now for now, _ in peaks))
            highest = max([highest, *(most for _, most in peaks)])
            log = run / "metrics.jsonl" if run else None
            if log and not first and log.exists() and log.stat().st_size:
                first = time.perf_counter() - began
            time.sleep(1 / SAMPLES_A_SECOND)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(output.read().decode())
    return {
        "anonymous": anonymous / 1e6,
        "highest": highest / 1e6,
        "seconds": time.perf_counter() - began,
        "processor seconds": usage.ru_utime + usage.ru_stime,
    } | ({"first step": first} if run else {})


def main() -> None:
    benchmark = Benchmark("memory", "MB resident beyond torch's own", minutes=0.5)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, place in write_texts(folder, benchmark.seed).items():
            program = BY_LINES if kind == "lines" else COMMAND
            corpus, run = folder / f"{kind} corpus", folder / f"{kind} run"
            prepare = (*program, "prepare", "text", str(place), "--out", str(corpus), "--jobs", "2")
            train = (*program, "train", "text", str(corpus), "--out", str(run), "--device", "cpu")
            minutes = ("--minutes", str(benchmark.minutes), "--seed", str(benchmark.seed))
            results[kind] = {
                "prepare": measure(prepare),
                "train": measure((*train, *minutes), run),
            }
    tiny = results["tiny"]
    beyond = {
        f"{stage}, {kind}": measured[stage]["anonymous"] - tiny[stage]["anonymous"]
        for kind, measured in results.items()
        if kind != "tiny"
        for stage in ("prepare", "train")
    }
    own = {f"{stage}, tiny text": tiny[stage]["anonymous"] for stage in ("prepare", "train")}
    benchmark.finish(max(beyond.values()), baselines=own, beyond=beyond, **results)


if __name__ == "__main__":
    main()
