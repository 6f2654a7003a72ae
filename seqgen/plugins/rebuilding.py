"""Rebuilds what a corpus or run was made with: its domain, its codec, its options of reading.

Code comes from installed plugins and plugin files that the user named, never from the folder.

Comes from: `seqgen.plugins.discovery`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from seqgen.bounds import LARGEST
from seqgen.conditions.labelled import LabelledCodec
from seqgen.conditions.labels import check_labels
from seqgen.errors import ChangedPlugin, PluginError, reason_of
from seqgen.options import options_from
from seqgen.plugin import Codec, Domain
from seqgen.plugins.announcements import Announced
from seqgen.plugins.discovery import codec_type, domain_names, load_domain
from seqgen.plugins.faults import place_of
from seqgen.plugins.files import is_version_of_file
from seqgen.vocab import Vocab


def domain_of(info: Mapping[str, Any], folder: Path) -> tuple[Domain, Announced]:
    """Load the domain of a corpus or run.

    A plugin file that has changed since gives a `ChangedPlugin` warning and is used: an author
    may improve a preview without training again. `load_codec` refuses a codec that does not fit.

    Parameters
    ----------
    info : mapping
        The JSON, already checked.
    folder : Path
        The folder of the JSON, for messages.

    Raises
    ------
    PluginError
        If the domain cannot be loaded, or its plugin file was not named.
    """
    name, source, version = info["domain"], info["distribution"], info["version"]
    from_file = is_version_of_file(version)
    if from_file and name not in domain_names():
        raise PluginError(
            f"{folder} was made with the plugin file {source}, which is never loaded by itself; "
            f"read the file, then write: seqgen --plugin FOLDER/{source} COMMAND "
            f"(in Python: seqgen.load_plugin)"
        )
    domain, found = load_domain(name)
    if from_file and found.version != version:
        message = (
            f"{folder} was made with {source} ({version}), unlike {found.distribution} "
            f"({found.version}); prepare and train again if what it does with pieces has changed"
        )
        warnings.warn(message, ChangedPlugin, stacklevel=1)
    return domain, found


def load_codec(info: Mapping[str, Any], folder: Path) -> Codec:
    """Rebuild the codec that the JSON of a corpus or run describes.

    Parameters
    ----------
    info : mapping
        The JSON, already checked.
    folder : Path
        The folder of the JSON, for messages.

    Raises
    ------
    PluginError
        If the domain cannot be loaded, rejects the state, or returns a codec that does not fit the
        vocabulary.
    """
    saved = info["codec"]
    domain, found = domain_of(info, folder)
    _, codec_class = codec_type(domain, info["domain"], saved["name"])
    options = options_from(codec_class.options_type, saved["options"], f"codec {saved['name']}")
    vocab = Vocab.of(info["vocab"])
    try:
        codec, cause = codec_class.from_state(saved["state"], options), None
        if saved.get("labels"):
            codec = LabelledCodec(codec, check_labels(saved["labels"]))
        difference = _misfit(codec, vocab)
    except Exception as error:
        # The state may come from another version; a plugin may fail on it in any way.
        codec, cause, difference = (
            None,
            error,
            f"nothing of its state ({reason_of(error)}{place_of(error)})",
        )
    if codec is None or difference:
        here = f"{found.distribution} {found.version}"
        there = f"{info['distribution']} {info['version']}"
        past = f"an earlier state of {there}" if here == there else there
        way = "" if here == there else "install that version, or "
        raise PluginError(
            f"codec {saved['name']!r} of {here} makes {difference} in {folder}, unlike {past}, "
            f"which was used there; {way}prepare and train again"
        ) from cause
    return codec


def load_read_options(info: Mapping[str, Any], folder: Path) -> Any:
    """Rebuild the read options that the JSON of a corpus or run holds.

    Raises
    ------
    PluginError, ConfigError
        If the domain cannot be loaded, or does not know them.
    """
    domain, _ = domain_of(info, folder)
    place = f"read options of {info['domain']} in {folder}"
    return options_from(domain.read_options, info["read_options"], place)


def _misfit(codec: Codec, vocab: Vocab) -> str:
    """Return how a codec differs from a vocabulary, or ""; compiled code trusts the codec."""
    count = vocab.end
    if Vocab.of(codec.vocab).digest != vocab.digest:
        return "another vocabulary"
    if not all(_is_within(token, count) for token in codec.boundaries):
        return f"boundaries that are not ids from 0 to {count - 1}"
    if len(codec.groups) not in (0, count):
        return f"groups of {len(codec.groups)} tokens in place of {count}"
    if not all(_is_within(group, count) for group in codec.groups):
        return f"groups that are not numbers from 0 to {count - 1}"
    if len(codec.word_numbers) not in (0, count):
        return f"word numbers of {len(codec.word_numbers)} tokens in place of {count}"
    if not all(_is_within(number, count + 1) for number in codec.word_numbers):
        return f"word numbers that are not from 0 to {count}"
    if not all(_is_within(size - 1, LARGEST) for size in codec.feature_sizes):
        return "features without values"
    return ""


def _is_within(value: Any, stop: int) -> bool:
    return isinstance(value, Integral) and 0 <= int(value) < stop
