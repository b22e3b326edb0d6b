"""A small server that speaks vLLM's chat interface, and can fail in all the ways of a real one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sake_model.engine.turnstile import MODEL_PATH, REVISION_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Reply = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def completion(text: str, *, finish: str = "stop", **choice: Any) -> dict[str, Any]:
    """The body of an answered turn, as vLLM 0.32 writes it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "finish_reason": finish,
                **choice,
            }
        ],
        "usage": {
            "prompt_tokens": 56,
            "completion_tokens": 8,
            "total_tokens": 64,
            "prompt_tokens_details": {"cached_tokens": 32},
        },
    }


def error(status: int, message: str) -> web.Response:
    """An error as vLLM 0.32 writes it."""
    body = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}
    return web.json_response(body, status=status)


@dataclass
class ChatServer:
    """What it is told to do and what it was asked."""

    vllm: bool = True
    model: str = "sake"
    healthy: bool = True
    unwell_probes: int = 0
    """So many questions for its health are answered badly first."""
    key: str | None = None
    serves: bytes | None = None
    """What it tells of its model; None = it is no server of `sake engine`."""
    revision: str = ""
    """Puts it on every answer, and refuses turns for another one."""
    held: set[str] = field(default_factory=set)
    """uuids of the pictures that it holds, as vLLM's cache does."""
    replies: list[Reply] = field(default_factory=list)
    """Used up one a request; afterwards every request is answered `text`."""
    text: str = "<answer>[]</answer>"
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    probes: int = 0
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def models(self, request: web.Request) -> web.Response:
        self.probes += 1
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return error(401, "Unauthorized")
        owner = "vllm" if self.vllm else "someone"
        listed = {"id": self.model, "object": "model", "owned_by": owner, "max_model_len": 4096}
        return web.json_response({"object": "list", "data": [listed]})

    async def health(self, request: web.Request) -> web.Response:
        if self.unwell_probes:
            self.unwell_probes -= 1
            return web.Response(status=503)
        return web.Response(status=200 if self.healthy else 503)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        self.busy.set()
        if self.revision and request.headers.get(REVISION_HEADER, self.revision) != self.revision:
            return error(412, "another one is served")
        try:
            if self.replies:
                return await self.replies.pop(0)(request, body)
        except asyncio.CancelledError:
            self.aborted.set()
            raise
        for part in pictures_in(body):
            if part["image_url"] is not None:
                self.held.add(part.get("uuid", ""))
            elif part["uuid"] not in self.held:
                return error(400, "Cache miss for image at index 0 but data is not provided.")
        named = {REVISION_HEADER: self.revision} if self.revision else {}
        return web.json_response(completion(self.text), headers=named)

    async def told(self, request: web.Request) -> web.Response:
        return web.Response(body=self.serves) if self.serves is not None else error(404, "Not Found")


def pictures_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The picture parts of a request, in reading order."""
    contents = [message["content"] for message in body["messages"]]
    return [p for parts in contents if isinstance(parts, list) for p in parts if p["type"] == "image_url"]


@asynccontextmanager
async def serving(server: ChatServer, *, port: int = 0) -> AsyncIterator[ChatServer]:
    """Serve on a free local port while the block runs."""
    app = web.Application()
    app.router.add_get("/v1/models", server.models)
    app.router.add_get(MODEL_PATH, server.told)
    app.router.add_get("/health", server.health)
    app.router.add_post("/v1/chat/completions", server.chat)
    # handler_cancellation: a client that goes away cancels the handler, as vLLM aborts its work.
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.1)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextmanager
def served_in_a_thread(server: ChatServer) -> Iterator[ChatServer]:
    """The same in a loop of its own, for what runs a loop itself."""
    loop, up, down = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving(server):
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join(10)
        loop.close()


def answering(status: int, body: bytes | str = b"", content_type: str = "application/json") -> Reply:
    """One answer with this status and body."""

    async def reply(request: web.Request, body_: dict[str, Any]) -> web.StreamResponse:
        raw = body.encode() if isinstance(body, str) else body
        return web.Response(status=status, body=raw, content_type=content_type)

    return reply


def refusing(status: int, message: str) -> Reply:
    """One error in vLLM's shape."""

    async def reply(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return error(status, message)

    return reply


def saying(answer: dict[str, Any]) -> Reply:
    """One HTTP 200 with this body."""

    async def reply(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(answer)

    return reply


async def cutting_off(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Half of the promised body, then the end of the connection."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def resetting(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """The connection reset before any answer, as when the process is killed."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return web.Response()


async def hanging(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """No answer for an hour."""
    await asyncio.sleep(3600)
    return web.Response()
