"""The span and the metrics of one post."""

from __future__ import annotations

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import ProxyTracerProvider, SpanKind, StatusCode, get_current_span

from schemas.errors import PostError
from workers.recognise.instruments import Instruments
from workers.recognise.letters import Failure
from workers.recognise.messages import InMessage
from workers.recognise.state import WorkerState

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def message(*headers: tuple[str, bytes]) -> InMessage:
    return InMessage("sake.posts", 3, 17, 0, b"k", b"value", headers)


def test_a_post_continues_the_trace_of_its_header() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instruments = Instruments("group", WorkerState(), provider)
    with instruments.post(message(("traceparent", f"00-{TRACE}-{PARENT}-01".encode())), "worker-7"):
        assert get_current_span().is_recording()
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("process sake.posts", SpanKind.CONSUMER)
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == PARENT
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "sake.posts",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "group",
        "messaging.client.id": "worker-7",
        "messaging.kafka.offset": 17,
        "messaging.message.body.size": 5,
    }


def test_a_post_that_raises_marks_its_span() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.raises(KeyError), Instruments("g", WorkerState(), provider).post(message(), "w"):
        raise KeyError("gone")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR


def test_a_dead_letter_is_told_by_the_span_and_the_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, exporter, provider = InMemoryMetricReader(), InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider((reader,))
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    instruments = Instruments("g", WorkerState(), provider)
    with instruments.post(message(), "w") as given_up:
        given_up(Failure.of(PostError("no"), attempt=1, reason="engine_rejects"))
    with instruments.post(message(), "w"):
        pass
    dead, well = exporter.get_finished_spans()
    assert dead.attributes is not None
    assert (dead.attributes["error.type"], dead.status.status_code) == ("engine_rejects", StatusCode.ERROR)
    assert well.status.status_code is StatusCode.UNSET
    data = reader.get_metrics_data()
    assert data is not None
    found = [
        point.attributes.get("error.type") if point.attributes else None
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "messaging.process.duration"
        for point in metric.data.data_points
    ]
    assert sorted(found, key=str) == [None, "engine_rejects"]


def test_without_an_sdk_nothing_is_made() -> None:
    instruments = Instruments("g", WorkerState(), ProxyTracerProvider())
    assert instruments.post(message(), "w") is instruments.post(message(), "w")
    with instruments.post(message(), "w"):
        assert not get_current_span().is_recording()
