"""One post under every policy, with a model that knows what it does not know."""

from __future__ import annotations

import pytest
from support.aware_engine import PICTURE, AwareEngine
from support.fake_search import FakeSearch, found
from support.images import encoded, quadrants
from support.scripted_engine import ScriptedEngine

from sake_model.corpora.labelled import LabelledEntity, LabelledPost
from sake_model.engine.interface import EngineRejected, EngineTimeout, EngineUnavailable
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import load_prompts
from schemas.entities import Tool
from schemas.errors import OperatorError
from training.appendlog import read_records
from training.awareness.groups import Groups
from training.awareness.records import WEIGHED_FILE, Query, Weighed
from training.awareness.run import Weighing, WeighPlan, run_weigh
from training.model_setup import ModelSetup
from training.patience import Patience

MODEL = ModelSetup("m", load_prompts("compact"), BoxFrame.RESIZED, ResizeLimits(28 * 28, 280 * 280))
PLAN = WeighPlan(samples=4, patience=Patience(total_s=0.05, first_pause_s=0.001))
NO_GROUPS = Groups(frozenset(), {})
POST = LabelledPost("1", "hi Kordal and Oslo", (LabelledEntity(3, 9, "ORG"), LabelledEntity(14, 18, "LOC")))
KNOWS = {"Oslo": "LOC"}


def search() -> FakeSearch:
    return FakeSearch(
        {
            (Tool.TEXT, "Kordal"): (found("Kordal", "Kordal is a Norwegian company."),),
            (Tool.IMAGE, "Kordal"): (found("Kordal", "", picture=encoded(quadrants())),),
        }
    )


async def weighed(engine, tmp_path, *posts, model=MODEL, plan=PLAN, pool=None, **asked) -> list[Weighed]:
    weighing = Weighing(engine, pool or search(), model, NO_GROUPS)
    return await run_weigh(posts or (POST,), weighing, plan, tmp_path, **asked)


@pytest.fixture
def seen(tmp_path) -> LabelledPost:
    """The post with a picture."""
    picture = tmp_path / "1.png"
    picture.write_bytes(encoded(quadrants()))
    return LabelledPost(POST.id, POST.text, POST.entities, picture)


def types(record: Weighed, policy: str) -> list[str]:
    return [each.type for each in record.answers[policy].found]


async def test_a_text_post_is_answered_without_search_as_served_and_always_searching(tmp_path):
    (record,) = await weighed(AwareEngine(KNOWS), tmp_path)
    assert set(record.answers) == {"never", "adaptive", "always"}
    assert types(record, "never") == ["PER", "LOC"]
    assert types(record, "adaptive") == ["ORG", "LOC"]
    assert types(record, "always") == ["ORG", "LOC"]
    assert {policy: answered.queries for policy, answered in record.answers.items()} == {
        "never": (),
        "adaptive": (Query(Tool.TEXT, "Kordal"),),
        "always": (Query(Tool.TEXT, "Kordal"), Query(Tool.TEXT, "Oslo")),
    }


async def test_never_is_asked_with_the_prompt_that_only_answers(tmp_path):
    engine = AwareEngine(KNOWS)
    await weighed(engine, tmp_path)
    first, *_ = engine.requests
    assert first[0] == f"{POST.text}\nAnswer."


async def test_a_forced_turn_says_that_the_names_are_not_known(tmp_path):
    engine = AwareEngine(KNOWS)
    await weighed(engine, tmp_path)
    forced = [said for said, *_ in engine.requests if '{"query": "Oslo"}' in said]
    (said,) = forced
    assert "<reason>Names: Kordal, Oslo. " in said
    assert '<text_search>[{"query": "Kordal"}, {"query": "Oslo"}]</text_search>' in said
    assert "- Kordal: Kordal is a Norwegian company." in said


async def test_samples_are_first_turns_that_end_where_the_answer_begins(tmp_path):
    engine = AwareEngine(KNOWS)
    (record,) = await weighed(engine, tmp_path)
    wants = (Query(Tool.TEXT, "Kordal"),)
    assert record.samples == (wants, (), wants, ())
    drawn = [(said, stop, seed) for said, stop, seed in engine.requests if seed is not None]
    assert {said for said, *_ in drawn} == {POST.text}
    assert {stop for _, stop, _ in drawn} == {("</text_search>", "</image_search>", "<answer>")}
    assert [seed for *_, seed in drawn] == [1, 2, 3, 4]


async def test_a_model_that_never_searches_is_served_as_if_never_asked_to(tmp_path):
    (record,) = await weighed(AwareEngine({"Oslo": "LOC", "Kordal": "ORG"}), tmp_path)
    assert record.answers["adaptive"].queries == ()
    assert record.samples == ((),) * 4


async def test_who_names_nothing_has_nothing_to_search(tmp_path):
    engine = AwareEngine({})
    (record,) = await weighed(engine, tmp_path, LabelledPost("2", "nothing here", ()))
    assert record.answers["always"] == record.answers["never"]
    assert len(engine.requests) == 2 + PLAN.samples


async def test_a_picture_is_searched_for_and_what_images_bring_is_set_apart(tmp_path, seen):
    engine = AwareEngine(KNOWS, searches=(Tool.TEXT, Tool.IMAGE))
    (record,) = await weighed(engine, tmp_path, seen)
    tools = {policy: [query.tool for query in each.queries] for policy, each in record.answers.items()}
    assert tools == {
        "never": [],
        "adaptive": [Tool.TEXT, Tool.IMAGE],
        "always": [Tool.TEXT, Tool.TEXT, Tool.IMAGE, Tool.IMAGE],
        "adaptive_without_images": [Tool.TEXT],
        "always_without_images": [Tool.TEXT, Tool.TEXT],
        "always_images": [Tool.IMAGE, Tool.IMAGE],
    }
    boxed = {policy: bool(each.found[0].box_px) for policy, each in record.answers.items()}
    assert boxed == {policy: Tool.IMAGE in asked for policy, asked in tools.items()}
    assert (record.answers["always"].rounds, record.answers["always_images"].rounds) == (2, 1)
    assert record.picture


async def test_between_two_forced_searches_the_model_says_what_it_makes_of_the_first(tmp_path, seen):
    engine = AwareEngine(KNOWS, searches=(Tool.TEXT, Tool.IMAGE))
    await weighed(engine, tmp_path, seen)
    both = [said for said, *_ in engine.requests if said.count("<information>") == 2]
    forced = next(said for said in both if '<image_search>[{"query": "Kordal"}, {"query": "Oslo"}]' in said)
    # "Search." is what the model said up to there; the rest is put to it.
    assert "<reason>Search. " in forced
    assert ("</reason>",) in {stop for _, stop, _ in engine.requests}


async def test_who_asked_for_no_picture_is_not_asked_again_without_image_search(tmp_path, seen):
    engine = AwareEngine(KNOWS)
    (record,) = await weighed(engine, tmp_path, seen)
    assert record.answers["adaptive_without_images"] == record.answers["adaptive"]
    assert sum(said == PICTURE + POST.text for said, _, seed in engine.requests if seed is None) == 1


async def test_a_model_that_sees_no_pictures_is_shown_none_and_its_gold_keeps_its_boxes(tmp_path, seen):
    boxed = LabelledPost(
        "1", POST.text, (LabelledEntity(3, 9, "ORG", boxes=((0.0, 0.0, 9.0, 9.0),)),), seen.picture
    )
    blind = ModelSetup("m", MODEL.prompts, MODEL.frame, MODEL.resize, sees_pictures=False)
    engine = AwareEngine(KNOWS)
    (record,) = await weighed(engine, tmp_path, boxed, model=blind)
    assert not any(PICTURE in said for said, *_ in engine.requests)
    assert (record.picture, bool(record.entities[0].boxes)) == (True, True)
    assert set(record.answers) == {"never", "adaptive", "always"}


async def test_a_run_goes_on_where_it_was_killed(tmp_path):
    await weighed(AwareEngine(KNOWS), tmp_path)
    with (tmp_path / WEIGHED_FILE).open("ab") as file:
        file.write(b'{"id": "2", "te')
    again, told = AwareEngine(KNOWS), []
    other = LabelledPost("2", "hi Kordal", (LabelledEntity(3, 9, "ORG"),))
    records = await weighed(again, tmp_path, POST, other, POST, progress=told.append)
    assert [record.id for record in records] == [record.id for record in told] == ["1", "2"]
    assert not any(POST.text in said for said, *_ in again.requests)
    assert records == read_records(tmp_path / WEIGHED_FILE, Weighed)


async def test_another_plan_does_not_go_on_in_the_same_folder(tmp_path):
    await weighed(AwareEngine(KNOWS), tmp_path)
    with pytest.raises(OperatorError, match="samples was 4, is 2"):
        await weighed(AwareEngine(KNOWS), tmp_path, plan=WeighPlan(samples=2))


async def test_a_post_that_the_server_refuses_is_written_down_and_not_asked_again(tmp_path):
    (record,) = await weighed(ScriptedEngine([EngineRejected("no")] * 9), tmp_path)
    assert record.refused
    assert not record.answers
    assert await weighed(ScriptedEngine([]), tmp_path) == [record]


@pytest.mark.parametrize("error", [EngineUnavailable("gone"), EngineTimeout("slow")])
async def test_a_server_that_stays_away_ends_the_run_and_leaves_no_empty_answer(tmp_path, error):
    with pytest.raises(EngineUnavailable):
        await weighed(ScriptedEngine([error] * 1000), tmp_path)
    assert read_records(tmp_path / WEIGHED_FILE, Weighed) == []
