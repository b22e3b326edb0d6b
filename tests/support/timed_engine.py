"""A model server and a search with set times: so many turns at once, each as long as the last one.

    python -m support.timed_engine ORDERS      (with tests/ on the path)

It prints the address of both (one port: /v1 and /search) and serves until it is killed. A post whose text
ends in "?" is searched for first. Nothing here computes; what a run takes is what it waits.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from support.chat_server import ChatServer, completion
from support.naming_server import text_of

from sake_model.engine.turnstile import MODEL_PATH

__all__ = ["TimedOrders"]


class TimedOrders(msgspec.Struct, frozen=True):
    """What it is told."""

    turns_at_once: int
    turn_s: float
    search_s: float


@dataclass
class TimedEngine(ChatServer):
    """See the module."""

    turn_s: float = 1.0
    search_s: float = 0.3
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        async with self.places:
            await asyncio.sleep(self.turn_s)
        return web.json_response(completion(turn_for(body)))

    async def search(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.search_s)
        found = {"title": request.query["q"], "url": "https://example.org/", "content": "It is known."}
        return web.json_response({"results": [found]})


def turn_for(body: dict[str, Any]) -> str:
    text = text_of(body["messages"][0]).strip()
    if text.endswith("?") and len(body["messages"]) == 1:
        return f"<reason>Who?</reason><text_search>{json.dumps([{'query': text[:-1]}])}</text_search>"
    name = text.split()[0]
    answer = json.dumps([{"entity": name, "type": "PER", "box2d": []}])
    return f"<reason>That is all.</reason><answer>{answer}</answer>"


async def main(orders: TimedOrders) -> None:
    engine = TimedEngine(
        turn_s=orders.turn_s, search_s=orders.search_s, places=asyncio.Semaphore(orders.turns_at_once)
    )
    app = web.Application()
    app.router.add_get("/v1/models", engine.models)
    app.router.add_get(MODEL_PATH, engine.told)
    app.router.add_get("/health", engine.health)
    app.router.add_post("/v1/chat/completions", engine.chat)
    app.router.add_get("/search", engine.search)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=TimedOrders)))
