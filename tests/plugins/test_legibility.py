"""The reader that says how legible writing is, and what the domain measures."""

import string
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from seqgen_handwriting.demo import WRITERS, Writer, demo_texts, write_line
from seqgen_handwriting.demo_glyphs import ACCENTED, SIGNS
from seqgen_handwriting.domain import Handwriting
from seqgen_handwriting.ink import Ink
from seqgen_handwriting.measures import legibility
from seqgen_handwriting.measures.legibility import Reader, judged
from seqgen_handwriting.measures.letters import GRID, pictures
from seqgen_handwriting.measures.metrics import KINDS, measure_texts, texts_to_write

from seqgen.errors import DataError
from seqgen.evaluation.comparison import measure

#: Lines by all writers.
LINES = 1200


@pytest.fixture(scope="module")
def lines() -> list[Ink]:
    # Accents and rare signs are left out, because few lines have each.
    rare = str.maketrans("", "", ACCENTED + SIGNS)
    return [
        write_line(text.translate(rare), Writer.number(number % WRITERS), number)
        for number, text in enumerate(islice(demo_texts(), LINES))
    ]


@pytest.fixture(scope="module")
def learned(lines: list[Ink]) -> list[Ink]:
    return lines[::4]


@pytest.fixture(scope="module")
def held_out(lines: list[Ink]) -> list[Ink]:
    return lines[2::12]


@pytest.fixture(scope="module")
def reader(learned: list[Ink]) -> Reader:
    return Reader.learn(learned)


def share(reader: Reader, inks: list[Ink]) -> float:
    return float(np.concatenate([reader.right(ink) for ink in inks]).mean())


def test_letters_that_it_has_not_seen_are_read(reader: Reader, held_out: list[Ink]) -> None:
    assert share(reader, held_out) > 0.95


def test_what_was_not_written_is_not_read(reader: Reader, held_out: list[Ink]) -> None:
    small, capital, digits = string.ascii_lowercase, string.ascii_uppercase, string.digits
    rotated = [kind[5:] + kind[:5] for kind in (small, capital, digits)]
    other = str.maketrans(small + capital + digits, "".join(rotated))
    wrong = [replace(ink, text=ink.text.translate(other)) for ink in held_out]
    assert share(reader, wrong) < 0.2


def test_scribbles_are_not_read(reader: Reader, held_out: list[Ink]) -> None:
    rng = np.random.default_rng(0)
    scribbled = [
        replace(ink, strokes=tuple(each + rng.normal(0, 9, each.shape) for each in ink.strokes))
        for ink in held_out[:20]
    ]
    assert share(reader, scribbled) < 0.6 < share(reader, held_out[:20])


def test_only_the_ink_counts() -> None:
    """Neither place nor size, nor in which order and direction strokes were written."""
    # Printed, because joined letters share a stroke.
    line = write_line("THE cat 079", Writer.number(0), seed=0)
    assert line.letters is not None
    backwards = Ink(
        tuple(3.0 * stroke[::-1] + (1000.0, -50.0) for stroke in line.strokes[::-1]),
        line.text,
        tuple(part[::-1] for part in line.letters[::-1]),
    )
    (shown, places), (again, others) = pictures(line), pictures(backwards)
    assert places == others
    np.testing.assert_allclose(shown, again, atol=1e-3)


def test_letters_below_one_another_are_read_on_their_own_lines(
    reader: Reader, held_out: list[Ink]
) -> None:
    line = held_out[1]
    assert line.letters is not None
    word = line.text.split(" ")[0]
    first = [at for at, part in enumerate(line.letters) if part[0] < len(word)]
    strokes = [line.strokes[at] for at in first]
    parts = [line.letters[at] for at in first]
    rows = range(4)
    lines = [stroke + np.array([0, 100 * row]) for row in rows for stroke in strokes]
    letters = [part + row * len(word) for row in rows for part in parts]
    page = Ink(tuple(lines), 4 * word, tuple(letters))
    one = Ink(tuple(strokes), word, tuple(parts))
    assert reader.read(page) == 4 * reader.read(one)


def test_the_line_tells_large_letters_from_small_ones() -> None:
    ring = 10 * np.stack([np.cos(np.linspace(0, 6.3, 30)), np.sin(np.linspace(0, 6.3, 30))], 1)
    rings = [ring + np.array([30 * number, 0]) for number in range(4)]
    large = 2 * ring + (-60, -10)
    letters = tuple(np.full(30, number) for number in range(5))
    [first, second, *_], _ = pictures(Ink((large, *rings), "Ooooo", letters))
    tall = [
        (each.reshape(-1, GRID, GRID).sum(axis=(0, 2)) > 0.05).sum() for each in (first, second)
    ]
    assert tall[0] > 1.5 * tall[1]


def test_learning_gives_the_same_reader_twice(learned: list[Ink]) -> None:
    one, two = (Reader.learn(learned[:20]) for _ in range(2))
    assert one.letters == two.letters
    for left, right in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_reader_of_altered_letters_reads_a_hand_that_leans(
    reader: Reader, learned: list[Ink], held_out: list[Ink]
) -> None:
    leaning = [
        replace(ink, strokes=tuple(each - each[:, 1:] * [0.35, 0] for each in ink.strokes))
        for ink in held_out
    ]
    of_altered = Reader.learn(learned, with_altered=True)
    wrong = [1 - share(one, leaning) for one in (reader, of_altered)]
    assert wrong[1] < 0.6 * wrong[0] and share(of_altered, held_out) > 0.95


def test_letters_without_ink_are_not_read_and_unknown_ones_do_not_count(reader: Reader) -> None:
    line = write_line("anna ran", Writer.number(2), 5)
    assert line.letters is not None
    kept = [at for at, part in enumerate(line.letters) if part[0] != 3]
    without = Ink(
        tuple(line.strokes[at] for at in kept), line.text, tuple(line.letters[at] for at in kept)
    )
    assert len(reader.right(line)) == 7
    assert reader.read(without)[3] == " " and not reader.right(without)[3]
    assert len(reader.right(replace(line, text="ann§ ran"))) == 6
    # Ink of a blank, as in lines whose letters were spread over them.
    assert len(reader.right(replace(line, text="an a ran"))) == 6


@pytest.mark.parametrize(
    "ink",
    [
        Ink(()),
        Ink((np.zeros((1, 2)),)),
        Ink((np.zeros((3, 2)),), "a", (np.zeros(3, np.int64),)),
        Ink((np.array([[-1e9, -1e9], [1e9, 1e9]]),), "ab", (np.array([0, 1]),)),
    ],
    ids=["nothing", "no text", "a dot", "far away"],
)
def test_any_ink_can_be_looked_at(reader: Reader, ink: Ink) -> None:
    shown, places = pictures(ink)
    assert np.isfinite(shown).all() and len(shown) == len(places)
    assert len(reader.read(ink)) == (len(ink.text) if ink.letters else 0)


def test_there_is_nothing_to_learn_without_letters(lines: list[Ink]) -> None:
    with pytest.raises(DataError, match="which letter"):
        Reader.learn([replace(lines[0], letters=None)])


def test_new_lines_are_compared_with_real_ones(lines: list[Ink], held_out: list[Ink]) -> None:
    real = lines[::8]
    new = [replace(ink, text=ink.text[::-1]) for ink in held_out[:5]] + held_out[5:10]
    new.append(Ink((np.zeros((2, 2)),)))
    read, ceiling = judged(new, [ink.text for ink in new], real)
    generated, reference = (
        np.array([np.mean([right for _, right in piece]) for piece in side if piece])
        for side in (read, ceiling)
    )
    assert reference.shape == (len(real),) and reference.mean() > 0.85
    assert generated[:5].mean() < 0.5 < 0.85 < generated[5:10].mean()
    assert len(generated) == 10 and not read[10], "a drawing without letters has no share"


def test_letters_are_judged_by_kind_and_what_is_missing_is_misread(reader: Reader) -> None:
    """A model that writes small letters only does well with one kind of four."""
    texts = texts_to_write(reader.letters + " ")
    writer = Writer.number(2)

    def shares(lines: list[str]) -> list[float]:
        judged = [
            pair
            for number, (line, text) in enumerate(zip(lines, texts, strict=True))
            for pair in reader.judge(write_line(line, writer, number), text)
        ]
        return [
            float(np.mean([right for letter, right in judged if KINDS[kind](letter)]))
            for kind in ("small letters", "capitals", "digits", "marks")
        ]

    # Capitals of a font may have the shape of small letters.
    assert min(shares(texts)) > 0.5
    small, *others = shares(["".join(c if c.islower() else "x" for c in text) for text in texts])
    assert small > 0.9 and max(others) < 0.1
    # A third of the capitals begin a text.
    assert max(shares([text[:1] for text in texts])) < 0.4, "letters that were not reached"


def test_given_texts_are_measured_beside_real_lines(lines: list[Ink]) -> None:
    real = lines[::24]
    texts = ["the wall", "Wall 19", ""]
    written = [write_line(text, Writer.number(1), number) for number, text in enumerate(texts)]
    found = measure_texts(texts, written, real)
    assert [*found] == [f"given {kind} that are read" for kind in KINDS]
    for metric in found.values():
        assert metric.generated.shape == (3,) and metric.reference.shape == (len(real),)
    assert np.isfinite(found["given small letters that are read"].generated).tolist() == [1, 1, 0]
    assert np.isfinite(found["given digits that are read"].generated).tolist() == [0, 1, 0]
    assert np.isnan(found["given other letters that are read"].generated).all()


@pytest.mark.parametrize("alphabet", ["abc", "ABC xyz019.,", "", " ", "жЖ я", "日本語"])
def test_texts_to_write_have_every_letter_of_an_alphabet(alphabet: str) -> None:
    texts = texts_to_write(alphabet)
    together = "".join(texts)
    assert set(together) <= set(alphabet)
    for letter in set(alphabet) - {" "}:
        assert letter in together
    assert texts_to_write(alphabet) == texts and bool(texts) == bool(alphabet.strip())


def test_drawings_are_measured_without_letters() -> None:
    square = np.array([[0.0, 0], [2, 0], [2, 1], [0, 1], [0, 0]])
    drawn = [Ink((square,)), Ink((square, square[:1]))]
    found = measure(Handwriting(), drawn, [*drawn, Ink((square[:1],))])
    assert found["strokes"].reference.tolist() == [1, 2, 1]
    assert found["points per stroke"].generated.tolist() == [5, 3]
    assert found["length of the ink"].reference.tolist() == [3, 3]
    assert found["width over height"].reference.tolist() == [2, 2]


def test_products_in_blocks_are_products() -> None:
    rng = np.random.default_rng(0)
    for rows in (0, 1, 2, 63, 64, 301):
        one = rng.normal(size=(rows, 576)).astype(np.float32)
        other = rng.normal(size=(576, 128)).astype(np.float32)
        np.testing.assert_allclose(legibility._product(one, other), one @ other, atol=1e-3)
