"""A SearXNG's stand-in that can be told to throttle and to hang. Lives in the run's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from aiohttp import web

__all__ = ["Searx"]

RETRY_AFTER_S = 3
HANG_S = 600.0
SNIPPET_BYTES = 400
"""Enough that a small disk under the cache fills within a run."""


class Searx:
    """`mode` is what it does: answering, throttled, hanging."""

    def __init__(self) -> None:
        self.mode = "answering"
        self.port = 0
        self.asked: dict[str, int] = {}
        """Requests by the mode that they met."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serves while the block runs."""
        app = web.Application()
        app.add_routes([web.get("/search", self._search)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()

    async def _search(self, request: web.Request) -> web.Response:
        self.asked[self.mode] = self.asked.get(self.mode, 0) + 1
        if self.mode == "throttled":
            return web.Response(status=429, headers={"Retry-After": str(RETRY_AFTER_S)})
        if self.mode == "hanging":
            await asyncio.sleep(HANG_S)
        query = request.query["q"]
        found = {
            "title": query,
            "url": f"https://people.example/{query}",
            "content": f"{query} " * (SNIPPET_BYTES // 8),
        }
        return web.json_response({"results": [found]})
