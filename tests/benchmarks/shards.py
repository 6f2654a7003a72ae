"""Memory for a corpus of 4 GB in 16 shards: writing, checking and training.

The pieces are runs of 500,000 random ids of two bytes, which `CorpusWriter` stores, groups by
passages and describes as it does those of files. Reading and encoding files is measured by
``memory.py``. Each stage is a process of its own: the writer; opening the corpus and checking all
files; ``seqgen train`` for some tokens.

Anonymous memory (``RssAnon`` of Linux) counts, as in ``memory.py``: what the process and its
children have allocated, the peak of fifty samples per second. Pages of the memory-mapped shards do
not count, because they are the system's cache. ``highest`` has them too. The figure is the highest
anonymous peak of the three stages.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import Benchmark
from memory import COMMAND, measure

import seqgen
from seqgen.data.corpus import Corpus, CorpusWriter
from seqgen.data.shards import SHARD
from seqgen.data.splits import whole

#: Ids of a piece, bytes of an id, and number of characters, which two bytes hold.
PIECE, WIDTH, CHARACTERS = 500_000, 2, 1_000

#: Python that calls a function of this file with its arguments.
CALL = (
    "import sys; sys.path.insert(0, {!r}); import shards; "
    "getattr(shards, sys.argv[1])(*sys.argv[2:])"
)


def write(folder: str, shards: str, seed: str) -> None:
    """Write a corpus of random ids in so many shards; every hundredth piece is for validation."""
    place, rng = Path(folder), np.random.default_rng(int(seed))
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + CHARACTERS)))
    small = seqgen.write_corpus(place / "small", "text", {"train": [characters]})
    key = hashlib.sha256(f"{shards} {seed}".encode()).hexdigest()
    kept = ("seqgen", "format", "domain", "distribution", "version", "codec", "reason", "files")
    more = ("read_options", "chosen", "seed", "labels_left_out", "skipped", "notes", "unread")
    info = {name: small.info[name] for name in (*kept, *more)} | {"key": key}
    (place / "corpus").mkdir()
    with CorpusWriter(place / "corpus", small.codec, keep_duplicates=True) as writer:
        count = int(shards) * (SHARD // (PIECE * WIDTH))
        ranks = np.zeros(count, np.uint64)
        for number in range(count):
            ids = rng.integers(CHARACTERS, size=PIECE, dtype=np.uint16)
            digest = writer.add(f"piece {number}", ids) or b""
            ranks[number] = int.from_bytes(digest[:8], "little")
        splits = [int(number % 100 == 1) for number in range(count)]
        leaders = writer.near_duplicates.leaders(ranks)
        writer.finish(info, whole(writer.lengths, splits), leaders)


def verify(folder: str) -> None:
    """Open a corpus and check all of its files."""
    Corpus(folder).verify()


def main() -> None:
    options = {
        "shards": {"type": int, "default": 16, "help": "number of shards"},
        "tokens": {"type": int, "default": 200_000, "help": "tokens to train"},
    }
    benchmark = Benchmark("shards", "MB of anonymous memory", 0.0, options)
    call = ("-c", CALL.format(str(Path(__file__).parent)))
    with tempfile.TemporaryDirectory() as name:
        folder, run = Path(name) / "corpus", Path(name) / "run"
        written = ("write", name, str(benchmark.given.shards), str(benchmark.seed))
        train = (*COMMAND, "train", "text", str(folder), "--out", str(run), "--device", "cpu")
        budget = ("--tokens", str(benchmark.given.tokens), "--seed", str(benchmark.seed))
        results = {}
        for stage, command in (
            ("write", (*call, *written)),
            ("verify", (*call, "verify", str(folder))),
            ("train", (*train, *budget)),
        ):
            results[stage] = measure(command)
            benchmark.say(f"{stage}: {results[stage]}")
        files = [path.stat().st_size for path in folder.glob("tokens*.npy")]
    if len(files) != benchmark.given.shards:
        sys.exit(f"{benchmark.given.shards} shards were expected, found {len(files)}")
    figure = max(result["anonymous"] for result in results.values())
    benchmark.finish(figure, baselines={}, gigabytes=sum(files) / 1e9, **results)


if __name__ == "__main__":
    main()
