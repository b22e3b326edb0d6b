"""Names are equal up to case, accents, punctuation and the marks of social media."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.search.names import compact, content_words, name_key, unhash, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("São Paulo", "SAO PAULO"), ("Coca-Cola", "coca cola"), ("McDonald’s", "McDonalds"),
        ("Beyoncé", "beyonce"), ("AC/DC", "AC DC"), ("Straße", "STRASSE"),
        ("ΑΘΉΝΑ", "αθηνα"), ("Москва́", "МОСКВА"), ("ﬁfa", "FIFA"),
        ("e\u0301dith", "Édith"), ("ｔｏｋｙｏ", "Tokyo"), ("#Oscars", "oscars"), ("  a\tb ", "A b"),
    ],
)  # fmt: skip
def test_one_name(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("C", "C++"), ("C", "C#"), ("Disney", "Disney+"), ("पेरिस", "परस")]
)
def test_two_names(one, other):
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(
    ("query", "apart"),
    [
        ("#GoldenStateWarriors", "Golden State Warriors"), ("@kevin_durant", "kevin durant"),
        ("#NBAFinals", "NBA Finals"), ("#warriors", "warriors"), ("Golden State", "Golden State"),
        ("#a b", "#a b"), ("#", ""),
    ],
)  # fmt: skip
def test_hashtags_are_taken_apart_at_their_humps(query, apart):
    assert unhash(query) == apart


def test_what_says_something():
    assert content_words("Who is the president of France?") == ["president", "france"]
    assert content_words("The Who") == ["the", "who"]


@given(st.text(max_size=40))
def test_words_of_words_are_the_same(text):
    assert words(name_key(text)) == words(text)
    assert compact(name_key(text)) == compact(text)


@given(st.text(max_size=40))
def test_words_hold_nothing_that_full_text_search_would_read_as_syntax(text):
    assert not set("\"'*()^:-{}.,") & set("".join(words(text)))
