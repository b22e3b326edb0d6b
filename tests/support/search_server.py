"""A local HTTP server that speaks the search providers' shapes, and misbehaves on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SearchServer:
    """Serves whatever `routes` hold; remembers each request."""

    def __init__(self) -> None:
        self.routes: dict[str, Handler] = {}
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.url = ""
        self.sent_bytes = 0

    def answer(
        self, path: str, body: Any, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """`path` answers with this JSON."""

        async def handle(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status, headers=headers)

        self.routes[path] = handle

    def raw(
        self, path: str, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """`path` answers with these bytes."""

        async def handle(_: web.Request) -> web.StreamResponse:
            return web.Response(
                body=body, status=status, headers=headers or {"Content-Type": "application/json"}
            )

        self.routes[path] = handle

    def half(self, path: str, body: bytes) -> None:
        """`path` promises twice the body and hangs up after it."""

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": str(2 * len(body))})
            await response.prepare(request)
            await response.write(body)
            assert request.transport is not None
            request.transport.close()
            return response

        self.routes[path] = handle

    def slow(self, path: str, seconds: float) -> None:
        """`path` sends a byte, then nothing for so long."""

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"{")
            await asyncio.sleep(seconds)
            return response

        self.routes[path] = handle

    def endless(self, path: str, megabytes: int) -> None:
        """`path` sends so many megabytes of one JSON string."""

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            try:
                await response.write(b'{"results": "')
                for _ in range(megabytes):
                    await response.write(b"x" * 1_000_000)
                    self.sent_bytes += 1_000_000
            except ConnectionError:
                pass
            return response

        self.routes[path] = handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.can_read_body:
            self.bodies.append(await request.json())
        handler = self.routes.get(request.path)
        if handler is None:
            return web.Response(status=404, text=f"nothing at {request.path}")
        return await handler(request)


@asynccontextmanager
async def search_server() -> AsyncIterator[SearchServer]:
    """A server on a free port of the loopback interface."""
    server = SearchServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield server
    finally:
        await runner.cleanup()
