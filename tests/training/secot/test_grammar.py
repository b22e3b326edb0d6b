"""What the rules write: true to the results, varied, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_search import FakeSearch, found
from support.images import encoded, quadrants
from support.secot import CASE, KNOWN, MODEL, search_of

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.protocol import parse_turn
from schemas.entities import Tool
from training.secot.cases import Case, Directive
from training.secot.checks import faults
from training.secot.grammar import Comparison, Finding, after_images, after_text, listed
from training.secot.kinds import a_kind, kind_of, kinds_in, said_of
from training.secot.lead import lead
from training.secot.writers import RuleWriter
from training.synthetic.world import TYPES, World


@pytest.mark.parametrize(
    ("snippet", "clause", "kind"),
    [
        ("Kordal is a Norwegian singer born in 1980.", "a Norwegian singer", "PER"),
        ("Kordal is an island in Greece.", "an island in Greece", "LOC"),
        ("Kordal is a Polish football club founded in 1901.", "a Polish football club", "ORG"),
        ("Kordal is a Korean film of 1999, seen by many.", "a Korean film", "OTHER"),
        ("Kordal is a British film director.", "a British film director", "PER"),
        ("Kordal is the singer of the band Velmo.", "the singer of the band Velmo", "PER"),
        ("Kordal: a sports team (some league; some sport).", "a sports team", "ORG"),
        ("Pakistan: a country in Asia; its capital is Islamabad.", "a country in Asia", "LOC"),
        ("Kordal. Population 4,000.", "", None),
        ("Kordal is the third of its name.", "the third of its name", None),
    ],
)
def test_a_result_is_read_for_what_its_thing_is(snippet, clause, kind):
    assert said_of(snippet) == (clause, kind)


@given(st.integers(0, 2000), st.sampled_from(["train", "held_out"]))
def test_every_thing_of_the_invented_world_is_read_as_what_it_is(name, split):
    world = World(split, 3)
    for thing in world.listed(name):
        assert said_of(thing.snippet)[1] == thing.type


@pytest.mark.parametrize(
    ("type_", "words"), [("PER", "a person"), ("location", "a place"), ("sports_team", "a sports team")]
)
def test_types_have_words(type_, words):
    assert a_kind(type_) == words


def test_a_label_counts_as_a_kind_in_capitals_only():
    assert kinds_in("it is ORG") == {"ORG"}
    assert kinds_in("one or the other") == set()


def judged(type_: str, *snippets: str) -> set[str]:
    kind = kind_of("person" if type_ == "chef" else type_)
    return {after_text((Finding("X", type_, kind, snippets),), Random(seed)) for seed in range(60)}


def test_a_result_that_fits_is_quoted_with_the_type_that_follows():
    said = judged("LOC", "X is a town in Chile.")
    assert len(said) > 1
    assert all("a town in Chile" in each and "LOC" in each for each in said)


def test_of_several_things_of_a_name_the_one_that_the_post_means_is_chosen():
    said = judged("PER", "X is a town in Chile.", "X is a Greek chef born in 1980.")
    assert all("a Greek chef" in each and "town" not in each and "PER" in each for each in said)


def test_a_fine_type_is_fitted_by_its_coarse_kind():
    assert all("a Greek chef" in each for each in judged("chef", "X is a Greek chef born in 1980."))


def test_results_about_another_thing_are_named_as_such():
    assert all("another X" in each and "a person" in each for each in judged("PER", "X is a town in Chile."))


def test_results_that_say_nothing_are_not_made_to():
    for each in judged("PER", "X, population 4,000."):
        assert "another" not in each
        assert "a person" in each


def test_a_miss_is_called_a_miss():
    assert all(each.startswith(("Nothing found", "No result")) for each in judged("ORG"))


@pytest.mark.parametrize(
    ("names", "text"), [(("A",), "A"), (("A", "B"), "A and B"), (("A", "B", "C"), "A, B and C")]
)
def test_names_are_listed_in_words(names, text):
    assert listed(names) == text


async def turns_of(case, seed: int) -> list[str]:
    led = await lead(case, RuleWriter(MODEL, seed), search_of(), MODEL, 5.0)
    assert faults(case, led.dialogue, MODEL) == ()
    return ["".join(m.parts) for m in led.dialogue.messages if m.role == "assistant"]


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_seed_the_rules_pass_every_check(seed):
    turns = await turns_of(CASE, seed)
    assert [parse_turn(turn).turn.action.__class__.__name__ for turn in turns] == [
        "SearchAction",
        "SearchAction",
        "Answer",
    ]
    assert len(await turns_of(KNOWN, seed)) == 1


async def test_a_name_written_in_two_ways_is_searched_once_and_found_in_its_handle():
    text = "Walsh , ask @marty_walsh"
    post = LabelledPost("1", text, (LabelledEntity(0, 5, "PER"), LabelledEntity(19, 24, "PER")))
    first, last = await turns_of(Case("1", post, None, (Directive(text=True),) * 2), 1)
    assert '<text_search>[{"query": "Walsh"}]</text_search>' in first
    assert '{"entity": "walsh", "type": "PER", "box2d": []}' in last


async def test_equal_seed_equal_words_and_other_seeds_other_words():
    assert await turns_of(CASE, 1) == await turns_of(CASE, 1)
    assert len({tuple(await turns_of(CASE, seed)) for seed in range(20)}) > 10


async def test_what_the_picture_shows_is_decided_in_the_answer_only():
    oslo = replace(CASE.post.entities[2], boxes=((60, 60, 100, 100),))
    shown = replace(CASE, post=replace(CASE.post, entities=(*CASE.post.entities[:2], oslo)))
    absent = [turn.partition("</reason>")[0] for turn in await turns_of(CASE, 1)]
    assert [turn.partition("</reason>")[0] for turn in await turns_of(shown, 1)] == absent


async def test_the_reference_picture_is_in_the_dialogue_as_serving_shows_it():
    led = await lead(CASE, RuleWriter(MODEL), search_of(), MODEL, 5.0)
    (observation,) = [each for each in led.dialogue.observations if each.request.tool is Tool.IMAGE]
    assert led.dialogue.messages[4].parts == (
        "<information>\nKordal\n",
        observation.pictures[0],
        "\n</information>\nAnswer.",
    )


def test_the_world_has_every_type():
    world = World("train", 1)
    assert {thing.type for name in range(200) for thing in world.listed(name)} == set(TYPES)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (True, {"The reference shows Kordal.", "Found how Kordal looks."}),
        (False, {"What was found is not Kordal.", "The reference for Kordal is of something else."}),
        (None, {"No reference for Kordal.", "No picture of Kordal was found."}),
    ],
)
def test_a_reference_is_believed_if_it_is_of_the_thing(reference, said):
    assert {after_images((Comparison("Kordal", reference),), Random(seed)) for seed in range(20)} == said


@pytest.mark.parametrize(
    ("title", "believed"),
    [("Kordal", True), ("Kordal Inc.", True), ("kordal", True), ("Velmo", False)],
)
async def test_a_reference_under_another_title_is_of_something_else(title, believed):
    picture = encoded(quadrants(112, 112))
    search = FakeSearch({(Tool.IMAGE, "Kordal"): (found(title, "", picture=picture),)})
    case = replace(CASE, directives=(Directive(image=True), Directive(), Directive()))
    led = await lead(case, RuleWriter(MODEL), search, MODEL, 5)
    assert not faults(case, led.dialogue, MODEL)
    last = "".join(part for part in led.dialogue.messages[-1].parts if isinstance(part, str))
    strange = "not Kordal" in last or "something else" in last
    assert strange is not believed
