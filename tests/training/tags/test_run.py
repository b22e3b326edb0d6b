"""A run over posts with a scripted engine: what is asked, what is written, how it goes on."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from support.images import encoded, quadrants
from support.scripted_engine import EngineRequest, ScriptedEngine, prompt_of

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, EngineOverloaded, EngineRejected, EngineUnavailable
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import load_prompts
from schemas.errors import OperatorError
from training.appendlog import read_records
from training.model_setup import ModelSetup
from training.patience import Patience
from training.tags.records import TAGS_FILE, PostTags
from training.tags.run import run_tags
from training.tags.sampling import SamplingPlan

MODEL = ModelSetup("m", load_prompts("compact"), BoxFrame.RESIZED, ResizeLimits(28 * 28, 280 * 280))
PLAN = SamplingPlan(samples=3, patience=Patience(total_s=0.2, first_pause_s=0.001))
RIGHT = '<reason>Names.</reason><answer>[{"entity": "Oslo", "type": "LOC", "box2d": []}]</answer>'
WRONG = '<reason>Names.</reason><answer>[{"entity": "Oslo", "type": "PER", "box2d": []}]</answer>'


def post(post_id: str, picture: Path | None = None) -> LabelledPost:
    return LabelledPost(post_id, "in Oslo", (LabelledEntity(3, 7, "LOC"),), picture)


async def test_every_post_is_asked_with_seeds_from_one_and_told_only_to_answer(tmp_path):
    engine = ScriptedEngine([RIGHT] * 3)
    await run_tags(engine, [post("1")], MODEL, PLAN, tmp_path)
    assert sorted(request.sampling.seed for request in engine.requests) == [1, 2, 3]
    assert {request.sampling.temperature for request in engine.requests} == {1.0}
    assert {prompt_of(request) for request in engine.requests} == {"in Oslo\nAnswer."}


async def test_the_opening_prompt_is_the_dialogues_first_and_a_search_is_no_answer(tmp_path):
    search = '<reason>Who?</reason><text_search>[{"query": "Oslo"}]</text_search>'
    engine = ScriptedEngine([RIGHT, search, RIGHT])
    plan = SamplingPlan(samples=3, opening=True)
    await run_tags(engine, [post("1")], MODEL, plan, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert {prompt_of(request) for request in engine.requests} == {"in Oslo"}
    assert (record.entities[0].hit_text, record.unreadable) == (2, 1)


async def test_what_cannot_be_read_is_a_miss_and_is_counted(tmp_path):
    engine = ScriptedEngine([RIGHT, WRONG, "Oslo, I think"])
    found = await run_tags(engine, [post("1")], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert (record.samples, record.unreadable) == (3, 1)
    assert (record.entities[0].hit_text, record.entities[0].hit_image) == (1, 2)
    assert set(record.turns) == {RIGHT, WRONG, "Oslo, I think"}
    assert found.unreadable == 1


async def test_a_run_goes_on_where_it_was_killed_and_forgives_half_a_line(tmp_path):
    await run_tags(ScriptedEngine([RIGHT] * 3), [post("1")], MODEL, PLAN, tmp_path)
    with (tmp_path / TAGS_FILE).open("ab") as file:
        file.write(b'{"id": "2", "text": "in O')
    engine = ScriptedEngine([WRONG] * 3)
    found = await run_tags(engine, [post("1"), post("2")], MODEL, PLAN, tmp_path)
    assert [record.id for record in read_records(tmp_path / TAGS_FILE, PostTags)] == ["1", "2"]
    assert found.posts == 2


async def test_a_post_that_comes_twice_is_asked_once(tmp_path):
    engine = ScriptedEngine([RIGHT] * 3)
    found = await run_tags(engine, [post("1"), post("1")], MODEL, PLAN, tmp_path)
    assert found.posts == 1


async def test_another_plan_does_not_go_on_in_the_same_folder(tmp_path):
    await run_tags(ScriptedEngine([RIGHT] * 3), [post("1")], MODEL, PLAN, tmp_path)
    with pytest.raises(OperatorError, match="samples was 3, is 2"):
        await run_tags(ScriptedEngine([]), [], MODEL, SamplingPlan(samples=2), tmp_path)


async def test_a_broken_line_inside_the_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / TAGS_FILE).write_bytes(b"nonsense\n")
    with pytest.raises(OperatorError, match="line 1 is no PostTags"):
        await run_tags(ScriptedEngine([]), [], MODEL, PLAN, tmp_path)


async def test_an_engine_that_is_busy_or_away_is_asked_again(tmp_path):
    engine = ScriptedEngine([EngineOverloaded("full"), EngineUnavailable("down"), *[RIGHT] * 3])
    retries = []
    await run_tags(engine, [post("1")], MODEL, PLAN, tmp_path, on_retry=partial(retries.append, None))
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert (record.entities[0].hit_text, len(retries)) == (3, 2)


async def test_an_engine_that_stays_away_ends_the_run_and_what_is_done_stays(tmp_path):
    class Dying:
        """Well for one post, then gone."""

        def __init__(self) -> None:
            self.left = PLAN.samples

        async def generate(self, messages, **asked) -> Completion:
            if self.left == 0:
                raise EngineUnavailable("gone")
            self.left -= 1
            return await ScriptedEngine([RIGHT]).generate(messages, **asked)

    plan = SamplingPlan(samples=3, concurrency=1, patience=Patience(total_s=0.02, first_pause_s=0.001))
    with pytest.raises(EngineUnavailable):
        await run_tags(Dying(), [post("1"), post("2")], MODEL, plan, tmp_path)
    done = [record.id for record in read_records(tmp_path / TAGS_FILE, PostTags)]
    engine = ScriptedEngine([RIGHT] * 3 * (2 - len(done)))
    found = await run_tags(engine, [post("1"), post("2")], MODEL, plan, tmp_path)
    assert found.posts == 2


async def test_a_post_that_is_refused_has_a_reason_instead_of_tags_and_is_not_asked_again(tmp_path):
    engine = ScriptedEngine([EngineRejected("no"), EngineRejected("no"), EngineRejected("no")])
    found = await run_tags(engine, [post("1")], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert (record.samples, record.refused, found.refused) == (0, "no", 1)
    await run_tags(ScriptedEngine([]), [post("1")], MODEL, PLAN, tmp_path)


async def test_a_picture_is_shown_as_serving_shows_it(tmp_path):
    picture = tmp_path / "1.png"
    picture.write_bytes(encoded(quadrants()))
    engine = ScriptedEngine([RIGHT] * 3)
    await run_tags(engine, [post("1", picture)], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert prompt_of(engine.requests[0]) == "[picture]in Oslo\nAnswer."
    assert record.labelled == post("1", picture)


async def test_a_picture_that_is_none_leaves_the_text(tmp_path):
    picture = tmp_path / "1.png"
    picture.write_bytes(b"no picture")
    engine = ScriptedEngine([RIGHT] * 3)
    await run_tags(engine, [post("1", picture)], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert (prompt_of(engine.requests[0]), record.picture) == ("in Oslo\nAnswer.", "")


async def test_without_its_picture_nothing_of_a_post_can_be_seen(tmp_path):
    boxed = LabelledPost("1", "in Oslo", (LabelledEntity(3, 7, "LOC", boxes=((0, 0, 9, 9),)),))
    await run_tags(ScriptedEngine([RIGHT] * 3), [boxed], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert (record.entities[0].hit_image, record.entities[0].boxes) == (3, ())


async def test_no_more_requests_run_at_once_than_allowed(tmp_path):
    class Counting:
        """Remembers how many requests ran at once."""

        now = most = 0

        async def generate(self, messages, *, stop, max_tokens, deadline: Deadline, sampling) -> Completion:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.001)
            self.now -= 1
            request = EngineRequest(messages, stop, max_tokens, deadline, sampling)
            return await ScriptedEngine([RIGHT]).generate(
                request.messages, stop=stop, max_tokens=max_tokens, deadline=deadline, sampling=sampling
            )

    engine = Counting()
    plan = SamplingPlan(samples=3, concurrency=4)
    await run_tags(engine, [post(str(i)) for i in range(8)], MODEL, plan, tmp_path)
    assert engine.most == 4


async def test_the_record_holds_the_post_itself(tmp_path):
    await run_tags(ScriptedEngine([RIGHT] * 3), [post("1")], MODEL, PLAN, tmp_path)
    (record,) = read_records(tmp_path / TAGS_FILE, PostTags)
    assert record.labelled == post("1")
