"""What came of a check: its state, and for a failure whose method broke which rule, and where."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from seqgen.conformance.subject import NoPieces, NothingToCheck, Promise
from seqgen.plugin import Codec, Domain
from seqgen.plugins.deadline import TooLong, within
from seqgen.plugins.faults import PluginFault, method_text, naming_plugin_faults, reason_for
from seqgen.plugins.guard import guarded

#: Seconds that a check may take.
SECONDS = 900.0

#: States: "expected" is a failure that its author announced.
State = Literal["passed", "failed", "idle", "expected"]

#: The methods that each promise is about: of the domain, and of the codec.
_METHODS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "has_pieces": (("demo", "read"), ("fit", "encode")),
    "announces_itself": (("read",), ()),
    "declares_its_options": (("read_options",), ("options_type",)),
    "reads_its_demo": (("demo",), ()),
    "reads_pieces": (("read",), ()),
    "keeps_pieces_apart": (("write", "read"), ()),
    "knows_companions": (("companions", "read"), ()),
    "annotates_pieces": (("read",), ()),
    "refuses_bad_files": (("read",), ()),
    "writes_every_format": (("write",), ()),
    "describes_pieces": (("describe",), ()),
    "labels_pieces": (("labels",), ()),
    "shows_pieces": (("preview",), ()),
    "views_pieces": (("view",), ("decode",)),
    "prints_nothing": (("read", "write"), ("encode", "decode")),
    "fits_in_any_order": ((), ("fit", "state")),
    "names_its_tokens": ((), ("vocab", "groups", "word_numbers", "place")),
    "names_its_boundaries": ((), ("boundaries",)),
    "encodes_into_its_vocabulary": ((), ("encode",)),
    "round_trips": ((), ("encode", "decode")),
    "survives_files": (("write", "read"), ()),
    "mends_prompts": ((), ("mend_prompt",)),
    "decodes_anything": (("write", "read"), ("decode",)),
    "decodes_all_of_its_tokens": ((), ("decode",)),
    "saves_its_state": ((), ("state", "from_state")),
    "goes_on_with_other_pieces": ((), ("refit",)),
    "augments_within_its_vocabulary": ((), ("augment",)),
    "recognises_variations": ((), ("passages", "augment")),
    "varies_within_one_class": ((), ("variations",)),
    "continues_pieces": ((), ("continuation",)),
    "begins_inside_pieces": ((), ("beginnings", "continuation")),
    "shows_text_as_it_comes": ((), ("text_stream", "decode", "open_end")),
    "has_features_in_range": ((), ("features",)),
    "has_features_of_the_past": ((), ("features",)),
    "tracks_its_features": ((), ("tracker", "features")),
    "allows_real_pieces": ((), ("tracker",)),
    "always_allows_something": ((), ("tracker",)),
    "follows_requests": ((), ("tracker", "header_values")),
    "refuses_requests": ((), ("tracker", "requests")),
    "spells_its_pieces": ((), ("dictation", "encode")),
    "follows_its_dictation": ((), ("features", "masks")),
    "writes_requested_texts": ((), ("tracker", "decode")),
    "proofreads": (("learn_proofreader", "proofreader"), ()),
    "copies_its_tracker": ((), ("tracker",)),
    "ends_within_a_limit": ((), ("tracker",)),
    "masks_allow_real_pieces": ((), ("masks", "learn_grammar")),
    "masks_as_it_tracks": ((), ("masks", "tracker")),
    "follows_as_it_tracks": ((), ("tracker",)),
    "measures_pieces": (
        ("metrics", "probes", "measure_probes", "label_judge", "likelihoods"),
        ("units",),
    ),
    "criticises_any_piece": (("critic",), ()),
    "learns_and_writes": ((), ("encode", "decode")),
    "encodes_alike_elsewhere": ((), ("fit", "from_state", "encode")),
    "can_be_sent_and_copied": ((), ("tracker", "from_state")),
    "takes_short_and_long_pieces": ((), ("decode", "features", "masks")),
    "walks_on": ((), ("tracker",)),
    "has_a_small_state": ((), ("state",)),
    "prepares_a_corpus": (("read",), ("fit", "encode")),
    "works_with_other_options": ((), ("options_type", "fit", "from_state")),
    "works_with_labels": ((), ("vocab", "encode", "features")),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes
    ----------
    codec, promise : str
    state : {"passed", "failed", "idle", "expected"}
    seconds : float
    rule : str
        The promise in one sentence.
    reason : str
        Why it failed, why a failure was expected, or why there was nothing to check.
    places : tuple of str
        Of a failure: the methods to look at, with distribution, file and line.
    """

    codec: str
    promise: str
    state: State
    seconds: float
    rule: str
    reason: str = ""
    places: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return all fields as JSON."""
        return asdict(self) | {"places": list(self.places)}

    def __str__(self) -> str:
        return "\n    ".join([f"{self.codec}-{self.promise}: {self.reason}", *self.places])


class FailsAsExpected(NothingToCheck):
    """The promise is broken, and its author has said so, with a reason."""


def outcome_of(
    run: Callable[[], None], promise: Promise, domain: Domain, codec_name: str
) -> Outcome:
    """Run a check and return what came of it.

    What plugin code prints goes to the error stream. Code that ends the process, or takes longer
    than `SECONDS`, fails its check only.
    """
    began = time.perf_counter()
    state: State = "passed"
    reason, places = "", tuple[str, ...]()
    try:
        with naming_plugin_faults(), guarded():
            for _ in within(SECONDS, _once(run)):
                pass
    except TooLong:
        state, reason = "failed", f"it took longer than {SECONDS:g} seconds"
        places = places_of(promise, domain, domain.codecs.get(codec_name))
    except NothingToCheck as error:
        state = "expected" if isinstance(error, FailsAsExpected) else "idle"
        reason = str(error)
    except Exception as error:
        state, reason = "failed", reason_for(error).strip()
        # A fault names the method that raised it.
        is_fault = isinstance(error, PluginFault)
        codec_class = domain.codecs.get(codec_name)
        places = () if is_fault else places_of(promise, domain, codec_class, error)
    seconds = time.perf_counter() - began
    return Outcome(codec_name, promise.__name__, state, seconds, rule_of(promise), reason, places)


def _once(run: Callable[[], None]) -> Iterator[None]:
    run()
    yield


def places_of(
    promise: Promise,
    domain: Domain,
    codec_class: type[Codec] | None,
    error: Exception | None = None,
) -> tuple[str, ...]:
    """Return the methods that a promise is about, with distribution, file and line.

    If there was nothing to examine, they are those that ran.
    """
    of_domain, of_codec = _METHODS.get(promise.__name__, ((), ("encode",)))
    if isinstance(error, NoPieces):
        of_domain, of_codec = error.of_domain, error.of_codec
    found = [method_text(domain, method) for method in of_domain]
    return (*found, *(method_text(codec_class, method) for method in of_codec if codec_class))


def rule_of(promise: Promise) -> str:
    """Return the first sentences of a promise's docstring."""
    return " ".join(inspect.cleandoc(promise.__doc__ or "").partition("\n\n")[0].split())
