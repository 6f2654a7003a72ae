"""The codec `mulaw`: one token per sample, of 256 levels, as the difference from a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.compiling import compiled
from seqgen.following import Followed, flat, step_function
from seqgen.plugin import Codec, Ids, Within, check_fields
from seqgen_speech.codecs.predictor import (
    ERROR,
    FULL,
    SLOW_ERROR,
    State,
    new_state,
    predicted,
    push,
)
from seqgen_speech.sound import Sound

#: Levels of a sample, and the one of silence.
LEVELS, SILENCE = 256, 128


def _amplitude(level: NDArray[Any]) -> NDArray[Any]:
    """Return the amplitude of a level on the scale of mu-law with mu = 255, at most `FULL`."""
    step = (level - SILENCE) / SILENCE
    amplitude: NDArray[Any] = np.sign(step) * (np.power(256.0, np.abs(step)) - 1) / 255 * FULL
    return amplitude


#: The amplitude ``(256,)`` of each level, and the limits ``(255,)`` between levels. They are
#: rounded, so that they are the same on every machine.
AMPLITUDES = np.round(_amplitude(np.arange(LEVELS)))
LIMITS = np.round(8 * _amplitude(np.arange(LEVELS - 1) + 0.5)) / 8

#: Seconds after which a new sound stops, unless the user says otherwise.
LONGEST = 3.0

#: Values of the features: the level that is predicted, in steps of 4; where in that level the
#: prediction is; and the mean error of the last and of more predictions, in levels and in steps of
#: half an octave.
PREDICTIONS, PARTS, ERRORS = 64, 8, 24


@dataclass(frozen=True)
class MulawOptions:
    """The rate of the samples."""

    rate: Annotated[int, Within(2_000, 48_000)] = 8_000
    """Samples per second; recordings at other rates are resampled."""

    def __post_init__(self) -> None:
        check_fields(self)


class MulawCodec(Codec):
    """One token per sample: its level on a logarithmic scale of 256 (mu-law).

    A token says how far the level is from the one that a linear predictor expects after the samples
    before (`seqgen_speech.codecs.predictor`). That is a bijection: levels are kept exactly, and
    probabilities of tokens are those of levels. Encoding rounds each sample to the nearest level,
    with an error of about 2 % of a loud sample, and drops the text. Nothing is learned.
    """

    options_type: ClassVar[type[Any]] = MulawOptions
    vocab = tuple(f"{level - SILENCE:+}" for level in range(LEVELS))
    feature_sizes = (PREDICTIONS, PARTS, ERRORS, ERRORS)
    feature_values = tuple(map(range, feature_sizes))
    # Without it one click that is very unlikely can end in noise at full scale.
    min_p = 0.001

    def __init__(self, options: MulawOptions) -> None:
        self.options = options

    @classmethod
    def fit(cls, pieces: Iterable[Sound], options: MulawOptions) -> Self:
        """Return the codec; pieces do not matter."""
        return cls(options)

    def encode(self, piece: Sound) -> Ids:
        """Return the difference ``(N,)`` of each sample's level from the predicted one."""
        ids = levels_of(piece.at(self.options.rate).samples)
        _differences(new_state(), ids)
        return ids

    def decode(self, ids: Ids) -> Sound:
        """Return the sound of any ids ``(N,)``."""
        amplitudes = np.empty(len(ids))
        _follow(new_state(), np.asarray(ids, np.int64), amplitudes, _rows(0))
        return Sound((amplitudes / FULL).astype(np.float32), self.options.rate)

    def state(self) -> dict[str, Any]:
        """Return nothing: all is in the options."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: MulawOptions) -> Self:
        """Rebuild the codec."""
        return cls(options)

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the features ``(N + 1, 4)``: the prediction, and the errors of those before."""
        rows = _rows(len(ids) + 1)
        _follow(new_state(), np.asarray(ids, np.int64), np.empty(len(ids)), rows)
        return rows

    def tracker(self, condition: Any = None) -> MulawTracker:
        """Return a tracker of the features; any level may follow any other.

        Raises
        ------
        DataError
            If there is a condition.
        """
        if condition is not None:
            super().tracker(condition)
        return MulawTracker()

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the rest as a piece of its own, with predictions that begin there."""
        amplitudes = np.empty(len(ids))
        _follow(new_state(), np.asarray(ids, np.int64), amplitudes, _rows(0))
        rest = _levels(amplitudes[start:])
        _differences(new_state(), rest)
        return rest

    def most_tokens(self, condition: Any) -> int:
        """Return the samples of `LONGEST` seconds."""
        return round(LONGEST * self.options.rate)

    def place(self, ids: Ids, position: int) -> str:
        """Return a position in seconds."""
        return f"second {position / self.options.rate:.3f}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return the numbers of samples and seconds."""
        return {"samples": float(len(ids)), "seconds": len(ids) / self.options.rate}


class MulawTracker:
    """Follows the predictor while samples are written."""

    def __init__(self) -> None:
        self._state = new_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> MulawTracker:
        other = MulawTracker()
        other._state[:] = self._state
        return other

    def features(self) -> Sequence[int]:
        """Return the row of `MulawCodec.features` for the next sample."""
        rows = _rows(1)
        _describe(self._state, rows[0])
        row: list[int] = rows[0].tolist()
        return row

    def allowed(self) -> None:
        """Allow everything."""

    def forced(self) -> None:
        """Force nothing."""

    def push(self, token: int) -> None:
        """Add a sample."""
        _advance(self._state, token)

    def followed(self) -> Followed:
        """Let compiled code follow: any sample may come at any time."""
        return Followed(step_function(_step), flat(), self._state.view(np.int64), LEVELS)


def levels_of(samples: NDArray[np.float32]) -> Ids:
    """Return the level ``(N,)`` of each of samples ``(N,)`` from -1 to 1."""
    return _levels(samples.astype(np.float64) * FULL)


def _levels(amplitudes: NDArray[np.float64]) -> Ids:
    return np.searchsorted(LIMITS, amplitudes).astype(np.int64)


def _rows(count: int) -> NDArray[np.int64]:
    return np.zeros((count, 4), np.int64)


@compiled
def _differences(state: State, levels: Ids) -> None:
    """Replace levels ``(N,)`` by their differences from the predicted ones."""
    for position in range(len(levels)):
        prediction = predicted(state)
        level = levels[position]
        levels[position] = (level - np.searchsorted(LIMITS, prediction) + SILENCE) % LEVELS
        push(state, AMPLITUDES[level], prediction)


@compiled
def _follow(state: State, ids: Ids, amplitudes: NDArray[np.float64], rows: Ids) -> None:
    """Set the amplitude ``(N,)`` of each id, and the features ``(N + 1, 4)`` if there is room."""
    for position in range(len(ids)):
        if len(rows):
            _describe(state, rows[position])
        amplitudes[position] = _advance(state, ids[position])
    if len(rows):
        _describe(state, rows[len(ids)])


@compiled
def _advance(state: State, token: int) -> float:
    """Update a state with an id, and return its amplitude."""
    prediction = predicted(state)
    level = (token + np.searchsorted(LIMITS, prediction) - SILENCE) % LEVELS
    push(state, AMPLITUDES[level], prediction)
    return float(AMPLITUDES[level])


@compiled
def _describe(state: State, row: NDArray[np.int64]) -> None:
    """Set the features ``(4,)`` of the next position."""
    prediction = predicted(state)
    level = int(np.searchsorted(LIMITS, prediction))
    # The limits of the level; the first and the last are as wide as their neighbours.
    inner = min(max(level, 1), LEVELS - 2)
    low, step = LIMITS[inner - 1], LIMITS[inner] - LIMITS[inner - 1]
    row[0] = level // (LEVELS // PREDICTIONS)
    row[1] = min(max(int(PARTS * (prediction - low) / step), 0), PARTS - 1)
    row[2] = _half_octaves(state[ERROR] / step)
    row[3] = _half_octaves(state[SLOW_ERROR] / step)


def _step(
    table: NDArray[np.uint8],
    state: Ids,
    token: int,
    room: int,
    features: NDArray[np.int64],
    possible: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> None:
    """Update a state with an id, and set the features of the next position."""
    numbers = state.view(np.float64)
    _advance(numbers, token)
    _describe(numbers, features)


@compiled
def _half_octaves(error: float) -> int:
    """Return an error in levels as a feature: 0 up to an eighth, then in half octaves."""
    power, count = error * error, 0
    while power > 2.0**-6 and count < ERRORS - 1:
        power, count = power / 2, count + 1
    return count
