"""Names as people write them, and what decides besides the name. The many cases are in test_cases.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import entity

from schemas.mentions import MatchedBy
from workers.mentions.matching import Matcher
from workers.mentions.names import key_of, keys_of_mention, latin_lookalike, prefixes_of, visible
from workers.mentions.sketch import resemblance, sketch_of
from workers.mentions.types import is_of_type
from workers.mentions.watch_list import read_watch_list


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("N\u200bi\u200dk\u2060e\ufeff", "Nike"),
        ("\u202eNike\u202c", "Nike"),
        ("Star\u00adbucks", "Starbucks"),
        ("NIKE\ufe0f", "NIKE"),
        ("Ｎｉｋｅ", "Nike"),
        ("𝐓𝐞𝐬𝐥𝐚", "Tesla"),
        ("  Nike ", "Nike"),
    ],
)
def test_what_cannot_be_seen_is_not_there(written: str, shown: str) -> None:
    assert visible(written) == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Coca-Cola", "#coca_cola"),
        ("H&M", "H and M"),
        ("Nestlé", "NESTLE"),
        ("トヨタ", "ﾄﾖﾀ"),
        ("كوكا كولا", "كوكاكولا"),
    ],
)
def test_equal_names_have_equal_keys(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Disney+", "Disney"), ("ポ", "ホ"), ("कि", "का"), ("H&M", "HM"), ("🍎", "🍏")],
)
def test_other_names_have_other_keys(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


def test_possessives_legal_forms_and_articles_are_no_part_of_a_name() -> None:
    assert "nike" in keys_of_mention("Nike’s")
    assert "nike" in keys_of_mention("Nike, Inc.")
    assert "gap" in keys_of_mention("The Gap")
    assert keys_of_mention("Co.") == ("co",)


def test_a_beginning_ends_with_a_word_or_before_a_number() -> None:
    assert "iphone" in prefixes_of("#iPhone15Pro")
    assert "nike" in prefixes_of("#NikeAirMax")
    assert "meta" not in prefixes_of("Metallica")


def test_only_mixed_scripts_are_forged() -> None:
    assert latin_lookalike("Аpple") == "Apple"
    assert latin_lookalike("Яндекс") is None
    assert latin_lookalike("Apple") is None


@given(st.text())
def test_any_name_has_a_stable_key(name: str) -> None:
    assert key_of(visible(name)) == key_of(name)
    assert all(keys_of_mention(name))


def found(watch: str, exact: str, text: str = "", type_: str = "ORG") -> list[tuple[str, MatchedBy]]:
    matcher = Matcher(read_watch_list(watch, "w"))
    one = entity(exact, type_, text=text or exact)
    matches = matcher.match(one, "", text)
    assert matcher.could_match(one) or not matches
    return [(match.brand.name, match.by) for match in matches]


def test_how_it_matched_is_told() -> None:
    watch = "brands: [{name: Apple, aliases: [AAPL, 'iPhone *']}]"
    assert found(watch, "apple") == [("Apple", MatchedBy.NAME)]
    assert found(watch, "$AAPL") == [("Apple", MatchedBy.ALIAS)]
    assert found(watch, "iPhone 15") == [("Apple", MatchedBy.PREFIX)]
    assert found(watch, "Аpple") == [("Apple", MatchedBy.LOOKALIKE)]
    assert found(watch, "Pineapple") == []


def test_an_alias_with_a_sign_asks_for_the_sign_in_the_span_or_before_it() -> None:
    watch = "brands: [{name: Ford, aliases: [$F]}]"
    assert found(watch, "$F") == [("Ford", MatchedBy.ALIAS)]
    assert found(watch, "F", text="long $F here") == [("Ford", MatchedBy.ALIAS)]
    assert found(watch, "F", text="an F here") == []


def test_one_name_may_stand_in_several_entries() -> None:
    watch = "brands: [{name: Shop A, aliases: [X1]}, {name: Shop B, aliases: [X1], types: [PER]}, {name: X1}]"
    assert [name for name, _ in found(watch, "x1")] == ["Shop A", "X1"]


@pytest.mark.parametrize(
    ("wanted", "type_", "fine", "fits"),
    [
        ("ORG", "organization", None, True),
        ("organisation", "ORG", None, True),
        ("OTHER", "MISC", None, True),
        ("OTHER", "product", "software", True),
        ("product", "OTHER", None, False),
        ("software", "product", "software", True),
        ("ORG", "LOC", None, False),
        ("PER", "person", "athlete", True),
    ],
)
def test_types_of_all_prompt_sets(wanted: str, type_: str, fine: str | None, fits: bool) -> None:
    assert is_of_type(wanted, type_, fine) is fits


LONG = (
    "Nike closes its biggest store in Osaka after forty years, and the last customers queue round the block"
)


@pytest.mark.parametrize(
    ("copy", "least"),
    [
        (f"RT @reporter: {LONG}", 1.0),
        (f"@a @b {LONG} https://t.co/abc", 1.0),
        (LONG.upper(), 1.0),
        (LONG.replace("biggest", "largest"), 0.7),
        (f"{LONG} 😢😢", 1.0),
    ],
)
def test_copies_resemble_each_other(copy: str, least: float) -> None:
    assert resemblance(sketch_of(LONG), sketch_of(copy)) >= least


def test_other_news_of_the_same_brand_does_not() -> None:
    other = "Nike opens its biggest store in Lagos next spring, and the first customers may win a trip"
    assert resemblance(sketch_of(LONG), sketch_of(other)) < 0.4
    assert resemblance((), ()) == 0.0


@given(st.sets(st.integers(0, 10_000), max_size=200), st.sets(st.integers(0, 10_000), max_size=200))
def test_of_small_sets_the_resemblance_is_exact(one: set[int], other: set[int]) -> None:
    if max(len(one | other), 1) <= 128:
        union, both = one | other, one & other
        expected = len(both) / len(union) if one and other else 0.0
        assert resemblance(tuple(sorted(one)), tuple(sorted(other))) == expected
