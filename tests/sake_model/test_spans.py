"""How an entity's string finds its place in a post."""

import time
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from sake_model.spans import Match, Placement, Unplaced, place


def one(text: str, name: str) -> tuple[str, str, int] | Unplaced:
    """What became of a single name, short enough to compare."""
    (found,) = place(text, [name])
    if isinstance(found, Unplaced):
        return found
    return (found.match.value, found.span.exact, found.span.start)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Golden Gate Bridge back then", "Golden Gate Bridge", ("exact", "Golden Gate Bridge", 0)),
        ("ask Trump's lawyer", "Trump", ("exact", "Trump", 4)),
        ("#NASA today", "NASA", ("exact", "NASA", 1)),
        ("#NASA today", "#NASA", ("exact", "#NASA", 0)),
        ("music for Us", "Us", ("exact", "Us", 10)),
        ("US music", "Us", ("case", "US", 0)),
        ("STRASSE 1", "Straße", ("case", "STRASSE", 0)),
        ("I saw Beyonce\u0301", "Beyonc\u00e9", ("unicode", "Beyonce\u0301", 6)),
        ("ＮＡＳＡ said", "NASA", ("unicode", "ＮＡＳＡ", 0)),
        ("𝐍𝐀𝐒𝐀 said", "NASA", ("unicode", "𝐍𝐀𝐒𝐀", 0)),
        ("the oﬃce", "office", ("case", "oﬃce", 4)),
        ("Ny\u00adan\u200b Cat", "Nyan Cat", ("unicode", "Ny\u00adan\u200b Cat", 0)),
        ("I saw Beyonce", "Beyoncé", ("accents", "Beyonce", 6)),
        ("O’Brien", "O'Brien", ("punctuation", "O’Brien", 0)),
        ("Jay–Z", "Jay-Z", ("punctuation", "Jay–Z", 0)),
        ("“The Wire”", '"The Wire"', ("punctuation", "“The Wire”", 0)),
        ("New\n  York", "New York", ("white_space", "New\n  York", 0)),
        ("New York", " New   York ", ("white_space", "New York", 0)),
        ("Jay\u00a0Z", "Jay Z", ("unicode", "Jay\u00a0Z", 0)),
        ("NASA said", "#NASA", ("sigil", "NASA", 0)),
        ("nasa said", "@ NASA", ("sigil", "nasa", 0)),
        ("#GoldenGateBridge", "Golden Gate", ("hashtag", "GoldenGate", 1)),
        ("#GoldenGateBridge", "Gate", ("hashtag", "Gate", 7)),
        ("#NASAToday", "NASA", ("hashtag", "NASA", 1)),
        ("#ilovenewyork", "New York", ("hashtag", "newyork", 6)),
        ("@BarackObama2012", "Barack Obama", ("hashtag", "BarackObama", 1)),
        ("RT @foo_bar: hi", "@ foo _ bar", ("tokenised", "@foo_bar", 3)),
        ("RT @ foo _ bar : hi", "@foo_bar", ("tokenised", "@ foo _ bar", 3)),
        ("in D.C. today", "D . C .", ("tokenised", "D.C.", 3)),
        ("Obamacare", "Obama", ("inside_word", "Obama", 0)),
        ("superobama", "Obama", ("inside_word", "obama", 5)),
        ("我爱北京天安门", "北京", ("exact", "北京", 2)),
        ("서울에서 만나요", "서울", ("exact", "서울", 0)),
        ("go 🇫🇷!", "🇫🇷", ("exact", "🇫🇷", 3)),
        ("नमस्ते दिल्ली", "दिल्ली", ("exact", "दिल्ली", 7)),
        ("Иван из Москвы", "Москвы", ("exact", "Москвы", 8)),
    ],
)
def test_a_name_is_found_and_the_way_is_named(text, name, expected):
    assert one(text, name) == expected


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("anything", "", Unplaced.EMPTY),
        ("anything", " \n", Unplaced.EMPTY),
        ("anything", "Beatles", Unplaced.NOT_IN_POST),
        ("", "Beatles", Unplaced.NOT_IN_POST),
        ("music", "Us", Unplaced.NOT_IN_POST),
        ("he said so", "AI", Unplaced.NOT_IN_POST),
        ("Manchester", "anch", Unplaced.NOT_IN_POST),
        ("👨‍👩‍👧 at home", "👨", Unplaced.NOT_IN_POST),
        ("👍🏽", "👍", Unplaced.NOT_IN_POST),
        ("🇫🇷", "🇷", Unplaced.NOT_IN_POST),
        ("e\u0301", "\u0301", Unplaced.NOT_IN_POST),
        ("नमस्ते दिल्ली", "दिल्ल", Unplaced.NOT_IN_POST),
        ("oﬃce", "of", Unplaced.NOT_IN_POST),
        ("NASA", "#", Unplaced.NOT_IN_POST),
    ],
)
def test_a_name_that_is_not_there_is_not_invented(text, name, why):
    assert one(text, name) is why


def test_equal_names_take_the_occurrences_from_left_to_right():
    found = place("Paris, Paris and Paris", ["Paris", "Paris", "Paris", "Paris"])
    assert [p.span.start for p in found[:3]] == [0, 7, 17]
    assert found[3] is Unplaced.NO_FREE_OCCURRENCE


def test_a_long_name_is_not_robbed_of_its_last_word():
    short, long = place("Bank of America in America", ["America", "Bank of America"])
    assert (short.span.start, long.span.start) == (19, 0)


def test_an_exact_name_comes_before_an_earlier_loose_one():
    loose, exact = place("nasa and NASA", ["NASA", "nasa"])
    assert (loose.span.exact, exact.span.exact) == ("NASA", "nasa")
    loose, exact = place("apple", ["Apple", "apple"])
    assert loose is Unplaced.NO_FREE_OCCURRENCE
    assert exact.match is Match.EXACT


def test_the_closest_of_several_loose_occurrences_is_taken():
    (found,) = place("BEYONCÉ or BEYONCE or beyoncé", ["Beyonce"])
    assert (found.match, found.span.exact) == (Match.CASE, "BEYONCE")


def test_offsets_count_code_points_not_bytes_or_utf16_units():
    (found,) = place("👩🏽‍🚀🚀 to NASA", ["NASA"])
    assert found.span.start == len("👩🏽‍🚀🚀 to ") == 9


# Small alphabets make collisions, clusters and word boundaries likely.
tricky = st.text(
    alphabet=st.sampled_from(list("aAb #@_.-'’ é\u0301ß👨👩\u200d🏽🇫🇷北\u200b\r\nﬁ")), max_size=30
)
clusters = st.lists(st.sampled_from(["👨‍👩‍👧", "🇫🇷", "e\u0301", "👍🏽", "ल्ली", "a", " "])).map("".join)


@st.composite
def posts_and_names(draw):
    """A post, and names of which most are pieces of it: so that they compete for places."""
    text = draw(st.one_of(st.text(), tricky, clusters, st.text(alphabet="ab ", max_size=12)))
    offset = st.integers(0, len(text))
    piece = st.tuples(offset, offset).map(lambda ends: text[min(ends) : max(ends)])
    return text, draw(st.lists(st.one_of(piece, piece, piece.map(str.swapcase), tricky), max_size=6))


@given(posts_and_names())
def test_spans_are_true_disjoint_and_whole(post):
    text, names = post
    found = place(text, names)
    assert len(found) == len(names)
    spans = sorted((p.span for p in found if isinstance(p, Placement)), key=lambda span: span.start)
    edges = {0, *(cluster.end() for cluster in regex.finditer(r"\X", text))}
    for span in spans:
        assert text[span.start : span.end] == span.exact != ""
        assert {span.start, span.end} <= edges
    assert all(a.end <= b.start for a, b in pairwise(spans))


@given(before=st.text(max_size=10), inner=tricky, after=st.text(max_size=10))
def test_a_name_that_stands_between_spaces_is_found(before, inner, after):
    name = f"x{inner}y"
    (found,) = place(f"{before} {name} {after}", [name])
    assert isinstance(found, Placement)
    assert (found.match, found.span.exact) == (Match.EXACT, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a" * 131_072, "a" * 2_000),
        ("a" * 131_072, "aa"),
        ("é" * 131_072, "éa"),
        ("#" + "a" * 131_071, "b" + "a" * 50),
        ("a" + "\u0301\u0316" * 65_000, "á"),
        ("xabx " * 26_000, "ab"),
    ],
    ids=["periodic", "short", "accents", "hashtag", "zalgo", "inside"],
)
def test_a_hostile_text_cannot_hold_the_event_loop(text, name):
    started = time.process_time()
    place(text, [name])
    assert time.process_time() - started < 2.0
