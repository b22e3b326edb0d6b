"""/livez, /readyz and /metrics over HTTP: what a supervisor asks a worker.

livez   200 while the worker starts or asks Kafka again and again; else 503: restart it.
readyz  200 while records are being worked on; 503 while it starts, drains, holds no partition or
        waits for its engine: leave it alone.
metrics Prometheus' text format, when telemetry has it switched on; else 404.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import orjson
from aiohttp import web

from schemas.errors import OperatorError
from workers.telemetry import PrometheusPage

__all__ = ["Reporting", "health_server"]

log = logging.getLogger(__name__)


class Reporting(Protocol):
    """A worker as health endpoints see it."""

    def alive(self) -> bool:
        """Whether it starts, or asks Kafka again and again."""
        ...

    def ready(self) -> bool:
        """Whether records are being worked on."""
        ...

    def report(self) -> dict[str, Any]:
        """The worker in one JSON object, for people and dashboards."""
        ...


@asynccontextmanager
async def health_server(
    state: Reporting, *, host: str, port: int, page: PrometheusPage | None = None
) -> AsyncIterator[int]:
    """Answers while the block runs; gives the TCP port (`port` 0 = any free one).

    Raises OperatorError when the address cannot be had.
    """

    async def livez(_: web.Request) -> web.Response:
        return answer(state, well=state.alive())

    async def readyz(_: web.Request) -> web.Response:
        return answer(state, well=state.ready())

    async def metrics(_: web.Request) -> web.Response:
        if page is None:
            return web.Response(status=404, text="metrics are off: set SAKE_TELEMETRY_PROMETHEUS=true\n")
        return web.Response(body=page.render(), headers={"Content-Type": page.content_type})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise OperatorError(
                f"cannot listen on {host}:{port}: {error.strerror}; set SAKE_HEALTH_LISTEN_PORT to another"
            ) from error
        bound: int = runner.addresses[0][1]
        log.info("health endpoints at http://%s:%d", host, bound)
        yield bound
    finally:
        await runner.cleanup()


def answer(state: Reporting, *, well: bool) -> web.Response:
    """The worker's state, as 200 or 503."""
    return web.Response(
        status=200 if well else 503, body=orjson.dumps(state.report()), content_type="application/json"
    )
