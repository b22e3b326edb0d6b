"""Who posts are about, and which rivals a picture shows. The marks are drawn here."""

from __future__ import annotations

from random import Random

import pytest

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.model

from support.drawn_marks import FLAG, SQUARE

from training.synthetic.identity import FAMILIAR_SHARE, Looks, is_familiar, split_of
from training.synthetic.marks import Brand, Flag, Marks
from training.synthetic.subjects import FAMILIAR_MENTIONS, Subjects

BRANDS = tuple(Brand(f"Brand{i}", f"{i:06x}", SQUARE) for i in range(600) if split_of(f"Brand{i}") == "train")
MARKS = Marks(BRANDS, tuple(Flag(f"Land {i}", FLAG) for i in range(20)))
DRAWS = 1500


@pytest.fixture(scope="module")
def subjects():
    return Subjects(MARKS, "train")


@pytest.fixture(scope="module")
def about_a_rare_brand(subjects):
    """(the brand, what the picture shows), many times."""
    random, pairs = Random(1), []
    while len(pairs) < DRAWS:
        (brand,) = subjects.of_kinds(("ORG",), random)
        if brand.looks is Looks.RARE:
            pairs.append((brand, subjects.shown((brand,), random)))
    return pairs


def share(pairs, fits):
    return sum(fits(brand, shown) for brand, shown in pairs) / len(pairs)


def test_no_brand_held_out_is_familiar():
    names = [f"name {i}" for i in range(8000)]
    assert all(split_of(name) == "train" for name in names if is_familiar(name))
    train = [name for name in names if split_of(name) == "train"]
    assert sum(map(is_familiar, train)) / len(train) == pytest.approx(FAMILIAR_SHARE, abs=0.01)
    assert all(is_familiar(name) == is_familiar(name.upper()) for name in names)


def test_half_of_all_mentions_are_of_familiar_brands(subjects):
    random = Random(2)
    looks = [subjects.of_kinds(("ORG",), random)[0].looks for _ in range(DRAWS)]
    assert looks.count(Looks.FAMILIAR) / DRAWS == pytest.approx(FAMILIAR_MENTIONS, abs=0.05)
    assert looks.count(Looks.RARE) == DRAWS - looks.count(Looks.FAMILIAR)


def test_flags_are_familiar_and_names_are_read(subjects):
    found = subjects.of_kinds(("LOC", "PER", "OTHER"), Random(3))
    assert [each.looks for each in found] == [Looks.FAMILIAR, Looks.READ, Looks.READ]


def test_half_of_the_rare_brands_are_shown(about_a_rare_brand):
    assert share(about_a_rare_brand, lambda brand, shown: brand in shown) == pytest.approx(0.5, abs=0.05)


def test_most_of_those_not_shown_have_another_mark_in_their_place(about_a_rare_brand):
    hidden = [(brand, shown) for brand, shown in about_a_rare_brand if brand not in shown]
    assert share(hidden, lambda _, shown: bool(shown)) > 0.75


def test_half_of_the_pictures_show_a_rival(about_a_rare_brand):
    assert 0.45 < share(about_a_rare_brand, lambda brand, shown: bool(set(shown) - {brand})) < 0.75


def test_one_mark_alone_does_not_tell_whether_it_is_the_named_one(about_a_rare_brand):
    alone = [(brand, shown) for brand, shown in about_a_rare_brand if len(shown) == 1]
    assert 0.35 < share(alone, lambda brand, shown: brand in shown) < 0.65


def test_the_named_one_does_not_always_come_first(about_a_rare_brand):
    both = [(brand, shown) for brand, shown in about_a_rare_brand if brand in shown and len(shown) > 1]
    assert 0.35 < share(both, lambda brand, shown: shown[0] == brand) < 0.65


def test_a_rival_bears_another_name(about_a_rare_brand):
    for _, shown in about_a_rare_brand:
        assert len({each.name for each in shown}) == len(shown)
