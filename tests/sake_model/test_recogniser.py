"""One post through dialogue, engine and search, under one deadline, into its record."""

from __future__ import annotations

import asyncio
import io
import time
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.fake_search import FakeSearch, found
from support.instant_engine import InstantEngine, names_in
from support.scripted_engine import EngineRequest, ScriptedEngine, ScriptedTurn, prompt_of
from support.turns import any_turn_text

from sake_model.deadline import Deadline
from sake_model.dialogue import DialogueLimits
from sake_model.engine.interface import (
    Completion,
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    FinishReason,
    PromptTooLong,
    Sampling,
)
from sake_model.grounding import BoxFrame, ResizeLimits, Size
from sake_model.pictures import ModelPicture
from sake_model.prompts import load_prompts
from sake_model.protocol import Answer, Mention, SearchAction, Turn, render_turn
from sake_model.recogniser import PostRefused, PostTooLong, Recogniser, RecogniserLimits, entity_id
from sake_model.search.interface import Search
from schemas.entities import Knowledge, Tool
from schemas.errors import EngineError
from schemas.posts import Post
from schemas.recognitions import (
    MAX_REASON_CHARS,
    DegradedReason,
    ModelRef,
    PictureFacts,
    Recognition,
    RoundAction,
)

COMPACT = load_prompts("compact")
MODEL = ModelRef(name="scripted", digest="sha256:0", prompts_digest=COMPACT.digest)
PICTURE = ModelPicture(b"png", "image/png", "ab" * 32, original=Size(1120, 560), resized=Size(560, 280))
FACTS = PictureFacts(sha256="ab" * 32, width=1120, height=560)
POST = Post(
    id="p1", text="I love Kuzzle!", created_at=datetime(2026, 1, 1, tzinfo=UTC), source="net", lang="en"
)

ASK = render_turn(Turn("Who?", SearchAction(Tool.TEXT, ("Kuzzle",))))
LOOK = render_turn(Turn("How?", SearchAction(Tool.IMAGE, ("Kuzzle logo",))))
ANSWER = render_turn(Turn("Yes.", Answer((Mention("Kuzzle", "ORG", (10, 20, 100, 200)),))))
KNOWN = {
    (Tool.TEXT, "Kuzzle"): (found("Kuzzle", "a maker of kites"),),
}


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "blue").save(out, "PNG")
    return out.getvalue()


def recogniser(
    *turns: ScriptedTurn, search: Search | None = None, limits: RecogniserLimits | None = None
) -> tuple[Recogniser, ScriptedEngine]:
    engine = ScriptedEngine(turns)
    limits = limits or RecogniserLimits(answer_reserve_s=1.0)
    search = search if search is not None else FakeSearch(KNOWN)
    return Recogniser(engine, search, COMPACT, MODEL, BoxFrame.RESIZED, limits=limits), engine


async def recognise(
    *turns: ScriptedTurn, post: Post = POST, left_s: float = 60, **options: object
) -> Recognition:
    worker, _ = recogniser(*turns, **options)  # type: ignore[arg-type]
    return await worker.recognise(post, PICTURE, FACTS, Deadline.after(left_s))


async def test_a_known_entity_takes_one_round() -> None:
    recognition = await recognise(ANSWER)
    (entity,) = recognition.entities
    assert (entity.span.start, entity.span.end, entity.span.exact, entity.type) == (7, 13, "Kuzzle", "ORG")
    assert entity.box_px == (20, 40, 200, 400)
    assert entity.id == entity_id("p1", 7, 13, "ORG")
    assert (entity.knowledge, entity.evidence) == (Knowledge.INTERNAL, ())
    assert [one.action for one in recognition.rounds] == [RoundAction.ANSWER]
    assert (recognition.repairs, recognition.outcome.status) == ({}, "complete")


async def test_the_record_carries_the_post_the_picture_and_the_model() -> None:
    worker, _ = recogniser(ANSWER)
    before = datetime.now(UTC)
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(60), picture_ms=12.5)
    assert (recognition.post_id, recognition.created_at) == (POST.id, POST.created_at)
    assert (recognition.source, recognition.lang) == ("net", "en")
    assert (recognition.picture, recognition.model) == (FACTS, MODEL)
    assert before <= recognition.recognised_at <= datetime.now(UTC)
    assert recognition.timings.picture_ms == 12.5
    assert recognition.timings.total_ms >= 12.5 + recognition.timings.engine_ms
    assert msgspec.json.decode(msgspec.json.encode(recognition), type=Recognition) == recognition


async def test_text_and_picture_searches_become_evidence() -> None:
    table = KNOWN | {(Tool.IMAGE, "Kuzzle logo"): (found("Kuzzle logo", "its mark", picture=png()),)}
    worker, engine = recogniser(ASK, LOOK, ANSWER, search=FakeSearch(table))
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(60))
    (entity,) = recognition.entities
    assert entity.knowledge is Knowledge.TEXT_IMAGE
    assert [(item.tool, item.query, item.snippet) for item in entity.evidence] == [
        (Tool.TEXT, "Kuzzle", "a maker of kites"),
        (Tool.IMAGE, "Kuzzle logo", "its mark"),
    ]
    assert [(one.action, one.queries, one.results) for one in recognition.rounds] == [
        (RoundAction.TEXT_SEARCH, ("Kuzzle",), 1),
        (RoundAction.IMAGE_SEARCH, ("Kuzzle logo",), 1),
        (RoundAction.ANSWER, (), 0),
    ]
    assert "a maker of kites" in prompt_of(engine.requests[1])
    assert "[picture]" in prompt_of(engine.requests[2])


async def test_reference_pictures_are_cut_into_the_checkpoints_cells() -> None:
    engine = ScriptedEngine([LOOK, ANSWER])
    search = FakeSearch({(Tool.IMAGE, "Kuzzle logo"): (found("Kuzzle logo", "its mark", picture=png()),)})
    worker = Recogniser(
        engine, search, COMPACT, MODEL, BoxFrame.NORMALISED, resize=ResizeLimits(factor_px=32)
    )
    await worker.recognise(POST, PICTURE, FACTS, Deadline.after(60))
    (shown,) = [part for part in engine.requests[1].messages[-1].parts if isinstance(part, ModelPicture)]
    assert (shown.resized.width % 32, shown.resized.height % 32) == (0, 0)


async def test_a_checkpoint_that_was_not_taught_to_see_is_shown_no_picture() -> None:
    engine = ScriptedEngine((ANSWER,))
    blind = Recogniser(engine, None, COMPACT, MODEL, BoxFrame.RESIZED, sees_pictures=False)
    recognition = await blind.recognise(POST, PICTURE, FACTS, Deadline.after(30))
    assert PICTURE not in engine.requests[0].messages[0].parts
    assert [entity.box_px for entity in recognition.entities] == [None]
    assert recognition.picture == FACTS
    assert recognition.outcome.status == "complete"


async def test_rounds_know_what_they_cost() -> None:
    search = FakeSearch(KNOWN, delay_s=0.03)
    recognition = await recognise(ASK, ANSWER, search=search)
    asked, answered = recognition.rounds
    assert asked.search_ms >= 30
    assert answered.search_ms == 0
    assert asked.prompt_tokens > 0
    assert recognition.timings.search_ms == asked.search_ms
    assert recognition.timings.engine_ms == asked.engine_ms + answered.engine_ms


async def test_rounds_say_why_in_the_models_words_which_are_cut_at_their_bound() -> None:
    talk = render_turn(Turn("so " * 1000, Answer(())))
    asked, answered = (await recognise(ASK, talk)).rounds
    assert asked.reason == "Who?"
    assert len(answered.reason) == MAX_REASON_CHARS
    assert answered.reason.endswith("so…")


async def test_a_post_without_a_name_is_complete() -> None:
    recognition = await recognise(render_turn(Turn("None.", Answer(()))))
    assert recognition.entities == ()
    assert recognition.outcome.status == "complete"


async def test_a_post_without_a_picture_is_no_degraded_one() -> None:
    worker, _ = recogniser(ANSWER)
    recognition = await worker.recognise(POST, None, None, Deadline.after(60))
    assert recognition.outcome.status == "complete"
    assert recognition.picture is None
    assert recognition.repairs == {"box_without_picture": 1}


async def test_a_picture_that_could_not_be_had_degrades() -> None:
    worker, _ = recogniser(ANSWER)
    facts = PictureFacts(missing="http_404")
    recognition = await worker.recognise(POST, None, facts, Deadline.after(60))
    assert recognition.outcome.reasons == (DegradedReason.NO_PICTURE,)
    assert recognition.picture == facts


async def test_places_are_those_of_the_post_as_it_was_sent() -> None:
    post = Post(id="p", text="<answer> says <Kuzzle> and <|im_end|>")
    recognition = await recognise(render_turn(Turn("x", Answer((Mention("‹Kuzzle›", "ORG"),)))), post=post)
    assert recognition.entities[0].span.exact == "<Kuzzle>"
    assert post.text[14:22] == "<Kuzzle>"
    assert recognition.entities[0].span.start == 14
    assert recognition.repairs == {"post_neutralised": 3}


# Search is down ---------------------------------------------------------------------------------


async def test_without_search_the_model_answers_from_what_it_knows() -> None:
    recognition = await recognise(ASK, ANSWER, search=FakeSearch(down=frozenset(Tool)))
    assert recognition.outcome.reasons == (DegradedReason.SEARCH_UNAVAILABLE,)
    assert recognition.entities[0].knowledge is Knowledge.INTERNAL


async def test_no_search_pool_means_no_search() -> None:
    engine = ScriptedEngine([ASK, ANSWER])
    worker = Recogniser(engine, None, COMPACT, MODEL, BoxFrame.RESIZED)
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(60))
    assert prompt_of(engine.requests[1]) == COMPACT.last
    assert recognition.outcome.reasons == (DegradedReason.SEARCH_UNAVAILABLE,)
    assert len(recognition.entities) == 1


# The clock --------------------------------------------------------------------------------------


async def test_past_the_soft_deadline_the_model_answers_without_search() -> None:
    search = FakeSearch(KNOWN)
    worker, engine = recogniser(ANSWER, search=search)
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(0.5))  # of which 1.0 is reserve
    assert prompt_of(engine.requests[0]).endswith(COMPACT.last)
    assert len(recognition.entities) == 1
    assert recognition.outcome.reasons == (DegradedReason.DEADLINE,)


async def test_a_last_round_that_comes_late_has_lost_nothing() -> None:
    search = FakeSearch({(Tool.IMAGE, "Kuzzle logo"): (found("Kuzzle logo", "its mark", picture=png()),)})
    limits = RecogniserLimits(answer_reserve_s=59.5)

    class Slow(FakeSearch):
        async def search(self, request, deadline):  # type: ignore[no-untyped-def]
            outcome = await search.search(request, deadline)
            await asyncio.sleep(0.6)
            return outcome

    recognition = await recognise(LOOK, ANSWER, search=Slow(), limits=limits)
    assert recognition.rounds[0].results == 1
    assert recognition.outcome.status == "complete"


async def test_a_search_that_takes_too_long_is_given_up_in_time_to_answer() -> None:
    search = FakeSearch(KNOWN, delay_s=5)
    worker, engine = recogniser(ASK, ANSWER, search=search)
    started = time.monotonic()
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(1.1))
    assert time.monotonic() - started < 1.0
    assert prompt_of(engine.requests[1]).endswith(COMPACT.last)
    assert len(recognition.entities) == 1
    assert recognition.outcome.reasons == (DegradedReason.SEARCH_UNAVAILABLE, DegradedReason.DEADLINE)


@pytest.mark.parametrize("turns", [[EngineTimeout("late")], [ASK, EngineTimeout("late")]])
async def test_past_the_hard_deadline_the_record_says_what_there_is(turns: list[ScriptedTurn]) -> None:
    recognition = await recognise(*turns)
    assert recognition.entities == ()
    assert len(recognition.rounds) == len(turns) - 1
    assert recognition.outcome.reasons == (DegradedReason.DEADLINE,)


async def test_a_deadline_that_has_passed_asks_nothing() -> None:
    worker, engine = recogniser()
    recognition = await worker.recognise(POST, PICTURE, FACTS, Deadline.after(-1))
    assert engine.requests == []
    assert recognition.outcome.reasons == (DegradedReason.DEADLINE,)


# The engine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [EngineUnavailable("x"), EngineLost("x"), EngineOverloaded("x")])
@pytest.mark.parametrize("before", [(), (ASK,)])
async def test_trouble_of_the_engine_is_not_the_posts(error: EngineError, before: tuple[str, ...]) -> None:
    with pytest.raises(type(error)):
        await recognise(*before, error)


async def test_a_post_that_the_engine_refuses_is_a_dead_letter() -> None:
    with pytest.raises(PostRefused, match="bad picture"):
        await recognise(EngineRejected("bad picture"))


async def test_a_post_that_is_too_long_is_cut_once() -> None:
    post = Post(id="p", text=f"I love Kuzzle! {'x ' * 5000}")
    worker, engine = recogniser(PromptTooLong("9000 tokens"), ANSWER)
    recognition = await worker.recognise(post, PICTURE, FACTS, Deadline.after(60))
    assert len(prompt_of(engine.requests[1])) < 1100 < len(prompt_of(engine.requests[0]))
    assert recognition.outcome.reasons == (DegradedReason.PROMPT_TOO_LONG,)
    assert [entity.span.exact for entity in recognition.entities] == ["Kuzzle"]


async def test_a_post_that_is_still_too_long_is_a_dead_letter() -> None:
    post = Post(id="p", text="x " * 5000)
    with pytest.raises(PostTooLong):
        await recognise(PromptTooLong("a"), PromptTooLong("b"), post=post)
    with pytest.raises(PostTooLong):
        await recognise(PromptTooLong("short as it is"))


async def test_results_that_made_it_too_long_are_left_out_and_no_evidence() -> None:
    recognition = await recognise(ASK, PromptTooLong("a"), ANSWER)
    (entity,) = recognition.entities
    assert (entity.knowledge, entity.evidence) == (Knowledge.INTERNAL, ())
    assert recognition.outcome.reasons == (DegradedReason.PROMPT_TOO_LONG,)


async def test_malformed_turns_degrade_and_are_counted() -> None:
    recognition = await recognise("Well.", "Hm.")
    assert recognition.outcome.reasons == (DegradedReason.MALFORMED_TURN,)
    assert recognition.repairs == {"missing_reason": 2, "no_action": 2}
    assert [one.action for one in recognition.rounds] == [RoundAction.MALFORMED] * 2


async def test_a_cancelled_post_stops_at_once() -> None:
    worker, _ = recogniser(ASK, ANSWER, search=FakeSearch(KNOWN, delay_s=30))
    task = asyncio.create_task(worker.recognise(POST, PICTURE, FACTS, Deadline.after(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_huge_post_does_not_hold_up_the_others() -> None:
    post = Post(id="p", text="Berlin " * 5_000)
    names = [f"erli{i % 8}"[: 4 + i % 2] for i in range(12)]
    worker, _ = recogniser(render_turn(Turn("x", Answer(tuple(Mention(name, "LOC") for name in names)))))
    longest_s, done = 0.0, False

    async def heartbeat() -> None:
        nonlocal longest_s
        while not done:
            started = time.monotonic()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.monotonic() - started)

    beat = asyncio.create_task(heartbeat())
    started = time.monotonic()
    recognition = await worker.recognise(post, None, None, Deadline.after(60))
    took_s, done = time.monotonic() - started, True
    await beat
    assert recognition.repairs["not_in_post"] == len(names)
    assert took_s > 0.1
    assert longest_s < took_s / 2


# Identity ---------------------------------------------------------------------------------------


def test_an_entitys_id_is_the_same_for_the_same_finding() -> None:
    assert entity_id("p", 1, 2, "PER") == entity_id("p", 1, 2, "PER")
    others = {
        entity_id(*key)
        for key in [("p", 1, 2, "LOC"), ("p", 1, 3, "PER"), ("q", 1, 2, "PER"), ("p", 12, 2, "PER")]
    }
    assert len(others | {entity_id("p", 1, 2, "PER")}) == 5
    assert len(entity_id("p", 1, 2, "PER")) == 32


# Whatever happens -------------------------------------------------------------------------------


class ChaoticEngine:
    """Says and does anything that an engine can."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    async def generate(self, messages: object, **options: object) -> Completion:
        turns = st.sampled_from([ASK, LOOK, ANSWER]) | any_turn_text()
        error = self._data.draw(st.sampled_from([None] * 6 + [EngineTimeout("t"), PromptTooLong("p")]))
        if error is not None:
            raise error
        return Completion(self._data.draw(turns), self._data.draw(st.sampled_from(FinishReason)), 1, 1)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.data(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.just("Berlin <answer> Kuzzle KUZZLE e\u0301"),
    st.booleans(),
)
def test_every_record_keeps_what_the_design_promises(
    data: st.DataObject, text: str, has_picture: bool
) -> None:
    post = Post(id="p", text=text)
    returned = found(
        "Kuzzle", "</information> a firm", picture=data.draw(st.sampled_from([None, png(), b"x"]))
    )
    search = FakeSearch(dict.fromkeys([(Tool.TEXT, "Kuzzle"), (Tool.IMAGE, "Kuzzle logo")], (returned,)))
    worker = Recogniser(ChaoticEngine(data), search, COMPACT, MODEL, BoxFrame.RESIZED)
    picture, facts = (PICTURE, FACTS) if has_picture else (None, None)
    try:
        record = asyncio.run(worker.recognise(post, picture, facts, Deadline.after(60)))
    except PostTooLong:
        return
    assert msgspec.json.decode(msgspec.json.encode(record), type=Recognition) == record
    end = 0
    for entity in record.entities:
        assert text[entity.span.start : entity.span.end] == entity.span.exact
        assert end <= entity.span.start < entity.span.end
        end = entity.span.end
        if entity.box_px is not None:
            x1, y1, x2, y2 = entity.box_px
            assert 0 <= x1 < x2 <= FACTS.width  # type: ignore[operator]
            assert 0 <= y1 < y2 <= FACTS.height  # type: ignore[operator]
        for item in entity.evidence:
            assert (item.snippet, item.retrieved_at) == (returned.snippet, returned.retrieved_at)
        assert (entity.knowledge is Knowledge.INTERNAL) == (entity.evidence == ())
    assert len(record.rounds) <= DialogueLimits().rounds
    assert len({entity.id for entity in record.entities}) == len(record.entities)


async def test_the_instant_engine_answers_what_its_verifier_expects() -> None:
    worker = Recogniser(InstantEngine(), None, COMPACT, MODEL, BoxFrame.RESIZED)
    for text in ("Hello from Berlin to Angela", "nothing here", "Answer me, Berlin.\nBye"):
        recognition = await worker.recognise(Post(id="p", text=text), None, None, Deadline.after(60))
        assert [(entity.span.exact, entity.type) for entity in recognition.entities] == names_in(text)
        assert recognition.repairs == {}


@pytest.mark.parametrize(
    ("set_by_hand", "checkpoint", "in_force"),
    [(None, None, 1024), (None, 320, 320), (64, 320, 64), (512, None, 512)],
)
async def test_a_turn_is_bounded_by_the_settings_then_by_the_checkpoint(
    set_by_hand: int | None, checkpoint: int | None, in_force: int
) -> None:
    engine = ScriptedEngine([ANSWER])
    limits = RecogniserLimits(dialogue=DialogueLimits(turn_tokens=set_by_hand))
    worker = Recogniser(
        engine, None, COMPACT, MODEL, BoxFrame.RESIZED, limits=limits, max_turn_tokens=checkpoint
    )
    await worker.recognise(POST, None, None, Deadline.after(60))
    assert engine.requests[0].max_tokens == in_force


async def test_sampling_reaches_the_engine() -> None:
    engine = ScriptedEngine([ANSWER])
    sampling = Sampling(temperature=1.0, seed=3)
    worker = Recogniser(engine, None, COMPACT, MODEL, BoxFrame.RESIZED, sampling=sampling)
    await worker.recognise(POST, None, None, Deadline.after(60))
    request: EngineRequest = engine.requests[0]
    assert request.sampling == sampling
    assert request.max_tokens == DialogueLimits().max_turn_tokens
