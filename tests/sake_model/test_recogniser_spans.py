"""What a trace shows of one post; and that without an SDK nothing is made at all."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.fake_search import FakeSearch, found
from support.scripted_engine import EngineRequest, ScriptedEngine, ScriptedTurn

from sake_model import lookups as lookups_module
from sake_model import recogniser as recogniser_module
from sake_model.deadline import Deadline
from sake_model.engine.interface import EngineRejected
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from sake_model.protocol import Answer, Mention, SearchAction, Turn, render_turn
from sake_model.recogniser import PostRefused, Recogniser
from schemas.entities import Tool
from schemas.posts import Post
from schemas.recognitions import ModelRef

COMPACT = load_prompts("compact")
MODEL = ModelRef(name="scripted", digest="sha256:0", prompts_digest=COMPACT.digest)
ASK = render_turn(Turn("Who?", SearchAction(Tool.TEXT, ("Kuzzle", "Zorb"))))
ANSWER = render_turn(Turn("Yes.", Answer((Mention("kuzzle", "ORG"),))))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Finished spans of the recogniser and its lookups."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for module in (recogniser_module, lookups_module):
        monkeypatch.setattr(module, "_tracer", provider.get_tracer("sake"))
    return exporter


async def recognise(*turns: ScriptedTurn) -> None:
    search = FakeSearch({(Tool.TEXT, "Kuzzle"): (found("Kuzzle", "a firm"),)})
    worker = Recogniser(ScriptedEngine(turns), search, COMPACT, MODEL, BoxFrame.RESIZED)
    await worker.recognise(Post(id="p1", text="I love Kuzzle!"), None, None, Deadline.after(60))


async def test_a_post_is_a_span_with_its_rounds_and_searches(spans: InMemorySpanExporter) -> None:
    await recognise(ASK, ANSWER)
    *tools, post = spans.get_finished_spans()
    assert post.name == "recognise"
    assert [event.name for event in post.events] == ["round", "round"]
    assert [event.attributes and event.attributes["sake.action"] for event in post.events] == [
        "text_search",
        "answer",
    ]
    attributes = dict(post.attributes or {})
    assert attributes["sake.post.id"] == "p1"
    assert attributes["sake.outcome"] == "complete"
    assert attributes["sake.repair.name_case"] == 1

    assert sorted(str((tool.attributes or {})["sake.search.query"]) for tool in tools) == ["Kuzzle", "Zorb"]
    for tool in tools:
        assert tool.name == "execute_tool text_search"
        assert (tool.attributes or {})["gen_ai.operation.name"] == "execute_tool"
        assert tool.parent is not None
        assert tool.parent.span_id == post.context.span_id


async def test_what_the_engine_does_is_below_the_posts_span(spans: InMemorySpanExporter) -> None:
    seen: list[int] = []

    def answer(request: EngineRequest) -> str:
        seen.append(trace.get_current_span().get_span_context().span_id)
        return ANSWER

    await recognise(answer)
    (post,) = spans.get_finished_spans()
    assert seen == [post.context.span_id]


async def test_a_refused_post_is_an_error(spans: InMemorySpanExporter) -> None:
    with pytest.raises(PostRefused):
        await recognise(EngineRejected("no"))
    (post,) = spans.get_finished_spans()
    assert not post.status.is_ok


async def test_without_an_sdk_no_span_is_current() -> None:
    seen: list[bool] = []

    def answer(request: EngineRequest) -> str:
        seen.append(trace.get_current_span().get_span_context().is_valid)
        return ANSWER

    await recognise(answer)
    assert seen == [False]
