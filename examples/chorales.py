"""Learn the Bach chorales that music21 ships, write new ones, and continue one of Bach's."""

import sys
from pathlib import Path

import seqgen


def main(minutes: float = 3.0, out: Path = Path("out/chorales")) -> None:
    corpus = seqgen.prepare("music")
    print(corpus)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    for new in seqgen.generate(run, 4, sample=seqgen.SampleConfig(min_p=0.05)):
        run.domain.write(new.piece, out / f"chorale-{new.index + 1}.mid")

    # The first eight quarters of a held-out chorale: two header tokens, then four per 16th.
    held_out = corpus.segments("test")[0]
    beginning = run.codec.decode(corpus.piece(held_out.piece)[: 2 + 8 * 4 * 4])
    for new in seqgen.generate(run, 2, prompt=beginning, seed=1):
        run.domain.write(new.piece, out / f"continued-{new.index + 1}.mid")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
