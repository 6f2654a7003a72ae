"""seqgen: learn sequences with one LSTM engine, and write new ones step by step.

>>> import seqgen
>>> corpus = seqgen.prepare("text", "book.txt")               # doctest: +SKIP
>>> run = seqgen.create_run("runs/book", corpus)              # doctest: +SKIP
>>> for report in seqgen.train(run, corpus):                  # doctest: +SKIP
...     print(report)
>>> for new in seqgen.generate(run, 4):                       # doctest: +SKIP
...     print(new.piece)

Names are imported when they are first used, so that a plugin or a ``--help`` pays for nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seqgen.cluster import on_cluster
    from seqgen.conditions.kept import Kept
    from seqgen.conditions.labels import Labelled
    from seqgen.config import LimitConfig, ModelConfig, SampleConfig, TrainConfig
    from seqgen.data.corpus import Corpus
    from seqgen.data.preparation import prepare, write_corpus
    from seqgen.evaluation.adaptive import adapt, score_adaptively
    from seqgen.evaluation.comparison import Comparison, compare
    from seqgen.evaluation.criticism import learn_critic
    from seqgen.evaluation.neighbours import Neighbour, neighbours
    from seqgen.evaluation.novelty import Novelty, measure_novelty
    from seqgen.evaluation.predictor import NetworkPredictor
    from seqgen.evaluation.proofreading import learn_proofreader
    from seqgen.evaluation.scoring import Score, score
    from seqgen.evaluation.table import ScoreRow, ScoreTable, score_table
    from seqgen.evaluation.variations import score_over_variations
    from seqgen.export.onnx_file import export_onnx
    from seqgen.export.web_page import export_web
    from seqgen.generation.beam import search
    from seqgen.generation.engine import Excerpt, Generated, Primed, generate, prime, stream
    from seqgen.generation.manuscript import Manuscript
    from seqgen.listener import Report
    from seqgen.plugins.discovery import find_domains, load_domain
    from seqgen.plugins.files import load_plugin
    from seqgen.report.samples import Samples, generate_samples, write_samples
    from seqgen.run.folder import Run, load
    from seqgen.run.hub import pull, push
    from seqgen.training.creation import create_run
    from seqgen.training.session import measure_baseline, train

__all__ = [
    "Comparison",
    "Corpus",
    "Excerpt",
    "Generated",
    "Kept",
    "Labelled",
    "LimitConfig",
    "Manuscript",
    "ModelConfig",
    "Neighbour",
    "NetworkPredictor",
    "Novelty",
    "Primed",
    "Report",
    "Run",
    "SampleConfig",
    "Samples",
    "Score",
    "ScoreRow",
    "ScoreTable",
    "TrainConfig",
    "__version__",
    "adapt",
    "compare",
    "create_run",
    "export_onnx",
    "export_web",
    "find_domains",
    "generate",
    "generate_samples",
    "learn_critic",
    "learn_proofreader",
    "load",
    "load_domain",
    "load_plugin",
    "measure_baseline",
    "measure_novelty",
    "neighbours",
    "on_cluster",
    "prepare",
    "prime",
    "pull",
    "push",
    "score",
    "score_adaptively",
    "score_over_variations",
    "score_table",
    "search",
    "stream",
    "train",
    "write_corpus",
    "write_samples",
]

_HOMES = {
    "cluster": ("on_cluster",),
    "config": ("LimitConfig", "ModelConfig", "SampleConfig", "TrainConfig"),
    "data.corpus": ("Corpus",),
    "data.preparation": ("prepare", "write_corpus"),
    "plugins.discovery": ("find_domains", "load_domain"),
    "plugins.files": ("load_plugin",),
    "evaluation.adaptive": ("adapt", "score_adaptively"),
    "evaluation.comparison": ("Comparison", "compare"),
    "evaluation.criticism": ("learn_critic",),
    "evaluation.neighbours": ("Neighbour", "neighbours"),
    "evaluation.novelty": ("Novelty", "measure_novelty"),
    "evaluation.predictor": ("NetworkPredictor",),
    "evaluation.proofreading": ("learn_proofreader",),
    "evaluation.scoring": ("Score", "score"),
    "evaluation.table": ("ScoreRow", "ScoreTable", "score_table"),
    "evaluation.variations": ("score_over_variations",),
    "export.onnx_file": ("export_onnx",),
    "export.web_page": ("export_web",),
    "generation.beam": ("search",),
    "generation.manuscript": ("Manuscript",),
    "generation.engine": ("Excerpt", "Generated", "Primed", "generate", "prime", "stream"),
    "conditions.kept": ("Kept",),
    "conditions.labels": ("Labelled",),
    "listener": ("Report",),
    "report.samples": ("Samples", "generate_samples", "write_samples"),
    "run.folder": ("Run", "load"),
    "run.hub": ("pull", "push"),
    "training.creation": ("create_run",),
    "training.session": ("measure_baseline", "train"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"seqgen.{module}"), name)
    raise AttributeError(f"module 'seqgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
