"""Learn titles with a label from a table, and write new ones for each value of the label.

Give a CSV file with a header, such as title and site, and the minutes of training: ``python
examples/headlines.py headlines.csv 5``.
"""

import sys
from pathlib import Path

import seqgen


def main(path: Path, minutes: float = 5.0, out: Path = Path("out/headlines")) -> None:
    # Columns with few values become labels by themselves.
    corpus = seqgen.prepare("text", [path], codec="words")
    labels = getattr(corpus.codec, "labels", [])
    if not labels:
        sys.exit(f"{path} has no label; seqgen prepare text {path} --report says why")
    for label in labels:
        print(label.summary)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    limit = seqgen.LimitConfig(length=30, unit="words")
    label = labels[0]
    for value in sorted(label.values):
        asked = seqgen.Labelled({label.name: value})
        for new in seqgen.generate(run, 3, condition=asked, limit=limit):
            print(f"{value}: {new.piece}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
