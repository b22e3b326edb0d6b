"""A teacher behind a real chat server: what it is told, what of it stays, how it is asked again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.chat_server import ChatServer, completion, refusing, resetting, saying, serving
from support.secot import CASE, KNOWN, MODEL, search_of

from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.protocol import Answer, Mention, Turn, render_turn
from training.patience import Patience
from training.secot.checks import faults
from training.secot.lead import lead
from training.secot.run import SecotPlan, Writing, run_secot
from training.secot.teacher import Teacher, TeacherPlan
from training.tags.records import EntityTags, PostTags

PLAN = TeacherPlan(patience=Patience(total_s=2.0, first_pause_s=0.001))
ANSWER = render_turn(
    Turn(
        "It is there.",
        Answer((Mention("Kordal", "ORG", (10, 10, 60, 60)), Mention("Ana", "PER"), Mention("Oslo", "LOC"))),
    )
)
TURNS = (
    '<reason>Kordal, Ana?</reason><text_search>[{"query": "Kordal"}, {"query": "Ana"}]</text_search>',
    '<reason>How does Kordal look?</reason><image_search>[{"query": "Kordal"}]</image_search>',
    ANSWER,
)


async def led(server: ChatServer, case=CASE, on_retry=lambda: None):
    async with serving(server), VllmEngine(EngineTarget(server.url)) as engine:
        teacher = Teacher(engine, MODEL, PLAN, "t", on_retry)
        return await lead(case, teacher, search_of(), MODEL, 5.0)


async def test_a_teachers_dialogue_is_led_and_kept_and_its_cost_counted():
    done = await led(ChatServer(replies=[saying(completion(turn)) for turn in TURNS]))
    assert faults(CASE, done.dialogue, MODEL) == ()
    assert (done.prompt_tokens, done.output_tokens) == (3 * 56, 3 * 8)


async def test_a_server_that_cuts_stop_strings_off_is_understood():
    cut = [turn.rpartition("</")[0] for turn in TURNS]
    done = await led(ChatServer(vllm=False, replies=[saying(completion(turn)) for turn in cut]))
    assert faults(CASE, done.dialogue, MODEL) == ()


async def test_the_teacher_is_told_gold_and_directives_and_the_dialogue_never_holds_them():
    server = ChatServer(replies=[saying(completion(turn)) for turn in TURNS])
    done = await led(server)
    for asked in server.asked:
        told = asked["messages"][0]
        assert told["role"] == "system"
        assert '{"entity": "Kordal", "type": "ORG", "box2d": [10, 10, 60, 60]}' in told["content"]
        assert "- Kordal: search text for it first, then a reference picture" in told["content"]
        assert "- Oslo: do not search" in told["content"]
    assert {message.role for message in done.dialogue.messages} == {"user", "assistant"}
    kept = "".join(part for m in done.dialogue.messages for part in m.parts if isinstance(part, str))
    assert "do not search" not in kept


async def test_a_busy_server_is_asked_again():
    retries = []
    server = ChatServer(replies=[refusing(503, "full"), resetting, refusing(429, "slow")], text=ANSWER)
    done = await led(server, KNOWN, lambda: retries.append(1))
    assert faults(KNOWN, done.dialogue, MODEL) == ()
    assert len(retries) == 3


async def test_a_teacher_that_refuses_a_post_costs_that_post_only(tmp_path):
    def tagged(post_id: str) -> PostTags:
        entity = EntityTags(start=0, end=4, phrase="Oslo", type="LOC", hit_text=6, hit_image=6)
        return PostTags(id=post_id, text="Oslo", entities=(entity,), samples=6)

    good = render_turn(Turn("I know it.", Answer((Mention("Oslo", "LOC"),))))
    server = ChatServer(replies=[refusing(400, "no")], text=good)
    async with serving(server), VllmEngine(EngineTarget(server.url)) as engine:
        writing = Writing(Teacher(engine, MODEL, PLAN, "t"), search_of(), MODEL)
        plan = SecotPlan(closing_share=0.0, concurrency=1)
        summary = await run_secot([tagged("a"), tagged("b")], writing, plan, tmp_path)
    assert summary.kept == {"none": 1}
    assert summary.rejected_in_all == 1
    assert (summary.prompt_tokens, summary.output_tokens) == (56, 8)


@pytest.mark.parametrize("percent", ["100 % sure", "%(answer)s", "%s"])
async def test_a_post_cannot_break_the_briefing(percent):
    case = replace(KNOWN, post=replace(KNOWN.post, text=f"Kordal meets Ana in Oslo {percent}"))
    done = await led(ChatServer(text=ANSWER), case)
    assert faults(case, done.dialogue, MODEL) == ()
