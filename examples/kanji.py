"""Learn characters stroke by stroke, make up new ones, and finish one that is begun.

Say where the characters are, such as kanji of sketch-rnn in npz or a folder of KanjiVG's SVG files,
and for how many minutes: ``python examples/kanji.py kanji.rdp200.npz 10``.
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

    # Animated, for the order of the strokes is half of a character.
    for new in seqgen.generate(run, 12):
        run.domain.write(new.piece, out / f"new-{new.index + 1}.anim.svg")

    # A character that was held out, and what else its first two strokes could have become.
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
