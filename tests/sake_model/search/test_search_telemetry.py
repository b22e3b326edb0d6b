"""With an SDK the pool tells its spans and metrics; a process of its own, since an SDK is set up once."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("opentelemetry.sdk")

RUN = """
import asyncio, json
from datetime import UTC, datetime
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider([reader]))

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.interface import SearchFailed, SearchRequest, SearchResult, SearchUnavailable
from sake_model.search.limits import ProviderLimits, RetryPolicy
from sake_model.search.pool import Member, SearchPool
from schemas.entities import Tool


class Provider:
    name = "known"

    def supports(self, tool):
        return True

    async def search(self, request, deadline):
        if request.query == "broken":
            raise SearchFailed("down")
        return (SearchResult("known", request.query, "t", "u", "s", datetime.now(UTC)),)

    async def close(self):
        pass


async def main():
    limits = ProviderLimits(retry=RetryPolicy(attempts=1), failures_to_open=1)
    pool = SearchPool((Member(Provider(), limits),), SearchCache(None))
    with trace.get_tracer("test").start_as_current_span("post"):
        for _ in range(2):
            await pool.search(SearchRequest(Tool.TEXT, "Kevin Durant"), Deadline.after(5))
        try:
            await pool.search(SearchRequest(Tool.TEXT, "broken"), Deadline.after(5))
        except SearchUnavailable:
            pass
    await pool.close()


asyncio.run(main())
told = [
    (span.name, trace.format_span_id(span.context.span_id),
     trace.format_span_id(span.parent.span_id) if span.parent else None, dict(span.attributes),
     span.status.status_code.name)
    for span in spans.get_finished_spans()
]
points = [
    (metric.name, dict(point.attributes), getattr(point, "value", None) or getattr(point, "count", None))
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics for metric in scope.metrics for point in metric.data.data_points
]
print(json.dumps([told, points]))
"""


def test_spans_and_metrics_follow_the_conventions():
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    spans, points = json.loads(done.stdout)
    by_id = {number: name for name, number, *_ in spans}
    tree = [(name, by_id.get(parent)) for name, _, parent, *_ in spans]
    assert tree == [
        ("retrieval known", "execute_tool text_search"),
        ("execute_tool text_search", "post"),
        ("execute_tool text_search", "post"),
        ("retrieval known", "execute_tool text_search"),
        ("execute_tool text_search", "post"),
        ("post", None),
    ]
    first, second = (attributes for name, _, _, attributes, _ in spans[1:3])
    assert first["gen_ai.operation.name"] == "execute_tool"
    assert first["gen_ai.tool.name"] == "text_search"
    assert (first["sake.search.cached"], second["sake.search.cached"]) == (False, True)
    assert spans[4][4] == "ERROR"
    counted = {(name, json.dumps(attributes, sort_keys=True)): value for name, attributes, value in points}

    def value(name, **attributes):
        return counted[name, json.dumps(attributes, sort_keys=True)]

    tool = {"gen_ai.tool.name": "text_search"}
    assert value("sake.search.provider.calls", provider="known", outcome="hit", **tool) == 1
    assert value("sake.search.provider.calls", provider="known", outcome="failed", **tool) == 1
    assert value("sake.search.cache.lookups", provider="known", outcome="hit") == 1
    assert value("sake.search.circuit.changes", provider="known", state="open") == 1
    assert ("sake.search.provider.wait", json.dumps({"provider": "known"})) in counted
    assert value("gen_ai.execute_tool.duration", **tool) == 2
    assert value("gen_ai.execute_tool.duration", **tool, **{"error.type": "SearchUnavailable"}) == 1
