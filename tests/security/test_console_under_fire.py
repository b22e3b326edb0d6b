"""The console on a real socket, against who floods it, sits on it, lies to it or breaks its records."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web
from support.console_stream import own_stream

from schemas.trends import Trend, TrendExample
from workers.console import app as app_module
from workers.console.access import Access
from workers.console.app import DOORS, beat, console_app, console_server, due
from workers.console.doors import MAX_STRANGERS, PER_PAGE, Doors
from workers.console.find import Find
from workers.console.hub import Hub
from workers.console.previews import Previews
from workers.console.rising import NAMES_BYTES, Rising
from workers.fetch.limits import FetchLimits

STREAM = own_stream()
PATIENCE_S = 60
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


@dataclass(frozen=True)
class Console:
    port: int
    app: web.Application
    hub: Hub
    access: Access

    @property
    def open(self) -> int:
        return len(self.app[DOORS])

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, request: bytes) -> bytes:
        """The first line of the answer; empty where there is none."""
        reader, writer = await self.connect()
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(request)
                await writer.drain()
            with contextlib.suppress(ConnectionError):
                return await asyncio.wait_for(reader.readline(), PATIENCE_S)
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def console(
    *, clients: int = 3, token: bool = False, doors: Doors | None = None
) -> AsyncIterator[Console]:
    async with AsyncExitStack() as stack:
        hub = Hub(shown_per_s=50)
        access = Access("192.0.2.7" if token else "127.0.0.1")
        previews = Previews(FetchLimits(), from_urls=False)
        stack.push_async_callback(previews.close)
        app = console_app(hub, access, previews, clients=clients, doors=doors)
        port = await stack.enter_async_context(console_server(app, "127.0.0.1", 0))
        yield Console(port, app, hub, access)


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_flood_of_connections_leaves_room_for_who_asks() -> None:
    async with console(token=True) as one:
        flood = [await one.connect() for _ in range(300)]
        assert one.open <= MAX_STRANGERS
        asked = GET.replace(b"localhost", b"192.0.2.7") % (f"/?token={one.access.token}".encode(), b"")
        assert b"303" in await one.say(asked)
        for _, writer in flood:
            writer.close()
        await until(lambda: one.open == 0)


async def test_who_asks_without_the_token_stays_a_stranger() -> None:
    async with console(token=True) as one:
        refused = []
        for _ in range(100):
            reader, writer = await one.connect()
            writer.write(GET.replace(b"localhost", b"192.0.2.7") % (b"/events", b""))
            assert b"401" in await reader.readline()
            refused.append(writer)
        assert one.open <= MAX_STRANGERS
        for writer in refused:
            writer.close()


async def test_who_says_nothing_or_drips_is_cut_off() -> None:
    async with console(doors=Doors(3, patience_s=0.3)) as one:
        silent, _ = await one.connect()
        reader, drip = await one.connect()
        drip.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                assert await silent.read() == b""
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    drip.write(b"X: y\r\n")
                    await drip.drain()
                    await asyncio.sleep(0.05)
        await until(lambda: one.open == 0)


async def test_who_may_look_is_not_cut_off_and_not_crowded_out() -> None:
    async with console(doors=Doors(3, max_strangers=8, patience_s=0.2)) as one:
        reader, writer = await one.connect()
        writer.write(GET % (b"/events", b""))
        assert b"200" in await reader.readline()
        flood = [await one.connect() for _ in range(50)]
        await asyncio.sleep(0.4)
        one.hub.panel("lag", {"posts": 7})
        async with asyncio.timeout(PATIENCE_S):
            while b'"posts":7' not in await reader.readline():
                pass
        for _, other in [*flood, (reader, writer)]:
            other.close()


async def test_more_who_may_look_than_there_are_places_are_told_so() -> None:
    async with console(clients=1) as one:
        kept = []
        answers = []
        for _ in range(PER_PAGE + 2):
            reader, writer = await one.connect()
            writer.write(GET % (b"/main.js", b""))
            answers.append(await reader.readline())
            kept.append(writer)
        assert [b"200" in each for each in answers] == [True] * PER_PAGE + [False] * 2
        assert b"503" in answers[-1]
        for writer in kept:
            writer.close()
        await until(lambda: one.open == 0)
        assert b"200" in await one.say(GET % (b"/main.js", b""))


HOST = b"Host: localhost\r\n"
BENT = {
    "a query of a megabyte": (GET % (b"/events?find=" + b"a" * 1_000_000, b""), b"400"),
    "a path of a megabyte": (GET % (b"/" + b"a" * 1_000_000, b""), b"400"),
    "a header of a megabyte": (GET % (b"/", b"X: " + b"a" * 1_000_000 + b"\r\n"), b"400"),
    "10,000 headers": (GET % (b"/", b"".join(b"X-%d: a\r\n" % n for n in range(10_000))), b"400"),
    "a cookie of 8 kB": (GET % (b"/", b"Cookie: " + b"a=b; " * 1_600 + b"\r\n"), b"200"),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n", b"400"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", b"4"),
    "an empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"421"),
    "a host with credentials": (b"GET / HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", b"421"),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: localhost/.evil.example\r\n\r\n", b"4"),
    "a host that a name server bends": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1.nip.example\r\n\r\n", b"421"),
    "a whole address": (b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", b"4"),
    "a proxy's tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", b"4"),
    "a change": (b"POST /events HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", b"405"),
    "a change of 10 GB": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10000000000\r\n\r\nabc", b"405"),
    "a smuggled request": (
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
        b"400",
    ),
    "a method of our making": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", b"4"),
    "another site's stream": (GET % (b"/events", b"Origin: https://evil.example\r\n"), b"403"),
    "a sandbox's stream": (GET % (b"/events", b"Origin: null\r\n"), b"403"),
    "another port's stream": (GET % (b"/events", b"Origin: http://localhost:9\r\n"), b"403"),
    "our own stream": (GET % (b"/events", b"Origin: http://localhost\r\n"), b"200"),
    "a way up": (GET % (b"/../app.py", b""), b"404"),
    "a hidden way up": (GET % (b"/..%2f..%2f..%2fetc%2fpasswd", b""), b"404"),
    "a twice hidden way up": (GET % (b"/%252e%252e/app.py", b""), b"404"),
    "a way up by backslash": (GET % (b"/..\\app.py", b""), b"404"),
    "a picture's way up": (GET % (b"/picture/..%2f..%2f..%2f..%2fetc", b""), b"404"),
    "a NUL": (GET % (b"/main.js%00.png", b""), b"404"),
    "bytes of no text": (GET % (b"/\xff\xfe", b""), b"4"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, b"400"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    "a socket's change": (
        GET % (b"/events", b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n"),
        b"200",
    ),
}


@pytest.mark.parametrize("name", BENT)
async def test_a_bent_request_is_refused_and_the_next_one_answered(name: str) -> None:
    request, status = BENT[name]
    async with console() as one:
        line = await one.say(request)
        assert line == b"" or line.split(b" ", 1)[1].startswith(status), line
        assert b"200" in await one.say(GET % (b"/", b""))


class Broken:
    """A part of the hub that a bug has hit."""

    changed = True

    def table(self) -> dict[str, Any]:
        raise ZeroDivisionError("a bug that only this record brings to light")


async def test_a_mistake_of_ours_does_not_end_the_page(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub(shown_per_s=50)
    hub.rising = Broken()  # type: ignore[assignment]
    beating = asyncio.create_task(beat(hub))
    await until(lambda: len([one for one in caplog.records if one.exc_info]) >= 2)
    assert not beating.done()
    beating.cancel()


async def test_what_cannot_be_told_is_left_out_and_the_rest_is_told() -> None:
    hub = Hub(shown_per_s=50)
    client = hub.enter(Find(), 0)
    hub.panel("lag", {"posts": 2**70})  # no JSON of ours holds it
    hub.panel("workers", {"asked": 1, "workers": []})
    for shown in STREAM[:3]:
        shown.into(hub)
    client.posts._kept[0][1].joined = None  # type: ignore[assignment]
    said = due(hub, client)
    assert b"event: workers" in said
    assert b"event: lag" not in said
    assert STREAM[1].post.id.encode() in said
    assert STREAM[0].post.id.encode() not in said


def test_names_are_bounded_in_bytes_not_only_in_number() -> None:
    rising = Rising()
    start = datetime(2026, 11, 23, tzinfo=UTC)
    example = TrendExample(post_id="p", exact="x" * 50_000, at=start)
    trend = Trend(
        name="",
        type="PER",
        window_start=start,
        window_end=start + timedelta(seconds=60),
        mentions=1,
        posts=1,
        burst_score=1.0,
        examples=(example,) * 5,
    )
    for number in range(300):
        rising.add(msgspec.structs.replace(trend, name=f"{number}" + "n" * 100_000))
    (curves,) = rising._curves.values()
    assert curves.bytes <= NAMES_BYTES
    assert 1 <= len(curves) < 30
    assert rising.table()["windows"][0]["names"]


async def test_a_page_that_reads_nothing_frees_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app_module, "WRITE_S", 0.2)
    async with console(clients=1) as one:
        one.hub.panel("large", {"x": "x" * 30_000_000})
        _, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1)
        writer.write(GET % (b"/events", b""))
        await until(lambda: one.hub.clients)
        await until(lambda: not one.hub.clients)
        await until(lambda: one.open == 0)
        assert b"200" in await one.say(GET % (b"/events", b""))
        writer.close()
