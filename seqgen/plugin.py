"""THE CONTRACT between the engine and a domain (music, text, ...).

A plugin is a distribution with an entry point in the group ``seqgen``. The entry point's name is
the domain's name; its value is a module that imports only this one and implements the hook::

    from seqgen.plugin import DomainSpec, hookimpl
    @hookimpl
    def seqgen_domains():
        return [DomainSpec("go", "games of Go", (".sgf",), "seqgen_go.domain:Go", contract=2)]

The last string names the `Domain` class, imported only when it is used: it reads and writes pieces
and offers codecs. A `Codec` turns a piece into token ids and back; the engine sees ids only. A
`Tracker` follows one sequence during generation: grammar, features, conditions.

Plugins may also offer architectures of the network (group ``"seqgen.architectures"``, see
`seqgen.network.layers`) and listeners, which follow trainings (group ``"seqgen.events"``).
Next: `seqgen.plugins.discovery` finds plugins; `seqgen.testing` checks that they keep the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias, runtime_checkable

from seqgen.bounds import Within as Within
from seqgen.bounds import check_fields as check_fields
from seqgen.conditions.kept import Kept as Kept
from seqgen.conditions.labels import Labelled as Labelled
from seqgen.conditions.labels import refuse_condition as refuse_condition
from seqgen.conditions.requests import Request as Request
from seqgen.criticism import Criticism as Criticism
from seqgen.criticism import Norm as Norm
from seqgen.criticism import Norms as Norms
from seqgen.errors import DataError, PluginError
from seqgen.listener import Listener as Listener
from seqgen.listener import Report as Report
from seqgen.metric import Metric as Metric
from seqgen.note import Note as Note
from seqgen.open_end import OpenEnd as OpenEnd
from seqgen.options import NoOptions as NoOptions
from seqgen.piece import Piece as Piece
from seqgen.plugins.hooks import hookimpl as hookimpl
from seqgen.plugins.specs import ArchitectureSpec as ArchitectureSpec
from seqgen.plugins.specs import DomainSpec as DomainSpec
from seqgen.plugins.specs import ListenerSpec as ListenerSpec
from seqgen.predictor import Predictor as Predictor
from seqgen.unknown import Mended, Unknown
from seqgen.view import View as View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seqgen.conditions.dictation import Dictation
    from seqgen.grammar import Masks

#: Token ids of a piece. Methods of a codec always get them as int64.
Ids: TypeAlias = "NDArray[np.int64]"

#: Number of this contract. The core loads only plugins written for this number.
CONTRACT = 2


class Domain(Protocol[Piece]):
    """Reads and writes pieces, and offers codecs for them.

    Subclass it to get the defaults. It is built without arguments; methods import heavy libraries.

    Attributes
    ----------
    codecs : mapping of str to Codec class
        Codecs by name. The first is the default unless `suggest` chooses another.
    formats : tuple of str
        Suffixes that `write` accepts; the first is the default.
    exact_format : str
        The one of `formats` whose files keep a piece as it is; by default the first.
    read_options, write_options : type
        Classes of options. With their defaults, `read` understands the first format of `write`.
    demo_note : str
        What the page of a demo says of its data.
    """

    codecs: ClassVar[Mapping[str, type[Codec]]]
    formats: ClassVar[tuple[str, ...]]
    exact_format: ClassVar[str] = ""
    read_options: ClassVar[type[Any]] = NoOptions
    write_options: ClassVar[type[Any]] = NoOptions
    demo_note: ClassVar[str] = ""

    def read(self, path: Path, options: Any) -> Iterable[Piece | Labelled | DataError | Note]:
        """Read the pieces of one file; yield them one by one if a file may exceed memory.

        A piece may come as `Labelled`, with labels, a weight and facts that the file gives. For one
        unusable piece return a `DataError` in its place: `prepare` lists its message. A `Note`
        among the pieces says how the file was read.

        Raises
        ------
        DataError
            If nothing in the file can be read; `prepare` skips the file and lists the message.
        """

    def reads(self, path: Path) -> bool:
        """Return whether a file of another suffix in a folder is read too; by default not."""
        return False

    def choose_reading(self, files: Sequence[Path], options: Any) -> tuple[Any, str]:
        """Return the options of `read` for a whole corpus, and why: "pieces: each line"."""
        return options, ""

    def companions(self, path: Path) -> Iterable[Path]:
        """Return other files that `read` opens, which are no pieces and need not exist; or none."""
        return ()

    def from_text(self, text: str) -> Piece:
        """Return the piece that a user typed as a prompt or stop text; by default `DataError`."""
        raise DataError("pieces of this domain come from files and cannot be typed")

    def suggest(self, pieces: Iterable[Piece]) -> tuple[str, str]:
        """Return the codec for some pieces, read once, and why: "352 of 371 have four voices"."""
        return next(iter(self.codecs)), ""

    def write(self, piece: Piece, path: Path, options: Any) -> list[Path]:
        """Write a piece in the format of the path's suffix; return the files written."""

    def preview(self, piece: Piece) -> Mapping[str, bytes | str]:
        """Return the piece as images or sounds by MIME type (``image/png``, ``audio/wav`` ...)."""

    def view(self, piece: Piece) -> View | None:
        """Return the notes, strokes or samples that the playground draws; by default None."""
        return None

    def describe(self, piece: Piece) -> Mapping[str, str | int | float]:
        """Return a few facts for ``seqgen prepare --report``: ``{"parts": 4}``; none by default."""
        return {}

    def labels(self, piece: Piece) -> Mapping[str, str]:
        """Return labels that the piece itself has, such as ``{"composer": "bach"}``."""
        return {}

    def demo(self, folder: Path) -> Sequence[Path]:
        """Return files to learn from, without using a network; `folder` keeps those made here."""

    def metrics(
        self, generated: Sequence[Piece], reference: Iterable[Piece]
    ) -> Mapping[str, Metric]:
        """Return metrics of G generated and R reference pieces (read once), by name; or none."""
        return {}

    def probes(self, codec: Codec) -> Sequence[Any]:
        """Return typical conditions, for `measure_probes` and demos: texts with every letter."""
        return ()

    def measure_probes(
        self, probes: Sequence[Any], written: Sequence[Piece], reference: Iterable[Piece]
    ) -> Mapping[str, Metric]:
        """Return metrics by name: how well piece i of G written ones follows ``probes[i]``."""
        return {}

    def label_judge(self, pieces: Iterable[Labelled]) -> Callable[[Piece], dict[str, str]] | None:
        """Return what tells the labels of a piece, learned from `pieces`, for `seqgen compare`."""
        return None

    def critic(self, pieces: Iterable[Piece]) -> Callable[[Piece, Any], Criticism] | None:
        """Return what judges new pieces and their conditions, learned from training `pieces`."""
        return None

    def learn_proofreader(self, pieces: Iterable[Piece]) -> Mapping[str, NDArray[Any]] | None:
        """Return what `proofreader` has to know, as float32 or int64 arrays; or None."""
        return None

    def proofreader(self, learned: Mapping[str, NDArray[Any]]) -> Callable[[Piece], float]:
        """Return what says how bad the last dictated symbol is: 0 is sure, from 1 on misread."""
        raise DataError("this domain does not proofread")

    def likelihoods(
        self, codec: Codec, predictor: Predictor, pieces: Iterable[Piece]
    ) -> Mapping[str, float]:
        """Return figures of all `pieces` (read once) that no loss gives: nats per point."""
        return {}


class Codec(Protocol[Piece]):
    """Turns a piece into token ids and ids into a piece.

    Ids are ``0 .. len(vocab) - 1``; the core adds START and END. Required are `options_type`,
    `options`, `vocab` and the first five methods; a subclass gets defaults for all else.

    Attributes
    ----------
    options_type, options : type, object
        A frozen dataclass of bool, int, float, str or Literal of str, with defaults and docstrings.
        The instance of it that this codec was fitted with.
    vocab : sequence of str
        Token names in the order of their ids.
    feature_sizes, feature_values : tuple of int, sequence of sequences
        Number of values of each of the K features: ``(16,)`` for one, the sixteenth of a bar. What
        each value means, as anything hashable: ``(range(16),)``. Fine-tuning matches values by it.
    boundaries : sequence of int
        Ids after which the model's state is zero, such as a page token; from options and state.
    temperature, min_p, guidance : float
        Default sampling temperature, the lowest that training tries for a codec without a tracker.
        Default min-p if training does not measure it. Default guidance by labels; 1 for none.
    groups, word_numbers : sequence of int
        Group number of each id; empty (the default) puts all in one. The model first chooses a
        group (note or rest?); temperature and filters then apply within it (which note?).
        Number of each id inside words, else 0, for adaptive scoring; empty if there are no words.
    requests, dictation : mapping of str to Request, Dictation or None
        What can be requested with ``--given NAME=VALUE``, with known values. `tracker` reads it.
        The symbols that are dictated, if this codec writes given text.
    limited, idempotent, rewrites : bool
        Whether ``tracker()`` may allow less than `masks`, such as no endless loops; encoding a
        decoded piece gives its ids again (that of a vocoder may not); `tracker` takes a `Kept`.
    fit_note : str
        What `fit` says of the pieces, such as how many notes a grid moves; `prepare` prints it.
    """

    options_type: ClassVar[type[Any]]
    options: Any
    vocab: Sequence[str]
    feature_sizes: tuple[int, ...] = ()
    feature_values: Sequence[Sequence[Any]] = ()
    boundaries: Sequence[int] = ()
    temperature: float = 1.0
    min_p: float = 0.0
    guidance: float = 1.0
    groups: Sequence[int] = ()
    word_numbers: Sequence[int] = ()
    requests: Mapping[str, Request] = MappingProxyType({})
    dictation: Dictation | None = None
    limited: bool = False
    idempotent: bool = True
    rewrites: bool = False
    fit_note: str = ""

    @classmethod
    def fit(cls, pieces: Iterable[Piece], options: Any) -> Self:
        """Learn an alphabet or a codebook from pieces, and return the codec.

        The result must not depend on the order of the pieces. Skip pieces that `encode` would
        refuse. `pieces` is read once. Held-out pieces are among them: see `learn_grammar`.
        """

    def refit(self, pieces: Iterable[Piece], options: Any) -> Self:
        """Return the codec of other pieces for ``--from``: keep a codebook; by default `fit`."""
        return type(self).fit(pieces, options)

    def encode(self, piece: Piece) -> Ids:
        """Return the piece's ids ``(N,)``; the docstring of the class says what is lost.

        Raises
        ------
        DataError
            If the codec cannot encode this piece, or does not know one of its symbols.
        """

    def decode(self, ids: Ids) -> Piece:
        """Return the piece of any ids ``(N,)``, also random or truncated ones; never fail."""

    def state(self) -> dict[str, Any]:
        """Return everything learned, as plain JSON; the core stores the options."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any], options: Any) -> Self:
        """Rebuild the codec from `state` and options."""

    def learn_grammar(self, pieces: Iterable[Ids]) -> None:
        """Learn what masks and trackers forbid, such as pitches beyond a voice's range.

        Called once after `fit`, with the ids of training pieces only, in any order; a piece whose
        end is held out is cut. `state` returns what was learned. By default nothing is.
        """
        return  # A body of a docstring alone would make the method abstract.

    def mend_prompt(self, piece: Piece, unknown: Unknown) -> Mended:
        """Return the piece with "i" for an unknown "ï"; by default `encode` refuses the piece."""
        self.encode(piece)
        return Mended(piece)

    def mend_condition(self, condition: Any, unknown: Unknown) -> Mended:
        """Return a condition for `tracker` without unknown symbols; unchanged by default."""
        return Mended(condition)

    def augment(self, ids: Ids, rng: np.random.Generator) -> Ids:
        """Return a random variation of a training piece ``(N,)``; `ids` is read-only."""
        return ids

    def variations(self, ids: Ids) -> Ids:
        """Return all versions ``(K, N)`` of a piece, the same ones for each: transpositions."""
        return ids[None]

    def continuation(self, ids: Ids, start: int) -> Ids:
        """Return the ids ``(N,)`` from `start` as a complete piece, such as with its key first."""
        return ids[start:]

    def beginnings(self, ids: Ids) -> Ids:
        """Return places ``(P,)`` in a long piece where training may begin, too; or none."""
        return ids[:0]

    def text_stream(self) -> Callable[[int], str] | None:
        """Return a function from the next id to the text it adds; by default None: no text."""
        return None

    def open_end(self, ids: Ids) -> OpenEnd | None:
        """Return what is open at the end of a prompt, such as "hel" of "hello"; or none."""
        return None

    def features(self, ids: Ids) -> NDArray[np.int64]:
        """Return the features ``(N + 1, K)`` of ids ``(N,)``, such as the beat or the voice.

        Row i depends on ``ids[:i]`` only; it is read to predict token i, and row N for END.
        """
        name = type(self).__name__  # A body of a single raise would make the method abstract.
        raise PluginError(f"{name} has feature_sizes but no features(); tell its authors")

    def masks(self, ids: Ids) -> Masks | None:
        """Return which ids may come at each position of ids ``(N,)``, such as legal chess moves.

        Row i is the mask of ``tracker()`` after ``ids[:i]``, END last, as bits ``(N + 1, W)`` from
        `seqgen.grammar.packed`, or as `seqgen.grammar.IndexedMasks`. Losses then count allowed ids
        only. All tokens of training pieces are allowed. Return None for every piece or for none.
        """
        return None

    def tracker(self, condition: Any = None) -> Tracker | None:
        """Return a new tracker for one sequence, or None if any id may follow any other.

        The default takes the last rows of `features` and `masks` of all ids so far at each step.
        Write one for long pieces, to limit new ones, or to follow a condition of ``--given``: a
        piece to harmonise, a text to write. Raise `DataError` for one that the codec cannot use.
        """
        refuse_condition(condition)
        from seqgen.grammar import DerivedTracker

        return DerivedTracker.of(self)

    def candidates(self, condition: Any) -> int:
        """Return the default number of candidates: more if tokens are forced at the same steps."""
        return 1

    def most_tokens(self, condition: Any) -> int | None:
        """Return the limit in tokens for a condition, such as 40 a letter; None leaves it open."""
        return None

    def keep(self, given: Piece, ids: Ids, start: int) -> Piece:
        """Return the piece of ids ``(N,)``, begun as `given`: the first `start` are a prompt."""
        return self.decode(ids)

    def answer(self, piece: Piece, condition: Any) -> Piece:
        """Return a new piece with what only the condition says: the spelling of its words."""
        return piece

    def header_values(self, ids: Ids) -> Mapping[str, str]:
        """Return what a piece says about itself by name of `requests`: ``{"key": "C minor"}``."""
        return {}

    def place(self, ids: Ids, position: int) -> str:
        """Return a position in a piece ``(N,)`` in words, such as "bar 12"."""
        return f"token {position + 1:,}"

    def units(self, ids: Ids) -> dict[str, float]:
        """Return units for quoting losses, with their number in `ids`: ``{"characters": 12.0}``."""
        return {"tokens": float(len(ids))}

    def passages(self, ids: Ids) -> NDArray[np.int64]:
        """Return hashes ``(P,)`` of passages of a piece ``(N,)``, to find near-duplicates.

        Pieces that share one go into one split. Take a few tens that are too long to be shared by
        chance; by default none. Hashes fill 64 bits evenly, the same in all variations and fits.
        """
        import numpy as np

        return np.zeros(0, np.int64)


class Tracker(Protocol):
    """Follows one sequence during generation; the engine copies it with ``copy.deepcopy``."""

    def features(self) -> Sequence[int]:
        """Return the features ``(K,)`` of the next position, the same as `Codec.features`."""

    def allowed(self) -> NDArray[np.bool_] | None:
        """Return a mask ``(len(vocab) + 1,)``, END last, with at least one id; None allows all."""

    def forced(self) -> int | None:
        """Return the only id that may come next (END is ``len(vocab)``), or None to draw it."""

    def push(self, token: int) -> None:
        """Update the state with the id that was written."""


@runtime_checkable
class ClosingTracker(Tracker, Protocol):
    """A tracker that ends pieces whole at a limit in tokens."""

    def closing(self, room: int) -> NDArray[np.bool_] | None:
        """Return what of `allowed` lets the piece end within `room` tokens, or else soonest."""
