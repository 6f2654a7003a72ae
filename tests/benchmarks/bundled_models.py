"""Make the small trained runs that come with the plugins: ``seqgen generate music``.

Each learns from the demo of its domain, with a fixed seed and the minutes in `MODELS`. A copy with
float16 weights goes into the package of the plugin. The test split, which chose nothing, measures
it. The figure is the number of bytes of the largest.

``--only music`` makes one of them; ``--out FOLDER`` puts them elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import Benchmark

import seqgen
from seqgen.plugins.discovery import bundled_model
from seqgen.run.slimming import write_slim

#: Most bytes of a run that comes with a plugin.
MOST_BYTES = 2_000_000

#: The computer on which the runs were trained.
PROCESSOR = "AMD EPYC (AVX2, no AVX-512), one thread of a busy machine"


@dataclass(frozen=True)
class Model:
    """How a run is made.

    Attributes
    ----------
    minutes : float
        CPU time of its training.
    credit : str
        What it learned from, and under which licence, in Markdown.
    hidden : int, optional
        Its width; 0 lets the training choose.
    """

    minutes: float
    credit: str
    hidden: int = 0


CHORALES = """The model learned from four-part chorales of J. S. Bach (1685-1750), whose music is
in the public domain. The files come with [music21](https://www.music21.org); they state no licence
of their own."""

PYTHON = """The model learned from texts that come with Python: the topics of `help()`, and the
modules `statistics`, `string` and `textwrap`. Copyright © 2001 Python Software Foundation; all
rights reserved. They are under the [PSF License Version 2](https://docs.python.org/3/license.html)."""

LETTERS = """The model learned lines that the demo draws in the letters of single-line fonts; no
person wrote them. The Hershey fonts were created by Dr. A. V. Hershey while working at the U. S.
National Bureau of Standards; their distribution format was created by James Hurt of Cognition,
Inc., Billerica, Massachusetts. The files come with
[hershey-fonts](https://pypi.org/project/Hershey-Fonts/). The words come from the topics of Python's
`help()`. Copyright © 2001 Python Software Foundation; all rights reserved. They are under the
[PSF License Version 2](https://docs.python.org/3/license.html)."""

MODELS = {
    # Less wide than the training would choose, so that its proofreader fits as well.
    "handwriting": Model(10, LETTERS, hidden=208),
    "text": Model(6, PYTHON),
    "music": Model(8, CHORALES),
}


def main() -> None:
    """Make the runs."""
    options = {
        "only": {"choices": list(MODELS), "help": "make this one alone"},
        "out": {"type": Path, "help": "folder for the runs; by default their packages"},
    }
    longest = max(model.minutes for model in MODELS.values())
    benchmark = Benchmark("bundled_models", "bytes", longest, options)
    sizes = {}
    for domain in [benchmark.given.only] if benchmark.given.only else MODELS:
        place = benchmark.given.out / domain if benchmark.given.out else bundled_model(domain)
        assert place is not None
        sizes[domain] = make(benchmark, domain, place)
    benchmark.finish(max(sizes.values()), {"limit": MOST_BYTES}, sizes=sizes)


def make(benchmark: Benchmark, domain: str, place: Path) -> int:
    """Train a run and write its small copy; return the bytes of all its files."""
    model = MODELS[domain]
    with benchmark.folder(domain) as folder:
        if not (folder / "corpus").exists():
            seqgen.prepare(domain, [], folder / "corpus")
        corpus = seqgen.Corpus(folder / "corpus")
        minutes = min(model.minutes, benchmark.minutes)
        config = seqgen.TrainConfig(minutes=minutes, threads=1, seed=benchmark.seed)
        run = benchmark.trained(folder, corpus, config, seqgen.ModelConfig(hidden=model.hidden))
        write_slim(run, folder / "slim", "", overwrite=True)
        total = seqgen.score_table(
            seqgen.load(folder / "slim"), [corpus.folder], split="test"
        ).total
        about = card(model.credit, minutes, total.loss("network"))
        write_slim(run, place, about, overwrite=True)
    size = sum(path.stat().st_size for path in place.iterdir())
    if size > MOST_BYTES:
        raise SystemExit(f"{place} has {size:,} bytes, expected at most {MOST_BYTES:,}")
    return size


def card(credit: str, minutes: float, loss: float) -> str:
    """Return what the card says of the data, the licence and the making of a run."""
    today = datetime.now(UTC).strftime("%-d %B %Y")
    return f"""## Data and licence

{credit}

## How it was made

`python tests/benchmarks/bundled_models.py --cpu-time` made it on {today}, with {minutes:g}
minutes of CPU time on an {PROCESSOR}. Its loss on the test split, which
chose nothing, is {loss:.4f} nats per token with the stored weights of 16 bits."""


if __name__ == "__main__":
    main()
