"""Seconds of sound that a second of one core makes, with two layers of 256 units.

The networks are not trained: the speed depends on their size. ``mulaw`` knows ``speech/fsdd``, and
makes samples. ``frames`` knows sentences of the demo, makes frames freely, and says a text. Tokens
become seconds by the tokens that a second of the corpus has. The text's phonemes, the tokens, and
the sound that is made from them are timed apart; each time is the shortest of some, so that other
programs disturb it little. The figure is that of ``frames`` that say a text, with its sound.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from harness import Benchmark
from seqgen_speech.demo import VOICES, sentences
from seqgen_speech.domain import Speech
from seqgen_speech.espeak import speak
from seqgen_speech.sound import Sound

import seqgen

#: Recordings of a corpus, tokens that are drawn, and times that are taken.
RECORDINGS, TOKENS, TIMES = 60, 3_000, 8


def corpora(benchmark: Benchmark, folder: Path) -> dict[str, seqgen.Corpus]:
    """Return a small corpus of each codec."""
    paths = sorted((benchmark.data / "speech/fsdd").glob("*.wav"))[:RECORDINGS]
    digits = [piece for path in paths for piece in Speech().read(path)]
    said = list(speak(zip(cycle(VOICES), islice(sentences(), RECORDINGS), strict=False)))
    return {
        codec: seqgen.write_corpus(folder / codec, "speech", {"train": pieces}, codec=codec)
        for codec, pieces in (("mulaw", digits), ("frames", said))
    }


def shortest(call: Callable[[], Any]) -> float:
    """Return the shortest processor time of a call, in seconds."""
    call()  # the first call compiles
    spent = []
    for _ in range(TIMES):
        began = time.process_time()
        call()
        spent.append(time.process_time() - began)
    return min(spent)


def costs(corpus: seqgen.Corpus, folder: Path, texts: dict[str, Sound | None]) -> dict[str, float]:
    """Return the processor time of a second of sound: of each way to draw tokens, and decoding."""
    model = seqgen.ModelConfig(layers=2, hidden=256)
    run = seqgen.create_run(folder, corpus, model, seqgen.TrainConfig(device="cpu"))
    ids = [corpus.piece(segment.piece) for segment in corpus.segments("train")]
    seconds = sum(corpus.codec.units(each)["seconds"] for each in ids)
    found = {"decoding": shortest(lambda: [corpus.codec.decode(each) for each in ids]) / seconds}
    limit = seqgen.LimitConfig(length=TOKENS)
    per_token = seconds / sum(map(len, ids))
    for name, text in texts.items():
        sample = seqgen.SampleConfig(ban=("<end>",) if text is None else ())
        for kind, int8 in (("", False), (", int8", True)):
            given = {"condition": text, "sample": sample, "limit": limit, "int8": int8}
            count = sum(1 for _ in seqgen.stream(run, **given))
            spent = shortest(lambda given=given: list(seqgen.stream(run, **given)))
            found[name + kind] = spent / count / per_token
    return found


def main() -> None:
    benchmark = Benchmark("speech_speed", "seconds of sound per second", minutes=0.0)
    with tempfile.TemporaryDirectory() as temporary:
        made = corpora(benchmark, Path(temporary))
        text = " ".join(islice(sentences(), RECORDINGS))
        spelled = made["frames"].codec.mend_condition(text, "skip").piece
        ways = {"mulaw": {"samples": None}, "frames": {"freely": None, "a given text": spelled}}
        spelling = shortest(lambda: made["frames"].codec.spelling.symbols(text)) / RECORDINGS
        factors = {}
        for codec, corpus in made.items():
            found = costs(corpus, Path(temporary) / f"run-{codec}", ways[codec])
            decoding = found.pop("decoding")
            factors[f"{codec}, decoding"] = 1 / decoding
            for name, cost in found.items():
                factors[f"{codec}, {name}"] = 1 / cost
                factors[f"{codec}, {name}, with decoding"] = 1 / (cost + decoding)
    benchmark.finish(
        factors["frames, a given text, with decoding"],
        baselines={"real time": 1.0},
        factors=factors,
        seconds_to_spell_a_sentence=spelling,
        load=os.getloadavg(),
    )


if __name__ == "__main__":
    main()
