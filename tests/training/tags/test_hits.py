"""In how many samples an entity was right: phrase, type, place."""

from __future__ import annotations

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.grounding import BoxFrame, Size
from sake_model.pictures import ModelPicture
from sake_model.prompts import load_prompts
from sake_model.protocol import Mention
from training.tags.hits import Given, Hits, given, hits

ANA = LabelledEntity(0, 3, "PER", boxes=((0, 0, 100, 100),))
OSLO = LabelledEntity(7, 11, "LOC")
POST = LabelledPost("1", "Ana in Oslo", (ANA, OSLO))
TASK = load_prompts("compact").task
PICTURE = ModelPicture(b"", "image/jpeg", "00", original=Size(400, 200), resized=Size(200, 100))

RIGHT = (Given("Ana", "PER", box_px=(0, 0, 100, 100)), Given("Oslo", "LOC"))


def test_an_entity_is_hit_by_every_sample_that_has_it_right():
    assert hits(POST, [RIGHT] * 6) == (Hits(6, 6), Hits(6, 6))


def test_a_sample_without_an_answer_is_a_miss_for_every_entity():
    assert hits(POST, [RIGHT, None, ()]) == (Hits(1, 1), Hits(1, 1))


@pytest.mark.parametrize("phrase", ["ana", "Ana ", "Ana in", "@Ana"])
def test_only_the_exact_phrase_counts(phrase):
    assert hits(POST, [(Given(phrase, "PER", box_px=(0, 0, 100, 100)),)])[0] == Hits(0, 0)


def test_type_and_place_are_counted_apart():
    wrong_type = (Given("Ana", "ORG", box_px=(0, 0, 100, 100)),)
    wrong_place = (Given("Ana", "PER", box_px=(200, 100, 300, 200)),)
    assert hits(POST, [wrong_type])[0] == Hits(text=0, image=1)
    assert hits(POST, [wrong_place])[0] == Hits(text=1, image=0)


def test_a_box_is_right_from_an_iou_of_one_half():
    half = (Given("Ana", "PER", box_px=(0, 0, 100, 50)),)
    less = (Given("Ana", "PER", box_px=(0, 0, 100, 49)),)
    assert [hits(POST, [sample])[0].image for sample in (half, less)] == [1, 0]


def test_any_of_the_boxes_of_an_entity_will_do():
    twice = LabelledPost("1", "Ana", (LabelledEntity(0, 3, "PER", boxes=((0, 0, 9, 9), (50, 50, 90, 90))),))
    assert hits(twice, [(Given("Ana", "PER", box_px=(50, 50, 90, 90)),)])[0].image == 1


def test_what_cannot_be_seen_is_right_without_a_box_and_wrong_with_one():
    with_box = (Given("Oslo", "LOC", box_px=(0, 0, 9, 9)),)
    assert [hits(POST, [sample])[1].image for sample in (RIGHT, with_box)] == [1, 0]


def test_saying_it_twice_in_one_sample_is_one_hit():
    assert hits(POST, [(*RIGHT, *RIGHT)]) == (Hits(1, 1), Hits(1, 1))


def test_two_mentions_of_one_name_are_both_hit():
    post = LabelledPost("1", "Ana Ana", (LabelledEntity(0, 3, "PER"), LabelledEntity(4, 7, "PER")))
    assert hits(post, [(Given("Ana", "PER"),)]) == (Hits(1, 1), Hits(1, 1))


def test_where_gold_has_a_fine_type_it_counts():
    post = LabelledPost("1", "Oslo", (LabelledEntity(0, 4, "location", "city"),))
    found = [(Given("Oslo", "location", fine),) for fine in ("city", "country", "")]
    assert [hits(post, [sample])[0].text for sample in found] == [1, 0, 0]


def test_boxes_are_read_in_the_models_frame():
    (found,) = given((Mention("Ana", "PER", (0, 0, 50, 50)),), TASK, BoxFrame.RESIZED, PICTURE)
    assert found.box_px == (0, 0, 100, 100)
    (found,) = given((Mention("Ana", "PER", (0, 0, 250, 500)),), TASK, BoxFrame.NORMALISED, PICTURE)
    assert found.box_px == (0, 0, 100, 100)


def test_a_box_outside_of_the_picture_or_without_one_is_none():
    outside = (Mention("Ana", "PER", (900, 900, 950, 950)),)
    inside = (Mention("Ana", "PER", (0, 0, 50, 50)),)
    assert given(outside, TASK, BoxFrame.RESIZED, PICTURE)[0].box_px is None
    assert given(inside, TASK, BoxFrame.RESIZED, None)[0].box_px is None


def test_other_names_of_a_type_are_read_as_serving_reads_them():
    named = given((Mention("Ana", "person"), Mention("X", "dream")), TASK, BoxFrame.RESIZED, None)
    assert [each.type for each in named] == ["PER", "dream"]


samples = st.lists(
    st.none()
    | st.lists(
        st.builds(
            Given,
            st.sampled_from(["Ana", "Oslo", "x"]),
            st.sampled_from(["PER", "LOC"]),
            box_px=st.sampled_from([None, (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 310.0, 10.0)]),
        ),
        max_size=4,
    ).map(tuple),
    max_size=8,
)


@for_all(samples)
def test_hits_are_at_most_the_samples_that_answered(drawn):
    answered = sum(sample is not None for sample in drawn)
    for found in hits(POST, drawn):
        assert 0 <= found.text <= answered
        assert 0 <= found.image <= answered


@for_all(samples, samples)
def test_hits_of_two_runs_add_up(first, second):
    both = zip(hits(POST, first), hits(POST, second), strict=True)
    assert hits(POST, first + second) == tuple(Hits(a.text + b.text, a.image + b.image) for a, b in both)


@for_all(samples, st.randoms())
def test_the_order_of_samples_does_not_matter(drawn, random):
    shuffled = list(drawn)
    random.shuffle(shuffled)
    assert hits(POST, shuffled) == hits(POST, drawn)
