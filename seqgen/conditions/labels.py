"""Labels: words about whole pieces, such as composer, speaker or site, that can be requested.

Comes from: `seqgen.data.labelling` finds labels. Next: `seqgen.conditions.labelled` adds them to a
codec.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqgen.conditions.requests import Request
from seqgen.errors import DataError

#: The value of a piece that has no other, and in a request: any.
ANY = "?"

#: Largest number of labels, of values of a label, and of characters in a name or value.
MOST_LABELS, MOST_VALUES, LONGEST = 16, 300, 100

#: The beginning of a request such as ``composer=bach``.
_NAMED = re.compile(r"\s*[^\W\d]\w*\s*=")


@dataclass(frozen=True)
class Labelled:
    """Labels with a piece, or labels as a condition with whatever else is requested.

    ``Labelled({"composer": "bach"})`` is a condition for `seqgen.generate`;
    ``Labelled({"composer": "bach"}, piece, weight=2)`` is a piece, as `Domain.read` may yield it
    and `seqgen.write_corpus` takes it.

    Attributes
    ----------
    labels : mapping of str to str
        Values by name.
    content : object
        The piece, or the condition for the codec's tracker.
    weight : float
        How often an epoch of training reads the piece on average, from 0 to 100.
    facts : mapping of str to str, int or float
        Facts for ``seqgen prepare --report``, beside those of `Domain.describe`.
    """

    labels: Mapping[str, str]
    content: Any = None
    weight: float = 1.0
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


def refuse_condition(condition: Any) -> None:
    """Raise `DataError` for a condition: in the tracker of a codec that follows none."""
    if condition is None:
        return
    if isinstance(condition, Labelled):
        condition = ", ".join(f"{name}={value}" for name, value in condition.labels.items())
    if isinstance(condition, str) and _NAMED.match(condition):
        raise DataError(
            f"this model has no labels and cannot follow {condition!r}; leave out the "
            f"`condition`, or train with labels"
        )
    raise DataError("this model's codec follows nothing; leave out `condition`")


@dataclass(frozen=True)
class Label:
    """A label, its values, and where values come from.

    Attributes
    ----------
    name : str
    source : str or None
        A pattern for file names; "" for `Domain.labels`; None if a program gave the values.
    values : mapping of str to int
        Number of pieces with each value.
    rarer : int
        Number of values left out because there are more than `MOST_VALUES`.
    without : int
        Number of pieces without a value of `values`.

    Raises
    ------
    DataError
        If the name or a value cannot be requested with ``NAME=VALUE, ...``.
    """

    name: str
    source: str | None
    values: Mapping[str, int]
    rarer: int = 0
    without: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.values) > MOST_VALUES:
            raise DataError(
                f"label {self.name} has {len(self.values):,} values, and at most {MOST_VALUES} fit"
            )
        for value in self.values:
            if value != clean_value(value) or value in ("", ANY):
                raise DataError(f"label {self.name} cannot have the value {value[:LONGEST]!r}")

    @property
    def tokens(self) -> list[str]:
        """Token names: the one for any value, then the values in order."""
        return [f"{self.name}={value}" for value in (ANY, *sorted(self.values))]

    @property
    def request(self) -> Request:
        """The request for a value."""
        values = {value: value for value in (*sorted(self.values), ANY)}
        return Request(f"Label of pieces; {ANY} is any value.", next(iter(values)), values=values)

    @property
    def others(self) -> str:
        """How many pieces have none of the values, and why, to put after the values."""
        if not self.without:
            return ""
        rarer = f", also for {self.rarer:,} rarer values" if self.rarer else ""
        return f"; {self.without:,} pieces have {ANY}{rarer}"

    @property
    def summary(self) -> str:
        """One line about the label."""
        count = len(self.values)
        return f"label {self.name}: {count:,} value{'s' * (count != 1)}{self.others}"


def check_name(name: str) -> None:
    """Raise `DataError` unless a label can have this name."""
    if not name.isidentifier() or len(name) > LONGEST:
        raise DataError(
            f"a label's name must be a word of letters, digits and _, found {name[:LONGEST]!r}"
        )


def clean_value(value: str) -> str:
    """Return a value as it is requested: without commas, on one line, not too long."""
    printable = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(printable.replace(",", " ").split())[:LONGEST].strip()


def check_labels(entries: Sequence[Mapping[str, Any]]) -> tuple[Label, ...]:
    """Return the labels that ``corpus.json`` or ``run.json`` describes.

    Raises
    ------
    DataError
        If there are too many, two have one name, or one is invalid.
    """
    if len(entries) > MOST_LABELS:
        raise DataError(f"a piece can have at most {MOST_LABELS} labels, found {len(entries)}")
    labels = tuple(Label(**{key: entry[key] for key in _ENTRY}) for entry in entries)
    if len({label.name for label in labels}) < len(labels):
        raise DataError("two labels have one name")
    return labels


_ENTRY = ("name", "source", "values", "rarer", "without")


def labels_in(text: str, names: Collection[str]) -> tuple[dict[str, str], str | None]:
    """Return the labels in ``NAME=VALUE, NAME=VALUE``, and the rest of the text.

    The rest is None if nothing else is requested.

    Raises
    ------
    DataError
        If a label has two values.
    """
    labels: dict[str, str] = {}
    rest = []
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals and (name := name.strip()) in names:
            labels = with_labels(labels, {name: clean_value(value)})
        else:
            rest.append(part)
    return labels, (",".join(rest).strip() or None) if labels else text


def with_labels(labels: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return requested labels together with more of them.

    Raises
    ------
    DataError
        If a label has two values.
    """
    for name, value in more.items():
        if labels.get(name, value) != value:
            raise DataError(
                f"label {name} is requested twice, as {labels[name]!r} and as {value!r}; request "
                f"one value"
            )
    return {**labels, **more}


def content_of(piece: Any) -> Any:
    """Return a piece or condition without labels."""
    return piece.content if isinstance(piece, Labelled) else piece


def label_facts(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the values of each label as text, by name, from ``corpus.json`` or ``run.json``."""
    facts = {}
    for label in check_labels(entries):
        counted = (f"{value} ({count:,})" for value, count in sorted(label.values.items()))
        facts[label.name] = ", ".join(counted) + label.others
    return facts
