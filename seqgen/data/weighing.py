"""Weights of pieces: how often an epoch of training reads each, by labels and by file.

A rule is ``composer=bach`` for pieces with this label, or a pattern for the end of a path, such as
``drafts/*.txt``. The last rule that fits a piece decides; without one, the weight that
`Domain.read` gives, or 1. Comes from: the `weights` of `seqgen.prepare`. Next:
`seqgen.data.labelling` weighs pieces with it; `seqgen.data.splits` repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seqgen.bounds import MOST_WEIGHT, Within
from seqgen.conditions.labels import clean_value
from seqgen.data.finding import ending, fit_end
from seqgen.errors import ConfigError, CorpusError, DataError

BOUNDS = Within(0, MOST_WEIGHT)


@dataclass(frozen=True)
class Rule:
    """A weight of some pieces.

    Attributes
    ----------
    text : str
        The rule as it was given.
    weight : float
    label, value : str
        The label that the pieces have; the label is empty if `text` is a pattern.
    """

    text: str
    weight: float
    label: str = ""
    value: str = ""

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Return whether a piece has the label; a rule for a file fits all its pieces."""
        return not self.label or labels.get(self.label) == self.value


class Weighing:
    """The weights that a user gives to pieces.

    Parameters
    ----------
    weights : mapping of str to float
        By rule.

    Raises
    ------
    ConfigError
        If they are no mapping, or a weight is out of range.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        if not isinstance(weights, Mapping):
            raise ConfigError(
                f"weights must be a mapping, such as {{'composer=bach': 2}}, found {weights!r}"
            )
        self.rules: list[Rule] = []
        self._patterns: dict[Rule, re.Pattern[str]] = {}
        self._fitted: set[Rule] = set()
        for text, weight in weights.items():
            BOUNDS.check(f"the weight of {text!r}", weight, whole=False)
            label, equals, value = text.partition("=")
            if equals and label.isidentifier():
                rule = Rule(text, float(weight), label, clean_value(value))
            else:
                rule = Rule(text, float(weight))
                self._patterns[rule] = ending(text)
            self.rules.append(rule)

    def file(self, path: Path) -> tuple[Rule, ...]:
        """Return the rules that may fit pieces of a file."""
        patterns = self._patterns
        fitting = {rule for rule in patterns if fit_end(patterns[rule], path)}
        self._fitted |= fitting
        return tuple(rule for rule in self.rules if rule.label or rule in fitting)

    def note(self, labels: Mapping[str, str]) -> None:
        """Note the rules that fit the labels of a piece."""
        self._fitted.update(rule for rule in self.rules if rule.label and rule.fits(labels))

    def check_all_fit(self) -> None:
        """Raise `CorpusError` for a rule that fits no piece."""
        for rule in self.rules:
            if rule not in self._fitted:
                what = "no piece has this label" if rule.label else "it fits the end of no path"
                raise CorpusError(f"the weight of {rule.text!r} has no use: {what}")


def weight_of(rules: Iterable[Rule], labels: Mapping[str, str], own: float) -> float:
    """Return the weight of a piece from its rules and labels, and from what `Domain.read` says.

    Raises
    ------
    DataError
        If its own weight is out of range.
    """
    try:
        BOUNDS.check("the weight of a piece", own, whole=False)
    except ConfigError as error:
        raise DataError(str(error)) from None
    return ([float(own)] + [rule.weight for rule in rules if rule.fits(labels)])[-1]
