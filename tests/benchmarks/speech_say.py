"""Unseen sentences said by a model: the share of words that PocketSphinx recognises.

``--corpus demo``: a model learns the demo's recordings and says 40 sentences of 4 to 8 words of the
same kind that are not in it, in its six voices. ``--corpus prompts``: it learns ``speech/prompts``
(one voice) without 40 recordings of 4 to 8 words, all of which other recordings have too, and says
their texts. The recogniser knows the words of corpus and sentences, and which follows which.
Ceilings: the sentences as they were spoken (prompts) or as the synthesiser says them (demo), and
the same through the codec. Floor: copies of the sentences beside. The figure is the word accuracy
divided by that of the copies. ``--out`` keeps run, sounds, a page, and what was recognised.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from harness import BY_TOKENS, Benchmark
from seqgen_speech.demo import VOICES, unseen
from seqgen_speech.domain import Speech
from seqgen_speech.espeak import speak
from seqgen_speech.measures.words import Recogniser, shares_recognised, spoken
from seqgen_speech.sound import Sound

import seqgen
from seqgen.conditions.labels import content_of
from seqgen.conditions.unlabelled import unlabelled
from seqgen.errors import DataError
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

#: Sentences, and the least and the largest number of their words.
SENTENCES, SHORTEST, LONGEST = 40, 4, 8

Pieces = list[Any]


def of_demo(benchmark: Benchmark, folder: Path) -> tuple[Pieces, Pieces]:
    """Return the demo's pieces, and the unseen sentences as the synthesiser says them."""
    domain = Speech()
    known = [piece for path in domain.demo(folder) for piece in domain.read(path)]
    texts = unseen(SENTENCES)
    assert not {content_of(piece).text for piece in known} & {*texts}
    said = [(VOICES[number % len(VOICES)], text) for number, text in enumerate(texts)]
    return known, [
        seqgen.Labelled({"speaker": voice.speaker}, sound)
        for (voice, _), sound in zip(said, speak(said), strict=True)
    ]


def of_prompts(benchmark: Benchmark, folder: Path) -> tuple[Pieces, Pieces]:
    """Return the prompts to learn, and those that are held out."""
    domain = Speech()
    pieces = [
        piece
        for path in sorted((benchmark.data / "speech/prompts").glob("*.wav"))
        for piece in domain.read(path)
        if spoken(piece.text)
    ]
    counts = Counter(word for piece in pieces for word in set(spoken(piece.text)))
    held: Pieces = []
    for number in np.random.default_rng(0).permutation(len(pieces)).tolist():
        words = set(spoken(pieces[number].text))
        fits = SHORTEST <= len(spoken(pieces[number].text)) <= LONGEST
        if fits and len(held) < SENTENCES and all(counts[word] > 1 for word in words):
            held.append(pieces[number])
            counts.subtract(words)
    texts = {piece.text for piece in held}
    return [piece for piece in pieces if piece.text not in texts], held


CORPORA = {"demo": of_demo, "prompts": of_prompts}


def main() -> None:
    options: dict[str, Any] = {
        "corpus": {"choices": list(CORPORA), "default": "demo", "help": "what is learned"},
        "codec": {"default": "", "help": "by default the one of the domain"},
        "out": {"type": Path, "help": "keep run, sounds and page in this folder"},
    }
    benchmark = Benchmark("speech_say", "share of the ceiling", 10.0, BY_TOKENS | options)
    with tempfile.TemporaryDirectory() as temporary:
        out = benchmark.given.out or Path(temporary)
        known, wanted = CORPORA[benchmark.given.corpus](benchmark, out / "demo")
        codec = benchmark.given.codec or next(iter(Speech.codecs))
        known = encodable(codec, known)
        data = {"train": known[20:], "valid": known[:20]}
        corpus = seqgen.write_corpus(out / "corpus", "speech", data, codec=codec)
        texts = [content_of(piece).text for piece in wanted]
        recogniser = Recogniser([*(content_of(piece).text for piece in known), *texts])
        copies = [corpus.codec.decode(corpus.codec.encode(piece)) for piece in wanted]
        ceilings = {
            "originals": accuracy(recogniser, list(map(content_of, wanted)), texts),
            "copies": accuracy(recogniser, copies, texts),
            "copies of other sentences": accuracy(recogniser, [*copies[1:], copies[0]], texts),
        }
        benchmark.say(f"{ceilings}")
        if unlabelled(corpus.codec).dictation is None:
            sys.exit("this codec does not speak given text; only the ceilings above are measured")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = seqgen.create_run(out / "run", corpus, None, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        new, factor = said_by(run, wanted, benchmark.seed)
        if benchmark.given.out:
            keep(run, new, recogniser, texts, out)
        found = accuracy(recogniser, [one.piece for one in new], texts)
        benchmark.finish(
            found / ceilings["copies"],
            baselines=ceilings,
            new=found,
            corpus=benchmark.given.corpus,
            codec=codec,
            recordings=len(known),
            seconds_of_recordings=sum(content_of(piece).seconds for piece in known),
            sentences=len(new),
            words=sum(len(spoken(text)) for text in texts),
            ended_by_themselves=sum(one.stopped_by == "end" for one in new),
            real_time_factor=factor,
            chosen=run.info["plan"],
            tokens=report.tokens,
        )


def encodable(name: str, pieces: Pieces) -> Pieces:
    """Return the pieces that a codec does not refuse, as it does a text too long for its sound."""
    made = Speech.codecs[name]
    codec, kept = made.fit(map(content_of, pieces), made.options_type()), []
    for piece in pieces:
        with suppress(DataError):
            codec.encode(content_of(piece))
            kept.append(piece)
    return kept


def accuracy(recogniser: Recogniser, sounds: Sequence[Sound], texts: Sequence[str]) -> float:
    """Return the mean word accuracy of sentences."""
    return float(np.mean(shares_recognised(recogniser, sounds, texts)))


def said_by(run: seqgen.Run, wanted: Pieces, seed: int) -> tuple[list[Any], float]:
    """Return the sentences as the model says them, and its seconds of sound per second."""
    conditions: list[Any] = [
        seqgen.Labelled(piece.labels, piece.content.text)
        if isinstance(piece, seqgen.Labelled)
        else piece.text
        for piece in wanted
    ]
    list(seqgen.generate(run, 1, condition=conditions[0], seed=seed))  # the first call compiles
    began, new = time.process_time(), []
    for number, condition in enumerate(conditions):
        new += seqgen.generate(run, 1, condition=condition, seed=seed + number)
    return new, sum(one.piece.seconds for one in new) / (time.process_time() - began)


def keep(
    run: seqgen.Run, new: list[Any], recogniser: Recogniser, texts: Sequence[str], out: Path
) -> None:
    """Write the sounds, a page, and what was recognised."""
    write_page(run, write_samples(run, new, out / "sentences", ".wav"), out / "index.html")
    lines = [
        f"{text}\n{' '.join(recogniser.heard(one.piece))}\n\n"
        for text, one in zip(texts, new, strict=True)
    ]
    (out / "heard.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
