"""The sampling settings of a trained model for users who name none, measured against its corpus.

A model may write the same token for ever where a corpus never does: if a token is very likely
after itself, min-p drops every token that could end the run, and a temperature below 1 makes them
rarer. So new pieces are written with a few settings, from the model as it is to ever more
conservative ones, for as long as the pieces hardly repeat themselves more than the corpus does.
Comes from: `seqgen.run.folder`, at the end of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from seqgen.config import LimitConfig, SampleConfig
from seqgen.data.corpus import Corpus
from seqgen.data.splits import Split
from seqgen.generation.engine import generate
from seqgen.plugin import Ids
from seqgen.run.folder import Run

#: Tokens in which single tokens and n-grams are counted.
BLOCK = 256

#: Runs of fewer tokens are no fault, however short the longest of a corpus is.
SHORT_RUN = 8

#: Length of the n-grams.
N = 4

#: Most tokens of a new piece, and fewest pieces. Short pieces would hide loops, as a piece does not
#: begin in one: of 4,096 tokens more stand in loops than of 1,024.
LENGTH, PIECES = 4096, 4

#: Tokens of the corpus in which n-grams are counted, and in which the longest run is looked for.
COUNTED, SEARCHED = 2**17, 2**22

#: Values of min-p that are tried, the most conservative last.
MIN_P = (0.0, 0.02, 0.05)

#: Most settings that are tried.
SETTINGS = 3 * len(MIN_P)

#: How many times as repetitive as the corpus new pieces may be.
TOLERANCE = 1.5

#: Most tokens drawn with a setting, and most as a share of those that training read.
MOST, SHARE = 6 * LENGTH, 1 / 32

#: Multiplications that a setting may cost, and how many drawing costs for each token known.
WORK, DRAWING = 2**34, 1024


@dataclass(frozen=True)
class Repetition:
    """How repetitive some sequences are.

    Attributes
    ----------
    commonest : float
        Share of the commonest token in `BLOCK` tokens, mean.
    run : int
        Length of the longest run of one token.
    distinct : float
        Share of the 4-grams in `BLOCK` tokens that did not occur there before, mean.
    poorest : float
        The same of the block in which it is smallest.
    """

    commonest: float
    run: int
    distinct: float
    poorest: float

    @classmethod
    def of(cls, sequences: Sequence[Ids]) -> Repetition:
        """Count in sequences of ids, of which one is not empty."""
        blocks = [block for ids in sequences for block in _blocks(ids)]
        distinct = [_distinct(block) for block in blocks]
        return cls(
            commonest=float(np.mean([np.bincount(block).max() / len(block) for block in blocks])),
            run=max(longest_run(ids) for ids in sequences),
            distinct=float(np.mean(distinct)),
            poorest=min(distinct),
        )

    def excess(self, reference: Repetition) -> float:
        """Return how many times as repetitive these are, by the property that differs most."""
        return max(
            self.commonest / reference.commonest,
            max(self.run, SHORT_RUN) / max(reference.run, SHORT_RUN),
            reference.distinct / self.distinct,
            reference.poorest / self.poorest,
        )


def choose_sampling(run: Run, corpus: Corpus, tokens: int) -> dict[str, Any]:
    """Return the most conservative settings that are safe from loops.

    The pieces written with them, and with any less conservative settings, hardly repeat themselves
    more than the corpus does. If not even the model as it is does so, its settings are returned.

    Parameters
    ----------
    run : Run
        A trained model whose codec has no tracker.
    corpus : Corpus
        The reference: what is held out, then training pieces, as far as it is read.
    tokens : int
        To draw with each setting.

    Returns
    -------
    dict
        ``temperature`` and ``min_p``; the `Repetition` of the pieces written with them, ``new``,
        and of the corpus, ``corpus``; the ``excess``. Empty if the model writes nothing but END.
    """
    longest = max(map(longest_run, _excerpts(corpus, SEARCHED)))
    reference = replace(Repetition.of(list(_excerpts(corpus, COUNTED))), run=longest)
    measured: dict[tuple[float, float], dict[str, Any]] = {}

    def is_safe(temperature: float, min_p: float) -> bool:
        pieces = write(run, SampleConfig(temperature=temperature, min_p=min_p), tokens)
        if not pieces:
            return False
        new = Repetition.of(pieces)
        excess = new.excess(reference)
        measured[temperature, min_p] = {
            "temperature": temperature,
            "min_p": min_p,
            "excess": round(excess, 3),
            "new": asdict(new),
            "corpus": asdict(reference),
        }
        return excess <= TOLERANCE

    return measured.get(most_conservative(run.codec.temperature, is_safe), {})


def most_conservative(
    lowest: float, is_safe: Callable[[float, float], bool]
) -> tuple[float, float]:
    """Return the lowest temperature that is safe, and the largest min-p that is safe with it.

    What loops at one temperature loops at a lower one, and with a larger min-p. So settings are
    tried only where all less conservative ones are safe: a setting that loops now and then may
    seem safe by chance. If none is safe, the least conservative ones are returned.
    """
    steps = temperatures(lowest)
    values: Sequence[float] = MIN_P
    chosen = steps[0], values[0]
    for temperature in steps:
        safe = list(takewhile(partial(is_safe, temperature), values))
        if not safe:
            break
        chosen, values = (temperature, safe[-1]), safe
    return chosen


def temperatures(lowest: float) -> tuple[float, ...]:
    """Return the temperatures that are tried, from that of the model as it is to the codec's."""
    return (1.0, round((1 + lowest) / 2, 3), lowest) if lowest < 1 else (lowest,)


def write(run: Run, sample: SampleConfig, tokens: int) -> list[Ids]:
    """Return the ids of new pieces that have about so many tokens, or fewer if they end early."""
    length = min(LENGTH, run.longest, max(tokens // PIECES, 1))
    limit = LimitConfig(length=length)
    new = generate(run, max(tokens // length, 1), sample=sample, limit=limit)
    return [piece.ids for piece in new if len(piece.ids)]


def compile_steps(run: Run) -> None:
    """Draw one token on the processor, for which the steps are compiled the first time."""
    run.device = "cpu"
    for _ in generate(run, limit=LimitConfig(length=1)):
        pass


def affordable(weights: int, targets: int, read: float) -> int:
    """Return how many tokens are drawn with each setting: a few per cent of the training's cost.

    It is 0 after a training that was too short to measure anything. It depends on no clock, so
    that a model gets the same settings on every machine.

    Parameters
    ----------
    weights, targets : int
        Of the network, and V'.
    read : float
        Tokens that training read.
    """
    work = WORK // (weights + DRAWING * targets)
    tokens = min(MOST, int(SHARE * read), work)
    return tokens if tokens >= BLOCK else 0


def longest_run(ids: Ids) -> int:
    """Return the length of the longest run of one id in ids ``(N,)``; 0 for none."""
    changes = np.flatnonzero(np.diff(ids)) + 1
    return int(np.diff(changes, prepend=0, append=len(ids)).max())


def _excerpts(corpus: Corpus, tokens: int) -> Iterator[Ids]:
    """Yield sequences of the corpus, those held out first, that have so many tokens together."""
    splits: tuple[Split, ...] = ("valid", "train")
    for split in splits:
        for segment in corpus.segments(split):
            if tokens <= 0:
                return
            stop = min(segment.stop, segment.start + tokens)
            yield corpus.piece(segment.piece)[segment.start : stop].astype(np.int64)
            tokens -= stop - segment.start


def _blocks(ids: Ids) -> Iterator[Ids]:
    """Yield ids in blocks; the rest is one if it has half the length or there is no other."""
    for start in range(0, len(ids), BLOCK):
        if start == 0 or len(ids) - start >= BLOCK // 2:
            yield ids[start : start + BLOCK]


def _distinct(block: Ids) -> float:
    """Return the share of n-grams that did not occur before; 1 if there are none."""
    if len(block) < N:
        return 1.0
    grams = np.lib.stride_tricks.sliding_window_view(block, N)
    return len(np.unique(grams, axis=0)) / len(grams)
