"""Finding plugins and loading their domains, each on its own: a broken one never harms another."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import pluggy

from seqgen.bounds import LARGEST
from seqgen.config import from_mapping
from seqgen.errors import PluginError, reason_of
from seqgen.plugin import CONTRACT, GROUP, Codec, Domain, DomainSpec, Hooks
from seqgen.vocab import Vocab

Status = Literal["ok", "broken", "incompatible", "conflict"]


@dataclass(frozen=True)
class Announced:
    """A domain that an installed distribution announces, usable or not.

    Attributes
    ----------
    name : str
        The domain's name.
    status : {"ok", "broken", "incompatible", "conflict"}
        Only "ok" can be used.
    distribution, version : str
        Who announces it.
    summary : str
        The domain in one line; empty if the plugin could not be loaded.
    suffixes : tuple of str
        Endings of the files it reads.
    problem : str
        For any other status than "ok": the cause and the way out.
    spec : DomainSpec or None
        What the plugin said of itself.
    """

    name: str
    status: Status
    distribution: str
    version: str
    summary: str = ""
    suffixes: tuple[str, ...] = ()
    problem: str = ""
    spec: DomainSpec | None = None

    def as_json(self) -> dict[str, Any]:
        """Return everything but the spec, ready for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "spec"}


def find_domains() -> list[Announced]:
    """Return every announced domain, sorted by name.

    Plugin modules are imported, their implementations are not.
    """
    found = [_look_into(point) for point in _announcements()]
    return sorted(_mark_conflicts(found), key=lambda domain: (domain.name, domain.distribution))


def load_domain(name: str) -> tuple[Domain, Announced]:
    """Import the implementation of one domain; no other plugin is touched.

    Raises
    ------
    PluginError
        If there is no such domain, two plugins claim it, or its plugin cannot be loaded.
    """
    points = [point for point in _announcements() if point.name == name]
    if not points:
        raise PluginError(_no_such_domain(name))
    domain = _mark_conflicts([_look_into(point) for point in points])[0]
    if domain.spec is None or domain.status != "ok":
        raise PluginError(f"the domain {name!r} cannot be used: {domain.problem}")
    try:
        module, _, attribute = domain.spec.implementation.partition(":")
        implementation = getattr(importlib.import_module(module), attribute)()
    except (Exception, SystemExit) as error:
        raise PluginError(f"the domain {name!r} cannot be used: {_blame(domain, error)}") from error
    return implementation, domain


def source_digest(domain: Domain) -> str:
    """Return the SHA-256 of the package, or single file, that implements a domain.

    Who writes a plugin changes it often, and its version seldom.
    """
    package = sys.modules[type(domain).__module__.partition(".")[0]]
    file = getattr(package, "__file__", None)
    files = [Path(file)] if file else []
    for place in getattr(package, "__path__", ()):
        files += sorted(Path(place).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def codec_type(domain: Domain, domain_name: str, name: str | None) -> tuple[str, type[Codec]]:
    """Return a codec class of a domain by name, the default one for None.

    Raises
    ------
    PluginError
        If the domain has no codec of that name.
    """
    if name is None:
        return next(iter(domain.codecs.items()))
    if name not in domain.codecs:
        raise PluginError(
            f"the domain {domain_name!r} has no codec {name!r}; it has {', '.join(domain.codecs)}"
            + _suggestion(name, domain.codecs)
        )
    return name, domain.codecs[name]


def load_codec(info: Mapping[str, Any], folder: Path) -> Codec:
    """Rebuild the codec that the JSON of a corpus or run describes.

    Parameters
    ----------
    info : mapping
        Checked already.
    folder : Path
        Where it comes from, for messages.

    Raises
    ------
    PluginError
        If its domain cannot be loaded, or makes nothing of the state, or a codec that does not fit
        the vocabulary.
    """
    saved = info["codec"]
    domain, found = load_domain(info["domain"])
    _, codec_class = codec_type(domain, info["domain"], saved["name"])
    options = from_mapping(codec_class.options_type, saved["options"], f"codec {saved['name']}")
    vocab = Vocab.of(info["vocab"])
    try:
        codec = codec_class.from_state(saved["state"], options)
        difference = _misfit(codec, vocab)
    except Exception as error:
        # A state may be of a version that knew other things, and a plugin fail in any way on it.
        codec, difference = None, f"nothing of its state ({reason_of(error)})"
    if codec is None or difference:
        raise PluginError(
            f"codec {saved['name']!r} of {found.distribution} {found.version} makes {difference} "
            f"in {folder}, unlike {info['distribution']} {info['version']}, which was used there; "
            f"install that version, or prepare and train again"
        )
    return codec


def _misfit(codec: Codec, vocab: Vocab) -> str:
    """Say in what a codec does not fit a vocabulary; compiled code trusts all of it."""
    count = vocab.end
    if Vocab.of(codec.vocab).digest != vocab.digest:
        return "another vocabulary"
    if not all(_is_within(token, count) for token in codec.boundaries):
        return f"boundaries that are no ids from 0 to {count - 1}"
    if len(codec.groups) not in (0, count):
        return f"groups of {len(codec.groups)} tokens in place of {count}"
    if not all(_is_within(group, count) for group in codec.groups):
        return f"groups that are no numbers from 0 to {count - 1}"
    if not all(_is_within(size - 1, LARGEST) for size in codec.feature_sizes):
        return "features without values"
    return ""


def _is_within(value: Any, stop: int) -> bool:
    return isinstance(value, Integral) and 0 <= int(value) < stop


def _announcements() -> list[EntryPoint]:
    """Return the entry points; an editable install may list one twice, which is one."""
    unique = {
        (_owner(point), point.name, point.value): point for point in entry_points(group=GROUP)
    }
    return [unique[key] for key in sorted(unique)]


def _owner(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")


def _look_into(point: EntryPoint) -> Announced:
    """Load one plugin module under guard and return the domain of the entry point's name.

    Every plugin gets a plugin manager of its own, so that nothing of a failed registration
    stays behind.
    """
    distribution, version = _owner(point)
    blank = Announced(point.name, "broken", distribution, version)
    try:
        manager = pluggy.PluginManager("seqgen")
        manager.add_hookspecs(Hooks)
        manager.register(point.load(), name=point.name)
        manager.check_pending()
        answers = manager.hook.seqgen_domains()
        if not answers:
            raise PluginError(f"module {point.value} implements no hook seqgen_domains")
        specs = {spec.name: spec for spec in map(_checked, answers[0])}
        if point.name not in specs:
            raise PluginError(
                f"its entry point is called {point.name!r}, but module {point.value} offers "
                f"{', '.join(specs) or 'no domain'}"
            )
    except (Exception, SystemExit) as error:
        return replace(blank, problem=_blame(blank, error))
    return _judge(blank, specs[point.name])


def _checked(spec: object) -> DomainSpec:
    if not isinstance(spec, DomainSpec):
        raise PluginError(f"seqgen_domains must return DomainSpec objects, found {spec!r}")
    for field, kind in (("name", str), ("summary", str), ("suffixes", tuple), ("contract", int)):
        if not isinstance(value := getattr(spec, field), kind):
            raise PluginError(
                f"{field} of a DomainSpec must be of type {kind.__name__}, found {value!r}"
            )
    return spec


def _judge(blank: Announced, spec: DomainSpec) -> Announced:
    """Return the domain with its status."""
    domain = replace(
        blank, name=spec.name, summary=spec.summary, suffixes=spec.suffixes, spec=spec, status="ok"
    )
    if spec.contract == CONTRACT:
        return domain
    behind = "seqgen-toolkit" if spec.contract > CONTRACT else domain.distribution
    return replace(
        domain,
        status="incompatible",
        problem=f"{domain.distribution} {domain.version} was written for contract "
        f"{spec.contract}, this seqgen has contract {CONTRACT}; upgrade {behind}",
    )


def _mark_conflicts(found: list[Announced]) -> list[Announced]:
    claims: dict[str, list[Announced]] = defaultdict(list)
    for domain in found:
        claims[domain.name].append(domain)
    return [
        domain
        if len(claims[domain.name]) == 1
        else replace(
            domain,
            status="conflict",
            problem=f"{' and '.join(rival.distribution for rival in claims[domain.name])} "
            f"both offer {domain.name!r}; uninstall one of them",
        )
        for domain in found
    ]


def _blame(domain: Announced, error: BaseException) -> str:
    """Say which distribution failed, why, and what to do."""
    if isinstance(error, ModuleNotFoundError):
        way_out = f"install what is missing, or reinstall {domain.distribution}"
    else:
        way_out = f"upgrade or uninstall {domain.distribution}, or tell its authors"
    return f"{domain.distribution} {domain.version} fails to load ({reason_of(error)}); {way_out}"


def _no_such_domain(name: str) -> str:
    names = sorted({point.name for point in _announcements()})
    if not names:
        return f"no domain {name!r}: no plugin is installed; try: python -m pip install seqgen-text"
    return f"no domain {name!r}; installed are {', '.join(names)}" + _suggestion(name, names)


def _suggestion(name: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(choices), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
