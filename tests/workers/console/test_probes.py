"""What the workers say of themselves, and what is said of those that do not answer."""

from __future__ import annotations

import time

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from workers.console.metrics import CALLS, search_figures
from workers.console.probes import ask
from workers.health import health_server
from workers.recognise.state import LaneState, Phase, WorkerState

METRICS = """\
# TYPE sake_search_provider_calls_total counter
sake_search_provider_calls_total{gen_ai_tool_name="text_search",outcome="hit",provider="local"} 40.0
sake_search_provider_calls_total{gen_ai_tool_name="image_search",outcome="hit",provider="local"} 2.0
sake_search_provider_calls_total{gen_ai_tool_name="text_search",outcome="throttled",provider="brave"} 7.0
# TYPE sake_search_provider_duration_seconds histogram
sake_search_provider_duration_seconds_bucket{le="0.005",provider="local"} 3.0
sake_search_provider_duration_seconds_count{provider="local"} 42.0
sake_search_provider_duration_seconds_sum{provider="local"} 0.84
# TYPE sake_search_cache_lookups_total counter
sake_search_cache_lookups_total{outcome="hit",provider="local"} 30.0
sake_search_cache_lookups_total{outcome="miss",provider="local"} 5.0
sake_search_cache_lookups_total{outcome="unknown",provider="local"} 65.0
# TYPE sake_search_circuit_open gauge
sake_search_circuit_open{provider="brave"} 1.0
# TYPE sake_search_provider_wait_seconds gauge
sake_search_provider_wait_seconds{provider="brave"} 2.5
"""


def test_search_figures_of_a_metrics_page() -> None:
    told = search_figures(METRICS)
    assert told is not None
    assert (told["cache_known"], told["cache_lookups"]) == (35, 100)
    local, brave = told["providers"]
    assert (local["name"], local["calls"], local["counted"], local["seconds"]) == (
        "local",
        {"hit": 42},
        42,
        0.84,
    )
    assert (brave["calls"], brave["circuit"], brave["wait_s"]) == ({"throttled": 7}, "open", 2.5)


@pytest.mark.parametrize(
    "text", ["", "metrics are off: set SAKE_TELEMETRY_PROMETHEUS=true\n", "<html>", "\x00"]
)
def test_what_is_no_metrics_page_tells_nothing(text: str) -> None:
    assert search_figures(text) is None


async def test_a_worker_tells_what_it_holds() -> None:
    state = WorkerState(phase=Phase.WAITING_FOR_ENGINE, engine_trouble="refused")
    state.lanes["sake.posts[0]"] = LaneState(opened=True, running=3, finished=2)
    async with health_server(state, host="127.0.0.1", port=0) as port, aiohttp.ClientSession() as http:
        told = await ask(http, f"http://127.0.0.1:{port}/")
    assert (told["phase"], told["running"], told["finished"]) == ("waiting_for_engine", 3, 2)
    assert (told["engine_trouble"], told["partitions"], told["search"]) == ("refused", 1, None)
    assert told["kind"] == "recognise"


async def hostile(request: web.Request) -> web.Response:
    bodies = {
        "/a": b"[]",
        "/b": b"\xff",
        "/c": b"[" * 9_000,
        "/d": b'{"running": "<script>"}' + b" " * 3_000_000,
    }
    return web.Response(body=bodies["/" + request.path.split("/")[1]])


@pytest.mark.parametrize("path", ["a", "b", "c", "d"])
async def test_who_answers_nonsense_is_in_trouble(path: str) -> None:
    app = web.Application()
    app.router.add_get("/{way}/{rest}", hostile)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        told = await ask(http, str(server.make_url(f"/{path}")))
    assert told["trouble"]


async def test_who_does_not_answer_is_in_trouble() -> None:
    async with aiohttp.ClientSession() as http:
        told = await ask(http, "http://127.0.0.1:9")
    assert set(told) == {"address", "trouble"}


def metrics(*lines: str) -> str:
    return "# TYPE sake_search_provider_calls counter\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("value", ["+Inf", "-Inf", "NaN", "1e300", "-7"])
def test_what_no_counter_reaches_counts_nothing(value: str) -> None:
    told = search_figures(
        metrics(
            f'{CALLS}{{provider="a",outcome="hit"}} {value}',
            f'{CALLS}{{provider="b",outcome="hit"}} 5',
            f'sake_search_cache_lookups_total{{outcome="hit"}} {value}',
        )
    )
    assert told is not None
    assert [each["calls"] for each in told["providers"]] == [{"hit": 0}, {"hit": 5}]
    assert told["cache_known"] == 0
    orjson.dumps(told)


@pytest.mark.parametrize(
    "line",
    [
        CALLS + "{" + ",".join(f'l{i}="c"' for i in range(60_000)) + "} 1",
        CALLS + '{provider="' + '\\"' * 300_000 + '"} 1',
        "\n".join(["other 1"] * 200_000),
        "\n".join([CALLS + '{provider="a"} 1'] * 40_000),
    ],
    ids=["labels", "quotes", "others", "ours"],
)
def test_a_metrics_page_made_to_be_slow_does_not_hold_up_the_console(line: str) -> None:
    began_s = time.process_time()
    search_figures(metrics(line))
    assert time.process_time() - began_s < 0.5
