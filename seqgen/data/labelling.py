"""Finds the labels of pieces in paths, by functions and in the pieces, and counts their values.

A pattern has one ``{}`` and is compared with the end of a path: ``{}/*.mid`` takes the folder, and
``*_{}_*.wav`` the second part of ``take3_anna_01.wav``. If two sources have a value for a label,
what the user names comes first, then what `Domain.read` yields, then `Domain.labels`.

Comes from: the `labels` of `seqgen.prepare`. Next: `seqgen.data.reading` attaches labels to pieces,
`seqgen.data.fitting` counts their values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from seqgen.conditions.labels import (
    ANY,
    MOST_LABELS,
    MOST_VALUES,
    Label,
    Labelled,
    check_name,
    clean_value,
    content_of,
)
from seqgen.conditions.unlabelled import labels_of
from seqgen.data.finding import ending, fit_end
from seqgen.data.splits import named_split
from seqgen.data.weighing import Rule, Weighing, weight_of
from seqgen.errors import ConfigError, CorpusError, DataError, reason_of
from seqgen.plugin import Codec, Domain, Piece

#: Where a label comes from: a pattern, a function of the path, "" for the piece itself, or None if
#: a program labels the pieces.
Source: TypeAlias = str | Callable[[Path], str | None] | None

#: A label that nobody asked for is used if so many pieces have each value on average.
PIECES_PER_VALUE = 5

#: Most labels in pieces that are counted.
MOST_COUNTED = 100


@dataclass(frozen=True)
class FileLabels:
    """What is known about the pieces of one file before they are read.

    Attributes
    ----------
    found : mapping of str to str
        Labels from the path.
    rules : tuple of Rule
        Rules of weights that may fit its pieces.
    split : str
        Name of the label that says the split of a piece, or "".
    """

    found: Mapping[str, str]
    rules: tuple[Rule, ...] = ()
    split: str = ""

    def attach(self, domain: Domain, piece: Piece) -> Labelled:
        """Return a piece with all its labels and its weight.

        Raises
        ------
        DataError
            If the labels, a name, the weight or the split are invalid.
        """
        given = piece if isinstance(piece, Labelled) else Labelled({}, piece)
        labels = dict(self.found)
        for source in (given.labels, domain.labels(given.content)):
            if not isinstance(source, Mapping):
                raise DataError(f"its labels must be a mapping, found {type(source).__name__}")
            for name, value in source.items():
                check_name(str(name))
                known = "" if value is None else clean_value(str(value))
                labels[name] = labels.get(name) or known
        if self.split:
            labels[self.split] = named_split(labels.get(self.split, ""))
        weight = weight_of(self.rules, labels, given.weight)
        return Labelled(labels, given.content, weight, given.facts)


class Labelling:
    """Where labels, weights and splits of the pieces of a corpus come from.

    Parameters
    ----------
    sources : mapping of str to Source, or None
        By name, in the order of the header. None uses the labels that pieces have, if they are
        useful (`Census.labels`).
    weighing : Weighing, optional
    split : str
        Name of the label that says the split of a piece, or "". It is not in the header.

    Raises
    ------
    ConfigError
        If the sources are no mapping, a name or a pattern is invalid, or there are too many labels.
    """

    def __init__(
        self,
        sources: Mapping[str, Source] | None,
        weighing: Weighing | None = None,
        split: str = "",
    ) -> None:
        if not isinstance(sources, Mapping | None):
            raise ConfigError(
                f"labels must be a mapping, such as {{'composer': '{{}}/*.mid'}}, found {sources!r}"
            )
        self.takes_found = sources is None
        self.sources = dict(sources or {})
        self.weighing = weighing or Weighing({})
        self.split = split
        self._patterns: dict[str, re.Pattern[str]] = {}
        for name, source in self.sources.items():
            _check_name(name)
            if isinstance(source, str) and source:
                self._patterns[name] = _compiled(name, source)
        if len(self.names) > MOST_LABELS:
            raise ConfigError(f"at most {MOST_LABELS} labels are possible, found {len(self.names)}")
        if split:
            _check_name(split)

    @classmethod
    def of(cls, codec: Codec) -> Labelling:
        """Return the sources that a codec's labels came from; a program's are not known."""
        labels = labels_of(codec)
        return cls({label.name: label.source for label in labels if label.source is not None})

    @property
    def names(self) -> list[str]:
        """The labels that the user named for the header, in order."""
        return [name for name in self.sources if name != self.split]

    def file(self, path: Path) -> FileLabels:
        """Return what is known about the pieces of a file.

        Raises
        ------
        DataError
            If a function fails.
        """
        found = {}
        for name, source in self.sources.items():
            if callable(source):
                try:
                    value = source(path)
                except Exception as error:
                    raise DataError(
                        f"the function of label {name!r} fails for {path} ({reason_of(error)})"
                    ) from error
            elif source:
                match = fit_end(self._patterns[name], path)
                value = match[1] if match else None
            else:
                continue
            found[name] = clean_value(str(value or ""))
        return FileLabels(found, self.weighing.file(path), self.split)

    def described(self, files: Iterable[Path]) -> list[Any]:
        """Return what identifies labels, weights and splits of files, for the key of a corpus."""
        names = None if self.takes_found else [[name, self.source(name)] for name in self.sources]
        rules = [[rule.text, rule.weight] for rule in self.weighing.rules]
        paths = [list(self.file(path).found.values()) for path in files] if self.sources else []
        return [names, rules, self.split, paths]

    def source(self, name: str) -> str | None:
        """Return the pattern of a label, "" for the piece itself, or None for a function."""
        source = self.sources.get(name, "")
        return source if isinstance(source, str) else None


class Census:
    """Counts the values of labels while pieces pass.

    Parameters
    ----------
    labelling : Labelling

    Attributes
    ----------
    left_out : dict of str to str
        Labels that pieces have and that are not used, with reasons; filled in by `labels`.
    """

    def __init__(self, labelling: Labelling) -> None:
        self.labelling = labelling
        self.left_out: dict[str, str] = {}
        self._pieces = 0
        self._counts = {name: Counter[str]() for name in labelling.names}

    def count(self, piece: Any) -> Any:
        """Count the labels of a piece, and return the piece without them."""
        labels = piece.labels if isinstance(piece, Labelled) else {}
        self._pieces += 1
        self.labelling.weighing.note(labels)
        for name, value in labels.items():
            if name == self.labelling.split or (value := clean_value(value)) in ("", ANY):
                continue
            if self.labelling.takes_found and len(self._counts) < MOST_COUNTED:
                self._counts.setdefault(name, Counter())
            counts = self._counts.get(name)
            # A label of a value for each piece must not fill the memory.
            if counts is not None and (
                not self.labelling.takes_found or len(counts) <= MOST_VALUES
            ):
                counts[value] += 1
        return content_of(piece)

    def labels(self) -> list[Label]:
        """Return the labels, each with its commonest values.

        A label that nobody asked for needs at least two values, and `PIECES_PER_VALUE` pieces for
        each on average.

        Raises
        ------
        CorpusError
            If no piece has a label that was asked for.
        """
        found: list[Label] = []
        for name, values in self._counts.items():
            if not values:
                raise CorpusError(f"label {name!r}: no piece has one; {self._hint(name)}")
            if self.labelling.takes_found and (reason := self._useless(values, len(found))):
                self.left_out[name] = f'{reason}; `labels={{"{name}": ""}}` uses it'
                continue
            kept = sorted(values, key=lambda value: (-values[value], value))[:MOST_VALUES]
            few = {value: values[value] for value in sorted(kept)}
            without = self._pieces - sum(few.values())
            source = self.labelling.source(name)
            found.append(Label(name, source, few, len(values) - len(few), without))
        return found

    def _useless(self, values: Counter[str], found: int) -> str:
        """Return why a label that nobody asked for is left out, or ""."""
        if len(values) == 1:
            return f"it has one value, {next(iter(values))!r}"
        if len(values) > MOST_VALUES:
            return f"it has over {MOST_VALUES} values"
        if values.total() < PIECES_PER_VALUE * len(values):
            return f"it has {len(values):,} values in {values.total():,} pieces"
        return f"there are {MOST_LABELS} others" if found == MOST_LABELS else ""

    def _hint(self, name: str) -> str:
        source = self.labelling.sources[name]
        if callable(source):
            return "its function returns no value"
        if source:
            return f"the pattern {source!r} fits the end of no path"
        return f"the pieces have none; give a pattern, such as {name}='{{}}/*'"


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except DataError as error:
        raise ConfigError(str(error)) from None


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression for the end of a path."""
    if pattern.count("{}") != 1 or "**" in pattern:
        raise ConfigError(
            f"the pattern of label {name!r} must have one {{}} and no **, found {pattern!r}; for "
            f"example {name}='{{}}/*.mid' is the folder of a file"
        )
    return ending(pattern, "{}")
