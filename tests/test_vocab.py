import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgen.errors import DataError
from seqgen.vocab import Vocab


def test_ids_of_start_and_end_follow_the_payload() -> None:
    vocab = Vocab.of(["a", "b", "c"])
    assert (vocab.end, vocab.start, vocab.targets, vocab.size) == (3, 4, 4, 5)
    assert [vocab.name(token) for token in range(5)] == ["a", "b", "c", "<end>", "<start>"]


@pytest.mark.parametrize(
    ("payload", "dtype"), [(1, "uint8"), (254, "uint8"), (255, "uint16"), (70_000, "uint32")]
)
def test_the_dtype_is_the_smallest_that_holds_every_id(payload: int, dtype: str) -> None:
    assert Vocab.of([str(number) for number in range(payload)]).dtype == dtype


@given(st.lists(st.text(), min_size=1, unique=True), st.randoms())
def test_the_digest_tells_order_and_names(names: list[str], random) -> None:
    shuffled = names.copy()
    random.shuffle(shuffled)
    same = Vocab.of(names).digest == Vocab.of(shuffled).digest
    assert same == (names == shuffled)


def test_the_state_is_reset_after_end_and_boundaries() -> None:
    vocab = Vocab.of(["a", "b", "c"])
    assert vocab.resets(()) == [False, False, False, True, False]
    assert vocab.resets([2, 0]) == [True, False, True, True, False]


@pytest.mark.parametrize("boundary", [-1, 3, 4, 5])
def test_a_boundary_that_is_no_payload_id_is_refused(boundary: int) -> None:
    with pytest.raises(DataError, match=f"the boundary {boundary}, .* ids from 0 to 2"):
        Vocab.of(["a", "b", "c"]).resets([0, boundary])


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'b' twice"):
        Vocab.of(["a", "b", "b"])
    with pytest.raises(DataError, match="empty vocabulary"):
        Vocab.of([])
