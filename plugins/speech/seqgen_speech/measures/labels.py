"""A judge of labels: says which speaker or which word is heard in a short sound.

It is trained on recordings and knows nothing of codecs and models. What it knows of a sound:
cepstra of some parts of it, their mean and deviation, and its length. One hidden layer makes
probabilities of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.plugin import Labelled
from seqgen_speech.cepstra import mel_cepstra
from seqgen_speech.cleaning import ReadOptions, cleaned
from seqgen_speech.sound import Sound

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Floats = NDArray[np.float64]

#: Parts of a sound whose means are compared, and cepstra of a part and of the whole.
PARTS, OF_PARTS, OF_WHOLE = 12, 14, 20

#: Seconds of a sound that are listened to.
LONGEST = 60

#: What is cut off at both ends, in decibels below the loudest 10 ms.
TRIM = 35.0

#: Hidden units, passes over the recordings, recordings at once, rate of learning, decay of weights,
#: and noise that is added to what is known, in standard deviations.
UNITS, PASSES, BATCH, RATE, DECAY, NOISE = 64, 60, 64, 2e-3, 1e-2, 0.3


class LabelJudge:
    """Learns to tell labels from recordings.

    Parameters
    ----------
    known : float64 array (N, D)
        What is known of recordings (`known_of`).
    labels : sequence of N str
    seed : int
    """

    def __init__(self, known: Floats, labels: Sequence[str], seed: int = 0) -> None:
        self.names = sorted(set(labels))
        self._mean, self._scale = known.mean(0), known.std(0) + 1e-6
        wanted = np.array([self.names.index(label) for label in labels])
        self._network = _trained(self._scaled(known), wanted, len(self.names), seed)

    @classmethod
    def of(cls, sounds: Iterable[Sound], labels: Sequence[str], seed: int = 0) -> Self:
        """Return a judge that learned from N sounds, such as recordings, with a label each."""
        return cls(np.array([known_of(sound) for sound in sounds]), labels, seed)

    def heard(self, sound: Sound) -> str:
        """Return the likeliest label of a sound."""
        return self.likeliest(known_of(sound))

    def likeliest(self, known: Floats) -> str:
        """Return the likeliest label of what is known of a sound ``(D,)``."""
        return self.names[int(self._network(self._scaled(known[None])).argmax())]

    def share(self, sounds: Sequence[Sound], labels: Sequence[str]) -> float:
        """Return the share of sounds whose label is heard."""
        return float(
            np.mean([self.heard(one) == label for one, label in zip(sounds, labels, strict=True)])
        )

    def _scaled(self, known: Floats) -> Tensor:
        """Return what is known of N sounds ``(N, D)`` in standard deviations, as float32."""
        # Torch is needed for judging only.
        import torch

        return torch.from_numpy((known - self._mean) / self._scale).float()


def judge_of(pieces: Iterable[Labelled]) -> Callable[[Sound], dict[str, str]] | None:
    """Return a function from a sound to its likeliest labels, by name.

    It learned from pieces with labels, which are read once. None if no label has several values.
    """
    rows: list[tuple[Mapping[str, str], Floats]] = [
        (piece.labels, known_of(piece.content)) for piece in pieces
    ]
    judges: dict[str, LabelJudge] = {}
    for name in dict.fromkeys(name for labels, _ in rows for name in labels):
        own = [(known, labels[name]) for labels, known in rows if name in labels]
        values = [value for _, value in own]
        if len({*values}) > 1:
            judges[name] = LabelJudge(np.array([known for known, _ in own]), values)

    def heard(sound: Sound) -> dict[str, str]:
        known = known_of(sound)
        return {name: judge.likeliest(known) for name, judge in judges.items()}

    return heard if judges else None


def _trained(known: Tensor, wanted: NDArray[np.int64], count: int, seed: int) -> Module:
    """Return a network from what is known ``(N, D)`` to scores of labels ``(N, count)``."""
    import torch
    from torch import nn

    with _reproducible(seed):
        network = nn.Sequential(
            nn.Linear(known.shape[1], UNITS), nn.Tanh(), nn.Linear(UNITS, count)
        )
        adam = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        steps = PASSES * -(-len(known) // BATCH)
        slower = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0, steps)
        targets = torch.from_numpy(wanted)
        for _ in range(PASSES):
            order = torch.randperm(len(known))
            for low in range(0, len(order), BATCH):
                rows = order[low : low + BATCH]
                noisy = known[rows] + NOISE * torch.randn(len(rows), known.shape[1])
                adam.zero_grad()
                loss = nn.functional.cross_entropy(network(noisy), targets[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                adam.step()
                slower.step()
    return network.requires_grad_(False)


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Seed torch and keep it to one thread, whose sums have one order; then undo both."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def known_of(sound: Sound) -> Floats:
    """Return what the judge knows of the first `LONGEST` seconds of a sound ``(D,)``.

    Loudness as a whole does not matter.
    """
    sound = sound.part(0, LONGEST * sound.rate)
    if not sound.samples.any():
        return np.zeros(PARTS * OF_PARTS + 2 * OF_WHOLE + 1)
    sound = cleaned(sound, ReadOptions(trim=TRIM))
    cepstra = mel_cepstra(sound, OF_WHOLE + 1)
    cepstra[:, 0] -= cepstra[:, 0].mean()
    bounds = np.linspace(0, len(cepstra), PARTS + 1)
    parts = [
        cepstra[int(low) : max(int(np.ceil(high)), int(low) + 1), :OF_PARTS].mean(0)
        for low, high in pairwise(bounds)
    ]
    whole = cepstra[:, 1:]
    return np.concatenate([*parts, whole.mean(0), whole.std(0), [np.log(len(cepstra))]])
