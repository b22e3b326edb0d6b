"""One post through dialogue, engine and search."""

from __future__ import annotations

from support.fake_search import FakeSearch, found
from support.scripted_engine import ScriptedEngine, prompt_of

from sake_model.deadline import Deadline
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from schemas.entities import Knowledge, Tool
from schemas.posts import Post
from schemas.recognitions import ModelRef, RoundAction

PROMPTS = load_prompts("gmner")
MODEL = ModelRef(name="scripted", digest="sha256:0", prompts_digest=PROMPTS.digest)


async def test_a_search_and_its_answer_become_a_record() -> None:
    engine = ScriptedEngine(
        [
            '<reason>who?</reason><text_search>[{"query": "Kuzzle"}]</text_search>',
            '<reason>a firm</reason><answer>[{"entity": "Kuzzle", "type": "ORG", "box2d": []}]</answer>',
        ]
    )
    search = FakeSearch({(Tool.TEXT, "Kuzzle"): (found("Kuzzle", "a firm"),)})
    recogniser = Recogniser(engine, search, PROMPTS, MODEL, BoxFrame.RESIZED)
    recognition = await recogniser.recognise(
        Post(id="1", text="I love Kuzzle!"), None, None, Deadline.after(60)
    )
    (entity,) = recognition.entities
    assert (entity.span.start, entity.span.end, entity.span.exact, entity.type) == (7, 13, "Kuzzle", "ORG")
    assert entity.knowledge is Knowledge.TEXT
    assert [one.action for one in recognition.rounds] == [RoundAction.TEXT_SEARCH, RoundAction.ANSWER]
    assert recognition.repairs == {}
    assert recognition.outcome.status == "complete"
    assert "<information>\nKuzzle\n- Kuzzle: a firm\n</information>" in prompt_of(engine.requests[1])
