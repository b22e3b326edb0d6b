"""The client against a local server: what it sends, and what it makes of every way to fail."""

import asyncio
import socket

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.chat_server import (
    ChatServer,
    answering,
    completion,
    cutting_off,
    hanging,
    pictures_in,
    refusing,
    resetting,
    saying,
    serving,
)

from sake_model.checkpoint.manifest import Manifest
from sake_model.deadline import Deadline
from sake_model.engine import telemetry
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.interface import (
    Completion,
    ConnectionCut,
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    Message,
    ModelChanged,
    PromptTooLong,
)
from sake_model.engine.served import Served
from sake_model.grounding import Size
from sake_model.pictures import ModelPicture
from schemas.errors import OperatorError


def picture(name: str) -> ModelPicture:
    return ModelPicture(name.encode(), "image/png", name, Size(56, 28), Size(56, 28))


async def ask(engine: VllmEngine, *pictures: ModelPicture, seconds: float = 5.0) -> Completion:
    return await engine.generate(
        (Message("user", (*pictures, "A post")),),
        stop=("</answer>",),
        max_tokens=16,
        deadline=Deadline.after(seconds),
    )


@pytest.fixture
async def server():
    async with serving(ChatServer()) as server:
        yield server


@pytest.fixture
async def engine(server):
    async with VllmEngine(EngineTarget(server.url)) as engine:
        yield engine


def by_name(request: dict) -> list[bool]:
    return [part["image_url"] is None for part in pictures_in(request)]


async def test_a_picture_is_sent_once_and_named_afterwards(server, engine):
    for _ in range(3):
        turn = await ask(engine, picture("a"))
    assert turn.text == "<answer>[]</answer>"
    assert [by_name(request) for request in server.asked] == [[False], [True], [True]]
    await ask(engine, picture("a"), picture("b"))
    assert by_name(server.asked[-1]) == [True, False]


async def test_a_picture_that_the_server_dropped_is_sent_again_within_the_same_call(server, engine):
    await ask(engine, picture("a"))
    server.held.clear()
    assert (await ask(engine, picture("a"))).text == "<answer>[]</answer>"
    assert [by_name(request) for request in server.asked] == [[False], [True], [False]]


async def test_a_cache_miss_that_vllm_reports_as_503_is_answered_with_the_bytes(server, engine):
    await ask(engine, picture("a"))
    server.replies = [refusing(503, "Multi-modal processor cache miss.")]
    await ask(engine, picture("a"))
    assert by_name(server.asked[-1]) == [False]


async def test_where_vllms_two_picture_caches_disagree_one_repetition_settles_it(server, engine):
    server.replies = [refusing(500, "Internal server error")]
    assert (await ask(engine, picture("a"))).text == "<answer>[]</answer>"
    assert [by_name(request) for request in server.asked] == [[False], [False]]


async def test_a_request_that_makes_a_well_server_fail_twice_is_lost(server, engine):
    server.replies = [refusing(500, "Internal server error")] * 2
    with pytest.raises(EngineLost):
        await ask(engine, picture("a"))
    assert len(server.asked) == 2


async def test_a_dead_engine_is_not_asked_again_for_the_sake_of_a_picture(server, engine):
    await ask(engine, picture("a"))
    server.replies, server.healthy = [refusing(500, "EngineCore encountered an issue")], False
    with pytest.raises(EngineLost):
        await ask(engine, picture("a"))
    assert len(server.asked) == 2


async def test_only_so_many_pictures_are_remembered(server):
    async with VllmEngine(EngineTarget(server.url, remembered_pictures=2)) as engine:
        for name in "abca":
            await ask(engine, picture(name))
        await ask(engine, picture("c"))
    assert [by_name(request) for request in server.asked] == [[False], [False], [False], [False], [True]]


async def test_another_server_always_gets_the_bytes_and_its_cut_turn_is_completed():
    server = ChatServer(vllm=False, text="<answer>[]")
    async with serving(server), VllmEngine(EngineTarget(server.url)) as engine:
        for _ in range(2):
            assert (await ask(engine, picture("a"))).text == "<answer>[]</answer>"
    assert [by_name(request) for request in server.asked] == [[False], [False]]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusing(503, "queue full"), EngineOverloaded),
        (refusing(429, "slow down"), EngineOverloaded),
        (refusing(400, "This model's maximum context length is 4096 tokens."), PromptTooLong),
        (refusing(400, "Failed to load image"), EngineRejected),
        (refusing(500, "EngineCore encountered an issue"), EngineLost),
        (answering(502, "<html>Bad Gateway", "text/html"), EngineUnavailable),
        (answering(200, "<html>Welcome", "text/html"), EngineUnavailable),
        (answering(200, '{"choices": ['), EngineUnavailable),
        (answering(307), EngineRejected),
        (saying(completion("", finish="abort")), EngineUnavailable),
        (cutting_off, ConnectionCut),
        (resetting, ConnectionCut),
    ],
)
async def test_every_failure_has_its_class_and_the_next_request_works(server, engine, reply, error):
    server.replies = [reply]
    with pytest.raises(error) as caught:
        await ask(engine)
    assert type(caught.value) is error
    assert (await ask(engine)).text == "<answer>[]</answer>"


async def test_past_the_deadline_the_server_drops_the_work(server, engine):
    server.replies = [hanging]
    with pytest.raises(EngineTimeout):
        await ask(engine, seconds=0.2)
    await asyncio.wait_for(server.aborted.wait(), 2)
    with pytest.raises(EngineTimeout):
        await ask(engine, seconds=-1)
    assert len(server.asked) == 1


async def test_a_cancelled_caller_makes_the_server_drop_the_work(server, engine):
    server.replies = [hanging]
    call = asyncio.create_task(ask(engine))
    await asyncio.wait_for(server.busy.wait(), 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.aborted.wait(), 2)


async def test_nobody_listening_is_unavailable_and_not_lost():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    async with VllmEngine(EngineTarget(url)) as engine:
        with pytest.raises(EngineUnavailable) as caught:
            await ask(engine)
        assert not isinstance(caught.value, EngineLost)
        assert not await engine.healthy()


@pytest.mark.parametrize(("unwell", "error"), [(0, ConnectionCut), (2, ConnectionCut), (3, EngineLost)])
async def test_a_server_that_is_well_after_a_cut_did_not_die_of_it(server, engine, unwell, error):
    """It is asked three times, as what cut the request may cut the question."""
    await ask(engine)
    server.replies, server.unwell_probes = [resetting], unwell
    with pytest.raises(EngineLost) as caught:
        await ask(engine)
    assert type(caught.value) is error


async def test_after_a_loss_nothing_is_sent_until_the_server_is_well(server, engine):
    """Else a post that is retried alone would be blamed for an engine that was dead already."""
    await ask(engine, picture("a"))
    server.replies, server.healthy = [resetting], False
    with pytest.raises(EngineLost) as lost:
        await ask(engine, picture("a"))
    assert not isinstance(lost.value, ConnectionCut), "it may have died of the request"
    for _ in range(2):
        with pytest.raises(EngineUnavailable) as caught:
            await ask(engine, picture("a"))
        assert not isinstance(caught.value, EngineLost)
    assert len(server.asked) == 2
    server.healthy = True
    await ask(engine, picture("a"))
    assert by_name(server.asked[-1]) == [False], "a server that came back holds no picture"


async def test_every_request_has_a_connection_of_its_own(server, engine):
    """Else a server that closes an idle connection makes a request look lost that never ran."""
    await ask(engine)
    await ask(engine)
    assert [headers["Connection"] for headers in server.headers] == ["close", "close"]


async def test_many_waiting_requests_share_one_probe(server, engine):
    await asyncio.gather(*(ask(engine) for _ in range(50)))
    assert server.probes == 1
    assert len(server.asked) == 50


async def test_one_who_gives_up_does_not_end_the_probe_of_the_others(server, engine):
    first = asyncio.create_task(engine.facts())
    second = asyncio.create_task(engine.facts())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).model == "sake"
    assert server.probes == 1


async def test_the_key_is_sent_and_a_refused_key_is_the_operators_matter():
    server = ChatServer(key="secret")
    async with serving(server):
        async with VllmEngine(EngineTarget(server.url, api_key="secret")) as engine:
            await ask(engine)
        async with VllmEngine(EngineTarget(server.url, api_key="wrong")) as engine:
            with pytest.raises(OperatorError, match="SAKE_ENGINE_KEY"):
                await ask(engine)
    assert "secret" not in repr(EngineTarget(server.url, api_key="secret"))


async def test_the_model_is_the_one_named_or_the_first_served(server):
    async with VllmEngine(EngineTarget(server.url)) as engine:
        facts = await engine.facts()
        assert (facts.model, facts.vllm, facts.max_model_len) == ("sake", True, 4096)
    async with VllmEngine(EngineTarget(server.url, model="other")) as engine:
        with pytest.raises(OperatorError, match="serves sake, not other"):
            await ask(engine)


@pytest.mark.parametrize(
    ("given", "api", "root"),
    [
        ("http://h:1", "http://h:1/v1", "http://h:1"),
        ("http://h:1/", "http://h:1/v1", "http://h:1"),
        ("http://h:1/v1/", "http://h:1/v1", "http://h:1"),
        ("https://h/proxy/v1", "https://h/proxy/v1", "https://h/proxy"),
    ],
)
def test_addresses(given, api, root):
    target = EngineTarget(given)
    assert (target.api_url, target.root_url) == (api, root)


@pytest.mark.parametrize("wrong", ["", "localhost:8000", "ftp://h/v1", "http://"])
def test_an_address_that_is_none_is_refused_at_once(wrong):
    with pytest.raises(OperatorError, match="SAKE_ENGINE_URL"):
        EngineTarget(wrong)


async def test_a_turn_is_a_genai_span_with_its_metrics(server, engine, monkeypatch):
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    meter = MeterProvider([reader]).get_meter("sake")
    monkeypatch.setattr(telemetry, "_tracer", tracing.get_tracer("sake"))
    monkeypatch.setattr(telemetry, "_duration", meter.create_histogram("duration"))
    monkeypatch.setattr(telemetry, "_tokens", meter.create_histogram("tokens"))

    await ask(engine)
    server.replies = [refusing(503, "queue full")]
    with pytest.raises(EngineOverloaded):
        await ask(engine)

    good, bad = spans.get_finished_spans()
    assert good.name == "chat sake"
    assert good.attributes["gen_ai.usage.input_tokens"] == 56
    assert good.attributes["gen_ai.usage.cache_read.input_tokens"] == 32
    assert good.attributes["gen_ai.provider.name"] == "vllm"
    assert bad.attributes["error.type"] == "EngineOverloaded"
    assert server.headers[0]["traceparent"].split("-")[2] == f"{good.context.span_id:016x}"
    scope = reader.get_metrics_data().resource_metrics[0].scope_metrics[0]
    found = {metric.name: metric.data.data_points for metric in scope.metrics}
    assert {p.attributes.get("error.type") for p in found["duration"]} == {None, "EngineOverloaded"}
    assert {p.sum for p in found["tokens"]} == {56, 8}


# Which checkpoint answers -----------------------------------------------------------------------


def bound_ask(engine: VllmEngine, revision: str):
    return engine.bound(revision).generate(
        (Message("user", (picture("a"), "A post")),), stop=(), max_tokens=16, deadline=Deadline.after(5)
    )


async def test_a_server_tells_what_it_serves_or_that_it_does_not_tell(server, engine):
    assert await engine.served() is None
    said = Served(
        manifest=Manifest(name="mine", digest="sha256:" + "0" * 64), prompts={"first.txt": "{text}"}
    )
    server.serves = said.encode()
    told = await engine.served()
    assert told == said
    assert told.revision == said.revision


async def test_what_an_other_version_tells_is_no_reason_to_guess(server, engine):
    server.serves = b'{"manifest": {"name": "x", "new_field": 1}}'
    with pytest.raises(OperatorError, match="the same version"):
        await engine.served()


async def test_a_bound_engine_answers_by_its_checkpoint_only(server, engine):
    server.revision = "r1"
    assert (await bound_ask(engine, "r1")).text
    server.revision = "r2"
    with pytest.raises(ModelChanged):
        await bound_ask(engine, "r1")
    assert (await bound_ask(engine, "r2")).text
    assert by_name(server.asked[-1]) == [False], "what the server held of pictures went with its caches"
    assert (await ask(engine)).text, "one that is not bound takes any"


async def test_an_answer_without_the_name_of_its_checkpoint_is_not_taken_for_it(server, engine):
    server.revision = ""  # a plain server behind the same address
    with pytest.raises(ModelChanged):
        await bound_ask(engine, "r1")
    assert (await bound_ask(engine, "")).text
    server.revision = "r1"  # and the other way round
    with pytest.raises(ModelChanged):
        await bound_ask(engine, "")


async def test_a_412_of_a_server_that_tells_nothing_is_no_other_checkpoint(server, engine):
    server.replies = [refusing(412, "a precondition of its own")]
    with pytest.raises(EngineRejected):
        await bound_ask(engine, "")
