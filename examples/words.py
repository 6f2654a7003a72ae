"""Learn whole words, continue a sentence, and write on by turns as `seqgen write` does.

Give a text and the minutes of training: ``python examples/words.py book.txt 10``.
"""

import sys
from pathlib import Path

import seqgen


def main(path: Path, minutes: float = 5.0, out: Path = Path("out/words")) -> None:
    corpus = seqgen.prepare("text", [path], codec="words")
    print(corpus)
    run = seqgen.create_run(out, corpus, train=seqgen.TrainConfig(minutes=minutes))
    for report in seqgen.train(run, corpus):
        if report.valid_loss is not None:
            print(f"{report.fraction:4.0%}  {report.valid_loss:.3f} nats per token")

    # Words that are no token are spelled, so a prompt may have any word.
    limit = seqgen.LimitConfig(least_length=5, length=20, unit="words")
    for new in seqgen.generate(run, 3, prompt="The", limit=limit):
        print(f"--- {new.stopped_by}\n{new.piece}")

    # The state stays between the turns. Typed text is in brackets.
    print("--- by turns")
    manuscript = seqgen.Manuscript(run, seed=1)
    for typed in ("The", " and the"):
        manuscript.type(typed)
        print(f"[{typed}]" + "".join(manuscript.write(limit=limit)), end="")
    manuscript.take_back()
    print("\n--- or\n" + "".join(manuscript.write(limit=limit)))

    # A word is what is between blanks, so it pays for the punctuation beside it too.
    print(f"perplexity per word: {seqgen.score_table(run).total.loss_per('words'):.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
