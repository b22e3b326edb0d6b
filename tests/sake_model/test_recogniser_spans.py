"""What a trace shows of one post; and that without an SDK nothing is made at all."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.fake_search import FakeSearch, found
from support.scripted_engine import EngineRequest, ScriptedEngine, ScriptedTurn

from sake_model import recogniser as recogniser_module
from sake_model.deadline import Deadline
from sake_model.engine.interface import EngineRejected
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from sake_model.protocol import Answer, Mention, SearchAction, Turn, render_turn
from sake_model.recogniser import PostRefused, Recogniser
from sake_model.search.interface import SearchOutcome, SearchRequest
from schemas.entities import Tool
from schemas.posts import Post
from schemas.recognitions import ModelRef

COMPACT = load_prompts("compact")
MODEL = ModelRef(name="scripted", digest="sha256:0", prompts_digest=COMPACT.digest)
ASK = render_turn(Turn("Who?", SearchAction(Tool.TEXT, ("Kuzzle", "Zorb"))))
ANSWER = render_turn(Turn("Yes.", Answer((Mention("kuzzle", "ORG"),))))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The recogniser's finished spans; searches and turns have spans of pool and engine client."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(recogniser_module, "_tracer", provider.get_tracer("sake"))
    return exporter


def current_span_id() -> int:
    return trace.get_current_span().get_span_context().span_id


class SpyingSearch(FakeSearch):
    """Remembers below which span each request ran."""

    def __init__(self) -> None:
        super().__init__({(Tool.TEXT, "Kuzzle"): (found("Kuzzle", "a firm"),)})
        self.spans: list[int] = []

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        self.spans.append(current_span_id())
        return await super().search(request, deadline)


async def recognise(*turns: ScriptedTurn, search: FakeSearch | None = None) -> None:
    worker = Recogniser(ScriptedEngine(turns), search or FakeSearch(), COMPACT, MODEL, BoxFrame.RESIZED)
    await worker.recognise(Post(id="p1", text="I love Kuzzle!"), None, None, Deadline.after(60))


async def test_a_post_is_a_span_with_its_rounds(spans: InMemorySpanExporter) -> None:
    await recognise(ASK, ANSWER)
    (post,) = spans.get_finished_spans()
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


async def test_turns_and_searches_run_below_the_posts_span(spans: InMemorySpanExporter) -> None:
    turns: list[int] = []

    def asking(request: EngineRequest) -> str:
        turns.append(current_span_id())
        return ASK

    search = SpyingSearch()
    await recognise(asking, ANSWER, search=search)
    (post,) = spans.get_finished_spans()
    assert turns == [post.context.span_id]
    assert search.spans == [post.context.span_id] * 2


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
