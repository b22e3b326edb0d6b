"""Which trajectories are kept, and why each other one is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.secot import CASE, KNOWN, MODEL, led_by, search_of

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.protocol import Answer, Mention, SearchAction, Turn, render_turn
from schemas.entities import Tool
from training.secot.checks import Fault, faults
from training.secot.grammar import UNSEEN, UNSURE

ANSWER = Answer((Mention("Kordal", "ORG", (10, 10, 60, 60)), Mention("Ana", "PER"), Mention("Oslo", "LOC")))


def turn(reason: str, action: Answer | SearchAction = ANSWER) -> str:
    return render_turn(Turn(reason, action))


def text_search(*queries: str) -> SearchAction:
    return SearchAction(Tool.TEXT, queries or ("Kordal", "Ana"))


def image_search(*queries: str) -> SearchAction:
    return SearchAction(Tool.IMAGE, queries or ("Kordal",))


FIRST = turn("Oslo I know, Kordal and Ana I do not.", text_search())
SECOND = turn("Kordal is a company. Ana is a singer. How does Kordal look?", image_search())
LAST = turn("The reference shows Kordal, it is in the picture.")


async def faults_of(*turns: str, case=CASE, **with_) -> tuple[Fault, ...]:
    led = await led_by(case, *turns, **with_)
    return faults(case, led.dialogue, MODEL)


async def test_a_trajectory_that_does_what_it_is_told_is_kept():
    assert await faults_of(FIRST, SECOND, LAST) == ()


async def test_one_that_knows_everything_answers_at_once():
    assert await faults_of(turn("I know them."), case=KNOWN) == ()


@pytest.mark.parametrize(
    "last",
    [
        "Kordal is in the picture.",
        "<reason>ok</reason> so: " + LAST.partition("</reason>")[2],
        LAST.replace("reason>", "think>"),
        LAST.replace('"box2d": []', '"box2d": null'),
        LAST + " Done.",
        turn(" "),
    ],
)
async def test_every_turn_has_to_be_exactly_as_it_should(last):
    turns = [FIRST, SECOND, last]
    assert Fault.FORMAT in await faults_of(*turns)


@pytest.mark.parametrize(
    "mentions",
    [
        ANSWER.mentions[:2],
        (*ANSWER.mentions, Mention("meets", "OTHER")),
        (ANSWER.mentions[0], Mention("Ana", "LOC"), ANSWER.mentions[2]),
        (ANSWER.mentions[0], Mention("ana", "PER"), ANSWER.mentions[2]),
        (Mention("Kordal", "ORG"), *ANSWER.mentions[1:]),
        (Mention("Kordal", "ORG", (40, 40, 90, 90)), *ANSWER.mentions[1:]),
        (ANSWER.mentions[0], Mention("Ana", "PER", (0, 0, 50, 50)), ANSWER.mentions[2]),
        (*ANSWER.mentions, ANSWER.mentions[2]),
    ],
    ids=["missing", "too many", "type", "spelling", "no box", "box", "box on nothing", "twice"],
)
async def test_the_answer_has_to_be_gold(mentions):
    assert await faults_of(FIRST, SECOND, turn("Seen.", Answer(mentions))) == (Fault.ANSWER,)


async def test_the_order_of_the_answer_is_free():
    assert await faults_of(FIRST, SECOND, turn("Seen.", Answer(ANSWER.mentions[::-1]))) == ()


@pytest.mark.parametrize(
    "reason",
    [
        "Kordal is a company. Search it.",
        "Oslo I know; Kordal must be the ORG here.",
        "I do not know Ana, the singer.",
        "Kordal and Ana? Ana is a person, that is all I know.",
    ],
)
async def test_what_an_entity_is_must_not_be_said_before_it_was_searched(reason):
    assert Fault.LEAKED_GOLD in await faults_of(turn(reason, text_search()), SECOND, LAST)


async def test_nor_in_a_query():
    first = turn("I do not know Kordal and Ana.", text_search("Kordal company", "Ana"))
    assert Fault.LEAKED_GOLD in await faults_of(first, SECOND, LAST)


@pytest.mark.parametrize(
    "reason",
    [
        "Kordal may be a company or a town. Ana: a person, a place?",
        "Oslo is a city. Kordal and Ana I do not know.",
        "Who or what is Kordal? And Ana?",
        "Kordal might be a person.",
    ],
    ids=["possibilities", "a known one", "questions", "a wrong guess"],
)
async def test_ignorance_possibilities_and_what_is_known_may_be_said(reason):
    assert await faults_of(turn(reason, text_search()), SECOND, LAST) == ()


async def test_a_name_is_no_statement_about_itself():
    bank = LabelledEntity(20, 29, "ORG")
    post = LabelledPost("1", "Kordal meets Ana in Oslo Bank", (*CASE.post.entities[:2], bank))
    case = replace(CASE, post=post)
    answer = Answer((*ANSWER.mentions[:2], Mention("Oslo Bank", "ORG")))
    first = turn("Kordal and Ana I do not know, unlike Oslo Bank.", text_search())
    turns = (first, SECOND, turn("Seen.", answer))
    assert await faults_of(*turns, case=case) == ()


async def test_a_place_in_the_picture_must_not_be_said_before_the_reference():
    second = turn("Kordal is a company. It must be at [10, 10, 60, 60].", image_search())
    assert await faults_of(FIRST, second, LAST) == (Fault.LEAKED_GOLD,)


@pytest.mark.parametrize(
    "reason",
    [
        "I was told that this is a company.",
        "As instructed, I search.",
        "The directive says to search.",
        "The gold answer has three.",
        "Kordal must be searched.",
        "By the annotation it is here.",
        "The correct answer is known.",
    ],
)
async def test_what_the_writer_was_told_must_not_show(reason):
    assert await faults_of(FIRST, SECOND, turn(reason)) == (Fault.LEAKED_DIRECTIVE,)


async def test_words_of_the_post_itself_are_no_leak():
    case = replace(KNOWN, post=replace(KNOWN.post, text="Kordal meets Ana in Oslo by directive"))
    assert await faults_of(turn("The directive is meant by Kordal."), case=case) == ()


async def test_a_search_that_was_told_must_be_made():
    assert await faults_of(FIRST, LAST) == (Fault.SEARCH_MISSING,)
    first = turn("I do not know Kordal.", text_search("Kordal"))
    assert await faults_of(first, SECOND, LAST) == (Fault.SEARCH_MISSING,)


async def test_a_search_that_was_not_told_must_not():
    first = turn("I know none of these.", text_search("Kordal", "Ana", "Oslo"))
    assert await faults_of(first, SECOND, LAST) == (Fault.SEARCH_NOT_TOLD,)
    assert await faults_of(turn("?", text_search("Ana")), LAST, case=KNOWN) == (Fault.SEARCH_NOT_TOLD,)


async def test_pictures_before_text_are_refused():
    turns = (turn("How does Kordal look?", image_search()), LAST)
    assert Fault.SEARCH_MISSING in await faults_of(*turns)
    turns = (turn("How does Kordal look?", image_search()), turn("And who is Ana?", text_search()), LAST)
    assert {Fault.SEARCH_ORDER, Fault.FORMAT} <= set(await faults_of(*turns))


async def test_no_query_is_asked_twice():
    first = turn("Who are Kordal and Ana?", text_search("Kordal", "Ana", "kordal"))
    assert Fault.REPEATED_QUERY in await faults_of(first, SECOND, LAST)


async def test_an_outage_is_not_learnt():
    found = await faults_of(FIRST, LAST, search=search_of(down=frozenset(Tool)))
    assert Fault.SEARCH_FAILED in found


@given(st.sampled_from(UNSURE), st.sampled_from(UNSEEN), st.permutations(["Kordal", "Ana"]))
def test_what_the_grammar_says_before_a_search_leaks_nothing(unsure, unseen, names):
    first = turn(unsure.format(names=" and ".join(names)), text_search(*names))
    second = turn(unseen.format(names="Kordal"), image_search())
    assert asyncio.run(faults_of(first, second, LAST)) == ()


@given(st.sets(st.sampled_from(["Kordal", "Ana", "Oslo"]), min_size=1))
def test_exactly_the_told_set_of_queries_is_kept(queries):
    first = turn("Who is this?", text_search(*sorted(queries)))
    found = asyncio.run(faults_of(first, SECOND, LAST))
    assert (found == ()) == (queries == {"Kordal", "Ana"})
