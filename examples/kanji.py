"""Learn characters stroke by stroke, draw new ones, and finish a character that is begun.

Give the characters (sketch-rnn's npz file of kanji, or a folder of KanjiVG's SVG files) and the
minutes of training: ``python examples/kanji.py kanji.rdp200.npz 10``.
"""

import sys
from pathlib import Path

from seqgen_handwriting.ink import Ink

import seqgen


def main(path: Path, minutes: float = 5.0, out: Path = Path("out/kanji")) -> None:
    corpus = seqgen.prepare("handwriting", [path])
    print(corpus)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    # Animated, to show the order of the strokes.
    for new in seqgen.generate(run, 12):
        run.domain.write(new.piece, out / f"new-{new.index + 1}.anim.svg")

    # A held-out character, and six other ways to finish its first two strokes.
    held_out = corpus.segments("test")[0]
    real = run.codec.decode(corpus.piece(held_out.piece))
    run.domain.write(real, out / "held-out.svg")
    beginning = Ink(real.strokes[:2])
    for new in seqgen.generate(run, 6, prompt=beginning):
        strokes = len(new.piece.strokes) - len(beginning.strokes)
        print(f"finished-{new.index + 1}: {strokes} strokes more, ends by {new.stopped_by}")
        run.domain.write(new.piece, out / f"finished-{new.index + 1}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
