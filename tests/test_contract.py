"""Every installed domain keeps the contract, by the kit that plugin authors use."""

import pytest

from seqgen.discovery import find_domains
from seqgen.testing import PROMISES, Check, NothingToCheck, check_domain, domain_checks

DOMAINS = [found.name for found in find_domains()]


def test_the_first_party_domains_are_installed() -> None:
    assert {"music", "text"} <= set(DOMAINS)


@pytest.mark.parametrize("check", [c for name in DOMAINS for c in domain_checks(name)], ids=str)
def test_contract(check: Check, tmp_path) -> None:
    try:
        check.run(tmp_path)
    except NothingToCheck as reason:
        pytest.skip(str(reason))


def test_check_domain_reports_failures(tmp_path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "decode", lambda self, ids: "always the same")
    with pytest.raises(AssertionError, match=r"(?s)checks failed:.*text-characters-round_trips"):
        check_domain("text", tmp_path)


def test_check_domain_counts(tmp_path, capsys) -> None:
    count = check_domain("text", tmp_path)
    assert count == len(PROMISES) - 9
    expected = f"{count} checks of the domain text passed, 9 had nothing to check"
    assert expected in capsys.readouterr().out
