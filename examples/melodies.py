"""Learn dance tunes that music21 ships, and write new ones of sixteen bars as MIDI and MusicXML.

The tunes are from William Bradbury Ryan's "Mammoth Collection" of 1883. Reading ABC takes about as
long as training. Give minutes and number of files: ``python examples/melodies.py 3 200``.
"""

import sys
from pathlib import Path

import music21

import seqgen


def main(minutes: float = 3.0, files: int = 200, out: Path = Path("out/melodies")) -> None:
    tunes = sorted((Path(music21.__file__).parent / "corpus" / "ryansMammoth").glob("*.abc"))
    # Spread over the whole alphabet.
    some = tunes[:: max(len(tunes) // files, 1)][:files]
    corpus = seqgen.prepare("music", some, codec="melody")
    print(corpus)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    for new in seqgen.generate(run, 4, condition="bars=16"):
        for suffix in (".mid", ".musicxml"):
            run.domain.write(new.piece, out / f"melody-{new.index + 1}{suffix}")
        print(f"melody-{new.index + 1}: {new.log_probability_per_token:.3f} nats per token")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3]))
