"""A real HTTP server on loopback that plays every kind of picture host, the bad ones included."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from support.images import encoded, quadrants

__all__ = ["PICTURE", "PictureHost", "picture_host"]

PICTURE = encoded(quadrants(120, 80))
MIB = 1024 * 1024

Handler = Callable[["PictureHost", web.Request], Awaitable[web.StreamResponse]]


class PictureHost:
    """What was asked of the server, and where it listens."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[web.Request] = []
        self.at_once = 0
        self.most_at_once = 0

    def url(self, path: str = "/picture", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await ROUTES[request.match_info["kind"]](self, request)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def picture_host() -> AsyncIterator[PictureHost]:
    """The server, while the block runs."""
    host = PictureHost()
    app = web.Application()
    app.router.add_get("/{kind}", host.handle)
    app.router.add_get("/{kind}/{detail:.*}", host.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host.port = listener.getsockname()[1]
    await web.SockSite(runner, listener).start()
    try:
        yield host
    finally:
        await runner.cleanup()


async def picture(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(body=PICTURE, content_type="image/png")


async def mislabelled(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(body=PICTURE, content_type="text/html")


async def status(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(status=int(request.match_info["detail"]), body=b"no")


async def redirect(host: PictureHost, request: web.Request) -> web.StreamResponse:
    headers = {"Location": request.query["to"]} if "to" in request.query else {}
    return web.Response(status=int(request.match_info.get("detail", 302)), headers=headers)


async def loop(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/loop"})


async def flaky(host: PictureHost, request: web.Request) -> web.StreamResponse:
    """Bad twice, then well."""
    if len(host.requests) < 3:
        headers = {"Retry-After": request.query["wait"]} if "wait" in request.query else {}
        return web.Response(status=int(request.match_info["detail"]), headers=headers)
    return await picture(host, request)


async def announced(host: PictureHost, request: web.Request) -> web.StreamResponse:
    """Announces 50 MB and would send them."""
    response = web.StreamResponse(headers={"Content-Length": str(50 * MIB)})
    await response.prepare(request)
    for _ in range(50):
        await response.write(b"\0" * MIB)
    return response


async def endless(host: PictureHost, request: web.Request) -> web.StreamResponse:
    """Chunks without an end, and without a word about their length."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"\0" * 65_536)


async def loris(host: PictureHost, request: web.Request) -> web.StreamResponse:
    """A byte now and then: never silent, never done."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    while True:
        await response.write(b"\0")
        await asyncio.sleep(0.02)


async def silent(host: PictureHost, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def slow(host: PictureHost, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.05)
    return await picture(host, request)


async def half(host: PictureHost, request: web.Request) -> web.StreamResponse:
    """Announces the whole picture, sends half of it and hangs up."""
    response = web.StreamResponse(headers={"Content-Length": str(len(PICTURE))})
    await response.prepare(request)
    await response.write(PICTURE[: len(PICTURE) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


PACKED = {
    "gzip": ("gzip", gzip.compress(PICTURE)),
    "deflate": ("deflate", zlib.compress(PICTURE)),
    "identity": ("identity", PICTURE),
    "bomb": ("gzip", gzip.compress(b"\0" * (20 * MIB), 1)),
    "cut": ("gzip", gzip.compress(PICTURE)[:-9]),
    "broken": ("gzip", b"\x1f\x8b" + b"\xff" * 100),
    "unknown": ("br", b"anything"),
    "twice": ("gzip, gzip", gzip.compress(gzip.compress(PICTURE))),
}


async def packed(host: PictureHost, request: web.Request) -> web.StreamResponse:
    encoding, body = PACKED[request.match_info["detail"]]
    return web.Response(body=body, headers={"Content-Encoding": encoding})


async def cookie(host: PictureHost, request: web.Request) -> web.StreamResponse:
    response = web.Response(body=PICTURE)
    response.set_cookie("who", "you")
    return response


async def large_headers(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(body=PICTURE, headers={"X-Flood": "x" * 100_000})


async def page(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>log in first</html>", content_type="image/png")


async def nothing(host: PictureHost, request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"", content_type="image/png")


ROUTES: dict[str, Handler] = {
    "picture": picture,
    "mislabelled": mislabelled,
    "status": status,
    "redirect": redirect,
    "loop": loop,
    "flaky": flaky,
    "announced": announced,
    "endless": endless,
    "loris": loris,
    "silent": silent,
    "slow": slow,
    "half": half,
    "packed": packed,
    "cookie": cookie,
    "large_headers": large_headers,
    "page": page,
    "nothing": nothing,
}
