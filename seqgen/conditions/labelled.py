"""`LabelledCodec` adds labels to any codec: one header token for each label before a piece.

::

    composer=bach  genre=?  c4  e4  g4 ...

``?`` means any value. Training replaces values by ``?`` now and then, so a user can request all
labels, some or none. In generation the header is the beginning of the prompt. A label is also a
feature of every position after its token, so that no long piece makes the model forget it.

Comes from: `seqgen.data.fitting`. Next: `seqgen.conditions.unlabelled` is what the engine asks of
any codec, with labels or without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.conditions.header import Field, Header, Wanted
from seqgen.conditions.labelled_tracker import LabelledClosingTracker, LabelledTracker
from seqgen.conditions.labels import ANY, Label, Labelled, clean_value, content_of, labels_in
from seqgen.errors import ConfigError, DataError
from seqgen.grammar import PART, IndexedMasks, Masks, packed, unpacked, width
from seqgen.plugin import ClosingTracker, Codec, Ids, OpenEnd, Piece, Tracker
from seqgen.unknown import Mended, Unknown
from seqgen.wording import meant

#: Share of training pieces that lose all labels; in the others each of several labels is lost as
#: often. Then a model knows pieces with any selection of labels.
DROPPED = 0.1


class LabelledCodec(Codec):
    """A codec with a header token for each label before every piece.

    The tokens of the codec keep their ids ``0 .. n - 1``; label tokens follow. The first ids of a
    piece are the header. A label token elsewhere, as in random ids, is ignored.

    Parameters
    ----------
    codec : Codec
        A fitted codec.
    labels : sequence of Label
        In the order of the header.

    Raises
    ------
    ConfigError
        If the codec cannot have one of them (`why_impossible`).
    """

    options_type: ClassVar[type[Any]] = object

    def __init__(self, codec: Codec, labels: Sequence[Label]) -> None:
        self.codec, self.labels = codec, tuple(labels)
        for label in self.labels:
            if reason := why_impossible(codec, label):
                raise ConfigError(reason)
        tokens = [token for label in self.labels for token in label.tokens]
        self.options, self.vocab = codec.options, (*codec.vocab, *tokens)
        self.temperature, self.min_p = codec.temperature, codec.min_p
        self.guidance = codec.guidance
        self.dictation = codec.dictation
        self.limited, self.idempotent = codec.limited, codec.idempotent
        extra = [max(codec.groups) + 1] * len(tokens) if codec.groups else []
        self.groups = (*codec.groups, *extra)
        between = [0] * len(tokens) if codec.word_numbers else []
        self.word_numbers = (*codec.word_numbers, *between)
        self._count = len(codec.vocab)  # n
        self._size = len(self.labels)  # K
        self._ids = {token: self._count + number for number, token in enumerate(tokens)}
        fields = [
            Field(label.name, self._ids[label.tokens[0]], len(label.tokens))
            for label in self.labels
        ]
        self.header_fields = Header(fields, len(self.vocab))
        self.feature_sizes = (*codec.feature_sizes, *self.header_fields.feature_sizes)
        self.requests = {
            **{label.name: label.request for label in self.labels},
            **codec.requests,
        }

    def __getattr__(self, name: str) -> Any:
        """Return what only the codec has, such as the error of a codec of ink."""
        # A copy that is being made has no codec yet, and Python asks it for special methods.
        if name == "codec" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.codec, name)

    @classmethod
    def fit(cls, pieces: Iterable[Piece], options: Any) -> Self:
        """Raise an error: fit the codec, then add labels."""
        raise NotImplementedError("fit the codec that gets the labels")

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Raise an error: rebuild the codec, then add labels."""
        raise NotImplementedError("rebuild the codec that has the labels")

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Let the codec learn from pieces without their headers."""
        self.codec.learn_grammar(map(self.payload, pieces))

    def state(self) -> dict[str, Any]:
        """Return the state of the codec; the core stores the labels beside it."""
        return self.codec.state()

    def header_ids(self, labels: Mapping[str, str]) -> Ids:
        """Return the header ``(K,)`` of a piece; a missing or unknown value is any."""
        ids = []
        for label, each in zip(self.labels, self.header_fields.fields, strict=True):
            value = clean_value(labels.get(label.name, ANY))
            ids.append(self._ids.get(f"{label.name}={value}", each.first))
        return np.array(ids, np.int64)

    def header_values(self, ids: Ids) -> dict[str, str]:
        """Return the labels of a piece, and what the codec's own header says."""
        numbers = self.header_fields.numbers(ids)
        values = {label.name: (ANY, *sorted(label.values)) for label in self.labels}
        found = {name: values[name][number] for name, [*rest] in numbers.items() for number in rest}
        return found | dict(self.codec.header_values(self.payload(ids)))

    def opening(self, prompt: Piece | None, condition: Any) -> Ids:
        """Return what pieces begin with: the header of the requested labels, and the prompt.

        Raises
        ------
        DataError
            If there is no such label or value, or the prompt cannot be encoded.
        """
        labels, _ = self.requested(condition)
        ids = np.zeros(0, np.int64) if prompt is None else self.codec.encode(content_of(prompt))
        return np.concatenate([self.header_ids(labels), ids])

    def requested(self, condition: Any) -> tuple[Mapping[str, str], Any]:
        """Return the labels of a condition, and the condition for the codec's tracker.

        Raises
        ------
        DataError
            If there is no such label or value.
        """
        labels, rest = _parts(condition)
        if isinstance(rest, str):
            typed, rest = labels_in(rest, [label.name for label in self.labels])
            labels = {**typed, **labels}
        for name, value in labels.items():
            self._check_request(name, value)
        return labels, rest

    def _wanted(self, labels: Mapping[str, str]) -> Wanted:
        """Return the numbers of labels in the header."""
        numbers = self.header_ids(labels).tolist()
        fields = zip(self.header_fields.fields, numbers, strict=True)
        return {
            each.name: [frozenset([token - each.first])]
            for each, token in fields
            if each.name in labels
        }

    def _check_request(self, name: str, value: str) -> None:
        """Raise `DataError` unless there is such a label with this value."""
        if name not in {label.name for label in self.labels}:
            raise DataError(f"there is no label {name!r}; {self._offer(name)}")
        try:
            self.requests[name].value(value)
        except ValueError as error:
            raise DataError(f"cannot follow '{name}={value}': {error}") from error

    def _offer(self, name: str = "") -> str:
        """Return which labels can be requested, and which is meant."""
        names = [label.name for label in self.labels]
        hint = meant(name, names)
        return f'the labels are {", ".join(names)} (`condition="{names[0]}=VALUE"`){hint}'

    def encode(self, piece: Piece) -> Ids:
        """Return the header and the codec's ids of a piece, which may be `Labelled`."""
        labels, content = _parts(piece)
        return np.concatenate([self.header_ids(labels), self.codec.encode(content)])

    def mend_prompt(self, piece: Piece, unknown: Unknown) -> Mended:
        """Mend the piece as the codec does; its labels stay."""
        return _mended(piece, self.codec.mend_prompt(content_of(piece), unknown))

    def mend_condition(self, condition: Any, unknown: Unknown) -> Mended:
        """Mend the codec's condition as the codec does; labels stay."""
        return _mended(condition, self.codec.mend_condition(content_of(condition), unknown))

    def payload(self, ids: NDArray[Any]) -> NDArray[Any]:
        """Return the codec's ids ``(M,)`` of a piece ``(N,)``: no header, no label token."""
        rest = ids[self.header_fields.length(ids) :]
        kept = rest < self._count
        return rest if kept.all() else rest[kept]

    def _after(self, ids: NDArray[Any], position: int) -> int:
        """Return the position in the payload of a position in the piece."""
        return len(self.payload(ids[:position]))

    def decode(self, ids: Ids) -> Any:
        """Return the piece without its labels."""
        return self.codec.decode(self.payload(ids))

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Vary the piece as the codec does, and replace labels by any value now and then."""
        payload, size = self.payload(ids), self.header_fields.length(ids)
        varied = self.codec.augment(payload, rng)
        header = np.array(ids[:size])
        lost = rng.random(1 + size) < DROPPED
        lost = lost[1:] & (size > 1) | lost[0]  # (K,)
        header[lost] = np.array([each.first for each in self.header_fields.fields[:size]])[lost]
        if varied is payload and np.array_equal(header, ids[:size]):
            return ids  # A long piece is not copied.
        return np.concatenate([header, varied])

    def variations(self, ids: Ids) -> Ids:
        """Return the codec's variations, each with the labels of the piece."""
        payload, size = self.payload(ids), self.header_fields.length(ids)
        if size + len(payload) < len(ids):
            return ids[None]  # A label token among the others has no place in a variation.
        varied = np.asarray(self.codec.variations(payload))  # (K, N - size)
        return np.concatenate([np.tile(ids[:size], (len(varied), 1)), varied], axis=1)

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the header, and the rest of the piece as the codec's."""
        rest = self.codec.continuation(self.payload(ids), self._after(ids, start))
        return np.concatenate([ids[: self.header_fields.length(ids)], rest])

    def beginnings(self, ids: Ids) -> Ids:
        """Return those of the piece without the header."""
        found = self.codec.beginnings(self.payload(ids))
        is_payload = np.diff(self._places(ids)) > 0  # (N,)
        return np.flatnonzero(is_payload)[found] if len(found) else found

    def text_stream(self) -> Callable[[int], str] | None:
        """Return the codec's function; label tokens add no text."""
        typed = self.codec.text_stream()
        if typed is None:
            return None
        return lambda token: typed(token) if token < self._count else ""

    def open_end(self, ids: Ids) -> OpenEnd | None:
        """Return the codec's open end behind the header; label tokens add no text."""
        payload, labels = self.payload(ids), len(self.vocab) - self._count
        end = self.codec.open_end(payload)
        return end and replace(
            end,
            kept=len(ids) - (len(payload) - end.kept),
            spellings=lambda ids: (*end.spellings(self.payload(ids)), *[b""] * labels),
        )

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the codec's features, 0 in the header, and the number of each label."""
        labels = self.header_fields.features(ids)  # (N + 1, K)
        if not self.codec.feature_sizes:
            return labels
        rows = np.asarray(self.codec.features(self.payload(ids)))[self._places(ids)]
        rows[: self.header_fields.open_positions(ids)] = 0
        return np.concatenate([rows, labels], axis=1)

    def masks(self, ids: Ids) -> Masks | None:
        """Return the codec's masks without label tokens; a header position allows one label."""
        rows = self.codec.masks(self.payload(ids))
        if rows is None:
            return None
        places, header = self._places(ids), packed(self.header_fields.masks(ids))
        if isinstance(rows, IndexedMasks):
            numbers = rows.rows[places].astype(np.int64)
            numbers[: len(header)] = len(rows.table) + np.arange(len(header))
            return IndexedMasks(np.concatenate([self._widened(rows.table), header]), numbers)
        masks = self._widened(rows)[places]
        masks[: len(header)] = header
        return masks

    def _widened(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the codec's masks ``(M, W')`` with label tokens forbidden ``(M, W)``."""
        masks = np.empty((len(rows), width(len(self.vocab) + 1)), np.uint8)
        for first in range(0, len(rows), PART):
            narrow = unpacked(rows[first : first + PART], self._count + 1)  # (P, n + 1)
            wide = np.zeros((len(narrow), len(self.vocab) + 1), bool)
            wide[:, : self._count], wide[:, -1] = narrow[:, :-1], narrow[:, -1]
            masks[first : first + PART] = packed(wide)
        return masks

    def _places(self, ids: NDArray[Any]) -> Ids:
        """Return the position in the payload of every position of a piece ``(N + 1,)``."""
        is_payload = ids < self._count
        is_payload[: self.header_fields.length(ids)] = False
        return np.append(0, np.cumsum(is_payload, dtype=np.int64))

    def tracker(self, condition: Any = None) -> Tracker | None:
        """Return the codec's tracker behind the header, or None if the codec has none.

        Raises
        ------
        DataError
            If the codec cannot use the condition.
        """
        labels, content = self.requested(condition)
        try:
            tracker = self.codec.tracker(content)
        except DataError as error:
            name, equals, _ = content.partition("=") if isinstance(content, str) else ("", "", "")
            is_label = bool(equals) and not self.codec.requests
            reason = f"there is no label {name.strip()!r}" if is_label else error
            raise DataError(f"{reason}; {self._offer(name.strip())}") from error
        if tracker is None:
            return None
        closes = isinstance(tracker, ClosingTracker)
        made = LabelledClosingTracker if closes else LabelledTracker
        header = self.header_fields.state(self._wanted(labels))
        return made(self.codec, len(self.vocab), header, tracker)

    def candidates(self, condition: Any) -> int:
        """Return the codec's number."""
        return self.codec.candidates(self.requested(condition)[1])

    def most_tokens(self, condition: Any) -> int | None:
        """Return the codec's limit."""
        return self.codec.most_tokens(self.requested(condition)[1])

    def keep(self, given: Any, ids: Ids, start: int) -> Any:
        """Return the piece without its labels, begun as the codec keeps it."""
        return self.codec.keep(content_of(given), self.payload(ids), self._after(ids, start))

    def answer(self, piece: Piece, condition: Any) -> Piece:
        """Return the codec's answer; labels say nothing of the piece."""
        rest = self.requested(condition)[1]
        return piece if rest is None else self.codec.answer(piece, rest)

    def place(self, ids: Ids, position: int) -> str:
        """Return the codec's words, or the name of a label."""
        if position < self._size:
            return f"label {self.labels[position].name}"
        payload = self.payload(ids)
        if not len(payload):
            return f"token {position + 1:,}"
        return self.codec.place(payload, min(self._after(ids, position), len(payload) - 1))

    def units(self, ids: Ids) -> dict[str, float]:
        """Count without the header."""
        return self.codec.units(self.payload(ids))

    def passages(self, ids: Ids) -> NDArray[np.int64]:
        """Return those of the piece without the header."""
        return self.codec.passages(self.payload(ids))


def why_impossible(codec: Codec, label: Label) -> str:
    """Return why a codec cannot have a label, or ""."""
    if codec.boundaries:
        return (
            "a boundary token resets the state, so the model would forget labels there; leave "
            "out the labels, or the codec's boundary"
        )
    if taken := set(label.tokens) & set(codec.vocab):
        return (
            f"the codec has tokens such as {min(taken)!r} of its own; request them with "
            f"`condition`, or give the label {label.name!r} another name"
        )
    if label.name in codec.requests:
        return (
            f"{label.name}=VALUE is a request of the codec's own; give the label another name, "
            f'such as `labels={{"{label.name}_of_file": "{{}}/*"}}`'
        )
    return ""


def _parts(piece: Any) -> tuple[Mapping[str, str], Any]:
    """Return labels and content of a piece or condition."""
    return (piece.labels, piece.content) if isinstance(piece, Labelled) else ({}, piece)


def _mended(piece: Any, mended: Mended) -> Mended:
    if not isinstance(piece, Labelled):
        return mended
    return Mended(Labelled(piece.labels, mended.piece), mended.changes)
