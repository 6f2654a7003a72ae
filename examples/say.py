"""Learn a voice from a folder of recordings with texts, and say new sentences in it.

The text of ``a.wav`` is in ``a.txt``, or in a table of the folder (docs/speech.md):
``python examples/say.py my-recordings "Please hold the line." "Thank you."``.
"""

import sys
from pathlib import Path

import seqgen


def main(
    folder: Path, sentences: list[str], minutes: float = 10.0, out: Path = Path("out/say")
) -> None:
    corpus = seqgen.prepare("speech", [folder], read_options={"trim": 40, "loudness": -20})
    print(corpus)
    for skipped in corpus.info["skipped"]:
        print(f"left out {skipped['source']}: {skipped['reason']}")
    # What cannot be said is refused now, not after the training.
    for sentence in sentences:
        corpus.codec.tracker(sentence)
    config = seqgen.TrainConfig(minutes=minutes)
    run = seqgen.create_run(out, corpus, train=config, overwrite=True)
    for report in seqgen.train(run, corpus):
        if report.message:
            print(report.message)  # Sounds find their symbols anew, a few times.
        elif report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    for number, sentence in enumerate(sentences, 1):
        [new] = seqgen.generate(run, condition=sentence)
        for suffix in (".wav", ".svg"):
            for path in run.domain.write(new.piece, out / f"sentence-{number}{suffix}"):
                print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["Please hold the line."])
