"""A receiver of webhooks on this machine that answers as it is told and remembers what came."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

__all__ = ["KEY", "Request", "WebhookHost", "webhook_host"]

KEY = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, no more").decode()


@dataclass(frozen=True, slots=True)
class Request:
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class WebhookHost:
    """Answers the n-th request with the n-th answer, and all further ones with the last."""

    answers: Sequence[int]
    headers: Mapping[str, str]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(Request(request.headers.copy(), await request.read()))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        return web.Response(status=answer, headers=self.headers)


@asynccontextmanager
async def webhook_host(
    answers: Sequence[int] = (200,), headers: Mapping[str, str] | None = None
) -> AsyncIterator[WebhookHost]:
    host = WebhookHost(answers, headers or {})
    app = web.Application()
    app.add_routes([web.post("/brand", host.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host.url = f"http://127.0.0.1:{runner.addresses[0][1]}/brand"
        yield host
    finally:
        await runner.cleanup()
