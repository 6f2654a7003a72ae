"""Symbols that a model does not know: what they become, and that it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen import unknown as unknown_module
from seqgen.unknown import changes_text, mend_text

PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '\"-.,?!/*\n",
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Łódź", "Lodz"),
        ("Straße, STRAẞE", "Strasse, STRASSE"),
        ("Ærø, œuvre, þing, Đà Nẵng, ısı", "AEro, oeuvre, thing, Da Nang, isi"),
        ("‘it’s’ “so” «or» ‚so‘ „so“", '\'it\'s\' "so" "or" \'so\' "so"'),
        ("a–b—c−d‐e", "a-b-c-d-e"),
        ("wait…", "wait..."),
        ("a\tb\u00a0c\u2003d", "a b c d"),
        ("a\rb\u2028c\u0085d", "a\nb\nc\nd"),
        ("ﬃ ﬀ Ａ１ ² ① ½", "ffi ff A1 2 1 1/2"),
        ("٣४", "34"),
        ("e\u0301E\u0301 x\u030c", "eE x"),
        ("日本語🙂 ok", " ok"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ud800x", "x"),
    ],
)
def test_the_nearest_is_what_unicode_knows(text: str, wanted: str) -> None:
    assert mend_text(text, PLAIN, "nearest").piece == wanted


@pytest.mark.parametrize(
    ("text", "known", "wanted"),
    [
        # Composed or apart, whichever the model knows.
        ("e\u0301", "eé", "é"),
        ("é", "e\u0301", "e\u0301"),
        ("\u1112\u1161\u11ab", "한", "한"),
        # The letter without its accent comes before the other case with it.
        ("É", "eéE", "E"),
        ("É", "eé", "é"),
        ("É", "e", "e"),
        ("ß", "S", "SS"),
        ("Ł", "l", "l"),
        # A class of punctuation goes both ways, and has a second choice.
        ("'\"", "’”", "’”"),
        ("“", "'", "'"),
        ("\t", "\n", ""),
        ("\n", "\r", "\r"),
    ],
)
def test_the_nearest_depends_on_what_is_known(text: str, known: str, wanted: str) -> None:
    assert mend_text(text, known, "nearest").piece == wanted


@given(st.text(), st.text(), st.sampled_from(["skip", "nearest"]))
def test_nothing_unknown_is_left_and_every_change_is_told(text, known, unknown) -> None:
    mended = mend_text(text, known, unknown)
    assert set(mended.piece) <= set(known)
    assert bool(mended.changes) == (mended.piece != text)
    assert mend_text(mended.piece, known, unknown).changes == {}
    lost = sum(len(was) * count for (was, _), count in mended.changes.items())
    came = sum(len(now) * count for (_, now), count in mended.changes.items())
    assert len(mended.piece) == len(text) - lost + came


def test_changes_are_told_in_words() -> None:
    mended = mend_text("Łódź, 日本語 日", frozenset("Lodz, "), "nearest")
    assert changes_text(mended.changes) == (
        "'ó' became 'o' once, 'Ł' became 'L' once, 'ź' became 'z' once; "
        "4 symbols were left out: '日' twice, '本' once, '語' once"
    )
    assert changes_text(mend_text("aXbX", frozenset("ab"), "skip").changes) == (
        "2 symbols were left out: 'X' twice"
    )
    many = mend_text("".join(map(chr, range(0x4E00, 0x4E20))), frozenset("a"), "skip")
    assert changes_text(many.changes).endswith(", and 22 others")


def test_each_unknown_symbol_of_a_text_is_looked_for_once(monkeypatch) -> None:
    """However large the alphabet is: alphabets are never compared with one another."""
    asked = []
    real = unknown_module.nearest

    def watched(sign: str, known: frozenset[str]) -> str:
        asked.append(sign)
        return real(sign, known)

    monkeypatch.setattr(unknown_module, "nearest", watched)
    for _ in range(2):
        assert mend_text("é→é→é", "aeiou", "nearest").piece == "eee"
    assert asked == ["é", "→"] * 2
