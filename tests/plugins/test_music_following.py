"""Compiled code follows the trackers of music to the same tokens, features and masks."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from seqgen_music.codecs.chorale.codec import ChoraleCodec, ChoraleOptions
from seqgen_music.codecs.chorale.grammar import VoiceLimits
from seqgen_music.codecs.melody.codec import MelodyCodec
from seqgen_music.codecs.melody.line import MelodyOptions
from seqgen_music.codecs.multitrack.codec import MultitrackCodec, MultitrackOptions
from seqgen_music.codecs.multitrack.values import Learned
from seqgen_music.codecs.performance.codec import PerformanceCodec, PerformanceOptions
from seqgen_music.codecs.performance.loops import Limits

import seqgen
from seqgen.config import LimitConfig, SampleConfig
from seqgen.conformance.subject import random_ids
from seqgen.conformance.trackers import follows_as_it_tracks
from seqgen.plugin import Codec
from seqgen.plugins.checks import next_mask

RANGES = ((60, 72), (57, 69), (50, 62), (45, 57))
METRES = [(3, 4), (4, 4)]
PHRASES = (4, 6, 8, 20)
LIMITS = VoiceLimits(RANGES, 6, (7, 8, 9, 10), (8, 9, 10, 11), parallels=False)


def walk(codec: Codec, seed: int, most: int = 200) -> np.ndarray:
    """Return random ids that the tracker allows, END only where nothing else is."""
    tracker, rng, ids = codec.tracker(), np.random.default_rng(seed), list[int]()
    while len(ids) < most:
        choices = np.flatnonzero(next_mask(codec, tracker)[:-1])
        if not len(choices):
            break
        ids.append(int(rng.choice(choices)))
        tracker.push(ids[-1])
    return np.array(ids, np.int64)


CODECS: dict[str, Codec] = {
    "chorale": ChoraleCodec(45, 72, METRES, ChoraleOptions(), LIMITS, PHRASES),
    "chorale grid": ChoraleCodec(45, 72, [(4, 4)], ChoraleOptions("grid"), VoiceLimits(RANGES)),
    "melody": MelodyCodec(60, 72, METRES, 100.0, 4, MelodyOptions()),
    "melody chords": MelodyCodec(60, 72, METRES, 100.0, 4, MelodyOptions(), ["major", "minor"]),
    "performance": PerformanceCodec(
        58, 69, 0, PerformanceOptions(), Limits((4, 9, 9), (3, 6, 9, 12, 15), 7), lengths=(2, 7)
    ),
}
CODECS["multitrack"] = MultitrackCodec(
    Learned(
        [(3, 4), (4, 4)], [-1, 0, 33], [36, 38], [3, 6, 12], (2, 5), (17, 21), (10, 14), (1, 8)
    ),
    MultitrackOptions(),
    (1, 2, 3),
)
CODECS["multitrack chords"] = MultitrackCodec(
    replace(CODECS["multitrack"].learned, kinds=["major", "minor"]),
    MultitrackOptions(chords="on"),
    (1, 2, 3),
)
WALKS = {kind: [walk(codec, seed) for seed in range(4)] for kind, codec in CODECS.items()}
CONDITIONS: dict[str, list[Any]] = {
    "chorale": [
        "bars=2",
        "phrases=2+1.5",
        "phrases=3, bars=2, metre=3/4",
        CODECS["chorale"].decode(WALKS["chorale"][0][:90]),
    ],
    "chorale grid": ["bars=2"],
    "melody": ["bars=4", "metre=3/4", "key=D major, bars=4"],
    "melody chords": ["metre=3/4, chords=C | F G | Am"],
    "performance": ["seconds=3"],
    "multitrack": ["bars=2, tempo=120", "key=C minor, instruments=drums"],
    "multitrack chords": ["chords=C | F G | Am, metre=4/4, key=D major", "bars=2"],
}
CONDITIONS["melody chords"].append(CODECS["melody"].decode(WALKS["melody"][0][:80]))


@pytest.mark.parametrize("kind", CODECS)
def test_compiled_code_follows_any_ids(kind: str, tmp_path: Path) -> None:
    codec = CODECS[kind]
    subject = SimpleNamespace(codec=codec, ids=[*WALKS[kind], *random_ids(codec)])
    follows_as_it_tracks(subject, tmp_path)


@pytest.fixture(scope="module", params=CODECS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a run of a small random model, and the conditions for it."""
    kind, folder = request.param, tmp_path_factory.mktemp("run")
    codec = CODECS[kind]
    pieces = [codec.decode(ids) for ids in WALKS[kind]]
    corpus = seqgen.write_corpus(
        folder / "corpus",
        "music",
        {"train": pieces, "valid": pieces[:1]},
        codec=kind.split()[0],
        options={name: str(getattr(codec.options, name)) for name in vars(codec.options)},
    )
    model = seqgen.ModelConfig(hidden=8, embedding=4)
    run = seqgen.create_run(folder / "run", corpus, model, seqgen.TrainConfig(device="cpu"))
    return run, [None, *CONDITIONS[kind]]


def test_pieces_are_those_of_trackers_in_python(made: Any, monkeypatch: Any) -> None:
    run, conditions = made
    for condition in conditions:
        for limit in (LimitConfig(length=150), LimitConfig(length=90, least_length=60)):
            options: dict[str, Any] = {"limit": limit, "condition": condition, "candidates": 1}
            options["sample"] = SampleConfig(temperature=0.9, min_p=0.01)
            fast = [*seqgen.generate(run, 3, seed=2, **options)]
            with monkeypatch.context() as patch:
                patch.setattr("seqgen.generation.writer.followed", lambda tracker: None)
                slow = [*seqgen.generate(run, 3, seed=2, **options)]
            for one, other in zip(fast, slow, strict=True):
                assert one.ids.tolist() == other.ids.tolist()
                assert one.stopped_by == other.stopped_by
                assert one.log_probability == pytest.approx(other.log_probability)
