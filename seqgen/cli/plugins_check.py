"""``seqgen plugins check``: the conformance kit from the command line."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from seqgen.cli.printing import print_json, show
from seqgen.cli.settings import named_values
from seqgen.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from seqgen.conformance.outcomes import Outcome
    from seqgen.conformance.speed import Speeds
    from seqgen.data.finding import Skipped
    from seqgen.testing import Check, Material

#: Seconds after which a check is slow.
SLOW = 30.0


def plugins_check(
    plugin: str,
    *,
    codec: str | None = None,
    codec_option: tuple[str, ...] = (),
    files: tuple[Path, ...] = (),
    expect: tuple[str, ...] = (),
    every: Annotated[bool, Parameter(name="--all")] = False,
    fast: bool = False,
    json: bool = False,
) -> None:
    """Check that a plugin keeps the contract, and measure how fast its methods are.

    The command fails if a promise is broken or nothing was checked.

    Parameters
    ----------
    plugin
        Name of an installed domain, or a plugin file.
    codec
        Check this codec alone. The default is all codecs of the domain.
    codec_option
        Setting of the codecs as NAME=VALUE. May be repeated.
    files
        File or folder to check with. May be repeated. The default is the domain's demo. Unusable
        files are skipped and listed; six usable ones are read.
    expect
        A promise that cannot be kept yet, as PROMISE=REASON. May be repeated. The command fails
        once the promise is kept.
    every
        Go on after the first failure.
    fast
        Shorten the checks that take long.
    json
        Print the results as JSON.
    """
    from seqgen.plugins.files import load_plugin
    from seqgen.testing import Material, domain_checks

    options = tuple(named_values("--codec-option", codec_option).items())
    name = load_plugin(plugin) if plugin.endswith(".py") else plugin
    _refuse_other_kinds(name)
    checks = domain_checks(
        name, Material(files, options, fast), named_values("--expect", expect), codec
    )
    outcomes, speeds, skipped = _run(checks, every=every, quiet=json)
    failed = [each for each in outcomes if each.state == "failed"]
    if json:
        print_json(_as_json(name, outcomes, speeds, skipped))
    else:
        for each in speeds:
            _show_speeds(each)
        show(_summary(outcomes))
    if failed:
        left = len(checks) - len(outcomes)
        more = f"; {left} checks were not run, --all runs them" if left else ""
        raise PluginError(
            f"{name} breaks {len(failed)} of {len(outcomes)} promises: "
            f"{', '.join(f'{each.promise} ({each.codec})' for each in failed)}{more}"
        )
    if not any(each.state == "passed" for each in outcomes):
        raise PluginError(f"nothing of {name} was checked: no promise applies to it")


def _refuse_other_kinds(name: str) -> None:
    """Raise `ConfigError` for the name of an architecture or listener that is none of a domain."""
    from seqgen.network.architectures import find_architectures
    from seqgen.plugins.discovery import domain_names
    from seqgen.plugins.listeners import find_listeners

    if name in domain_names():
        return
    if name in {each.name for each in find_architectures()}:
        raise ConfigError(
            f"{name} is an architecture, and domains are checked here; in a test "
            f"seqgen.testing.check_architecture({name!r}) checks it"
        )
    if name in {each.name for each in find_listeners()}:
        raise ConfigError(f"{name} is a listener, and domains are checked here; test it yourself")


def _run(
    checks: list[Check], *, every: bool, quiet: bool
) -> tuple[list[Outcome], list[Speeds], list[Skipped]]:
    """Run checks up to the first failure, or all, and measure each codec that has none.

    The result has what came of each check, speeds, and the files and pieces that were left out.
    """
    from seqgen.cli.console import say_skipped
    from seqgen.conformance.speed import speeds_of
    from seqgen.conformance.subject import subject_of
    from seqgen.testing import run_checks

    material = {check.codec: (check.domain, check.codec, check.material) for check in checks}
    outcomes: list[Outcome] = []
    skipped: list[Skipped] = []
    with tempfile.TemporaryDirectory() as folder:
        for outcome in run_checks(checks, Path(folder), _running):
            outcomes.append(outcome)
            if not quiet:
                _show_outcome(outcome)
            if outcome.promise == "has_pieces" and outcome.state == "passed":
                found = subject_of(*material[outcome.codec]).skipped
                new = [each for each in found if each not in skipped]
                say_skipped(new)
                skipped += new
            if outcome.state == "failed" and not every:
                break
            _say_if_slow(outcomes, checks[0].material)
    failed = {each.codec for each in outcomes if each.state == "failed"}
    sound = [each for each in dict.fromkeys(each.codec for each in outcomes) if each not in failed]
    return outcomes, [speeds_of(subject_of(*material[codec])) for codec in sound], skipped


def _running(check: Check) -> AbstractContextManager[None]:
    """Say which check runs, and what it does."""
    from seqgen.cli.console import waiting
    from seqgen.conformance.outcomes import rule_of

    return waiting(f"{check.codec}: {check.promise.__name__}: {rule_of(check.promise)}")


def _say_if_slow(outcomes: list[Outcome], material: Material) -> None:
    """Say how to shorten the checks, after the first one that took long."""
    from seqgen.cli.console import say

    slow = [each for each in outcomes if each.seconds > SLOW]
    if slow == outcomes[-1:] and not material.fast:
        say(f"{slow[0].promise} took {slow[0].seconds:.0f} s; --fast shortens checks like this")


def _show_outcome(outcome: Outcome) -> None:
    """Print a line for a check, and more lines for a failure."""
    state = outcome.state.upper() if outcome.state == "failed" else outcome.state
    about = outcome.reason if outcome.state in ("idle", "expected") else ""
    line = f"{state:9} {outcome.codec:12} {outcome.promise:32} {outcome.seconds:6.2f} s  {about}"
    show(line.rstrip())
    if outcome.state == "failed":
        show(f"  rule:  {outcome.rule}")
        for place in outcome.places:
            show(f"  where: {place}")
        show("  found: " + outcome.reason.replace("\n", "\n         "))


def _show_speeds(speeds: Speeds) -> None:
    """Print how fast the methods of a codec are; features and masks also cost training time."""
    rates = ", ".join(
        f"{name} {rate:,.0f} ({1e6 / rate:.3g} µs each)"
        for name, rate in speeds.tokens_per_second.items()
    )
    show(f"codec {speeds.codec}: tokens a second: {rates}; state {speeds.state:,} bytes")


def _summary(outcomes: list[Outcome]) -> str:
    counts = dict.fromkeys(("passed", "idle", "expected", "failed"), 0)
    for each in outcomes:
        counts[each.state] += 1
    return (
        f"{counts['passed']} promises kept, {counts['idle']} with nothing to check, "
        f"{counts['expected']} failures as expected, {counts['failed']} broken"
    )


def _as_json(
    name: str, outcomes: list[Outcome], speeds: list[Speeds], skipped: list[Skipped]
) -> dict[str, Any]:
    return {
        "domain": name,
        "checks": [each.as_json() for each in outcomes],
        "speeds": [asdict(each) for each in speeds],
        "skipped": [each.as_json() for each in skipped],
    }
