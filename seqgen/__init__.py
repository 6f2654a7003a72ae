"""seqgen: learn sequences with one LSTM engine, and write new ones step by step.

>>> import seqgen
>>> corpus = seqgen.prepare("text", ["book.txt"])             # doctest: +SKIP
>>> run = seqgen.create_run("runs/book", corpus)              # doctest: +SKIP
>>> for report in run.train(corpus):                          # doctest: +SKIP
...     print(report)
>>> for new in seqgen.generate(run, 4):                       # doctest: +SKIP
...     print(new.piece)

Names are imported when they are first used, so that a plugin or a ``--help`` pays for nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seqgen.evaluation.adaptive import adapt, score_adaptively
    from seqgen.generation.beam import search
    from seqgen.evaluation.comparison import Comparison, compare
    from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig
    from seqgen.data.corpus import Corpus
    from seqgen.discovery import find_domains, load_domain
    from seqgen.generation.engine import Generated, Primed, generate, prime, stream
    from seqgen.evaluation.novelty import Novelty, measure_novelty
    from seqgen.data.preparation import prepare, write_corpus
    from seqgen.run import Run, create_run, load
    from seqgen.evaluation.scoring import Score, score
    from seqgen.training.loop import Report

__all__ = [
    "Comparison",
    "Corpus",
    "Generated",
    "LimitConfig",
    "ModelConfig",
    "Novelty",
    "Primed",
    "Report",
    "Run",
    "SampleConfig",
    "Score",
    "TrainConfig",
    "__version__",
    "adapt",
    "compare",
    "create_run",
    "find_domains",
    "generate",
    "load",
    "load_domain",
    "measure_novelty",
    "prepare",
    "prime",
    "score",
    "score_adaptively",
    "search",
    "stream",
    "write_corpus",
]

_HOMES = {
    "adaptive": ("adapt", "score_adaptively"),
    "comparison": ("Comparison", "compare"),
    "config": ("LimitConfig", "ModelConfig", "SampleConfig", "TrainConfig"),
    "corpus": ("Corpus",),
    "discovery": ("find_domains", "load_domain"),
    "beam": ("search",),
    "generation": ("Generated", "Primed", "generate", "prime", "stream"),
    "novelty": ("Novelty", "measure_novelty"),
    "preparation": ("prepare", "write_corpus"),
    "run": ("Run", "create_run", "load"),
    "scoring": ("Score", "score"),
    "training": ("Report",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"seqgen.{module}"), name)
    raise AttributeError(f"module 'seqgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
