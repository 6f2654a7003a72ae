"""Spoken digits by request: the share of new sounds whose digit and speaker are recognised.

Data: ``speech/fsdd/DIGIT_SPEAKER_TAKE.wav``, 8 kHz. Takes 10 to 48 are learned with the labels
word and speaker; take 49 is for validation, 5 to 9 are the test. Then each digit is asked for in
each voice, ``--each`` times. Judges: two classifiers trained apart on the real takes 10 to 49
(`seqgen_speech.measures.labels`), and PocketSphinx, if it is installed, which knows that one digit
is said. Ceilings: the test takes as they are, and through the codec. The figure is the share of
digits that the classifier recognises, divided by that of the codec's copies. ``--out`` keeps run,
new sounds and a page.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import BY_TOKENS, Benchmark
from seqgen_speech.domain import Speech
from seqgen_speech.measures.cepstrum import distortion
from seqgen_speech.measures.labels import LabelJudge
from seqgen_speech.measures.words import DIGITS, Recogniser, shares_recognised
from seqgen_speech.sound import Sound

import seqgen
from seqgen.report.page import write_page
from seqgen.report.samples import write_samples

TAKES = {"train": range(10, 49), "valid": range(49, 50), "test": range(5, 10)}


class Judges:
    """What is recognised in sounds that should have labels."""

    def __init__(self, real: Sequence[seqgen.Labelled]) -> None:
        sounds = [piece.content for piece in real]
        self._of = {
            name: LabelJudge.of(sounds, [piece.labels[name] for piece in real])
            for name in ("word", "speaker")
        }
        sphinx = find_spec("pocketsphinx") is not None
        self._recogniser = Recogniser(DIGITS) if sphinx else None

    def shares(self, pieces: Sequence[seqgen.Labelled]) -> dict[str, float]:
        """Return the share of pieces whose word and speaker are recognised, by judge."""
        sounds: list[Sound] = [piece.content for piece in pieces]
        found = {
            name: judge.share(sounds, [piece.labels[name] for piece in pieces])
            for name, judge in self._of.items()
        }
        if self._recogniser is not None:
            texts = [DIGITS[int(piece.labels["word"])] for piece in pieces]
            shares = shares_recognised(self._recogniser, sounds, texts)
            found["word by PocketSphinx"] = float(np.mean(shares))
        return found


def recordings(folder: Path) -> dict[str, list[seqgen.Labelled]]:
    """Return the recordings of each split with their labels."""
    found: dict[str, list[seqgen.Labelled]] = {split: [] for split in TAKES}
    for split, takes in TAKES.items():
        for path in [path for take in takes for path in sorted(folder.glob(f"*_{take}.wav"))]:
            word, speaker, _ = path.stem.split("_")
            [sound] = Speech().read(path)
            found[split].append(seqgen.Labelled({"word": word, "speaker": speaker}, sound))
    return found


def asked_for(
    run: seqgen.Run, wanted: Sequence[dict[str, str]], seed: int
) -> tuple[list[Any], float]:
    """Return a new piece for each of some labels, and the seconds of sound per second."""
    list(seqgen.generate(run, 1, condition=seqgen.Labelled(wanted[0])))  # the first call compiles
    began, pieces = time.process_time(), []
    for number, labels in enumerate(wanted):
        condition = seqgen.Labelled(labels)
        pieces += seqgen.generate(run, 1, condition=condition, seed=seed + number)
    seconds = sum(piece.piece.seconds for piece in pieces)
    return pieces, seconds / (time.process_time() - began)


def main() -> None:
    options: dict[str, Any] = {
        "codec": {"default": "mulaw", "help": "codec2, frames or mulaw"},
        "each": {"type": int, "default": 5, "help": "new sounds for each digit and speaker"},
        "out": {"type": Path, "help": "keep run, sounds and page in this folder"},
    }
    benchmark = Benchmark("speech_digits", "share of the ceiling", 10.0, BY_TOKENS | options)
    data = recordings(benchmark.data / "speech/fsdd")
    judges = Judges([*data["train"], *data["valid"]])
    with tempfile.TemporaryDirectory() as temporary:
        out, codec = benchmark.given.out or Path(temporary), benchmark.given.codec
        corpus = seqgen.write_corpus(out / "corpus", "speech", data, codec=codec)
        copies = [copied(corpus, piece) for piece in data["test"]]
        ceilings = {"test takes": judges.shares(data["test"]), "copies": judges.shares(copies)}
        benchmark.say(f"{ceilings}")
        config = seqgen.TrainConfig(seed=benchmark.seed, **benchmark.budget)
        run = seqgen.create_run(out / "run", corpus, None, config)
        for report in seqgen.train(run, corpus):
            benchmark.watch(report)
        wanted = [
            {"word": word, "speaker": speaker}
            for word, speaker in sorted({tuple(piece.labels.values()) for piece in data["test"]})
            for _ in range(benchmark.given.each)
        ]
        new, factor = asked_for(run, wanted, benchmark.seed)
        if benchmark.given.out:
            write_page(
                run, write_samples(run, new[::13], out / "sounds", ".wav"), out / "index.html"
            )
        pieces = [
            seqgen.Labelled(labels, one.piece) for labels, one in zip(wanted, new, strict=True)
        ]
        found = judges.shares(pieces)
        benchmark.finish(
            found["word"] / ceilings["copies"]["word"],
            baselines={"chance": 0.1},
            codec=codec,
            new=found,
            of_ceiling={name: found[name] / ceilings["copies"][name] for name in found},
            **ceilings,
            distortion_of_copies=float(
                np.mean(
                    [
                        distortion(real.content, copy.content)
                        for real, copy in zip(data["test"], copies, strict=True)
                    ]
                )
            ),
            new_sounds=len(new),
            ended_by_themselves=sum(one.stopped_by == "end" for one in new),
            seconds_of_sound=sum(one.piece.seconds for one in new),
            real_time_factor=factor,
            chosen=run.info["plan"],
            tokens=report.tokens,
        )


def copied(corpus: seqgen.Corpus, piece: seqgen.Labelled) -> seqgen.Labelled:
    """Return a piece after encoding and decoding, with its labels."""
    codec = corpus.codec
    return seqgen.Labelled(piece.labels, codec.decode(codec.encode(piece)))


if __name__ == "__main__":
    main()
