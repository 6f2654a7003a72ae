"""Any sentence, in the offline default: the share of letters that are read as intended.

A model learns the demo's lines (single-line fonts in made-up hands) without a tenth of each page,
and writes sentences that are not in them. A reader, trained separately on the real letters of the
same lines, reads the result (`seqgen_handwriting.measures.legibility`): exactly, case included. A
letter that was not written counts as misread. Baselines are the reader on lines that neither has
seen, as they are and through the codec, and on the same sentences in the fonts: the ceiling.
``--out`` keeps run, pictures, a page, and what was read.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness import BY_TOKENS, Benchmark
from seqgen_handwriting.demo import Writer, write_line
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader

import seqgen
from seqgen.generation.pieces import Generated
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

#: Pangrams, and sentences with the letter frequencies of English, in the demo's characters.
SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs.",
    "How vexingly quick daft zebras jump.",
    "Sphinx of black quartz, judge my vow.",
    "The five boxing wizards jump quickly.",
    "Bright vixens jump; dozy fowl quack.",
    "We promptly judged antique ivory buckles.",
    "Few black taxis drive up major roads on quiet hazy nights.",
    "A wizard has one task: vex big chumps, just in fog.",
    "Amazingly few discotheques provide jukeboxes.",
    "Waltz, bad nymph, for quick jigs vex.",
    "Only work for improved basic techniques to maximise your typing skill.",
    "Every evening the river runs into the sea.",
    "Nobody knew when the last train would leave.",
    "The kitchen smelled of bread and oranges.",
    "She walked home slowly, and it began to rain.",
    "Somebody left the garden gate open all night.",
    "My brother plays the violin far too loudly.",
    "After supper we counted the boats in the harbour.",
    "There was coffee, but the guests drank it.",
    "The snow was deep; the road was quiet.",
    "An owl sat on the church tower.",
    "Bring me the blue jug from the window.",
    "It takes two hours to climb that hill.",
    "Grandmother wrote letters with green ink.",
    "Please feed the cat before you go.",
    "The baker closes his shop at noon on Sunday.",
    "Children ran along the beach with kites.",
    "Rain again, and the umbrella is broken.",
    "He painted the old boat yellow and white.",
    "Our neighbour keeps bees behind the barn.",
    "The moon rose over the quiet water.",
    "Dust lay thick on every picture.",
    "Write soon, and tell me about the journey.",
    "The clock in the hall stopped in March.",
    "They danced until the band went home.",
    "A fox crossed the lawn at dawn.",
    "Lemons, sugar, flour: that is all we need.",
    "The letter came too late to matter.",
    "Leave the lamp on when you go to bed.",
)

#: Token limit of a sentence; one takes some hundred.
LENGTH = 4000


def demo_splits(folder: Path) -> dict[str, list[Ink]]:
    """Return the demo's lines: of each page one for validation, one to test, the rest to learn.

    So every hand is in all splits. A line with a letter that no other line has is learned.
    """
    domain, _ = seqgen.load_domain("handwriting")
    splits: dict[str, list[Ink]] = {"train": [], "valid": [], "test": []}
    held_out = []
    for path in domain.demo(folder):
        *learned, valid, test = domain.read(path)
        splits["train"] += learned
        held_out += [("valid", valid), ("test", test)]
    known = {letter for line in splits["train"] for letter in line.text}
    for split, line in held_out:
        splits[split if known.issuperset(line.text) else "train"].append(line)
        known.update(line.text)
    return splits


def written(run: seqgen.Run, seed: int) -> Iterator[Generated]:
    """Yield every sentence as the model writes it."""
    limit = seqgen.LimitConfig(length=LENGTH)
    for number, sentence in enumerate(SENTENCES):
        yield from seqgen.generate(run, 1, condition=sentence, limit=limit, seed=seed + number)


def read_share(reader: Reader, inks: Iterable[Ink], texts: Iterable[str]) -> float:
    """Return the share of all letters of texts that the reader reads, of those it knows."""
    right = wanted = 0
    for ink, text in zip(inks, texts, strict=True):
        right += int(reader.right(ink).sum())
        wanted += sum(letter in reader.letters for letter in text)
    return right / wanted


def confusions(reader: Reader, inks: Iterable[Ink]) -> dict[str, int]:
    """Return the twenty most frequent misreadings and their counts."""
    pairs = Counter(
        f"{intended} as {read}"
        for ink in inks
        for intended, read in zip(ink.text, reader.read(ink), strict=True)
        if intended != read and intended in reader.letters
    )
    return dict(pairs.most_common(20))


def keep(run: seqgen.Run, new: list[Generated], reader: Reader, out: Path) -> None:
    """Write the sentences as pictures and on a page, with what was read."""
    samples = write_samples(run, new, out / "sentences", ".svg")
    write_page(run, samples, out / "index.html")
    lines = [f"{piece.piece.text}\n{reader.read(piece.piece)}\n\n" for piece in new]
    (out / "read.txt").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    options = {"out": {"type": Path, "help": "keep run, pictures and page in this folder"}}
    benchmark = Benchmark(
        "sentence", "share of letters read as intended", 10.0, options | BY_TOKENS
    )
    with tempfile.TemporaryDirectory() as temporary:
        out = benchmark.given.out or Path(temporary)
        splits = demo_splits(Path(temporary) / "demo")
        for sentence in SENTENCES:
            assert not any(sentence in line.text for lines in splits.values() for line in lines)
        reader = Reader.learn(splits["train"])
        corpus = seqgen.write_corpus(out / "corpus", "handwriting", splits, codec="points")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = seqgen.create_run(out / "run", corpus, None, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)

        new = list(written(run, benchmark.seed))
        if benchmark.given.out:
            keep(run, new, reader, out)
        inks = [piece.piece for piece in new]
        real, texts = splits["test"], [line.text for line in splits["test"]]
        again = [corpus.codec.decode(corpus.codec.encode(line)) for line in real]
        fonts = [
            write_line(sentence, Writer.number(number), number)
            for number, sentence in enumerate(SENTENCES)
        ]
        benchmark.finish(
            read_share(reader, inks, SENTENCES),
            baselines={
                "real held-out lines": read_share(reader, real, texts),
                "the same through the codec": read_share(reader, again, texts),
                "the sentences in the fonts": read_share(reader, fonts, SENTENCES),
            },
            letters=sum(letter in reader.letters for text in SENTENCES for letter in text),
            sentences=len(SENTENCES),
            ended_by_themselves=sum(piece.stopped_by == "end" for piece in new),
            confusions=confusions(reader, inks),
            valid_loss=run.info["result"]["valid_loss"],
            chosen=run.info["plan"],
            tokens_per_second=report.tokens / report.seconds,
        )


if __name__ == "__main__":
    main()
