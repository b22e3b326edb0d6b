"""Token spans and code-point spans name the same places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.scoring.tokens import char_span, token_offsets, token_span


def test_tokens_joined_by_spaces():
    tokens = ["RT", "@", "tedcruz", ":", "Ted", "Cruz", "🎉"]
    text = " ".join(tokens)
    offsets = token_offsets(text, tokens)
    start, end = char_span(offsets, (4, 6))
    assert text[start:end] == "Ted Cruz"
    assert token_span(offsets, (start, end)) == (4, 6)


def test_tokens_of_a_post_that_was_cut_up():
    text = "RT @tedcruz: can't  stop"
    offsets = token_offsets(text, ["RT", "@", "tedcruz", ":", "ca", "n't", "stop"])
    assert text[slice(*char_span(offsets, (4, 6)))] == "can't"


def test_equal_tokens_are_found_one_after_the_other():
    assert token_offsets("a a a", ["a", "a", "a"]) == ((0, 1), (2, 3), (4, 5))


def test_a_span_that_cuts_a_token_has_no_token_span():
    offsets = token_offsets("Golden Gate", ["Golden", "Gate"])
    assert token_span(offsets, (0, 9)) is None
    assert token_span(offsets, (3, 11)) is None
    assert token_span(offsets, (7, 6)) is None


@pytest.mark.parametrize("tokens", [["c"], ["b", "a"], [""]])
def test_a_token_that_is_not_there_is_an_error(tokens):
    with pytest.raises(ValueError, match="not in the text"):
        token_offsets("a b", tokens)


@pytest.mark.parametrize("span", [(0, 0), (1, 1), (-1, 1), (0, 3)])
def test_spans_outside_the_tokens_are_an_error(span):
    with pytest.raises(ValueError, match="no span"):
        char_span(((0, 1), (2, 3)), span)


@given(st.lists(st.text(alphabet="ab🎉é", min_size=1, max_size=4), min_size=1, max_size=8), st.data())
def test_there_and_back(tokens, data):
    offsets = token_offsets(" ".join(tokens), tokens)
    first = data.draw(st.integers(0, len(tokens) - 1))
    end = data.draw(st.integers(first + 1, len(tokens)))
    assert token_span(offsets, char_span(offsets, (first, end))) == (first, end)
