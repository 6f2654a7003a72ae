"""Faults of plugin code: every exception of a plugin becomes one error for its users and authors.

The error names the distribution, the method, the line and the broken rule of `seqgen.plugin`:

    seqgen-walk 0.1.0: WalkCodec.decode fails (KeyError: 7) at .../seqgen_walk/domain.py, line 42;
    decode must return a piece for any ids and never fail; tell its authors

Calls of plugin code are not wrapped, so they cost nothing: whose code failed is read from the
traceback where an error leaves seqgen, in the command and in the functions of `naming_faults`.
"""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import FrameType
from typing import Any, ParamSpec, TypeVar, cast

from seqgen.errors import ConfigError, DataError, PluginError, reason_of
from seqgen.plugins.guard import Ended
from seqgen.plugins.hooks import ARCHITECTURE_GROUP, EVENTS_GROUP, GROUP

P = ParamSpec("P")
R = TypeVar("R")

#: Gets the traceback of each fault that costs only one file or piece; ``--traceback`` shows it.
LOG = logging.getLogger("seqgen.faults")

#: Modules of the core that plugins call: an error in them belongs to their caller.
SHARED = {
    f"seqgen.{name}"
    for name in (
        *("plugin", "plugins.guard", "unknown", "bounds", "files", "grammar", "options"),
        *("network.layers", "listener", "criticism"),
    )
}


class PluginFault(PluginError):
    """Plugin code raised an exception that the contract does not allow."""


@dataclass(frozen=True)
class Rule:
    """A rule of the contract for one method, and the exceptions that it may raise."""

    text: str
    allowed: tuple[type[BaseException], ...] = ()


_REFUSES = "may raise DataError, with a message for the user, and nothing else"
_ANY_IDS = "must work for any ids and never fail"
_ANY_PIECE = "must work for any piece that decode returns and never fail"

#: The rule of each method of `Domain`, `Codec`, `Tracker`, `Layer` and `Listener`.
RULES = {
    # Both meet what users have: files, text, conditions.
    **{
        name: Rule(f"{name} {_REFUSES}", (DataError, OSError))
        for name in ("read", "from_text", "fit", "refit", "encode", "mend_prompt", "mend_condition")
    },
    **{
        name: Rule(f"{name} {_REFUSES}", (DataError,))
        for name in ("tracker", "candidates", "most_tokens", "answer", "probes")
    },
    "write": Rule(f"write {_ANY_PIECE}, except with DataError or OSError", (DataError, OSError)),
    "demo": Rule("demo must return files and never fail", (DataError, OSError)),
    "decode": Rule("decode must return a piece for any ids and never fail"),
    "keep": Rule("keep must return a piece for any ids after the given ones and never fail"),
    "from_state": Rule("from_state must rebuild the codec from what state returned"),
    "state": Rule("state must return plain JSON and never fail"),
    **{
        name: Rule(f"{name} {_ANY_IDS}")
        for name in (
            "augment",
            "variations",
            "continuation",
            "beginnings",
            "features",
            "masks",
            "units",
            "place",
            "passages",
            "header_values",
            "open_end",
        )
    },
    "learn_grammar": Rule("learn_grammar must take the ids of any pieces and never fail"),
    "text_stream": Rule("the function of text_stream must take any id and never fail"),
    **{
        name: Rule(f"{name} {_ANY_PIECE}")
        for name in ("preview", "view", "describe", "labels", "metrics")
    },
    "choose_reading": Rule("choose_reading must return options and a reason, and never fail"),
    "reads": Rule("reads must return True or False for any file and never fail"),
    "companions": Rule("companions must work for any path and never fail"),
    **{name: Rule(f"{name} {_ANY_PIECE}") for name in ("measure_probes", "label_judge", "critic")},
    "learn_proofreader": Rule("learn_proofreader must work for any training pieces and never fail"),
    "proofreader": Rule(
        "proofreader must take what learn_proofreader returned, may raise DataError for other "
        "arrays, and its function must work for any piece that decode returns",
        (DataError,),
    ),
    "likelihoods": Rule("likelihoods must take the pieces that encode takes, and never fail"),
    "suggest": Rule("suggest must name a codec for any pieces; name one with `codec` until then"),
    "prompted": Rule("prompted must take any prompt that encode takes and never fail"),
    **{
        name: Rule(f"{name} of a tracker must never fail")
        for name in ("allowed", "forced", "fitting", "reached")
    },
    "push": Rule("push must take any id and never fail"),
    "__init__": Rule(
        "a domain is built without arguments, a codec by fit, a layer from its widths, a listener "
        "from a folder and the content of run.json, and none fails"
    ),
    "start": Rule("start must return float32 tensors for any number of sequences and never fail"),
    **{
        name: Rule(f"{name} must take any inputs and states of the shapes in seqgen.network.layers")
        for name in ("run", "before", "step")
    },
    "report": Rule("report must take any report of a training and never fail"),
    "close": Rule("close of a listener must never fail"),
    "__deepcopy__": Rule("a tracker must survive copy.deepcopy"),
}

#: Distribution and version of each plugin, by the name of its top-level package.
_owners: dict[str, tuple[str, str]] = {}


def distribution_of(point: EntryPoint) -> tuple[str, str]:
    """Return the name and the version of the distribution that has an entry point."""
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")


def note_owner(place: str, distribution: str, version: str) -> None:
    """Remember whose code a module is, such as "seqgen_walk.domain:Walks"."""
    _owners[_package(place.partition(":")[0])] = (distribution, version)


@contextmanager
def naming_plugin_faults() -> Iterator[None]:
    """Turn exceptions of plugin code in the block into `PluginFault`.

    Raises
    ------
    PluginFault
        From the plugin's exception.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error


def naming_faults(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function, or one that returns a generator, with `naming_plugin_faults`."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with naming_plugin_faults():
            result = function(*args, **kwargs)
        return cast(R, _steps(result)) if isinstance(result, Generator) else result

    return call


def _steps(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    with naming_plugin_faults():
        return (yield from steps)


def fault_of(error: BaseException) -> PluginFault | None:
    """Return the error for an exception that plugin code must not raise, or None.

    It is the plugin's if no code of the core lies deeper in the traceback than the plugin's.
    """
    known = isinstance(error, PluginError | ConfigError | MemoryError)
    if known and not isinstance(error, Ended):
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    owners = [_owner(frame) for frame, _ in frames]
    inner = next((at for at in reversed(range(len(frames))) if owners[at]), None)
    if inner is None or owners[inner] == "core":
        return None
    outer = inner
    for at in range(inner, -1, -1):
        if owners[at] == "core":
            break
        outer = at if owners[at] else outer
    method = frames[outer][0].f_code.co_qualname
    rule = next((RULES[part] for part in method.split(".") if part in RULES), None)
    if rule is not None and isinstance(error, rule.allowed):
        return None
    distribution, version = cast("tuple[str, str]", owners[inner])
    frame, line = frames[inner]
    text = f"{rule.text}; " if rule else ""
    return PluginFault(
        f"{distribution} {version}: {method} fails ({reason_of(error)}) at "
        f"{frame.f_code.co_filename}, line {line}; {text}tell its authors"
    )


def reason_for(error: BaseException) -> str:
    """Return what an exception says, and if it is a fault of a plugin, whose, where and why."""
    return str(fault_of(error) or reason_of(error))


def place_of(error: BaseException) -> str:
    """Return " at FILE, line N" for the innermost line of a plugin in a traceback, or ""."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if isinstance(_owner(frame), tuple):
            return f" at {frame.f_code.co_filename}, line {line}"
    return ""


def method_text(owner: object, method: str) -> str:
    """Return who wrote a method and where: "seqgen-walk 0.1.0: WalkCodec.decode at FILE, line 7".

    The place is that of the class for an attribute, and for a method that it inherits from the
    core; it is left out if there is no source.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    found = inspect.getattr_static(kind, method, None)
    found = inspect.unwrap(getattr(found, "__func__", found))
    own = getattr(found, "__module__", "").partition(".")[0] != "seqgen"
    text = f"{kind.__qualname__}.{method}"
    if known := owner_of(kind):
        text = f"{known[0]} {known[1]}: {text}"
    for place in (found, kind) if own else (kind,):
        try:
            file, (_, line) = inspect.getsourcefile(place), inspect.getsourcelines(place)
        except (TypeError, OSError):
            continue
        return f"{text} at {file}, line {line}"
    return text


def owner_of(kind: type) -> tuple[str, str] | None:
    """Return the distribution that a class of a plugin is from and its version, or None."""
    package = _package(kind.__module__)
    return _owners.get(package) or _announced().get(package)


def traceback_of(error: BaseException) -> str:
    """Return the traceback of a fault of a plugin as text, to carry between processes, or ""."""
    return "".join(traceback.format_exception(error)) if fault_of(error) else ""


def _owner(frame: FrameType) -> tuple[str, str] | str | None:
    """Return whose code a frame runs: "core", a distribution and its version, or None."""
    module = str(frame.f_globals.get("__name__", ""))
    if module in SHARED:
        return None
    package = _package(module)
    return "core" if package == "seqgen" else _owners.get(package) or _announced().get(package)


@functools.cache
def _announced() -> dict[str, tuple[str, str]]:
    """Return the owners by the entry points alone: a reader process has loaded no domain."""
    return {
        _package(point.module): distribution_of(point)
        for group in (GROUP, ARCHITECTURE_GROUP, EVENTS_GROUP)
        for point in entry_points(group=group)
    }


def _package(module: str) -> str:
    return module.partition(".")[0]
