"""Every installed domain keeps the contract, by the kit that plugin authors use."""

import pytest

from seqgen.conformance.subject import subject_of
from seqgen.discovery import find_domains
from seqgen.errors import DataError
from seqgen.testing import PROMISES, Check, NothingToCheck, check_domain, domain_checks

DOMAINS = [found.name for found in find_domains()]


def test_the_first_party_domains_are_installed() -> None:
    assert {"music", "text"} <= set(DOMAINS)


@pytest.fixture(autouse=True)
def few_games(monkeypatch) -> None:
    """The demo of chess makes its games, more than these checks need."""
    monkeypatch.setattr("seqgen_chess.domain.FILES", 1)


@pytest.mark.parametrize("check", [c for name in DOMAINS for c in domain_checks(name)], ids=str)
def test_contract(check: Check, tmp_path) -> None:
    try:
        check.run(tmp_path)
    except NothingToCheck as reason:
        pytest.skip(str(reason))


def test_an_error_in_place_of_a_piece_is_a_refusal(tmp_path) -> None:
    path = tmp_path / "forfeit.pgn"
    path.write_text('[Result "1-0"]\n\n1-0\n')
    with pytest.raises(DataError, match="game 1: it has no moves"):
        subject_of("chess", "moves").read(path)


def test_check_domain_reports_failures(tmp_path, monkeypatch) -> None:
    from seqgen_text.characters import CharacterCodec

    monkeypatch.setattr(CharacterCodec, "decode", lambda self, ids: "always the same")
    with pytest.raises(AssertionError, match=r"(?s)checks failed:.*text-characters-round_trips"):
        check_domain("text", tmp_path)


def test_check_domain_counts(tmp_path, capsys) -> None:
    count = check_domain("text", tmp_path)
    assert count == len(PROMISES) - 11
    expected = f"{count} checks of the domain text passed, 11 had nothing to check"
    assert expected in capsys.readouterr().out
