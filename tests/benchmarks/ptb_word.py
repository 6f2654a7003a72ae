"""Penn Treebank as words: perplexity on the test text, static and adaptive.

Data: ``text/ptb/*.txt``, the standard split of 929,589, 73,760 and 82,430 tokens, 10,000 different
words, line ends among them. The codec is `words` with ``form=ptb``; all other settings are
automatic, and the best evaluation on the validation text is kept. The test text is read once, as
one stream whose state is carried. Adaptive is a model that learns from each word after predicting
it (`seqgen.score_adaptively`). With ``--tokens`` the budget is one of tokens, for busy machines.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

from harness import BY_TOKENS, Benchmark

import seqgen
from seqgen.evaluation.ngram import baseline


def main() -> None:
    benchmark = Benchmark("ptb_word", "perplexity per word, test", 10.0, BY_TOKENS)
    splits = ("train", "valid", "test")
    texts = {split: (benchmark.data / f"text/ptb/{split}.txt").read_text() for split in splits}
    with tempfile.TemporaryDirectory() as folder:
        pieces = {split: [text] for split, text in texts.items()}
        options = {"form": "ptb"}
        corpus = seqgen.write_corpus(
            Path(folder) / "corpus", "text", pieces, codec="words", options=options
        )
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = seqgen.create_run(Path(folder) / "run", corpus, train=config)
        counts, began = baseline(corpus), time.process_time()
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        trained = time.process_time() - began
        valid = run.info["result"]["valid_loss"]
        found = {}
        for name, scores in (
            ("static", seqgen.score(run, [texts["test"]])),
            ("adaptive", seqgen.score_adaptively(run, [texts["test"]], corpus)),
        ):
            [scored] = scores
            # END stands for the last line end.
            found[name] = math.exp((scored.nats + scored.end_nats) / (scored.tokens + 1))
            benchmark.say(f"{name} {found[name]:.1f}")
        losses = counts.model.losses(run.codec.encode(texts["test"]))
        benchmark.finish(
            found["static"],
            baselines={f"{counts.order}-gram": math.exp(losses.mean())},
            adaptive=found["adaptive"],
            valid=math.exp(valid),
            tokens=report.tokens,
            epochs=report.tokens / corpus.size("train"),
            tokens_per_second=report.tokens / report.seconds,
            tokens_per_processor_second=report.tokens / trained,
            model=run.info["model"],
            chosen=run.info["plan"],
        )


if __name__ == "__main__":
    main()
