"""THE SAMPLER: from a model's logits to the drawn id, one sequence at a time, compiled by numba.

The order is: bias and bans, repetition penalty, mask, no repeated n-gram, temperature, top-k,
typical-p, top-p, min-p, draw. Each filter keeps at least one token and renormalises. An id that is
the only one allowed is taken, whatever the settings.

With token groups, temperature and filters apply within each group, and each group keeps the
model's probability. A low temperature then affects which pitch a note has, not whether there is
one. Both steppers draw with this code. B sequences, T steps, V' ids.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.bounds import Within
from seqgen.compiling import compiled
from seqgen.config import SampleConfig
from seqgen.errors import ConfigError
from seqgen.plugin import Ids
from seqgen.vocab import END_NAME, Vocab

Floats: TypeAlias = NDArray[np.float64]

#: Returned by `choose` in place of an id.
NOT_FINITE, NOTHING_LEFT = -1, -2

#: Bounds of a bias, which is added to a log-probability; a ban excludes the token.
BIASES = Within(-1000, 1000)

#: Escapes in token names for characters that are hard to type.
_ESCAPE = re.compile(r"\\(?:[nrtf\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})")

#: Smallest probability whose logarithm is taken.
IMPOSSIBLE = 1e-300


class Rules(NamedTuple):
    """A `SampleConfig` for one vocabulary, in the types of the compiled functions.

    Attributes
    ----------
    bias : float64 array (V',)
        Added to the log-probabilities; minus infinity for banned tokens.
    cooling : int
        Tokens over which the temperature moves.
    groups : int64 array (V',)
        Group of each id; END is a group of its own. Empty if there is one group.

    The other fields are those of `SampleConfig`.
    """

    temperature: float
    final_temperature: float
    cooling: int
    top_k: int
    typical_p: float
    top_p: float
    min_p: float
    repetition_penalty: float
    no_repeat_ngram: int
    repetition_window: int
    bias: Floats
    groups: Ids

    @property
    def look_back(self) -> int | None:
        """Number of last tokens that the rules look at; None for all."""
        if self.repetition_penalty == 1 and not self.no_repeat_ngram:
            return 0
        return self.repetition_window or None


class Positions(NamedTuple):
    """The inputs of a step for B pieces.

    Attributes
    ----------
    ids : int64 array (B,)
        The last token of each piece, which the step reads.
    features : int64 array (B, K)
        Of the next position.
    possible : bool array (B, V')
        Ids over which the model's probabilities are taken: those of the grammar it learned under.
    allowed : bool array (B, V')
        Ids that may come next.
    recent : int64 array (B, N)
        The last tokens, as far as the rules look back, with free places for drawn ones.
    counts : int64 array (B,)
        Number of tokens in each row of `recent`.
    drawn : int64 array (B,)
        Number of tokens of each piece drawn so far.
    """

    ids: Ids
    features: Ids
    possible: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    recent: Ids
    counts: Ids
    drawn: Ids


def rules_for(
    config: SampleConfig, vocab: Vocab, longest: int, groups: Sequence[int] = ()
) -> Rules:
    """Return the settings for a vocabulary.

    Parameters
    ----------
    config : SampleConfig
        A missing temperature becomes 1, a missing min-p 0.
    vocab : Vocab
    longest : int
        Tokens over which the temperature moves by default.
    groups : sequence of int
        `Codec.groups`.

    Raises
    ------
    ConfigError
        If a bias or ban names an unknown token, or a bias is not a number.
    """
    bias = np.zeros(vocab.targets)
    for entry in config.bias:
        name, equals, value = entry.rpartition("=")
        try:
            amount = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"bias must be like NAME=NUMBER, found {entry!r}")
        BIASES.check(f"the bias of {name!r}", amount, whole=False)
        bias[token_id(name, vocab)] += amount
    for name in config.ban:
        bias[token_id(name, vocab)] = -np.inf
    temperature = 1.0 if config.temperature is None else config.temperature
    final = temperature if config.final_temperature is None else config.final_temperature
    return Rules(
        float(temperature),
        float(final),
        config.cooling or longest,
        config.top_k,
        float(config.typical_p),
        float(config.top_p),
        float(config.min_p or 0.0),
        float(config.repetition_penalty),
        config.no_repeat_ngram,
        config.repetition_window,
        bias,
        np.array([*groups, max(groups) + 1] if len(groups) else [], np.int64),
    )


def token_id(name: str, vocab: Vocab) -> int:
    """Return the id of a token name; raise `ConfigError` if there is none."""
    names = (*vocab.names, END_NAME)
    if name not in names:
        # A shell passes the newline \n as two characters.
        name = _ESCAPE.sub(lambda found: found[0].encode().decode("unicode_escape"), name)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]!r}?" if close else "seqgen info RUN --json lists them"
        raise ConfigError(f"there is no token {name!r} in this model's vocabulary; {hint}")
    return names.index(name)


@compiled
def choose_each(
    logits: NDArray[np.float32],
    positions: Positions,
    draws: Floats,
    step: int,
    rules: Rules,
    new: Ids,
    log_probabilities: Floats,
) -> bool:
    """Draw the id of one step in every sequence that has not ended.

    Parameters
    ----------
    logits : float32 array (B, at least V')
    positions : Positions
        Its ids, recent tokens and counts are updated.
    draws, step : float64 array (B, T) uniform in [0, 1), and int below T
    rules : Rules
    new, log_probabilities : int64 and float64 array (B, T)
        Filled in; an id below 0 is an error code, after which nothing more is drawn.

    Returns
    -------
    bool
        Whether any sequence has not ended.
    """
    going = False
    targets = positions.allowed.shape[1]
    for lane in range(len(positions.ids)):
        if step and positions.ids[lane] == targets - 1:
            continue
        count = positions.counts[lane]
        first = max(count - rules.repetition_window, 0) if rules.repetition_window else 0
        token, log_probability = choose(
            logits[lane, :targets],
            positions.possible[lane],
            positions.allowed[lane],
            positions.recent[lane, first:count],
            positions.drawn[lane] + step,
            draws[lane, step],
            rules,
        )
        positions.ids[lane] = new[lane, step] = token
        log_probabilities[lane, step] = log_probability
        if token < 0:
            return False
        if count < positions.recent.shape[1]:
            positions.recent[lane, count] = token
            positions.counts[lane] += 1
        going |= token < targets - 1
    return going


@compiled
def choose(
    logits: NDArray[np.float32],
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    recent: Ids,
    drawn: int,
    draw: float,
    rules: Rules,
) -> tuple[int, float]:
    """Draw one id.

    Parameters
    ----------
    logits : float32 array (V',)
    possible, allowed : bool array (V',)
        Ids over which probabilities are taken, and ids that may be drawn.
    recent : int64 array (N,)
        The last tokens of the piece, `Rules.look_back` at most.
    drawn, draw : number of tokens drawn so far, and float uniform in [0, 1)
    rules : Rules

    Returns
    -------
    id : int
        `NOT_FINITE` if a logit is not a number, `NOTHING_LEFT` if all allowed ids are banned.
    log_probability : float
        Of the id under the model, without settings.
    """
    if not np.isfinite(logits).all():
        return NOT_FINITE, 0.0
    model = log_softmax(np.where(possible, logits, np.float32(-np.inf)))  # (V',)
    if allowed.sum() == 1:
        only = int(np.argmax(allowed))
        return only, model[only]
    scores = penalised(model, allowed, recent, rules)
    if scores.max() == -np.inf:
        return NOTHING_LEFT, 0.0
    kept = distribution(scores, temperature_at(drawn, rules), rules)  # (V',)
    # Inverse transform: the first id whose cumulated probability exceeds the draw.
    cumulated = np.cumsum(kept)
    chosen = np.searchsorted(cumulated, draw * cumulated[-1], side="right")
    return int(chosen), model[chosen]


@compiled
def penalised(model: Floats, allowed: NDArray[np.bool_], recent: Ids, rules: Rules) -> Floats:
    """Return log-probabilities ``(V',)`` after bias, bans, penalty, mask and n-grams."""
    scores = model + rules.bias
    # Keskar et al. 2019 divide logits, whose zero is arbitrary; this divides the probability.
    if rules.repetition_penalty != 1:
        for token in recent:
            scores[token] = model[token] + rules.bias[token] - np.log(rules.repetition_penalty)
    for token in range(len(scores)):
        if not allowed[token]:
            scores[token] = -np.inf
    if rules.no_repeat_ngram:
        remaining = without_repeats(scores, recent, rules.no_repeat_ngram)
        if remaining.max() > -np.inf:
            return remaining
    return scores


@compiled
def without_repeats(scores: Floats, recent: Ids, n: int) -> Floats:
    """Exclude ids that would repeat an n-gram of the recent tokens (Paulus et al. 2018, 2.5)."""
    remaining = scores.copy()
    start = len(recent) - n + 1
    for before in range(start):
        if np.array_equal(recent[before : before + n - 1], recent[start:]):
            remaining[recent[before + n - 1]] = -np.inf
    return remaining


@compiled
def temperature_at(drawn: int, rules: Rules) -> float:
    """Return the temperature after some tokens: a straight line, then constant."""
    progress = min(drawn / rules.cooling, 1.0)
    return rules.temperature + progress * (rules.final_temperature - rules.temperature)


@compiled
def distribution(scores: Floats, temperature: float, rules: Rules) -> Floats:
    """Return the probabilities ``(V',)`` to draw from: `filtered`, group by group."""
    kept = np.zeros(len(scores))
    if temperature == 0:
        kept[np.argmax(scores)] = 1.0
        return kept
    if not len(rules.groups):
        return filtered(scores, temperature, rules)
    probabilities, shares = np.exp(log_softmax(scores)), np.zeros(rules.groups.max() + 1)
    for token in range(len(scores)):
        shares[rules.groups[token]] += probabilities[token]
    for group in np.flatnonzero(shares):
        in_group = rules.groups == group
        kept[in_group] = shares[group] * filtered(scores[in_group], temperature, rules)
    return kept


@compiled
def filtered(scores: Floats, temperature: float, rules: Rules) -> Floats:
    """Return probabilities after temperature, top-k, typical-p, top-p and min-p."""
    kept = np.exp(log_softmax(scores / temperature))
    if 0 < rules.top_k < len(kept):
        kept = normalised(top_k(kept, rules.top_k))
    if rules.typical_p < 1:
        kept = normalised(typical(kept, rules.typical_p))
    if rules.top_p < 1:
        kept = normalised(top_p(kept, rules.top_p))
    if rules.min_p:
        kept = normalised(min_p(kept, rules.min_p))
    return kept


@compiled
def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Return normalised log-probabilities ``(V',)``."""
    shifted: Floats = scores.astype(np.float64) - scores.max()
    normalisation: float = np.log(np.sum(np.exp(shifted)))
    return shifted - normalisation


@compiled
def top_k(probabilities: Floats, k: int) -> Floats:
    """Keep the k most likely ids (Fan et al. 2018); of equal ones the smaller id."""
    return first_of(probabilities, np.argsort(-probabilities, kind="mergesort"), 2.0, k)


@compiled
def top_p(probabilities: Floats, p: float) -> Floats:
    """Keep the most likely ids that together have probability p (Holtzman et al. 2020)."""
    order = np.argsort(-probabilities, kind="mergesort")
    return first_of(probabilities, order, p, len(order))


@compiled
def typical(probabilities: Floats, p: float) -> Floats:
    """Keep ids of probability p whose surprise is nearest its mean (Meister et al. 2023)."""
    surprise = -np.log(np.maximum(probabilities, IMPOSSIBLE))
    expected = np.sum(probabilities * surprise)
    order = np.argsort(np.abs(surprise - expected), kind="mergesort")
    return first_of(probabilities, order, p, len(order))


@compiled
def min_p(probabilities: Floats, share: float) -> Floats:
    """Drop ids below a share of the highest probability (Nguyen et al. 2024)."""
    kept = probabilities.copy()
    least = share * kept.max()
    for token in range(len(kept)):
        if kept[token] < least:
            kept[token] = 0.0
    return kept


@compiled
def first_of(probabilities: Floats, order: Ids, p: float, count: int) -> Floats:
    """Keep ids in the given order until they have probability p, at most `count` ids."""
    kept = np.zeros(len(probabilities))
    mass = 0.0
    for token in order[:count]:
        if mass >= p:
            break
        kept[token] = probabilities[token]
        mass += probabilities[token]
    return kept


@compiled
def normalised(probabilities: Floats) -> Floats:
    """Scale probabilities to sum to 1."""
    total: float = probabilities.sum()
    return probabilities / total
