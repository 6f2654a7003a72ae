"""The conformance kit: does a plugin keep the contract of `seqgen.plugin`?

>>> from seqgen.testing import check_domain
>>> check_domain("music", tmp_path)                             # doctest: +SKIP
23 checks of the domain music passed, 2 had nothing to check

or with pytest, one test for each check::

    @pytest.mark.parametrize("check", domain_checks("music"), ids=str)
    def test_contract(check, tmp_path):
        try:
            check.run(tmp_path)
        except NothingToCheck as reason:
            pytest.skip(str(reason))

The checks are in `seqgen.conformance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqgen.conformance import codecs, domains, models, trackers
from seqgen.conformance.subject import NothingToCheck as NothingToCheck
from seqgen.conformance.subject import Promise, subject_of
from seqgen.discovery import load_domain
from seqgen.plugin_faults import naming_plugin_faults, reason_for

PROMISES: tuple[Promise, ...] = (
    *domains.PROMISES,
    *codecs.PROMISES,
    *trackers.PROMISES,
    *models.PROMISES,
)


@dataclass(frozen=True)
class Check:
    """One promise of the contract, checked for one codec of a domain."""

    domain: str
    codec: str
    promise: Promise

    def run(self, folder: Path) -> None:
        """Run the check; it writes its files into an existing folder.

        Raises
        ------
        AssertionError
            If the promise is broken.
        PluginError
            If plugin code raises an exception that the contract does not allow.
        NothingToCheck
            If the codec has no features, passages, tracker or boundaries to check.
        """
        with naming_plugin_faults():
            self.promise(subject_of(self.domain, self.codec), folder)

    def __str__(self) -> str:
        return f"{self.domain}-{self.codec}-{self.promise.__name__}"


def domain_checks(name: str) -> list[Check]:
    """Return all checks of a domain.

    Raises
    ------
    PluginError
        If the domain cannot be loaded.
    """
    domain, _ = load_domain(name)
    return [Check(name, codec, promise) for codec in domain.codecs for promise in PROMISES]


def check_domain(name: str, folder: Path) -> int:
    """Run all checks of a domain, print how many passed and return that number.

    Raises
    ------
    AssertionError
        If a check fails, with the names and reasons of all failures, or if there is no check.
    """
    checks = domain_checks(name)
    assert checks, f"the domain {name} has no codec: nothing was checked"
    failures, idle = [], 0
    for check in checks:
        place = folder / str(check)
        place.mkdir(parents=True)
        try:
            check.run(place)
        except NothingToCheck:
            idle += 1
        except Exception as error:
            failures.append(f"{check}: {reason_for(error)}")
    listed = "\n  ".join(failures)
    assert not failures, f"{len(failures)} of {len(checks)} checks failed:\n  {listed}"
    passed = len(checks) - idle
    print(f"{passed} checks of the domain {name} passed, {idle} had nothing to check")
    return passed
