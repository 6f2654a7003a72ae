"""The values of generation: a finished piece, a prompt that was read, a piece in progress."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from seqgen.conditions.labels import content_of
from seqgen.conditions.unlabelled import unlabelled
from seqgen.criticism import Criticism
from seqgen.errors import DataError, PluginError, reason_of
from seqgen.files import write_atomic
from seqgen.plugin import Codec, Domain, Ids, Piece, Tracker
from seqgen.plugins.faults import fault_of
from seqgen.run.folder import Run
from seqgen.run.piece_files import write_piece
from seqgen.run.previews import previewed
from seqgen.storage.tensors import ANY, Kind, TensorFile
from seqgen.wording import brief

#: Why a piece stopped.
StoppedBy: TypeAlias = Literal["end", "grammar", "stop", "length", "time", "interrupt"]

#: Reasons after which END is part of a piece.
ENDED = ("end", "grammar")


@dataclass(frozen=True)
class Words:
    """What a proofreader says of the words of a piece.

    Attributes
    ----------
    written : int
        Number of words without those of silent symbols alone.
    again : int
        How many of them have a symbol that was drawn more than once.
    misread : int
        How many of them have a misread symbol even so.
    """

    written: int = 0
    again: int = 0
    misread: int = 0

    def with_word(self, *, again: bool, misread: bool) -> Words:
        """Return these and one more word."""
        return Words(self.written + 1, self.again + again, self.misread + misread)


@dataclass(frozen=True, repr=False)
class Generated(Generic[Piece]):
    """A new piece; a notebook shows it, and `save` writes it into a file.

    Attributes
    ----------
    index : int
        Number of the piece in its call, from 0; index and seed determine the piece.
    ids : int64 array (N,)
        Its tokens, including the prompt.
    prompt : int
        Number of prompt tokens at the beginning of `ids`. The last one may reach beyond the text of
        the prompt (`Codec.open_end`).
    piece : object
        The decoded piece.
    stopped_by : {"end", "grammar", "stop", "length", "time", "interrupt"}
        "end" if the model drew END, "grammar" if the codec's tracker allowed nothing but END before
        the least length, "stop" after a stop sequence.
    log_probability : float
        Sum over the drawn tokens, including END, in nats, under the codec's grammar if it has one.
    seconds : float
        Time from the start of its batch to its end.
    criticism : Criticism or None
        What the critic says, if pieces were chosen.
    words : Words or None
        What the proofreader says, if misread words were drawn again.
    domain : Domain or None
        What shows and writes it.
    """

    index: int
    ids: Ids
    prompt: int
    piece: Piece
    stopped_by: StoppedBy
    log_probability: float
    seconds: float
    criticism: Criticism | None = None
    words: Words | None = None
    domain: Domain[Piece] | None = field(default=None, compare=False)

    def save(
        self,
        path: Path | str,
        options: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write the piece into a file, in the format of its suffix; return the files written.

        The parameters and errors are those of `Run.write`.
        """
        return write_piece(self._known_domain(), self.piece, path, options, overwrite=overwrite)

    def _known_domain(self) -> Domain[Piece]:
        if self.domain is None:
            raise DataError("this piece was made without its domain; write it with run.write")
        return self.domain

    def _repr_html_(self) -> str:
        """Return what a notebook shows: text, a picture, sound, as on the page of a run."""
        return previewed(self._known_domain().preview(self.piece))

    def __repr__(self) -> str:
        new = len(self.ids) - self.prompt
        begun = f"after {self.prompt:,} of the prompt, " if self.prompt else ""
        return (
            f"Generated({self.index}: {brief(self.piece)}, {new:,} tokens, {begun}stopped by "
            f"{self.stopped_by}, {self.log_probability_per_token:.2f} nats per token)"
        )

    @property
    def log_probability_per_token(self) -> float:
        """Mean over the drawn tokens, including END, in nats."""
        drawn = len(self.ids) - self.prompt + (self.stopped_by in ENDED)
        return self.log_probability / max(drawn, 1)


@dataclass(frozen=True)
class Excerpt:
    """A prompt that is the beginning of a piece; new pieces begin as that piece does.

    Attributes
    ----------
    piece : object
        The whole piece.
    tokens : int
        How many of its tokens are the prompt.
    """

    piece: Any
    tokens: int


def prompt_of(codec: Codec, prompt: Any) -> Any:
    """Return the piece that a prompt is.

    Raises
    ------
    DataError
        If the piece of an excerpt cannot be encoded.
    """
    if not isinstance(prompt, Excerpt):
        return prompt
    codec = unlabelled(codec)
    return codec.decode(codec.encode(content_of(prompt.piece))[: prompt.tokens])


@dataclass(frozen=True)
class Primed:
    """The model state after a prompt: a value that any number of pieces can start from.

    Attributes
    ----------
    ids : int64 array (N,)
        The prompt.
    state : tuple of float32 array (L, 1, ...)
        The state after START and ``ids[: kept - 1]``, such as h and c of an LSTM. The first step
        reads the last kept one; what follows is an open end (`Codec.open_end`).
    vocab_digest : str
        Digest of the model's vocabulary.
    kept : int
        Number of ids before the open end.
    given : object
        The piece that begins with the prompt, as it was given (`Codec.keep`). A file does not have
        it; then pieces begin with what the ids say.
    """

    ids: Ids
    state: tuple[NDArray[np.float32], ...] = field(repr=False)
    vocab_digest: str = field(repr=False)
    kept: int
    given: Any = field(default=None, repr=False)

    def save(self, path: Path | str) -> None:
        """Write a safetensors file."""
        tensors: dict[str, NDArray[Any]] = {"ids": self.ids}
        tensors |= {f"state.{number}": part for number, part in enumerate(self.state)}
        about = {"vocab_digest": self.vocab_digest, "kept": str(self.kept)}
        write_atomic(Path(path), safetensors.numpy.save(tensors, about))

    @classmethod
    def load(cls, path: Path | str) -> Primed:
        """Read a file that `save` wrote.

        Raises
        ------
        DataError
            If the file holds no primed state.
        """
        try:
            file = TensorFile(Path(path))
            kinds = {"ids": Kind((ANY,), "I64")}
            for number in range(len(file.kinds) - 1):
                name = f"state.{number}"
                found = file.kinds.get(name, Kind(()))
                kinds[name] = Kind((ANY, 1, *[ANY] * (len(found.shape) - 2)))
            ids, *state = file.read(kinds).values()
            kept = int(file.about.get("kept", ""))
            if not 0 <= kept <= len(ids):
                raise ValueError(f"it keeps {kept} of {len(ids)} ids")
            return cls(ids, tuple(state), file.about.get("vocab_digest", ""), kept)
        except ValueError as error:
            raise DataError(
                f"{path} holds no primed state ({error}); make one with prime"
            ) from error


@dataclass(frozen=True)
class Place:
    """A point within a piece, from which a model can go on without reading the piece again.

    Attributes
    ----------
    primed : Primed
    tracker : Tracker or None
        A tracker that has seen the ids that it keeps.
    """

    primed: Primed
    tracker: Tracker | None = field(repr=False)


class Draft:
    """A piece in progress.

    Parameters
    ----------
    index, seed : int
        Together they determine the random numbers of the piece.
    prompt : int64 array (N,)
        The ids of the prompt that stay.
    tracker : Tracker or None
        A tracker that has seen these ids; the draft pushes its tokens to it.
    given : object
        The piece that begins with the prompt, if it is known.

    Attributes
    ----------
    missing : int
        Number of tokens for which END is not drawn yet, from `Limits.missing`.
    closing : StoppedBy or None
        Why the draft has to close what is open and then stop.
    looked : tuple of int
        When its length was last measured, as a number of tokens, and the room that there was.
    words : Words or None
        What was found so far, if words are proofread.
    """

    def __init__(
        self,
        index: int,
        prompt: Ids,
        tracker: Tracker | None,
        seed: int,
        given: Any = None,
    ) -> None:
        self.index, self.given = index, given
        #: Number of tokens of the prompt, of those that stay, and the text of the others.
        self.prompt = self.kept = len(prompt)
        self.open_text = ""
        self.ids = prompt.tolist()
        self.count = len(prompt)  # `ids` gets shorter than this where a stream drops old tokens
        self.tracker = tracker
        self.missing = 0
        self.closing: StoppedBy | None = None
        self.words: Words | None = None
        self.looked = (0, 0)
        self.state = 0  # row of the writer's states from which the draft goes on
        self.random = np.random.Generator(np.random.Philox(key=[seed, index]))
        self.log_probabilities: list[float] = []
        self.stopped_by: StoppedBy | None = None
        self.began = time.monotonic()
        self.seconds = 0.0

    def add(
        self, ids: list[int], log_probabilities: list[float], *, followed: bool = False
    ) -> None:
        """Add drawn tokens, which the tracker has to see, unless it has `followed` them."""
        self.ids += ids
        self.count += len(ids)
        self.log_probabilities += log_probabilities
        if self.tracker is not None and not followed:
            for token in ids:
                self.tracker.push(token)

    def begin(self, ids: list[int], log_probability: float, text: str, state: int) -> None:
        """Spell the open end of the prompt by some ids.

        Parameters
        ----------
        ids : list of int
        log_probability : float
            Of this way to spell the end.
        text : str
            The end.
        state : int
            Row of the writer's states before the last id.
        """
        self.add(ids, [])
        self.log_probabilities.append(log_probability)
        self.prompt, self.open_text, self.state = self.count, text, state

    def cut(self, count: int) -> None:
        """Remove the last tokens until `count` are left."""
        if surplus := self.count - count:
            del self.ids[-surplus:], self.log_probabilities[-surplus:]
            self.count = count

    def replace_last(self, ids: Sequence[int]) -> None:
        """Put ids in place of the last one; the first of them gets its probability."""
        self.ids[-1:] = ids
        self.count += len(ids) - 1
        self.log_probabilities += [0.0] * (len(ids) - 1)

    def stop(self, reason: StoppedBy) -> None:
        """Mark the piece as done."""
        self.stopped_by = reason
        self.seconds = time.monotonic() - self.began

    def branch(self, codec: Codec) -> Draft:
        """Return an independent copy; it shares the codec and the random numbers."""
        branch = copy.copy(self)
        branch.ids, branch.log_probabilities = self.ids[:], self.log_probabilities[:]
        branch.tracker = branch_tracker(self.tracker, codec)
        return branch

    def generated(self, run: Run[Piece], condition: Any, with_prompt: bool) -> Generated[Piece]:
        """Return the piece as it is, written for a condition."""
        assert self.stopped_by is not None
        codec = run.codec
        ids = np.array(self.ids, np.int64)
        if not with_prompt:
            piece: Any = codec.decode(codec.continuation(ids, self.kept))
            piece = piece.removeprefix(self.open_text) if self.open_text else piece
        elif self.given is None:
            piece = codec.decode(ids)
        else:
            piece = codec.keep(self.given, ids, self.kept)
        if condition is not None:
            piece = codec.answer(piece, condition)
        return Generated(
            *(self.index, ids, self.prompt, piece),
            *(self.stopped_by, sum(self.log_probabilities), self.seconds),
            words=self.words,
            domain=run.domain,
        )


def branch_tracker(tracker: Tracker | None, codec: Codec) -> Tracker | None:
    """Return an independent copy of a tracker, which shares the codec."""
    try:
        return copy.deepcopy(tracker, {id(codec): codec})
    except Exception as error:
        raise fault_of(error) or PluginError(
            f"{type(tracker).__module__}.{type(tracker).__qualname__} cannot be copied "
            f"({reason_of(error)}); a tracker must survive copy.deepcopy; tell its authors"
        ) from error
