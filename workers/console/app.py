"""The console's HTTP: the page's files, its events, its pictures."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from schemas.errors import OperatorError
from workers.console.access import HEADERS, Access
from workers.console.cards import Card
from workers.console.doors import Doors
from workers.console.find import Find
from workers.console.hub import Client, Hub
from workers.console.previews import NoPreview, Previews

__all__ = ["beat", "console_app", "console_server"]

log = logging.getLogger(__name__)

TICK_S = 0.25
"""How often a page is sent what is due: steadier than a second, and no strain."""
WRITE_S = 20.0
"""A page that takes nothing for so long is gone, whatever TCP says."""
KEEP_ALIVE_S = 75.0
"""A connection that asks for nothing for so long is closed; browsers open another one."""
RETRY_MS = 1500
"""After which a browser comes back by itself."""
# Cards are numbered from 1: more digits are no number of ours, and no JSON integer.
MAX_NUMBER_DIGITS = 15
MAX_AGE = "private, max-age=3600, immutable"

# What is served, and nothing else: the page is a handful of files.
PAGE = {
    "": ("index.html", "text/html"),
    "console.css": ("console.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"{name}.js": (f"{name}.js", "text/javascript")
        for name in ("main", "dom", "words", "stream", "posts", "detail", "panels", "pipeline", "keys")
    },
}

HUB = web.AppKey("hub", Hub)
ACCESS = web.AppKey("access", Access)
PREVIEWS = web.AppKey("previews", Previews)
CLIENTS = web.AppKey("clients", int)
DOORS = web.AppKey("doors", Doors)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def console_app(
    hub: Hub, access: Access, previews: Previews, *, clients: int, doors: Doors | None = None
) -> web.Application:
    """The application; at most `clients` pages are served at once, behind `doors` for so many."""
    app = web.Application(middlewares=[guarded], client_max_size=1024)
    app.on_response_prepare.append(kept_ours)
    app[HUB], app[ACCESS], app[PREVIEWS], app[CLIENTS] = hub, access, previews, clients
    app[DOORS] = Doors(clients) if doors is None else doors
    app.add_routes(
        [
            web.get("/events", events, allow_head=False),  # its answer would never end
            web.get("/picture/{name:[0-9a-f]{24}}", picture),
            web.get("/{file:[a-z.]*}", page_file),
        ]
    )
    return app


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who may not look is refused."""
    refused = request.app[ACCESS].refusal(request)
    if refused is not None:
        return refused
    if not request.app[DOORS].admit(request.transport):
        raise web.HTTPServiceUnavailable(text="Too many connections.\n", headers={"Connection": "close"})
    return await handler(request)


async def kept_ours(_: web.Request, answer: web.StreamResponse) -> None:
    """Every answer carries the headers that keep the page ours, those to our own mistakes too."""
    answer.headers.update({name: value for name, value in HEADERS.items() if name not in answer.headers})


async def page_file(request: web.Request) -> web.Response:
    """One of the page's own files."""
    known = PAGE.get(request.match_info["file"])
    if known is None:
        raise web.HTTPNotFound(text="There is no such page.\n")
    name, content_type = known
    body = files("workers.console").joinpath("page", name).read_bytes()
    return web.Response(body=body, content_type=content_type, charset="utf-8")


async def picture(request: web.Request) -> web.Response:
    """A post's picture: decoded here, drawn anew, small."""
    hub = request.app[HUB]
    name = request.match_info["name"]
    try:
        preview = await request.app[PREVIEWS].get(name, hub.pictures.source(name), hub.pictures.sha256(name))
    except NoPreview as error:
        raise web.HTTPNotFound(text=f"{error}\n") from error
    return web.Response(
        body=preview.data, content_type=preview.media_type, headers={"Cache-Control": MAX_AGE}
    )


async def events(request: web.Request) -> web.StreamResponse:
    """The stream, until the page is closed."""
    hub = request.app[HUB]
    if len(hub.clients) >= request.app[CLIENTS]:
        raise web.HTTPServiceUnavailable(text="Too many open pages.\n")
    after = number_of(request.headers.get("Last-Event-ID", request.query.get("after", "")), hub.run)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    client = hub.enter(Find.parse(request.query.get("find", "")), after)
    try:
        hello = {"run": hub.run, "after": after}
        await _write(response, b"retry: %d\n" % RETRY_MS + event("hello", orjson.dumps(hello)))
        while True:
            if message := due(hub, client):
                await _write(response, message)
            await asyncio.sleep(TICK_S)
    except TimeoutError:
        log.debug("a page takes nothing")
        if request.transport is not None:
            # Closed in the usual way it would keep what it did not take until it does.
            request.transport.abort()
    except ConnectionResetError:
        log.debug("a page has gone")
    finally:
        hub.leave(client)
    return response


def number_of(event_id: str, run: str) -> int:
    """The card's number in an event id of this run; 0 of anything else."""
    its_run, _, number = event_id.partition("-")
    ours = its_run == run and len(number) <= MAX_NUMBER_DIGITS and number.isascii() and number.isdigit()
    return int(number) if ours else 0


async def _write(response: web.StreamResponse, message: bytes) -> None:
    async with asyncio.timeout(WRITE_S):
        await response.write(message)


def due(hub: Hub, client: Client) -> bytes:
    """What this page has not seen: posts within its rate, and each panel's newest state."""
    now_s = hub.now_s()
    parts: list[bytes] = []
    first, client.first = client.first, []
    if first:
        parts.append(cards_event(hub, "history", first))
    if shown := client.posts.due(now_s):
        parts.append(cards_event(hub, "posts", shown))
    for name, (version, data) in hub.panels.items():
        if client.seen.get(name) != version:
            client.seen[name] = version
            try:
                parts.append(event(name, orjson.dumps({**data, **own_share(client, name)})))
            except Exception:
                log.exception("the page's %s cannot be shown", name)
    return b"".join(parts)


def own_share(client: Client, panel: str) -> dict[str, Any]:
    """What of the stream this page is shown: the one figure that differs from page to page."""
    if panel != "pulse":
        return {}
    shown_per_s, offered_per_s = client.posts.rates()
    return {"sample": {"shown_per_s": shown_per_s, "of_per_s": offered_per_s}}


def cards_event(hub: Hub, name: str, cards: list[Card]) -> bytes:
    """Cards as one event, whose id is where a page that comes back goes on."""
    shown = []
    for card in cards:
        try:
            shown.append(card.json)
        except Exception:
            log.exception("a card cannot be shown, and is left out")
        else:
            hub.pictures.show(card.picture)
    body = b"[" + b",".join(shown) + b"]"
    return b"id: %s-%d\n" % (hub.run.encode(), cards[-1].number) + event(name, body)


def event(name: str, data: bytes) -> bytes:
    """One server-sent event. JSON has no line breaks, so it is one data line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


async def beat(hub: Hub) -> None:
    """The hub's clock, for ever: late halves are shown, and once a second the figures are new."""
    for ticks in itertools.count():
        try:
            hub.tick()
            if ticks % round(1 / TICK_S) == 0:
                hub.panel("pulse", hub.pulse.figures(hub.now_s()))
        except Exception:  # one mistake of ours must not end what everybody looks at
            log.exception("the page's figures could not be made")
        await asyncio.sleep(TICK_S)


@asynccontextmanager
async def console_server(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Answers while the block runs; gives the TCP port (`port` 0 = any free one).

    Raises OperatorError when the address cannot be had.
    """
    # No access log: the first visit's address carries the token. Open pages must not hold up the end.
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=0.5,
        handler_cancellation=True,
        keepalive_timeout=KEEP_ALIVE_S,
    )
    await runner.setup()
    assert runner.server is not None
    protocols = app[DOORS].before(runner.server)
    listening = None
    try:
        try:
            loop = asyncio.get_running_loop()
            listening = await loop.create_server(protocols, host or None, port, reuse_address=True)
        except OSError as error:
            raise OperatorError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
            ) from error
        bound: int = listening.sockets[0].getsockname()[1]
        yield bound
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()
