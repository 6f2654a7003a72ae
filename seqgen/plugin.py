"""THE CONTRACT between the engine and a domain (music, text, ...).

A plugin is a distribution with an entry point in the group ``seqgen``: its name is the
domain's name, its value a module that imports nothing but this one and holds the hook::

    from seqgen.plugin import DomainSpec, hookimpl

    @hookimpl
    def seqgen_domains():
        return [DomainSpec("music", "MIDI and scores", (".mid",), "seqgen_music.domain:Music")]

The class that the last string names is imported when the domain is used, not before. It is a
`Domain`: it reads and writes pieces and offers codecs. A `Codec` turns a piece into token ids
and back. A codec's `Tracker`, if it has one, follows a sequence while it is written and says
all that the engine must not know: grammar, position, conditions. The engine sees ids only.

Next: `seqgen.discovery` finds plugins; `seqgen.testing` checks them against this page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

import pluggy

from seqgen.bounds import Within as Within
from seqgen.bounds import check_fields as check_fields
from seqgen.errors import DataError
from seqgen.unknown import Mended, Unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    import seqgen

#: Token ids of a piece.
Ids: TypeAlias = "NDArray[np.int64]"

#: Number of this contract. The core loads plugins of this number only.
CONTRACT = 1

#: Entry-point group in which plugins are announced.
GROUP = "seqgen"

#: A piece is the plugin's own type; the core never looks inside.
Piece: TypeAlias = Any

hookspec = pluggy.HookspecMarker("seqgen")
hookimpl = pluggy.HookimplMarker("seqgen")


@dataclass(frozen=True)
class DomainSpec:
    """What a plugin says of a domain before any of its code is imported.

    Attributes
    ----------
    name : str
        One lower-case word, the name of the entry point.
    summary : str
        One line for `seqgen domains`.
    suffixes : tuple of str
        Endings of the files it reads, with the dot, in lower case.
    implementation : str
        Where the `Domain` class is: ``"package.module:Class"``.
    contract : int
        The `CONTRACT` that the plugin was written for.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    implementation: str
    contract: int = CONTRACT


class Hooks:
    """The hook that a plugin module implements."""

    @hookspec
    def seqgen_domains(self) -> Iterable[DomainSpec]:  # type: ignore[empty-body]
        """Return the domains that this module offers, each named like one of its entry points."""


@dataclass(frozen=True)
class Metric:
    """A property of pieces, measured on each new one and on each of a corpus.

    Attributes
    ----------
    unit : str
        What a value counts ("bits", "notes"); empty for a share.
    generated : float64 array (G,) or (G, K)
        Of each new piece a value, or the shares of K bins; NaN where a piece has none.
    reference : float64 array (R,) or (R, K)
        The same of the corpus.
    bins : tuple of str
        Names of the K bins; empty for a value.
    """

    unit: str
    generated: NDArray[np.float64]
    reference: NDArray[np.float64]
    bins: tuple[str, ...] = ()


class Domain(Protocol):
    """What a plugin offers: pieces in and out of files, and codecs for them.

    Built without arguments. Heavy libraries belong inside the methods that need them. Subclass
    it to get the default: pieces come from files only.

    Attributes
    ----------
    codecs : mapping of str to Codec class
        By name; the first is the default where `suggest` does not say otherwise.
    formats : tuple of str
        Suffixes that `write` understands; the first is the default.
    """

    codecs: ClassVar[Mapping[str, type[Codec]]]
    formats: ClassVar[tuple[str, ...]]

    def read(self, path: Path) -> Iterable[Piece]:
        """Read the pieces of one file, one after the other if it may be larger than memory.

        A `DataError` that is returned in the place of a piece says why this one cannot be used;
        preparing lists it and goes on.

        Raises
        ------
        DataError
            If the file holds nothing that can be read; preparing skips it and says why.
        """
        ...

    def from_text(self, text: str) -> Piece:
        """Return the piece that a user typed, as a prompt or a sequence to stop at.

        Raises
        ------
        DataError
            If pieces cannot be typed, which is the default.
        """
        raise DataError("pieces of this domain come from files and cannot be typed")

    def suggest(self, pieces: Iterable[Piece]) -> tuple[str, str]:
        """Return the name of the codec that fits these pieces, and why, for users who name none.

        The reason goes on after "chose codec NAME:", as in "352 of 371 pieces have four voices".
        By default it is the first codec, without a reason. `pieces` is read once; of a large
        corpus it is a sample.
        """
        return next(iter(self.codecs)), ""

    def write(self, piece: Piece, path: Path) -> list[Path]:
        """Write a piece in the format of the path's suffix; return the files written."""
        ...

    def preview(self, piece: Piece) -> dict[str, bytes | str]:
        """Return the piece for eyes and ears, by MIME type (``image/png``, ``audio/wav`` ...)."""
        ...

    def describe(self, piece: Piece) -> Mapping[str, str | int | float]:
        """Return what ``seqgen prepare --report`` says of a piece: its length, its parts ...

        Few facts with short names, beside what `Codec.units` counts; none by default.
        """
        return {}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return files to learn from, without a network.

        A domain that has to make its data writes it into `folder`, which is kept.
        """
        ...

    def metrics(
        self, generated: Sequence[Piece], reference: Iterable[Piece]
    ) -> Mapping[str, Metric]:
        """Return what can be measured on pieces, by name; nothing is the default.

        Parameters
        ----------
        generated : sequence of G pieces
        reference : iterable of R pieces
            Of a corpus; read once.
        """
        return {}

    def probes(self, codec: Codec) -> Sequence[Any]:
        """Return conditions that a model is asked for when it is measured; none by default.

        They stand for what users ask for: texts with every kind of letter, for example. What a
        model writes when nothing is given says little of how it follows a condition.
        """
        return ()

    def measure_probes(
        self, probes: Sequence[Any], written: Sequence[Piece], reference: Iterable[Piece]
    ) -> Mapping[str, Metric]:
        """Return how well pieces follow the conditions they were written for, by name.

        Parameters
        ----------
        probes : sequence of G conditions
            What `probes` returned.
        written : sequence of G pieces
        reference : iterable of R pieces
            Of a corpus; read once.
        """
        return {}

    def likelihoods(self, run: seqgen.Run, pieces: Iterable[Piece]) -> Mapping[str, float]:
        """Return how well a run predicts pieces in measures that no loss per token gives, by name.

        For all pieces together, as in nats a point of a drawing; none by default.

        Parameters
        ----------
        run : Run
            Of this domain.
        pieces : iterable of piece
            As they were read, all of them such as the run's codec encodes; there may be more than
            memory holds. Read once.
        """
        return {}


class Codec(Protocol):
    """Turns a piece into token ids and ids into a piece.

    Ids are those of the payload, ``0 .. len(vocab) - 1``; START and END belong to the core.
    Subclass it to get the defaults: no features, no augmentation, no twins, no grammar.

    Attributes
    ----------
    options_type : type
        A frozen dataclass; fields of type bool, int, float, str or Literal of str, all with
        defaults, one sentence each.
    options : object
        The instance of it that this codec was fitted with.
    vocab : sequence of str
        Names of the payload tokens in the order of their ids.
    feature_sizes : tuple of int
        Number of values of each of the K features.
    boundaries : sequence of int
        Payload ids (paragraph, page, chapter) after which the model forgets everything, in
        training, scoring and generating alike: what follows such a token is predicted from the
        zero state. It is a token like any other otherwise. They derive from options and state.
    temperature : float
        The sampling temperature for users who name none: what gives the best pieces. For a codec
        without a tracker it is the lowest that training tries.
    min_p : float
        The same of min-p, where training does not measure it.
    groups : sequence of int
        Number of each payload token's group, from 0 on. Temperature and filters of the sampler then
        choose within a group (which pitch), and the model which group comes next (whether there is
        a note). Empty, the default, means that all are of one.
    """

    options_type: ClassVar[type[Any]]
    options: Any
    vocab: Sequence[str]
    feature_sizes: tuple[int, ...] = ()
    boundaries: Sequence[int] = ()
    temperature: float = 1.0
    min_p: float = 0.0
    groups: Sequence[int] = ()

    @classmethod
    def fit(cls, pieces: Iterable[Piece], options: Any) -> Self:
        """Learn what is learned (alphabet, ranges, codebook) and return the codec.

        The result depends on `options` and on which pieces there are, not on their order.
        Pieces that `encode` would refuse are passed over. `pieces` is read once.
        """
        ...

    def encode(self, piece: Piece) -> Ids:
        """Return the piece's ids ``(N,)``.

        Lossy only as the codec's docstring states; encoding what `decode` made of the
        result gives the result again.

        Raises
        ------
        DataError
            If the piece is not one for this codec, or holds a symbol it does not know.
        """
        ...

    def mend_prompt(self, piece: Piece, unknown: Unknown) -> Mended:
        """Return the piece of known symbols only; by default it is `encode` that refuses others."""
        self.encode(piece)
        return Mended(piece)

    def mend_condition(self, condition: Any, unknown: Unknown) -> Mended:
        """Return what `tracker` is to follow in the same way; by default as it is."""
        return Mended(condition)

    def decode(self, ids: Ids) -> Piece:
        """Return the piece of any ids ``(N,)``: cut short or random, never an error."""
        ...

    def state(self) -> dict[str, Any]:
        """Return all that was learned, as plain JSON; options are kept by the core."""
        ...

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec from `state`."""
        ...

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Return a variation of the piece's ids ``(N,)``, drawn afresh for every epoch.

        Called on training pieces only; the argument is read-only.
        """
        return ids

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return what follows the first `start` ids ``(N,)``, as ids of a piece of its own."""
        return ids[start:]

    def text_stream(self) -> Callable[[int], str] | None:
        """Return a new function from each id of a piece, in turn, to the text it adds.

        None, the default, means that pieces are not text to be shown while they are written.
        """
        return None

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the features ``(N + 1, K)`` of a piece's ids ``(N,)``.

        Row i says what ``ids[:i]`` tells of position i (beat, voice, pen state), and reaches
        the model when it predicts that position; row N belongs to the END to come.
        """
        raise NotImplementedError(f"{type(self).__name__} has feature_sizes but no features()")

    def tracker(self, condition: Any = None) -> Tracker | None:
        """Return a new follower for one sequence, or None if any id may follow any other.

        Parameters
        ----------
        condition : object
            What the user wants in the result: a piece (a melody) or text (a sentence); None for
            nothing.

        A codec with features has a tracker, which gives them one by one.

        Raises
        ------
        DataError
            If the codec can make nothing of the condition, which is the default.
        """
        if condition is not None:
            raise DataError(
                f"codec {type(self).__name__} takes no condition: nothing can be given; "
                f"leave out --given"
            )
        return None

    def candidates(self, condition: Any) -> int:
        """Return how many candidates of a piece are to be written, for users who do not say.

        By default one. More pay where the condition gives tokens at the same steps to all of them,
        as the voices of a chorale do (`seqgen.generation.candidates`).
        """
        return 1

    def most_tokens(self, condition: Any) -> int | None:
        """Return how many tokens a condition calls for at most, where no limit is set.

        None, the default, means that the codec does not know: the engine sets a limit by the
        pieces of the corpus.
        """
        return None

    def place(self, ids: Ids, position: int) -> str:
        """Return in words where in the piece of ids ``(N,)`` a position is ("bar 12")."""
        return f"token {position + 1:,}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return what a loss may be quoted per, with its amount in `ids`, by name."""
        return {"tokens": float(len(ids))}

    def passages(self, ids: Ids) -> NDArray[np.int64]:
        """Return hashes ``(P,)`` of passages of a piece's ids ``(N,)``, by which twins are known.

        Pieces that share a passage are kept on one side of the split. A passage is long enough
        not to be shared by chance, and its hash is the same in every variation of `augment` and
        for every fit of the codec. Hashes are spread evenly over 64 bits; a handful to some tens
        are enough. None, the default, means that no piece has a twin.
        """
        import numpy as np

        return np.zeros(0, np.int64)


class Tracker(Protocol):
    """Follows one sequence while it is generated."""

    def features(self) -> Sequence[int]:
        """Return the features ``(K,)`` of the next position, as `Codec.features` would."""
        ...

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return a mask ``(len(vocab) + 1,)`` of the ids that may come next, END last.

        None means: any. A mask allows at least one id.
        """
        ...

    def forced(self) -> int | None:
        """Return the one id that comes next (``len(vocab)`` is END), or None to let it be drawn."""
        ...

    def push(self, token: int) -> None:
        """Take note of the payload id that came."""
        ...
