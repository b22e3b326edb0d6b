"""What is held never outgrows its limits, whatever comes in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.console.bounded import Bounded


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60), st.sampled_from("ptd"))))
def test_neither_items_nor_bytes_outgrow_their_limits(steps: list[tuple[int, int, str]]) -> None:
    held: Bounded[int, int] = Bounded(4, 100)
    sizes: dict[int, int] = {}
    for key, size, action in steps:
        if action == "p":
            held.put(key, size, size)
            sizes[key] = size
        elif action == "t":
            held.take(key)
        else:
            held.drop_oldest()
        kept = {key for key in range(10) if key in held}
        assert len(kept) == len(held) <= 4
        assert held.bytes == sum(sizes[key] for key in kept) <= 100


def test_the_oldest_goes_first_and_a_renewed_one_is_new() -> None:
    held: Bounded[str, int] = Bounded(2, 100)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        held.put(key, value, 1)
    assert list(held) == [3, 4]
    assert (held.dropped, held.oldest()) == (1, 3)


def test_one_that_is_larger_than_everything_is_not_kept() -> None:
    held: Bounded[str, int] = Bounded(10, 100)
    held.put("small", 1, 10)
    held.put("huge", 2, 101)
    assert "huge" not in held
    assert held.bytes == 0
