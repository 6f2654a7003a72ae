"""Learn a folder of any music, and write new pieces as MIDI with a page to see and hear them.

Give the folder and the minutes: ``python examples/midi_folder.py my-midi 10``.
"""

import sys
from pathlib import Path

import seqgen
from seqgen.report.page import write_page


def main(folder: Path, minutes: float = 5.0, out: Path = Path("out/midi")) -> None:
    corpus = seqgen.prepare("music", [folder])
    print(corpus)
    print(f"chose codec {corpus.info['codec']['name']}: {corpus.info['reason']}")
    for left_out in corpus.info["skipped"]:
        print(f"left out {left_out['source']}: {left_out['reason']}")

    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    # As `seqgen generate --page`: the page shows copied passages, and metrics beside the corpus.
    samples = seqgen.generate_samples(run, 4, compare=corpus)
    compared = seqgen.compare(run, [piece.piece for piece in samples.pieces], corpus)
    page = write_page(run, samples, out / "index.html", compared)
    print(*samples.paths, page, sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
