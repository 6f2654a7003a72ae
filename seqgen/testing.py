"""The conformance kit: does a plugin keep the contract of `seqgen.plugin`?

A test of a plugin has three lines::

    from seqgen.testing import check_domain

    def test_contract(tmp_path):
        check_domain("music", tmp_path)

`seqgen plugins check music` does the same from the command line. One test for each check::

    @pytest.mark.parametrize("check", domain_checks("music"), ids=str)
    def test_contract(check, tmp_path):
        try:
            check.run(tmp_path)
        except NothingToCheck as reason:
            pytest.skip(str(reason))

A promise that a plugin cannot keep yet is named with a reason. That is strict: it fails as soon as
the promise is kept::

    check_domain("music", tmp_path, expected={"survives_files": "dynamics are not written yet"})

`check_architecture` and `architecture_checks` do the same for an architecture. The checks are in
`seqgen.conformance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from seqgen.conformance import codecs as codec_promises
from seqgen.conformance import corpora, dictations, domains, endurance, models, processes, trackers
from seqgen.conformance.architectures import ArchitectureCheck as ArchitectureCheck
from seqgen.conformance.architectures import architecture_checks as architecture_checks
from seqgen.conformance.architectures import check_architecture as check_architecture
from seqgen.conformance.outcomes import FailsAsExpected, Outcome, outcome_of
from seqgen.conformance.subject import DEMO, Promise, subject_of
from seqgen.conformance.subject import Material as Material
from seqgen.conformance.subject import NothingToCheck as NothingToCheck
from seqgen.errors import ConfigError
from seqgen.options import options_from
from seqgen.plugins.discovery import codec_type, load_domain
from seqgen.plugins.faults import naming_plugin_faults

PROMISES: tuple[Promise, ...] = (
    *domains.PROMISES,
    *codec_promises.PROMISES,
    *trackers.PROMISES,
    *dictations.PROMISES,
    *endurance.PROMISES,
    *processes.PROMISES,
    *corpora.PROMISES,
    *models.PROMISES,
)


@dataclass(frozen=True)
class Check:
    """One promise of the contract, checked for one codec of a domain.

    Attributes
    ----------
    domain, codec : str
    promise : function
    material : Material
        The files and options that it is checked with.
    expected : str
        Why the promise is expected to be broken; empty if it is to be kept.
    """

    domain: str
    codec: str
    promise: Promise
    material: Material = DEMO
    expected: str = ""

    def run(self, folder: Path) -> None:
        """Run the check; it writes its files into an existing folder.

        Raises
        ------
        AssertionError
            If the promise is broken, or kept though it was expected to be broken.
        PluginError
            If plugin code raises an exception that the contract does not allow.
        NothingToCheck
            If the codec has no features, passages, tracker or boundaries to check, or the promise
            is broken as expected.
        """
        try:
            with naming_plugin_faults():
                self.promise(subject_of(self.domain, self.codec, self.material), folder)
        except Exception as error:
            if not self.expected or isinstance(error, NothingToCheck):
                raise
            raise FailsAsExpected(f"fails as expected: {self.expected}") from error
        if self.expected:
            raise AssertionError(
                f"the promise is kept, but expected to be broken ({self.expected}); take "
                f"{self.promise.__name__} off the expected failures"
            )

    def outcome(self, folder: Path) -> Outcome:
        """Run the check in a new folder inside `folder` and return what came of it."""
        place = folder / str(self)
        place.mkdir(parents=True)
        domain, _ = load_domain(self.domain)
        return outcome_of(lambda: self.run(place), self.promise, domain, self.codec)

    def __str__(self) -> str:
        return f"{self.domain}-{self.codec}-{self.promise.__name__}"


def domain_checks(
    name: str,
    material: Material | None = None,
    expected: Mapping[str, str] | None = None,
    codec: str | None = None,
) -> list[Check]:
    """Return all checks of a domain.

    Parameters
    ----------
    name : str
    material : Material, optional
        Files and options to check with; by default the demo and the options' defaults.
    expected : mapping, optional
        Promises that are expected to be broken, by name, each with the reason.
    codec : str, optional
        Check this codec only.

    Raises
    ------
    PluginError
        If the domain cannot be loaded, or has no such codec.
    ConfigError
        If an expected failure names no promise or has no reason, a codec has no such option, or
        there is no such file.
    """
    expected = expected or {}
    for promise, reason in expected.items():
        if promise not in {each.__name__ for each in PROMISES}:
            raise ConfigError(f"there is no promise {promise!r} to expect a failure of")
        if not reason.strip():
            raise ConfigError(f"the expected failure of {promise} needs a reason")
    domain, _ = load_domain(name)
    material = material or DEMO
    for path in material.files:
        if not path.exists():
            raise ConfigError(f"there is no file or folder {path} to check with")
    codecs = [codec_type(domain, name, each) for each in ([codec] if codec else domain.codecs)]
    for chosen, codec_class in codecs:
        options_from(codec_class.options_type, dict(material.options), f"codec {chosen}")
    return [
        Check(name, chosen, each, material, expected.get(each.__name__, ""))
        for chosen, _ in codecs
        for each in PROMISES
    ]


def run_checks(
    checks: Iterable[Check],
    folder: Path,
    running: Callable[[Check], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Outcome]:
    """Run checks and yield what came of each.

    If the files hold no piece for a codec, its other checks are left out: all would fail.

    Parameters
    ----------
    checks : iterable of Check
    folder : Path
        An existing folder for their files.
    running : function of a check, optional
        Returns a context in which the check runs, such as to show which one it is.
    """
    unusable = set()
    for check in checks:
        if check.codec in unusable:
            continue
        with running(check):
            outcome = check.outcome(folder)
        if outcome.state == "failed" and check.promise is domains.has_pieces:
            unusable.add(check.codec)
        yield outcome


def check_domain(
    name: str,
    folder: Path,
    *,
    material: Material | None = None,
    expected: Mapping[str, str] | None = None,
) -> int:
    """Run all checks of a domain, print how many passed and return that number.

    Parameters
    ----------
    name : str
    folder : Path
        A folder for the files of the checks.
    material, expected
        As for `domain_checks`.

    Raises
    ------
    AssertionError
        If a check fails, with the names and reasons of all failures, or if nothing was checked.
    """
    outcomes = list(run_checks(domain_checks(name, material, expected), folder))
    failures = [f"{name}-{each}" for each in outcomes if each.state == "failed"]
    listed = "\n  ".join(failures)
    assert not failures, f"{len(failures)} of {len(outcomes)} checks failed:\n  {listed}"
    passed = sum(each.state == "passed" for each in outcomes)
    assert passed, f"nothing of the domain {name} was checked: it has no codec"
    idle = len(outcomes) - passed
    print(f"{passed} checks of the domain {name} passed, {idle} had nothing to check")
    return passed
