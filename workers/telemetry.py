"""OpenTelemetry, switched on: the SDK, where spans and metrics go, and how histograms are cut.

Every component is instrumented with the API alone, which does nothing until `telemetry` has run
with something switched on; off, this module does not even import the SDK. One trace leads from a
post's `traceparent` through its picture, rounds and searches to its records. Resource attributes of
one's own come from OTEL_RESOURCE_ATTRIBUTES, headers for a collector from
OTEL_EXPORTER_OTLP_HEADERS, as everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from workers.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

__all__ = ["HISTOGRAMS", "PrometheusPage", "meter_provider", "telemetry", "tracer_provider"]

log = logging.getLogger(__name__)

# Semantic conventions 1.44, advice for messaging.process.duration and the GenAI durations: s.
QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
MODEL_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0)

# Without these the SDK cuts every histogram at 5, 10, 25, …, 10,000: made for milliseconds.
HISTOGRAMS: dict[str, tuple[float, ...]] = {
    # From admission of a post to its finished records; `error.type` when it became a dead letter.
    "messaging.process.duration": (*QUICK_S, 20.0, 40.0, 80.0),
    # One transaction: records, offsets, commit; retries included.
    "sake.commit.duration": QUICK_S,
    # Getting one picture: fetch, check, decode, resize.
    "sake.picture.duration": QUICK_S,
    # One turn of the model, as the worker saw it.
    "gen_ai.client.operation.duration": MODEL_S,
    # Tokens of one turn; `gen_ai.token.type` is input or output.
    "gen_ai.client.token.usage": TOKENS,
    # One tool call of the model: cache, waits and all attempts.
    "gen_ai.execute_tool.duration": MODEL_S,
    # One attempt at one search provider.
    "sake.search.provider.duration": QUICK_S,
    # A trends worker keeps its state.
    "sake.trends.checkpoint.duration": QUICK_S,
    # One attempt to hand a mention to the webhook.
    "sake.mentions.webhook.duration": QUICK_S,
    # Turns were held while the server's weights changed.
    "sake.engine.held": (*QUICK_S, 20.0, 40.0),
}


@dataclass(frozen=True, slots=True)
class PrometheusPage:
    """What /metrics answers."""

    content_type: str
    render: Callable[[], bytes]


@contextmanager
def telemetry(settings: TelemetrySettings, *, instance: str = "") -> Iterator[PrometheusPage | None]:
    """Telemetry while the block runs; gives the page for /metrics when that is switched on.

    `instance` becomes `service.instance.id`. What is still unsent at the end is sent.
    """
    if not settings.otlp_endpoint and not settings.prometheus:
        yield None
        return
    resource = _resource(settings, instance)
    readers: list[MetricReader] = []
    page: PrometheusPage | None = None
    if settings.prometheus:
        reader, page = _prometheus()
        readers.append(reader)
    elif settings.otlp_endpoint:
        readers.append(_otlp_metrics(settings))
    meters = meter_provider(resource, tuple(readers))
    metrics.set_meter_provider(meters)
    tracers: TracerProvider | None = None
    if settings.otlp_endpoint:
        tracers = tracer_provider(resource, settings.sample_ratio, _otlp_spans(settings))
        trace.set_tracer_provider(tracers)
    try:
        yield page
    finally:
        if tracers is not None:
            tracers.shutdown()
        meters.shutdown()


def tracer_provider(resource: Resource, sample_ratio: float, processor: SpanProcessor) -> TracerProvider:
    """Spans to `processor`; the caller's decision in a `traceparent` goes before the ratio."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - only when switched on
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415

    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(sample_ratio))
    provider.add_span_processor(processor)
    return provider


def meter_provider(resource: Resource, readers: tuple[MetricReader, ...]) -> MeterProvider:
    """Metrics to `readers`, histograms cut as HISTOGRAMS says."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - only when switched on
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View  # noqa: PLC0415

    views = [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(boundaries=list(cuts)))
        for name, cuts in HISTOGRAMS.items()
    ]
    return MeterProvider(metric_readers=readers, resource=resource, views=views)


def _resource(settings: TelemetrySettings, instance: str) -> Resource:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only when switched on

    attributes = {"service.name": settings.service_name, "service.version": version("sake-stream")}
    if instance:
        attributes["service.instance.id"] = instance
    return Resource.create(attributes)


def _prometheus() -> tuple[MetricReader, PrometheusPage]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.exposition import CONTENT_TYPE_LATEST  # noqa: PLC0415

    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    return reader, PrometheusPage(CONTENT_TYPE_LATEST, lambda: generate_latest(registry))


def _otlp_metrics(settings: TelemetrySettings) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    exporter = OTLPMetricExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/metrics")
    return PeriodicExportingMetricReader(exporter, export_interval_millis=settings.export_interval_s * 1000)


def _otlp_spans(settings: TelemetrySettings) -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"))
