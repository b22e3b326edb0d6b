"""Names in the gallery's pictures: within the picture, none upon another."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from workers.evaluation.report.gallery import LETTER_WIDE, LETTERS_HIGH, Names

SIDE = st.floats(0, 400)


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=30), SIDE, SIDE, st.booleans()), max_size=12))
def test_no_name_stands_upon_another_or_beyond_the_sides(
    wanted: list[tuple[str, float, float, bool]],
) -> None:
    names = Names(width=400.0, unit=4.0)
    placed = []
    for name, x, y, up in wanted:
        left, base = names.place(name, x, y, up=up)
        long = len(name) * LETTER_WIDE * 4
        assert left >= 0
        assert left + long <= 400 or left == 0
        placed.append((left, left + long, base))
    for (left, right, base), (other_left, other_right, other_base) in combinations(placed, 2):
        apart = abs(base - other_base) >= LETTERS_HIGH * 4 - 1e-6
        assert apart or right <= other_left or other_right <= left


def test_a_name_that_is_alone_stands_where_its_box_begins() -> None:
    assert Names(width=400.0, unit=4.0).place("Ann", 30.0, 50.0, up=True) == (30.0, 50.0)
