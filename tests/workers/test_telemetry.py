"""OpenTelemetry: off costs nothing; on, one trace leads from a post's `traceparent` to its records."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from workers.telemetry import HISTOGRAMS

ROOT = Path(__file__).parents[2]


def in_a_process(code: str) -> str:
    """A process of its own: the SDK is set up once a process, and other tests want it off."""
    bootstrap = f"import runpy; runpy.run_path({str(ROOT / 'tests/conftest.py')!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", bootstrap + code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_off_imports_no_sdk() -> None:
    out = in_a_process(
        "import sys\n"
        "from workers.telemetry import telemetry\n"
        "from workers.settings import TelemetrySettings\n"
        "with telemetry(TelemetrySettings()) as page:\n"
        "    assert page is None\n"
        "sdk = ('opentelemetry.sdk', 'prometheus_client')\n"
        "print([name for name in sys.modules if name.startswith(sdk)])\n"
    )
    assert out.strip() == "[]"


def test_metrics_are_on_the_page_and_histograms_are_cut_in_seconds() -> None:
    page = in_a_process(
        "from opentelemetry import metrics\n"
        "from workers.telemetry import telemetry\n"
        "from workers.settings import TelemetrySettings\n"
        "with telemetry(TelemetrySettings(prometheus=True), instance='w7') as page:\n"
        "    metrics.get_meter('sake').create_histogram('messaging.process.duration', 's').record(0.3)\n"
        "    print(page.render().decode())\n"
    )
    assert 'messaging_process_duration_seconds_bucket{le="0.25"} 0.0' in page
    assert 'messaging_process_duration_seconds_bucket{le="0.5"} 1.0' in page
    assert 'service_instance_id="w7"' in page


def test_metrics_alone_switch_the_workers_instruments_on() -> None:
    page = in_a_process(
        "from workers.recognise.instruments import Instruments\n"
        "from workers.recognise.messages import InMessage\n"
        "from workers.recognise.state import WorkerState\n"
        "from workers.telemetry import telemetry\n"
        "from workers.settings import TelemetrySettings\n"
        "with telemetry(TelemetrySettings(prometheus=True)) as page:\n"
        "    with Instruments('g', WorkerState()).post(InMessage('t', 0, 1, 0, None, b'', ()), 'w'):\n"
        "        pass\n"
        "    print(page.render().decode())\n"
    )
    assert 'messaging_client_consumed_messages_total{messaging_consumer_group_name="g"' in page


COLLECTOR = """
import gzip, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from workers.settings import TelemetrySettings
from workers.telemetry import telemetry

got = {}

class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got[self.path] = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
settings = TelemetrySettings(otlp_endpoint=f"http://127.0.0.1:{server.server_port}/", service_name="mine")
with telemetry(settings):
    metrics.get_meter("sake").create_counter("sake.dead_letters").add(1)
    with trace.get_tracer("sake").start_as_current_span("process sake.posts"):
        pass
server.shutdown()
spans = ExportTraceServiceRequest.FromString(got["/v1/traces"]).resource_spans[0]
print(spans.scope_spans[0].spans[0].name)
print({each.key: each.value.string_value for each in spans.resource.attributes}["service.name"])
print(b"sake.dead_letters" in got["/v1/metrics"])
"""


def test_a_collector_gets_what_is_unsent_at_the_end() -> None:
    assert in_a_process(COLLECTOR).splitlines() == ["process sake.posts", "mine", "True"]


def test_every_histogram_of_the_code_has_its_buckets() -> None:
    made = set()
    for path in [*ROOT.glob("sake_model/**/*.py"), *ROOT.glob("workers/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "create_histogram"
                and isinstance(node.args[0], ast.Constant)
            ):
                made.add(node.args[0].value)
    assert made <= set(HISTOGRAMS)
    assert set(HISTOGRAMS) <= made


TRACE = """
import asyncio, sys
from contextlib import AsyncExitStack
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from workers.telemetry import tracer_provider
spans = InMemorySpanExporter()
trace.set_tracer_provider(tracer_provider(Resource.create(), 1.0, SimpleSpanProcessor(spans)))

from support.one_post import one_post
headers = asyncio.run(one_post())
for span in spans.get_finished_spans():
    parent = f"{span.parent.span_id:016x}" if span.parent else "-"
    print("SPAN", f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent, span.name, sep="|")
for topic, traceparent in headers:
    print("OUT", topic, traceparent, sep="|")
"""


@pytest.fixture(scope="module")
def traced() -> list[list[str]]:
    return [line.split("|") for line in in_a_process(TRACE).splitlines() if "|" in line]


def test_one_trace_leads_from_the_post_through_rounds_and_searches_to_the_records(
    traced: list[list[str]],
) -> None:
    spans = [row[1:] for row in traced if row[0] == "SPAN"]
    assert {trace_id for trace_id, *_ in spans} == {"0af7651916cd43dd8448eb211c80319c"}
    ids = {span_id for _, span_id, *_ in spans}
    by_name = {name: (span_id, parent) for _, span_id, parent, name in spans}
    assert by_name["process sake.posts"][1] == "b7ad6b7169203331"
    orphans = [name for _, _, parent, name in spans if parent not in ids and parent != "b7ad6b7169203331"]
    assert orphans == []
    assert [name for *_, name in spans].count("chat sake") == 2
    assert [name for *_, name in spans].count("execute_tool text_search") == 1
    assert "retrieval local" in by_name
    assert "recognise" in by_name


def test_every_record_carries_the_trace_on(traced: list[list[str]]) -> None:
    outputs = [row[1:] for row in traced if row[0] == "OUT"]
    assert {topic for topic, _ in outputs} == {"sake.recognitions", "sake.entities"}
    assert all(parent.startswith("00-0af7651916cd43dd8448eb211c80319c-") for _, parent in outputs)
