"""Finds the labels of pieces: in file names and folders, by a function, or in the pieces.

A pattern has one ``{}`` and is compared with the end of a path: ``{}/*.mid`` takes the folder, and
``*_{}_*.wav`` the second part of ``take3_anna_01.wav``. Comes from: the ``--label`` option. Next:
`seqgen.data.reading` attaches labels to pieces, `seqgen.data.fitting` counts their values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from seqgen.data.finding import shown
from seqgen.errors import ConfigError, CorpusError, DataError, reason_of
from seqgen.labelled import LabelledCodec
from seqgen.labels import (
    ANY,
    MOST_LABELS,
    MOST_VALUES,
    Label,
    Labelled,
    check_name,
    clean_value,
    content_of,
)
from seqgen.plugin import Codec, Domain, Piece

#: Where a label comes from: a pattern, a function of the path, "" for `Domain.labels`, or None if
#: a program labels the pieces.
Source: TypeAlias = str | Callable[[Path], str | None] | None


@dataclass(frozen=True)
class FileLabels:
    """The labels of the pieces of one file.

    Attributes
    ----------
    found : mapping of str to str
        Values from the path.
    asked : tuple of str
        Labels that the domain finds in each piece.
    """

    found: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def attach(self, domain: Domain, piece: Piece) -> Piece:
        """Return the piece with its labels; without any, the piece itself."""
        if not self.found and not self.asked:
            return piece
        own = domain.labels(piece) if self.asked else {}
        found = {name: clean_value(str(own.get(name, ""))) for name in self.asked}
        return Labelled({**self.found, **found}, piece)


class Labelling:
    """Where the labels of a corpus come from.

    Parameters
    ----------
    sources : mapping of str to Source
        By name, in the order of the header.

    Raises
    ------
    ConfigError
        If a name or a pattern is invalid, or there are too many labels.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        if len(sources) > MOST_LABELS:
            raise ConfigError(f"at most {MOST_LABELS} labels are possible, found {len(sources)}")
        self.sources = dict(sources)
        self._patterns: dict[str, re.Pattern[str]] = {}
        for name, source in self.sources.items():
            try:
                check_name(name)
            except DataError as error:
                raise ConfigError(str(error)) from None
            if isinstance(source, str) and source:
                self._patterns[name] = _compiled(name, source)

    @classmethod
    def of(cls, codec: Codec) -> Labelling:
        """Return the sources that a codec's labels came from; a program's are not known."""
        labels = codec.labels if isinstance(codec, LabelledCodec) else ()
        return cls({label.name: label.source for label in labels if label.source is not None})

    def __bool__(self) -> bool:
        return bool(self.sources)

    def file(self, path: Path) -> FileLabels:
        """Return the labels of a file.

        Raises
        ------
        DataError
            If a function fails.
        """
        found, asked = {}, []
        for name, source in self.sources.items():
            if callable(source):
                try:
                    value = source(path)
                except Exception as error:
                    raise DataError(
                        f"the function of label {name!r} fails for {path} ({reason_of(error)})"
                    ) from error
            elif source:
                match = self._patterns[name].search(shown(path.absolute()).replace("\\", "/"))
                value = match[1] if match else None
            else:
                asked.append(name)
                continue
            found[name] = clean_value(str(value or ""))
        return FileLabels(found, tuple(asked))

    def described(self, files: Iterable[Path]) -> list[list[Any]]:
        """Return what identifies the labels of files, for the key of a corpus."""
        names = [[name, self._source(name)] for name in self.sources]
        return [names, *(list(self.file(path).found.values()) for path in files)]

    def _source(self, name: str) -> str | None:
        source = self.sources[name]
        return source if isinstance(source, str) else None


class Census:
    """Counts the values of labels while pieces pass.

    Parameters
    ----------
    labelling : Labelling
    """

    def __init__(self, labelling: Labelling) -> None:
        self._labelling = labelling
        self._counts = {name: Counter[str]() for name in labelling.sources}

    def count(self, piece: Piece) -> Piece:
        """Count the labels of a piece, and return the piece without them."""
        labels = piece.labels if isinstance(piece, Labelled) else {}
        for name, counts in self._counts.items():
            counts[clean_value(labels.get(name, ""))] += 1
        return content_of(piece)

    def labels(self) -> list[Label]:
        """Return the labels, each with its commonest values.

        Raises
        ------
        CorpusError
            If no piece has a label.
        """
        found = []
        for name, counts in self._counts.items():
            total = counts.total()
            values = {value: count for value, count in counts.items() if value not in ("", ANY)}
            if not values:
                raise CorpusError(f"label {name!r}: no piece has one; {self._hint(name)}")
            kept = sorted(values, key=lambda value: (-values[value], value))[:MOST_VALUES]
            few = {value: values[value] for value in sorted(kept)}
            without = total - sum(few.values())
            source = self._labelling._source(name)
            found.append(Label(name, source, few, len(values) - len(few), without))
        return found

    def _hint(self, name: str) -> str:
        source = self._labelling.sources[name]
        if callable(source):
            return "its function returns no value"
        if source:
            return f"the pattern {source!r} fits the end of no path"
        return f"the pieces have none; give a pattern, such as {name}='{{}}/*'"


def parse_labels(texts: Iterable[str]) -> dict[str, Source]:
    """Return the sources of ``NAME=PATTERN`` or ``NAME``, by name.

    Raises
    ------
    ConfigError
        If a name occurs twice.
    """
    sources: dict[str, Source] = {}
    for text in texts:
        name, _, pattern = text.partition("=")
        if name in sources:
            raise ConfigError(f"--label {name} occurs twice; give each label once")
        sources[name] = pattern
    return sources


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression for the end of a path."""
    if pattern.count("{}") != 1 or "**" in pattern:
        raise ConfigError(
            f"the pattern of label {name!r} must have one {{}} and no **, found {pattern!r}; for "
            f"example {name}='{{}}/*.mid' is the folder of a file"
        )
    signs = {"{}": "([^/]+?)", "*": "[^/]*?", "?": "[^/]"}
    parts = re.split(r"(\{\}|\*|\?)", pattern.removeprefix("./"))
    return re.compile(
        "(?:^|/)" + "".join(signs.get(each) or re.escape(each) for each in parts) + "$"
    )
