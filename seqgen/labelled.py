"""`LabelledCodec` adds labels to any codec: one header token for each label before a piece.

::

    composer=bach  genre=?  c4  e4  g4 ...

``?`` means any value. Training replaces values by ``?`` now and then, so a user can request all
labels, some or none. In generation the header is the beginning of the prompt: it needs no tracker.

Comes from: `seqgen.data.fitting`. Next: `seqgen.discovery.load_codec` rebuilds the codec of a
corpus or run with its labels.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqgen.errors import ConfigError, DataError
from seqgen.grammar import packed, unpacked
from seqgen.labels import ANY, Label, Labelled, clean_value, content_of
from seqgen.plugin import Codec, Ids, Piece, Predictor, Tracker
from seqgen.unknown import Mended, Unknown

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
        If the codec has tokens with the same names, or boundaries.
    """

    options_type: ClassVar[type[Any]] = object

    def __init__(self, codec: Codec, labels: Sequence[Label]) -> None:
        self.codec, self.labels = codec, tuple(labels)
        if codec.boundaries:
            raise ConfigError(
                "a boundary token resets the state, so the model would forget labels there; leave "
                "out the labels, or the codec's boundary"
            )
        tokens = [token for label in self.labels for token in label.tokens]
        if taken := set(tokens) & set(codec.vocab):
            name = min(taken).partition("=")[0]
            raise ConfigError(
                f"the codec has tokens such as {min(taken)!r} of its own; request them with "
                f"--given, or give the label {name!r} another name"
            )
        self.options, self.vocab = codec.options, (*codec.vocab, *tokens)
        self.feature_sizes = tuple(codec.feature_sizes)
        self.temperature, self.min_p = codec.temperature, codec.min_p
        extra = [max(codec.groups) + 1] * len(tokens) if codec.groups else []
        self.groups = (*codec.groups, *extra)
        self._count = len(codec.vocab)  # n
        self._size = len(self.labels)  # K
        numbers = np.cumsum([self._count, *(len(label.tokens) for label in self.labels)])
        #: First id of each label, the one for any value; and the end of the last.
        self._firsts: list[int] = numbers.tolist()
        self._ids = {token: self._count + number for number, token in enumerate(tokens)}

    @classmethod
    def fit(cls, pieces: Iterable[Piece], options: Any) -> Self:
        """Raise an error: fit the codec, then add labels."""
        raise NotImplementedError("fit the codec that gets the labels")

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Raise an error: rebuild the codec, then add labels."""
        raise NotImplementedError("rebuild the codec that has the labels")

    def state(self) -> dict[str, Any]:
        """Return the state of the codec; the core stores the labels beside it."""
        return self.codec.state()

    def header(self, labels: Mapping[str, str]) -> Ids:
        """Return the header ``(K,)`` of a piece; a missing or unknown value is any."""
        ids = []
        for label, first in zip(self.labels, self._firsts, strict=False):
            value = clean_value(labels.get(label.name, ANY))
            ids.append(self._ids.get(f"{label.name}={value}", first))
        return np.array(ids, np.int64)

    def opening(self, prompt: Piece | None, condition: Any) -> Ids:
        """Return what pieces begin with: the header of the requested labels, and the prompt.

        Raises
        ------
        DataError
            If there is no such label or value, or the prompt cannot be encoded.
        """
        labels, _ = _parts(condition)
        for name, value in labels.items():
            self._check_request(name, value)
        ids = np.zeros(0, np.int64) if prompt is None else self.codec.encode(content_of(prompt))
        return np.concatenate([self.header(labels), ids])

    def _check_request(self, name: str, value: str) -> None:
        """Raise `DataError` unless there is such a label with this value."""
        known = {label.name: label for label in self.labels}
        if name not in known:
            raise DataError(f"there is no label {name!r}; {self._offer(name)}")
        values = sorted(known[name].values)
        if value not in (ANY, *values):
            close = difflib.get_close_matches(value, values, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            more = ", ..." if len(values) > 20 else ""
            raise DataError(
                f"label {name} has no value {value!r}; it has {', '.join(values[:20])}{more}{hint}"
            )

    def _offer(self, name: str = "") -> str:
        """Return which labels can be requested, and which is meant."""
        names = [label.name for label in self.labels]
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"the labels are {', '.join(names)} (--given {names[0]}=VALUE){hint}"

    def encode(self, piece: Piece) -> Ids:
        """Return the header and the codec's ids of a piece, which may be `Labelled`."""
        labels, content = _parts(piece)
        return np.concatenate([self.header(labels), self.codec.encode(content)])

    def mend_prompt(self, piece: Piece, unknown: Unknown) -> Mended:
        """Mend the piece as the codec does; its labels stay."""
        return _mended(piece, self.codec.mend_prompt(content_of(piece), unknown))

    def mend_condition(self, condition: Any, unknown: Unknown) -> Mended:
        """Mend the codec's condition as the codec does; labels stay."""
        return _mended(condition, self.codec.mend_condition(content_of(condition), unknown))

    def payload(self, ids: NDArray[Any]) -> NDArray[Any]:
        """Return the codec's ids ``(M,)`` of a piece ``(N,)``: no header, no label token."""
        rest = ids[self._size :]
        kept = rest < self._count
        return rest if kept.all() else rest[kept]

    def _after(self, ids: NDArray[Any], position: int) -> int:
        """Return the position in the payload of a position in the piece."""
        return len(self.payload(ids[:position]))

    def decode(self, ids: Ids) -> Piece:
        """Return the piece without its labels."""
        return self.codec.decode(self.payload(ids))

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Vary the piece as the codec does, and replace labels by any value now and then."""
        payload = self.payload(ids)
        varied = self.codec.augment(payload, rng)
        header = np.array(ids[: self._size])
        lost = rng.random(1 + len(header)) < DROPPED
        lost = lost[1:] & (len(header) > 1) | lost[0]  # (K,)
        header[lost] = np.array(self._firsts[: len(header)], header.dtype)[lost]
        if varied is payload and np.array_equal(header, ids[: self._size]):
            return ids  # A long piece is not copied.
        return np.concatenate([header, varied])

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the header, and the rest of the piece as the codec's."""
        rest = self.codec.continuation(self.payload(ids), self._after(ids, start))
        return np.concatenate([ids[: self._size], rest])

    def text_stream(self) -> Callable[[int], str] | None:
        """Return the codec's function; label tokens add no text."""
        typed = self.codec.text_stream()
        if typed is None:
            return None
        return lambda token: typed(token) if token < self._count else ""

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the codec's features; those of header positions are 0."""
        rows = np.asarray(self.codec.features(self.payload(ids)))  # (M + 1, K')
        return self._spread(ids, rows, np.zeros((1, rows.shape[1]), np.int64))

    def masks(self, ids: Ids) -> NDArray[np.uint8] | None:
        """Return the codec's masks without label tokens; a header position allows one label."""
        rows = self.codec.masks(self.payload(ids))
        if rows is None:
            return None
        count = len(self.vocab) + 1
        wide = np.zeros((len(rows), count), bool)
        narrow = unpacked(rows, self._count + 1)  # (M + 1, n + 1)
        wide[:, : self._count], wide[:, -1] = narrow[:, :-1], narrow[:, -1]
        header = [self.header_mask(number) for number in range(self._size)]
        return self._spread(ids, packed(wide), packed(header))

    def header_mask(self, number: int) -> NDArray[np.bool_]:
        """Return the mask ``(V',)`` of a position in the header."""
        mask = np.zeros(len(self.vocab) + 1, bool)
        mask[self._firsts[number] : self._firsts[number + 1]] = True
        return mask

    def _spread(self, ids: NDArray[Any], rows: NDArray[Any], header: NDArray[Any]) -> NDArray[Any]:
        """Return rows ``(N + 1, W)`` of a piece from those of its payload ``(M + 1, W)``."""
        before = np.cumsum(ids[self._size :] < self._count, dtype=np.int64)
        body = rows[np.concatenate([[0], before])]  # one row for each position after the header
        header = np.broadcast_to(header, (self._size, rows.shape[1]))
        return np.concatenate([header, body])[: len(ids) + 1].astype(rows.dtype)

    def tracker(self, condition: Any = None) -> Tracker | None:
        """Return the codec's tracker behind the header, or None if the codec has none.

        Raises
        ------
        DataError
            If the codec cannot use the condition.
        """
        content = content_of(condition)
        try:
            tracker = self.codec.tracker(content)
        except DataError as error:
            name = content.partition("=")[0].strip() if isinstance(content, str) else ""
            raise DataError(f"{error}; {self._offer(name)}") from error
        return None if tracker is None else _LabelledTracker(self, tracker)

    def candidates(self, condition: Any) -> int:
        """Return the codec's number."""
        return self.codec.candidates(content_of(condition))

    def most_tokens(self, condition: Any) -> int | None:
        """Return the codec's limit."""
        return self.codec.most_tokens(content_of(condition))

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


class _LabelledTracker(Tracker):
    """A codec's tracker that comes in after the header."""

    def __init__(self, codec: LabelledCodec, tracker: Tracker) -> None:
        self._codec, self._tracker = codec, tracker
        self._position = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> _LabelledTracker:
        # Copies share the codec.
        memo[id(self._codec.codec)] = self._codec.codec
        other = _LabelledTracker(self._codec, copy.deepcopy(self._tracker, memo))
        other._position = self._position
        return other

    @property
    def _is_in_header(self) -> bool:
        return self._position < len(self._codec.labels)

    def features(self) -> Sequence[int]:
        if self._is_in_header:
            return [0] * len(self._codec.feature_sizes)
        return self._tracker.features()

    def allowed(self) -> NDArray[np.bool_] | None:
        if self._is_in_header:
            return self._codec.header_mask(self._position)
        count = len(self._codec.codec.vocab)
        inner = self._tracker.allowed()  # (n + 1,)
        mask = np.zeros(len(self._codec.vocab) + 1, bool)
        mask[:count] = True if inner is None else inner[:-1]
        mask[-1] = inner is None or inner[-1]
        return mask

    def forced(self) -> int | None:
        if self._is_in_header:
            return None
        token = self._tracker.forced()
        return len(self._codec.vocab) if token == len(self._codec.codec.vocab) else token

    def push(self, token: int) -> None:
        if not self._is_in_header and token < len(self._codec.codec.vocab):
            self._tracker.push(token)
        self._position += 1


@dataclass(frozen=True)
class UnlabelledPredictor:
    """A predictor of a labelled codec, as the domain sees it: without labels.

    Attributes
    ----------
    codec : LabelledCodec
    predictor : Predictor
    """

    codec: LabelledCodec
    predictor: Predictor = field(repr=False)

    def log_probabilities(self, pieces: Iterable[Ids]) -> Iterator[NDArray[np.float64]]:
        """Yield an array ``(N + 1, n + 1)`` for each piece of the codec's ids, with any labels."""
        count, header = len(self.codec.codec.vocab), self.codec.header({})
        labelled = (np.concatenate([header, ids]) for ids in pieces)
        for rows in self.predictor.log_probabilities(labelled):
            body = rows[len(header) :]  # (N + 1, V')
            kept = np.concatenate([body[:, :count], body[:, -1:]], axis=1)
            yield kept - np.logaddexp.reduce(kept, axis=1, keepdims=True)


def unlabelled_predictor(codec: Codec, predictor: Predictor) -> Predictor:
    """Return a predictor of the ids of the codec that the domain knows."""
    if isinstance(codec, LabelledCodec):
        return UnlabelledPredictor(codec, predictor)
    return predictor


def unlabelled(codec: Codec) -> Codec:
    """Return the codec that the domain knows."""
    return codec.codec if isinstance(codec, LabelledCodec) else codec


def without_labels(codec: Codec, ids: NDArray[Any]) -> NDArray[Any]:
    """Return ids ``(M,)`` without header and label tokens."""
    return codec.payload(ids) if isinstance(codec, LabelledCodec) else ids


def header_size(codec: Codec) -> int:
    """Return the number of header tokens of a piece."""
    return len(codec.labels) if isinstance(codec, LabelledCodec) else 0


def opening(codec: Codec, prompt: Piece | None, condition: Any) -> Ids:
    """Return what pieces begin with: the header of a labelled codec, and the prompt.

    Raises
    ------
    DataError
        If there is no such label or value, or the prompt cannot be encoded.
    """
    if isinstance(codec, LabelledCodec):
        return codec.opening(prompt, condition)
    return np.zeros(0, np.int64) if prompt is None else codec.encode(prompt)


def split_request(codec: Codec, text: str) -> tuple[dict[str, str], str]:
    """Return the labels in ``NAME=VALUE, NAME=VALUE``, and the rest of the text."""
    names = {label.name for label in codec.labels} if isinstance(codec, LabelledCodec) else set()
    labels, rest = {}, []
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals and name.strip() in names:
            labels[name.strip()] = clean_value(value)
        else:
            rest.append(part)
    return labels, ",".join(rest).strip() if labels else text


def _parts(piece: Any) -> tuple[Mapping[str, str], Any]:
    """Return labels and content of a piece or condition."""
    return (piece.labels, piece.content) if isinstance(piece, Labelled) else ({}, piece)


def _mended(piece: Any, mended: Mended) -> Mended:
    if not isinstance(piece, Labelled):
        return mended
    return Mended(Labelled(piece.labels, mended.piece), mended.changes)
