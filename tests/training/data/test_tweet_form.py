"""Corpus tweets back in the form in which people write them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from training.data.tweet_form import natural_form, recased


def tweet(text: str, *names: str) -> LabelledPost:
    entities = tuple(LabelledEntity(text.index(n), text.index(n) + len(n), "PER") for n in names)
    return LabelledPost("1", text, entities, tokens=tuple(text.split(" ")))


@pytest.mark.parametrize(
    ("corpus", "natural"),
    [
        ("RT @ some _ one : It ' s on", "RT @some_one: It's on"),
        ("# Cubs sweep , at last !", "#Cubs sweep, at last!"),
        ("Tom &amp ; Ana ( both )", "Tom & Ana (both)"),
        ("see http : //t.co/x1 now", "see http://t.co/x1 now"),
        ("don ’ t go . . .", "don’t go..."),
        ("a - b", "a - b"),
    ],
)
def test_tokens_are_joined_as_people_write(corpus, natural):
    assert natural_form(tweet(corpus)).text == natural


def test_entities_move_with_the_text():
    post = natural_form(tweet("RT @ fan _ page : Ana Lind ' s goal", "fan _ page", "Ana Lind"))
    assert [post.exact(e) for e in post.entities] == ["fan_page", "Ana Lind"]


def test_an_entity_may_be_a_part_of_a_token():
    post = natural_form(tweet("go : #Cubs , now", "Cubs"))
    assert (post.text, post.exact(post.entities[0])) == ("go: #Cubs, now", "Cubs")


words = st.sampled_from(
    ["Ana", "@", "#", "_", "'", "s", "t", ".", ",", ":", "&amp", ";", "(", ")", "http", "//t", "co", "“"]
)


@given(st.lists(words, min_size=1, max_size=12), st.data())
def test_an_entity_keeps_its_letters(tokens, data):
    first = data.draw(st.integers(0, len(tokens) - 1))
    last = data.draw(st.integers(first, len(tokens) - 1))
    text = " ".join(tokens)
    start = len(" ".join(tokens[:first])) + (first > 0)
    post = LabelledPost(
        "1",
        text,
        (LabelledEntity(start, start + len(" ".join(tokens[first : last + 1])), "PER"),),
        tokens=tuple(tokens),
    )

    def letters(written: str) -> str:
        return written.replace(" ", "").replace("&amp;", "&").replace("&amp", "&")

    before = post.exact(post.entities[0])
    for entity in natural_form(post).entities:
        after = natural_form(post).exact(entity)
        assert letters(after).rstrip(";") == letters(before).rstrip(";")


def test_recasing_never_moves_a_span():
    for seed in range(20):
        post = recased(tweet("Straße in İzmir by Ana", "Ana"), Random(seed))
        assert post.exact(post.entities[0]).lower() == "ana"
