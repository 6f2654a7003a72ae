"""Every installed domain keeps the contract, by the kit that plugin authors use."""

import re

import pytest
from seqgen_text.codecs.characters import CharacterCodec
from seqgen_text.domain import Text

from seqgen.conditions.labels import Labelled
from seqgen.conformance.subject import subject_of
from seqgen.conformance.trackers import follows_requests, refuses_requests
from seqgen.errors import DataError, SeqgenError
from seqgen.plugins.discovery import find_domains
from seqgen.testing import PROMISES, Check, NothingToCheck, check_domain, domain_checks

DOMAINS = [found.name for found in find_domains()]


def test_the_first_party_domains_are_installed() -> None:
    assert {"music", "text"} <= set(DOMAINS)


@pytest.fixture(autouse=True)
def small_demos(monkeypatch) -> None:
    """Some demos make their pieces, more than these checks need."""
    monkeypatch.setattr("seqgen_chess.domain.FILES", 1)
    monkeypatch.setattr("seqgen_speech.demo.SENTENCES", 12)
    monkeypatch.setattr("seqgen_handwriting.demo.PAGES", 24)


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


@pytest.fixture
def one_codec(monkeypatch) -> None:
    """Text as characters alone, which is enough to see what `check_domain` says."""
    monkeypatch.setattr(Text, "codecs", {"characters": CharacterCodec})


def test_check_domain_reports_failures(one_codec, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(CharacterCodec, "decode", lambda self, ids: "always the same")
    with pytest.raises(AssertionError, match=r"(?s)checks failed:.*text-characters-round_trips"):
        check_domain("text", tmp_path)


@pytest.mark.parametrize(
    ("promise", "broken", "message"),
    [
        (
            follows_requests,
            {"tracker": lambda self, condition=None: self._any()},
            "gave a piece",
        ),
        (follows_requests, {"header_values": lambda self, ids: {"x": "y"}}, "cannot all be"),
        (refuses_requests, {"tracker": lambda self, condition=None: self._any()}, "is not refused"),
        (
            refuses_requests,
            {"tracker": lambda self, condition=None: _refuse()},
            "does not name .'key', 'density'",
        ),
    ],
)
def test_a_codec_that_breaks_a_promise_of_requests_fails(
    promise, broken, message: str, tmp_path, monkeypatch
) -> None:
    from seqgen_music.codecs.multitrack.codec import MultitrackCodec

    tracker = MultitrackCodec.tracker
    monkeypatch.setattr(MultitrackCodec, "_any", lambda self: tracker(self), raising=False)
    for name, value in broken.items():
        monkeypatch.setattr(MultitrackCodec, name, value)
    with pytest.raises(AssertionError, match=message):
        Check("music", "multitrack", promise).run(tmp_path)


def _refuse() -> None:
    raise DataError("no")


def test_check_domain_counts(one_codec, tmp_path, capsys) -> None:
    count = check_domain("text", tmp_path)
    said = re.search(
        r"(\d+) checks of the domain text passed, (\d+) had nothing to check",
        capsys.readouterr().out,
    )
    assert said is not None and int(said[1]) == count > int(said[2]) > 0
    assert count + int(said[2]) == len(Text.codecs) * len(PROMISES)


def write_over(self, piece, path, options):
    for name in (path, path.with_name("index.txt")):
        name.write_text(piece or " ")
    return [path, path.with_name("index.txt")]


def write_more(self, piece, path, options):
    path.write_text(piece or " ")
    path.with_suffix(".log").write_text("done")
    return [path]


def check_of(promise: str) -> Check:
    """Return the check of a promise for text as characters."""
    checks = domain_checks("text")
    return next(
        each for each in checks if each.promise.__name__ == promise and each.codec == "characters"
    )


BREACHES = {
    "write over": ("write", write_over, "keeps_pieces_apart", "another piece is returned"),
    "write more": ("write", write_more, "keeps_pieces_apart", "write returned"),
    "itself": ("companions", lambda self, path: [path], "knows_companions", "accompanies itself"),
    "no paths": ("companions", lambda self, path: ["a"], "knows_companions", "are no paths"),
    "a weight": (
        "read",
        lambda self, path, options: [Labelled({}, "a", 1000)],
        "annotates_pieces",
        "1000",
    ),
    "a name": (
        "read",
        lambda self, path, options: [Labelled({"a b": "c"}, "a")],
        "annotates_pieces",
        "a word of letters",
    ),
    "a value": (
        "read",
        lambda self, path, options: [Labelled({"a": 1}, "a")],
        "annotates_pieces",
        "label a has the value 1",
    ),
    "in another": (
        "read",
        lambda self, path, options: [Labelled({}, Labelled({}, "a"))],
        "annotates_pieces",
        "does not hold a piece",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_plugin_that_breaks_a_promise_about_files_fails(breach, tmp_path, monkeypatch) -> None:
    method, broken, promise, message = BREACHES[breach]
    check = check_of(promise)
    subject_of("text", "characters")
    monkeypatch.setattr(Text, method, broken)
    with pytest.raises((AssertionError, SeqgenError), match=message):
        check.run(tmp_path)


def test_the_kit_examines_labelled_pieces(tmp_path, monkeypatch) -> None:
    def read(self, path, options):
        return [Labelled({"site": "a"}, "a", 2, {"column": "text"})]

    check = check_of("annotates_pieces")
    monkeypatch.setattr(Text, "read", read)
    check.run(tmp_path)
