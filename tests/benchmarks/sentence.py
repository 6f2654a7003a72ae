"""What people write, in the offline default: the share of letters that are read as intended.

A model learns the demo's lines (single-line fonts in made-up hands) without a tenth of each page,
and writes given sentences: addresses, dates, prices, greetings. No setting was chosen on them. Each
is in the hand of one of the demo's writers. A reader that has learned other lines of these writers
reads the result (`seqgen_handwriting.measures.legibility`): exactly, case included. A letter that
was not written counts as misread. Small letters, capitals, digits and signs are counted apart.
Baselines are the reader on lines that neither has seen, as they are and through the codec, and on
the same sentences in the fonts: the ceiling. ``--out`` keeps run, pictures, a page, and what was
read.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from harness import BY_TOKENS, Benchmark
from seqgen_handwriting.demo import (
    LINES,
    PAGES,
    WRITERS,
    Writer,
    demo_texts,
    write_line,
)
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures.legibility import Reader

import seqgen
from seqgen.generation.pieces import Generated
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

#: What users would write, in the demo's characters. Choose nothing on these: the figure is theirs.
SENTENCES = (
    "Order 5531: 18 boxes, 4 crates",
    "Dr. Helen O'Brien, Room 9",
    "Paid $72.60 on 30/11/2026",
    "Is the shop open? No, closed!",
    "Kyoto, Venice, Quito and Lagos",
    "Add 250 ml milk (warm) & stir.",
    "Bus 47 to Park Lane, 16:20",
    "Yes, Felix will join us in June.",
    "Zip: 90210-4471",
    "Chapter 3, pages 118-129",
    "We jog every quiet evening.",
    "Thanks a lot, Uncle Wilhelm!",
    "Rent: €640 + €85 heating",
    "J. K. Powell & Sons, est. 1896",
    "Temperature: 23°, wind: 15 km/h",
    "The vet fixed my lazy fox's paw.",
    "Reply to x.young@mail.net",
    "Héloïse lives near Besançon.",
    "50% off until 31 March",
    "Buy eggs, rice; call Quentin.",
    "Dear Sir or Madam,",
    "Five wizards quickly jumped over the box.",
    "Prof. Ruth Daniels, 26 Elm Road, York",
    "Train 905, platform 7, 13:48",
    "Your table (No. 16) is ready.",
    "“Come in,” said Hugo… “It’s late.”",
    "Sunday, 21 September 1873",
    "4 tickets at $37.50 = $150.00",
    "Keep calm & carry on!",
    "Born 1902, died 1968 – a long life",
    "Ingredients: yeast, olives, figs",
    "Up to 20 kg; no refunds.",
    "Who is Eva? Ask Tom or Nils.",
    "Many happy returns, dear Oscar!",
    "Voucher A7/582 [valid for 6 weeks]",
    "Señor Gómez, Málaga",
    "Size XL * 2, colour: blue",
    "I owe you #1 and #3.",
    "The wind blew gently through the pines.",
    "Kind regards from Lübeck, Ursula",
)

#: Sentences on which the temperature and other settings were chosen.
CHOSEN_ON = (
    "Dear Anna, thank you for your letter.",
    "12 Baker Street, London NW1 6XE",
    "Monday, 14 July 1952",
    "Total: $1,249.50 (incl. 19% VAT)",
    "Meet me at 7:30 p.m. on Friday.",
    "Happy Birthday, Grandma!",
    "Mr. J. Q. Zimmermann, Flat 4B",
    "Call 0171 946-2358 before 6.",
    "k.wagner@post.org",
    "Why not? It's only $5 & a smile.",
    "Yours sincerely, Victor Hugo",
    "2 kg flour, 350 g sugar, 6 eggs",
    "Invoice #2087/64 of 03/09/2021",
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs.",
    "“We’ll see,” she said — and left…",
    "Room 215; bring: pens, paper, ink.",
    "A+ for effort, B- for spelling",
    "Oslo 4°, Cairo 31°, Lima 18°",
    "Merry Christmas & a Happy New Year 2027!",
    "Café Müller, 5 Rue de l’Église",
    "John & Mary, 25 years: 1984–2009",
    "x = (3 + 4) * 7 = 49",
    "Please water the plants on Tuesday.",
    "Price: €18.90 each, 3 for €50",
    "Unit 7, 380 Kings Highway, Quebec",
    "Don't forget milk, bread and jam!",
    "Read pages 60-84 [chapter 9].",
    'Amazing! "Five stars," wrote Zoe.',
    "To be, or not to be: that is the question.",
    "Flight KL 1703 leaves at 06:45.",
    "With love from Hamburg, Jörg and Inès",
    "Weight: 82 kg; height: 1.79 m",
    "Once upon a time there lived a king.",
    "Do you take sugar? Yes/No",
    "Gate B36, seat 14F, 5 bags",
    "Sphinx of black quartz, judge my vow.",
    "Table for two at 8, please.",
    "Lot 77: 40 x 60 cm, oil on canvas",
    "See you in Zürich on the 21st of May!",
)

#: Lines from which the reader learns, and its updates.
READ, UPDATES = 3600, 4000

#: Times that a letter may be drawn, for the figures with proofreading.
TRIES = 4

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
        *learned, valid, test = domain.read(path, domain.read_options())
        splits["train"] += learned
        held_out += [("valid", valid), ("test", test)]
    known = {letter for line in splits["train"] for letter in line.text}
    for split, line in held_out:
        splits[split if known.issuperset(line.text) else "train"].append(line)
        known.update(line.text)
    return splits


def labelled(lines: Iterable[Ink]) -> list[seqgen.Labelled]:
    """Return lines with their writers as labels."""
    return [seqgen.Labelled({"writer": line.writer}, line) for line in lines]


def learned_reader() -> Reader:
    """Return a reader of lines that are not in the demo, by the same writers."""
    texts = list(islice(demo_texts(), PAGES * LINES, PAGES * LINES + READ))
    lines = (
        write_line(text, Writer.number(number % WRITERS), 10**6 + number)
        for number, text in enumerate(texts)
    )
    return Reader.learn(lines, UPDATES)


def written(
    run: seqgen.Run, sentences: Iterable[str], seed: int, tries: int
) -> Iterator[Generated]:
    """Yield every sentence as the model writes it, in the hands of all writers in turn.

    A letter that the model's own proofreader misreads is drawn again, up to `tries` times in all.
    """
    options: dict[str, Any] = {"limit": seqgen.LimitConfig(length=LENGTH), "tries": tries}
    if tries > 1:
        options["proofreader"] = seqgen.learn_proofreader(run)
    for number, sentence in enumerate(sentences):
        asked = seqgen.Labelled({"writer": Writer.number(number % WRITERS).name}, sentence)
        yield from seqgen.generate(run, 1, condition=asked, seed=seed + number, **options)


def class_of(letter: str) -> str:
    """Return the class of a letter; accents do not count."""
    base = unicodedata.normalize("NFD", letter)[0]
    if base.isalpha():
        return "small letters" if base.islower() else "capitals"
    return "digits" if base.isdigit() else "signs"


def read_shares(reader: Reader, inks: Iterable[Ink], texts: Iterable[str]) -> dict[str, float]:
    """Return the share of letters that are read as intended, of all and of each class."""
    right: dict[str, list[bool]] = {"all": []}
    for ink, text in zip(inks, texts, strict=True):
        for letter, is_right in reader.judge(ink, text):
            right["all"].append(is_right)
            right.setdefault(class_of(letter), []).append(is_right)
    return {name: sum(each) / len(each) for name, each in right.items()}


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
    samples = write_samples(run, new, out / "sentences", ".svg", overwrite=True)
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
        for sentence in SENTENCES + CHOSEN_ON:
            assert not any(sentence in line.text for lines in splits.values() for line in lines)
        reader = learned_reader()
        pieces = {split: labelled(lines) for split, lines in splits.items()}
        corpus = benchmark.corpus(out, "handwriting", pieces, codec="points")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = benchmark.trained(out, corpus, config)

        new = list(written(run, SENTENCES, benchmark.seed, 1))
        if benchmark.given.out:
            keep(run, new, reader, out)
        real, texts = splits["test"], [line.text for line in splits["test"]]
        again = [corpus.codec.decode(corpus.codec.encode(line)) for line in pieces["test"]]
        fonts = [
            write_line(sentence, Writer.number(number % WRITERS), 2 * 10**6 + number)
            for number, sentence in enumerate(SENTENCES)
        ]
        shares = read_shares(reader, [piece.piece for piece in new], SENTENCES)
        tried = list(written(run, SENTENCES, benchmark.seed, TRIES))
        known = [piece.piece for piece in written(run, CHOSEN_ON, benchmark.seed, 1)]
        benchmark.finish(
            shares.pop("all"),
            baselines={
                "real held-out lines": read_shares(reader, real, texts)["all"],
                "the same through the codec": read_shares(reader, again, texts)["all"],
                "the sentences in the fonts": read_shares(reader, fonts, SENTENCES)["all"],
            },
            classes=shares,
            with_tries=read_shares(reader, [piece.piece for piece in tried], SENTENCES),
            on_sentences_chosen_on=read_shares(reader, known, CHOSEN_ON),
            classes_in_the_fonts=read_shares(reader, fonts, SENTENCES),
            letters=sum(letter in reader.letters for text in SENTENCES for letter in text),
            sentences=len(SENTENCES),
            ended_by_themselves=sum(piece.stopped_by == "end" for piece in new),
            confusions=confusions(reader, (piece.piece for piece in new)),
            valid_loss=run.info["result"]["valid_loss"],
            chosen=run.info["plan"],
        )


if __name__ == "__main__":
    main()
