"""The health endpoints, asked over real sockets."""

from __future__ import annotations

import socket
import time

import aiohttp
import pytest

from schemas.errors import OperatorError
from workers.health import health_server
from workers.recognise.state import LaneState, Phase, WorkerState
from workers.telemetry import PrometheusPage

HOST = "127.0.0.1"


async def ask(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{port}{path}") as response:
        return response.status, await response.text()


def working() -> WorkerState:
    state = WorkerState(phase=Phase.RUNNING, last_poll_s=time.monotonic())
    state.lanes["sake.posts[0]"] = LaneState(opened=True, running=2, finished=1, committed_offset=41)
    return state


async def test_a_working_worker_lives_and_is_ready() -> None:
    state = working()
    state.consumed, state.recognised = 44, 41
    async with health_server(state, host=HOST, port=0) as port, aiohttp.ClientSession() as http:
        assert (await ask(port, "/livez"))[0] == 200
        async with http.get(f"http://{HOST}:{port}/readyz") as response:
            assert response.status == 200
            told = await response.json()
    assert told["consumed"] == 44
    assert told["partitions"]["sake.posts[0]"]["committed_offset"] == 41


@pytest.mark.parametrize(
    ("phase", "live", "ready"),
    [
        (Phase.STARTING, 200, 503),
        (Phase.RUNNING, 200, 200),
        (Phase.WAITING_FOR_ENGINE, 200, 503),
        (Phase.DRAINING, 200, 503),
        (Phase.STOPPED, 503, 503),
    ],
)
async def test_each_phase_answers_as_a_supervisor_needs_it(phase: Phase, live: int, ready: int) -> None:
    state = working()
    state.phase = phase
    async with health_server(state, host=HOST, port=0) as port:
        assert (await ask(port, "/livez"))[0] == live
        assert (await ask(port, "/readyz"))[0] == ready


async def test_a_worker_that_asks_kafka_no_more_is_to_be_restarted() -> None:
    state = working()
    state.last_poll_s = time.monotonic() - 3600
    async with health_server(state, host=HOST, port=0) as port:
        assert (await ask(port, "/livez"))[0] == 503


async def test_metrics_answer_when_they_are_on_and_say_how_when_off() -> None:
    page = PrometheusPage("text/plain; version=0.0.4", lambda: b"sake_posts_total 3\n")
    async with health_server(working(), host=HOST, port=0, page=page) as port:
        assert await ask(port, "/metrics") == (200, "sake_posts_total 3\n")
    async with health_server(working(), host=HOST, port=0) as port:
        status, text = await ask(port, "/metrics")
    assert (status, "SAKE_TELEMETRY_PROMETHEUS" in text) == (404, True)


async def test_a_port_that_is_taken_is_the_operators_to_change() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(OperatorError, match="set SAKE_HEALTH_LISTEN_PORT"):
            async with health_server(working(), host=HOST, port=taken.getsockname()[1]):
                pass


async def test_the_port_is_free_again_afterwards() -> None:
    async with health_server(working(), host=HOST, port=0) as port:
        pass
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(port, "/livez")
