"""From the name of a codec, or none, to a codec that is fitted on the pieces of a corpus.

Without a name the domain suggests a codec after a look at some pieces.
Comes from: `seqgen.data.preparation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from seqgen.conditions.labelled import LabelledCodec, why_impossible
from seqgen.conditions.labels import Labelled
from seqgen.conditions.unlabelled import unlabelled
from seqgen.data.labelling import Census, Labelling
from seqgen.data.reading import Reader
from seqgen.errors import ClusterError, ConfigError, DataError, PluginError, reason_of
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain, Piece
from seqgen.plugins.announcements import Announced
from seqgen.plugins.discovery import codec_type
from seqgen.plugins.faults import fault_of
from seqgen.vocab import Vocab


@dataclass(frozen=True)
class Choice:
    """A codec with its options, and the reason if the domain suggested it."""

    name: str
    codec_class: type[Codec]
    options: Any
    reason: str = ""

    @property
    def description(self) -> dict[str, Any]:
        """Name and options, as ``corpus.json`` holds them."""
        return {"name": self.name, "options": asdict(self.options)}


def named_codec(
    domain: Domain,
    domain_name: str,
    codec: str | None,
    options: Mapping[str, Any] | None,
    before: Codec | None = None,
) -> Choice | None:
    """Return the named codec, or the only one; None if the domain has to suggest one.

    The codec of a model that goes on, `before`, is the default, with its options.

    Raises
    ------
    PluginError, ConfigError
        If there is no such codec, or none that has these options.
    """
    former = None if before is None else unlabelled(before)
    for name, codec_class in domain.codecs.items():
        if type(former) is codec_class and former is not None and codec in (None, name):
            codec, options = name, asdict(former.options) | dict(options or {})
    refusals = []
    for candidate in domain.codecs if codec is None else [codec]:
        name, codec_class = codec_type(domain, domain_name, candidate)
        place = f"options of codec {name!r}"
        try:
            chosen = options_from(codec_class.options_type, options or {}, place)
        except ConfigError as error:
            refusals.append(error)
            continue
        if candidate == codec or len(domain.codecs) == 1:
            return Choice(name, codec_class, chosen)
    if codec is not None or len(refusals) == len(domain.codecs):
        raise refusals[0]
    return None


def suggested_codec(
    domain: Domain, found: Announced, options: Mapping[str, Any] | None, pieces: Iterable[Piece]
) -> Choice:
    """Return the codec that the domain suggests for some pieces.

    Raises
    ------
    PluginError
        If the plugin fails.
    ConfigError
        If the suggested codec does not have these options.
    """
    try:
        name, reason = domain.suggest(pieces)
    except ClusterError:
        raise
    except Exception as error:
        raise fault_of(error) or PluginError(
            f"{found.distribution} {found.version} cannot choose a codec for these files "
            f"({reason_of(error)}); name one of {', '.join(domain.codecs)}, and tell its authors"
        ) from error
    choice = named_codec(domain, found.name, name, options)
    assert choice is not None  # for a codec is named
    return replace(choice, reason=reason)


def fitted_codec(
    choice: Choice,
    readers: Sequence[Reader],
    found: Announced,
    census: Census,
    before: Codec | None,
) -> Codec:
    """Return the codec of a choice, fitted on the pieces of some readers, with their labels.

    `census` counts the labels. `before` is the codec of a model that goes on with these pieces.

    Raises
    ------
    CorpusError
        If no file holds a piece, or the codec can learn nothing from the pieces.
    PluginError
        If the plugin fails.
    ConfigError
        If the codec cannot have these labels.
    """
    some = False

    def pieces() -> Iterator[Any]:
        nonlocal some
        for reader in readers:
            for piece in reader.pieces():
                some = True
                yield census.count(piece)

    passing = pieces()
    try:
        fitted = _fit(choice, passing, before)
        Vocab.of(fitted.vocab)
    except ClusterError:
        raise
    except DataError as error:
        # Without a piece there is nothing wrong with the codec.
        raise readers[0].nothing_usable(str(error) if some else "") from error
    except Exception as error:
        raise fault_of(error) or PluginError(
            f"{choice.codec_class.__name__} of {found.distribution} {found.version} cannot be "
            f"fitted on these files ({reason_of(error)}); tell its authors"
        ) from error
    for _ in passing:
        pass  # A codec that has nothing to learn does not read to the end.
    census.labelling.weighing.check_all_fit()
    return _with_labels(fitted, census)


def _fit(choice: Choice, pieces: Iterable[Piece], before: Codec | None) -> Codec:
    """Return the codec of a choice; one of its class that went before is fitted again."""
    former = None if before is None else unlabelled(before)
    if former is not None and type(former) is choice.codec_class:
        return former.refit(pieces, choice.options)
    return choice.codec_class.fit(pieces, choice.options)


def _with_labels(codec: Codec, census: Census) -> Codec:
    """Return a codec with the labels of a census; one that nobody asked for must not be an error.

    Raises
    ------
    ConfigError
        If the codec cannot have labels that were asked for.
    """
    labels = census.labels()
    if census.labelling.takes_found:
        reasons = {label.name: why_impossible(codec, label) for label in labels}
        census.left_out |= {name: reason for name, reason in reasons.items() if reason}
        labels = [label for label in labels if not reasons[label.name]]
    return LabelledCodec(codec, labels) if labels else codec


def fitted_on(choice: Choice, pieces: Sequence[Piece], before: Codec | None) -> Codec:
    """Return the codec of a choice, fitted on pieces in memory, with the labels that they have."""
    labelled = [piece for piece in pieces if isinstance(piece, Labelled)]
    names = dict.fromkeys(name for piece in labelled for name in piece.labels)
    census = Census(Labelling(dict.fromkeys(names)))
    fitted = _fit(choice, [census.count(piece) for piece in pieces], before)
    return _with_labels(fitted, census)


def described(choice: Choice, codec: Codec) -> dict[str, Any]:
    """Return what ``corpus.json`` says of a fitted codec: name, options, labels and note."""
    entry = choice.description
    if isinstance(codec, LabelledCodec):
        entry["labels"] = [asdict(label) for label in codec.labels]
        codec = codec.codec
    return entry | ({"note": str(codec.fit_note)} if codec.fit_note else {})
