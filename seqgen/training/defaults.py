"""Default sampling settings of a trained model, chosen by comparing its pieces with the corpus.

Conservative settings may cause loops. If a token is very likely after itself, min-p drops every
token that could end the run, and a temperature below 1 makes them rarer. So pieces are generated
with ever more conservative settings, as long as they hardly repeat more than the corpus does.
Comes from: `seqgen.training.session`, at the end of training.
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

#: Length of the blocks in which tokens and n-grams are counted.
BLOCK = 256

#: Runs of up to this many equal tokens are never a fault.
SHORT_RUN = 8

#: Length of the n-grams.
N = 4

#: Most tokens of a new piece, and fewest pieces. Short pieces would hide loops, because no piece
#: begins in one.
LENGTH, PIECES = 4096, 4

#: Corpus tokens in which n-grams are counted, and in which the longest run is searched.
COUNTED, SEARCHED = 2**17, 2**22

#: Values of min-p to try, the most conservative last.
MIN_P = (0.0, 0.02, 0.05)

#: Most settings to try.
SETTINGS = 3 * len(MIN_P)

#: New pieces may be this many times as repetitive as the corpus.
TOLERANCE = 1.5

#: Most tokens to draw with a setting, in all and as a share of the training tokens.
MOST, SHARE = 6 * LENGTH, 1 / 32

#: The share with an adaptive output, which computes few scores in training and all when it draws.
ADAPTIVE_SHARE = 1 / 256

#: Tokens that are evaluated in the time to draw one with an adaptive output; measured for 10,000
#: and 50,000 ids.
ADAPTIVE_DRAWING = 25

#: Multiplications that a setting may cost, and those of sampling for each token of the vocabulary.
WORK, DRAWING = 2**34, 1024


@dataclass(frozen=True)
class Repetition:
    """How repetitive some sequences are.

    Attributes
    ----------
    most_common : float
        Share of the most common token in a block of `BLOCK` tokens, mean over the blocks.
    run : int
        Length of the longest run of one token.
    distinct : float
        Number of different 4-grams in a block, as a share of all; mean over the blocks.
    poorest : float
        The same share in the block where it is lowest.
    """

    most_common: float
    run: int
    distinct: float
    poorest: float

    @classmethod
    def of(cls, sequences: Sequence[Ids]) -> Repetition:
        """Count in sequences of ids; at least one must not be empty."""
        blocks = [block for ids in sequences for block in _blocks(ids)]
        distinct = [_distinct(block) for block in blocks]
        return cls(
            most_common=float(np.mean([np.bincount(block).max() / len(block) for block in blocks])),
            run=max(longest_run(ids) for ids in sequences),
            distinct=float(np.mean(distinct)),
            poorest=min(distinct),
        )

    def excess(self, reference: Repetition) -> float:
        """Return the ratio of repetition to the reference, for the measure that differs most."""
        return max(
            self.most_common / reference.most_common,
            max(self.run, SHORT_RUN) / max(reference.run, SHORT_RUN),
            reference.distinct / self.distinct,
            reference.poorest / self.poorest,
        )


def choose_sampling(run: Run, corpus: Corpus, tokens: int) -> dict[str, Any]:
    """Return the most conservative settings that are safe from loops.

    Pieces generated with them, or with less conservative settings, hardly repeat more than the
    corpus does. If no settings are safe, the least conservative ones are returned.

    Parameters
    ----------
    run : Run
        A trained model whose codec has no tracker.
    corpus : Corpus
        The reference: held-out pieces first, then training pieces.
    tokens : int
        Tokens to draw with each setting.

    Returns
    -------
    dict
        ``temperature`` and ``min_p``; as ``new`` the `Repetition` of the generated pieces and as
        ``corpus`` that of the corpus; their ratio ``excess``. Empty if all pieces are empty.
    """
    longest = max(map(longest_run, _excerpts(corpus, SEARCHED)))
    reference = replace(Repetition.of(list(_excerpts(corpus, COUNTED))), run=longest)
    measured: dict[tuple[float, float], dict[str, Any]] = {}

    def is_safe(temperature: float, min_p: float) -> bool:
        """Write pieces, measure them and return whether they hardly repeat more than the corpus."""
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
    """Return the lowest safe temperature, and the largest min-p that is safe with it.

    A model that loops at one setting loops at more conservative ones too, but may seem safe there
    by chance. So settings are tried only if all less conservative ones are safe. If none is safe,
    the least conservative ones are returned.
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
    """Return the temperatures to try, from 1 down to the codec's."""
    return (1.0, round((1 + lowest) / 2, 3), lowest) if lowest < 1 else (lowest,)


def write(run: Run, sample: SampleConfig, tokens: int) -> list[Ids]:
    """Return the ids of new pieces with about `tokens` tokens together, or fewer."""
    length = min(LENGTH, run.longest, max(tokens // PIECES, 1))
    limit = LimitConfig(length=length)
    new = generate(run, max(tokens // length, 1), sample=sample, limit=limit)
    return [piece.ids for piece in new if len(piece.ids)]


def compile_steps(run: Run) -> None:
    """Draw one token on the CPU, which compiles the generation code if needed."""
    run.device = "cpu"
    for _ in generate(run, limit=LimitConfig(length=1)):
        pass


def affordable(weights: int, targets: int, read: float, *, adaptive: bool) -> int:
    """Return the tokens to draw with each setting: a few per cent of the cost of training.

    It is 0 after a training too short to measure anything. It does not depend on a clock, so that
    a model gets the same settings on every machine.

    Parameters
    ----------
    weights, targets : int
        Number of weights of the network, and V'.
    read : float
        Number of tokens that training read.
    adaptive : bool
        Whether the output is adaptive.
    """
    work = WORK // (weights + DRAWING * targets)
    tokens = min(MOST, int((ADAPTIVE_SHARE if adaptive else SHARE) * read), work)
    return tokens if tokens >= BLOCK else 0


def drawing(weights: int, targets: int, read: float, *, adaptive: bool) -> int:
    """Return how many tokens are evaluated in the time to try all settings.

    The parameters are those of `affordable`.
    """
    drawn = SETTINGS * affordable(weights, targets, read, adaptive=adaptive)
    return drawn * (ADAPTIVE_DRAWING if adaptive else 1)


def longest_run(ids: Ids) -> int:
    """Return the length of the longest run of one id in ids ``(N,)``; 0 for none."""
    changes = np.flatnonzero(np.diff(ids)) + 1
    return int(np.diff(changes, prepend=0, append=len(ids)).max())


def _excerpts(corpus: Corpus, tokens: int) -> Iterator[Ids]:
    """Yield pieces of the corpus with `tokens` tokens together, held-out pieces first."""
    splits: tuple[Split, ...] = ("valid", "train")
    for split in splits:
        for segment in corpus.segments(split):
            if tokens <= 0:
                return
            stop = min(segment.stop, segment.start + tokens)
            yield corpus.piece(segment.piece)[segment.start : stop].astype(np.int64)
            tokens -= stop - segment.start


def _blocks(ids: Ids) -> Iterator[Ids]:
    """Yield ids in blocks; a shorter rest counts from half a block on, or if it is the only one."""
    for start in range(0, len(ids), BLOCK):
        if start == 0 or len(ids) - start >= BLOCK // 2:
            yield ids[start : start + BLOCK]


def _distinct(block: Ids) -> float:
    """Return the number of different n-grams as a share of all; 1 if there are none."""
    if len(block) < N:
        return 1.0
    grams = np.lib.stride_tricks.sliding_window_view(block, N)
    return len(np.unique(grams, axis=0)) / len(grams)
