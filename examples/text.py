"""Train on the texts that come with Python, generate new ones, and score two sentences."""

import sys
from pathlib import Path

import seqgen


def main(minutes: float = 3.0, out: Path = Path("out/text")) -> None:
    corpus = seqgen.prepare("text")
    print(corpus)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per character")

    limit = seqgen.LimitConfig(length=500)
    for new in seqgen.generate(run, 2, prompt="The ", limit=limit):
        print(f"--- {new.stopped_by}\n{new.piece}")

    sentences = ["The value of an expression.", "eht fo eulav noisserpxe na."]
    for sentence, scored in zip(sentences, seqgen.score(run, sentences), strict=True):
        print(f"{scored.nats / scored.tokens:.2f} nats per character: {sentence}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
