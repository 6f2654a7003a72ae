"""Guidance: the requested labels count more than the model learned (Ho and Salimans 2022).

Training now and then replaces labels by "any", so the model also knows pieces with any labels.
Every id is predicted twice, with the requested labels and with any. Guidance g makes the score of
an id ``any + g * (requested - any)``: 1 is the model as it is, and more prefers ids that tell the
requested labels from others. With token groups each group keeps the probability that the model
gives it, so guidance does not change how long anything lasts. Comes from:
`seqgen.generation.engine`.

B sequences, T steps, V ids, V' ids to predict, K features.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import ANY
from seqgen.conditions.unlabelled import requested_labels
from seqgen.config import SampleConfig
from seqgen.drawing.filters import log_softmax
from seqgen.drawing.guide import Guide, follow_each
from seqgen.drawing.parts import look, look_again, parts_of
from seqgen.drawing.rules import Positions, Rules
from seqgen.drawing.sampling import choose_each
from seqgen.errors import ConfigError
from seqgen.generation.pieces import Excerpt, Place, Primed
from seqgen.generation.prompts import place_after
from seqgen.plugin import Codec, Ids, Piece
from seqgen.run.folder import Run
from seqgen.stepping.stepper import Stepper

Floats: TypeAlias = NDArray[np.float32]


def guidance_for(run: Run, condition: Any, sample: SampleConfig | None) -> float:
    """Return the guidance for a condition: 1 if it requests no label.

    Raises
    ------
    ConfigError
        If `sample` asks for guidance and no label is requested.
    """
    given = None if sample is None else sample.guidance
    asked = run.codec.guidance if given is None else given
    labels, _ = requested_labels(run.codec, condition)
    if asked == 1 or any(value != ANY for value in labels.values()):
        return asked
    if given is not None:
        raise ConfigError(
            f"guidance {given:g} is by requested labels, and none is requested; request one with "
            f'`condition="NAME=VALUE"`, or leave out the guidance'
        )
    return 1.0


class GuidedStepper:
    """Steps twice with another stepper: with the requested labels, and with any labels.

    A state is a pair of states of the other stepper.

    Parameters
    ----------
    stepper : Stepper
    run : Run
        Its codec has labels.
    guidance : float
    """

    def __init__(self, stepper: Stepper, run: Run, guidance: float) -> None:
        self._stepper, self._guidance = stepper, guidance
        self._any = _AnyLabels(run.codec, run.vocab.size)
        self._parts = parts_of((), run.vocab.targets)

    def place_after(
        self, run: Run, prompt: Piece | Excerpt | Primed | None, condition: Any
    ) -> Place:
        """Return the place after a prompt, which is read once more with any labels."""
        place = place_after(self._stepper, run, prompt, condition)
        ids = place.primed.ids[: place.primed.kept]  # (N,)
        read = np.append(run.vocab.start, ids[:-1])[None].astype(np.int64)  # (1, N)
        features = run.codec.features(ids)[None, :-1]  # (1, N, K)
        _, state = self._stepper.read(*self._any.of(read, features), self._stepper.start(1))
        both = (*place.primed.state, *self._stepper.export(state))
        return Place(replace(place.primed, state=both), place.tracker)

    def start(self, count: int) -> tuple[Any, Any]:
        """Return two equal states."""
        return self._stepper.start(count), self._stepper.start(count)

    def read(
        self,
        ids: Ids,
        features: Ids,
        state: tuple[Any, Any],
        possible: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, tuple[Any, Any]]:
        """Read all ids twice; return the guided logits."""
        guided, _, state = self._read(ids, features, state, possible)
        return guided, state

    def _read(
        self,
        ids: Ids,
        features: Ids,
        state: tuple[Any, Any],
        possible: NDArray[np.bool_] | None,
    ) -> tuple[Floats, Floats, tuple[Any, Any]]:
        """Return the guided logits ``(B, V')``, those of the model, and the state."""
        with_labels, with_any = state
        asked, with_labels = self._stepper.read(ids, features, with_labels, possible)
        free, with_any = self._stepper.read(*self._any.of(ids, features), with_any, possible)
        guided = free + np.float32(self._guidance) * (asked - free)
        return guided, asked, (with_labels, with_any)

    def write(
        self,
        positions: Positions,
        draws: NDArray[np.float64],
        rules: Rules,
        state: tuple[Any, Any],
        guide: Guide | None = None,
    ) -> tuple[Ids, NDArray[np.float64], tuple[Any, Any]]:
        """Step and draw alternately."""
        new = np.full(draws.shape, positions.allowed.shape[1] - 1)
        log_probabilities = np.zeros(draws.shape)
        for step in range(draws.shape[1]):
            views = look(self._parts, positions, rules)
            if not look_again(views, positions, step):
                break
            lanes = np.flatnonzero(views.wanted[:, 0])
            read = positions.ids[:, None], positions.features[:, None]
            scores, own, state = self._read(*read, state, positions.possible)
            if len(rules.groups):
                _keep_groups(scores, own, positions.possible, rules.groups)
            given = scores, self._parts, views, positions, draws, step, rules
            if not choose_each(*given, new, log_probabilities):
                break
            for lane in lanes.tolist():
                known = np.where(positions.possible[lane], own[lane], -np.inf).astype(np.float64)
                log_probabilities[lane, step] = log_softmax(known)[new[lane, step]]
            if guide is not None:
                follow_each(guide, positions, step + 1)
        return new, log_probabilities, state

    def select(self, state: tuple[Any, Any], rows: Ids) -> tuple[Any, Any]:
        """Return both states of some sequences."""
        with_labels, with_any = state
        return self._stepper.select(with_labels, rows), self._stepper.select(with_any, rows)

    def export(self, state: tuple[Any, Any]) -> tuple[Floats, ...]:
        """Return the parts of both states, one after the other."""
        with_labels, with_any = state
        return (*self._stepper.export(with_labels), *self._stepper.export(with_any))

    def restore(self, parts: tuple[Floats, ...]) -> tuple[Any, Any]:
        """Return both states."""
        half = len(parts) // 2
        return self._stepper.restore(parts[:half]), self._stepper.restore(parts[half:])


def _keep_groups(guided: Floats, own: Floats, possible: NDArray[np.bool_], groups: Ids) -> None:
    """Shift guided scores ``(B, V')`` so that each group has the probability of the model's own.

    Only `possible` ids ``(B, V')`` count; `groups` ``(V',)`` is that of each id.
    """
    for group in range(int(groups.max()) + 1):
        member = groups == group
        there = possible[:, member]  # (B, M)
        shift = _totals(own[:, member], there) - _totals(guided[:, member], there)  # (B, 1)
        guided[:, member] += shift.astype(np.float32)


def _totals(scores: Floats, there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the logarithm of the sum of exponentials ``(B, 1)`` of scores ``(B, M)`` that count.

    It is 0 where none does.
    """
    some = there.any(axis=1, keepdims=True)  # (B, 1)
    known = np.where(there, scores, -np.inf).astype(np.float64)
    top = np.where(some, known.max(axis=1, keepdims=True, initial=-np.inf), 0.0)
    sums = np.where(some, np.exp(known - top).sum(axis=1, keepdims=True), 1.0)
    return np.asarray(top + np.log(sums))


class _AnyLabels:
    """Replaces the labels of a piece by any."""

    def __init__(self, codec: Codec, size: int) -> None:
        assert isinstance(codec, LabelledCodec)
        self._ids, self._first = np.arange(size), len(codec.codec.feature_sizes)
        for each in codec.header_fields.fields:
            self._ids[each.first : each.first + each.count] = each.first

    def of(self, ids: Ids, features: Ids) -> tuple[Ids, Ids]:
        """Return ids ``(B, T)`` and features ``(B, T, K)``; label 1 is any, and 0 is none yet."""
        changed = features.copy()
        changed[..., self._first :] = np.minimum(features[..., self._first :], 1)
        return self._ids[ids], changed
