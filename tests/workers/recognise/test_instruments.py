"""The span and the metrics of one post."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import ProxyTracerProvider, SpanKind, StatusCode, get_current_span

from workers.recognise.instruments import Instruments
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


def test_without_an_sdk_nothing_is_made() -> None:
    instruments = Instruments("g", WorkerState(), ProxyTracerProvider())
    assert instruments.post(message(), "w") is instruments.post(message(), "w")
    with instruments.post(message(), "w"):
        assert not get_current_span().is_recording()
