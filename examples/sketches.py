"""Learn drawings, and draw new ones as single lines in SVG and on a page.

Give a file or folder (Quick, Draw!'s ndjson, sketch-rnn's npz, SVG and others) and the minutes of
training: ``python examples/sketches.py cat.ndjson 10``.
"""

import sys
from pathlib import Path

import seqgen
from seqgen.report.page import write_page


def main(path: Path, minutes: float = 5.0, out: Path = Path("out/sketches")) -> None:
    corpus = seqgen.prepare("handwriting", [path])
    print(corpus)
    mean, percentile = corpus.codec.error
    print(f"error of the points: {mean:.2f} % of a drawing's side, 95 % below {percentile:.2f} %")

    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    # How much of each drawing is copied, and how similar the new drawings are to the corpus.
    samples = seqgen.generate_samples(run, 12, suffix=".svg", compare=corpus)
    compared = seqgen.compare(run, [drawing.piece for drawing in samples.pieces], corpus)
    for one in compared:
        drawn, learned = one.sides_as_text()
        print(f"{one.name}: new {drawn}, corpus {learned} {one.metric.unit}")
    print(*samples.paths, write_page(run, samples, out / "index.html", compared), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
