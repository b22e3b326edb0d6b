"""Runs inside `vllm serve` (`--middleware`): every turn passes it, and is by one known checkpoint.

    POST /sake/swap     {folder, drain_s}   holds new turns back, lets those that run end, reads the weights
    POST /sake/open     what is served      lets turns through again, by that checkpoint
    GET  /v1/sake/model                     what is served (sake_model.engine.served)

The first two are the supervisor's: they ask for the token that it started the server with, and so do
its trials of new weights, which pass while all others are held. Turns that still run after `drain_s`
are withdrawn: their posts are begun anew. No turn is ever written by two checkpoints, none by one that
the supervisor has not let in, and none is answered without the name of the one that wrote it.

Only the standard library is imported here. It serves one front-end process (`--api-server-count 1`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = [
    "MODEL_PATH",
    "OPEN_PATH",
    "REVISION_HEADER",
    "SWAP_PATH",
    "TOKEN_HEADER",
    "TOKEN_VARIABLE",
    "Turnstile",
]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_VARIABLE = "SAKE_SUPERVISOR_TOKEN"
TOKEN_HEADER = "sake-supervisor-token"
SWAP_PATH = "/sake/swap"
OPEN_PATH = "/sake/open"
MODEL_PATH = "/v1/sake/model"
REVISION_HEADER = "sake-model-revision"

# A turn that is held longer is sent away as from a server that is down (HTTP 504), so that its client's
# clock does not run against its post. A swap takes a second or two; one from a slow disk takes minutes.
HOLD_S = 5.0
# A withdrawn turn ends as one does whose client went away: in a step or two of the model.
WITHDRAW_S = 30.0

logger = logging.getLogger(__name__)


class Turnstile:
    """The ASGI middleware. Closed until the supervisor says for the first time what is served."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._token = os.environ[TOKEN_VARIABLE].encode()
        self._open = asyncio.Event()
        self._served = b""
        self._revision = ""
        self._running: set[_Turn] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; see the module's text."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method, headers = scope["path"], scope["method"], dict(scope["headers"])
        supervisor = hmac.compare_digest(headers.get(TOKEN_HEADER.encode(), b""), self._token)
        if path in (SWAP_PATH, OPEN_PATH):
            if not supervisor:
                await _answer(send, 404, {"detail": "Not Found"})
            elif path == SWAP_PATH:
                await self._swap(scope, receive, send)
            else:
                await self._let_in(receive, send)
        elif path == MODEL_PATH:
            await self._tell(scope, receive, send)
        elif method == "POST" and not supervisor:
            expected = headers.get(REVISION_HEADER.encode())
            await self._turn(scope, receive, send, None if expected is None else expected.decode("latin-1"))
        else:
            await self._app(scope, receive, send)

    async def _turn(self, scope: Scope, receive: Receive, send: Send, expected: str | None) -> None:
        if not await self._opened():
            await _answer(send, 504, _error(504, "new weights are being read"))
            return
        if expected not in (None, self._revision):
            await self._refuse(send, expected)
            return
        # No wait between the two lines: a swap sees the turn, or the turn sees the swap.
        turn = _Turn(receive, send, self._revision)
        self._running.add(turn)
        self._idle.clear()
        try:
            await self._app(scope, turn.receive, turn.send)
        except Exception:
            if turn.answered or not turn.withdrawn.is_set():
                raise
            # HTTP 500 would say that this turn broke the server.
            logger.exception("a withdrawn turn")
        finally:
            self._running.discard(turn)
            if not self._running:
                self._idle.set()
        if turn.withdrawn.is_set() and not turn.answered:
            await self._refuse(send, expected)

    async def _refuse(self, send: Send, expected: str | None) -> None:
        """Who named a checkpoint learns that it is another one; who named none tries again."""
        if expected is None:
            await _answer(send, 503, _error(503, "withdrawn for new weights: ask again"))
        else:
            await _answer(send, 412, _error(412, f"{expected} is not served, but {self._revision}"))

    async def _opened(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                await self._open.wait()
        return self._open.is_set()

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever may list the models may read it: the server's own front end decides that."""
        if not await self._opened():
            await _answer(send, 504, _error(504, "new weights are being read"))
            return
        asked = _Asked()
        listing = {**scope, "method": "GET", "path": "/v1/models", "raw_path": b"/v1/models"}
        await self._app(listing, receive, asked.send)
        if asked.status == 200:
            await _answer(send, 200, self._served)
        else:
            await _answer(send, asked.status, asked.body)

    async def _swap(self, scope: Scope, receive: Receive, send: Send) -> None:
        order = json.loads(await _body(receive))
        self._open.clear()
        engine = scope["app"].state.engine_client
        try:
            withdrawn = await self._drain(order["drain_s"])
            # Nothing runs any more; this empties vLLM's caches.
            await engine.pause_generation(mode="wait", clear_cache=True)
            try:
                await engine.collective_rpc("reload_weights", kwargs={"weights_path": order["folder"]})
            finally:
                await engine.resume_generation()
        except Exception as error:
            logger.exception("the weights of %s were not read", order["folder"])
            await _answer(send, 500, _error(500, repr(error)))
        else:
            await _answer(send, 200, {"withdrawn": withdrawn})

    async def _drain(self, drain_s: float) -> int:
        """Returns once no turn runs: how many had to be withdrawn. Raises TimeoutError."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._idle.wait()
        late = tuple(self._running)
        for turn in late:
            turn.withdrawn.set()
        async with asyncio.timeout(WITHDRAW_S):
            await self._idle.wait()
        return len(late)

    async def _let_in(self, receive: Receive, send: Send) -> None:
        self._served = await _body(receive)
        self._revision = "sha256:" + hashlib.sha256(self._served).hexdigest()
        self._open.set()
        await _answer(send, 200, {"revision": self._revision})


class _Turn:
    """One request that runs: ended from here by telling the server that its client went away."""

    def __init__(self, receive: Receive, send: Send, revision: str) -> None:
        self._receive = receive
        self._send = send
        self._revision = revision.encode()
        self.withdrawn = asyncio.Event()
        self.answered = False

    async def receive(self) -> Message:
        """The client's next message, or that it is gone."""
        message = asyncio.ensure_future(self._receive())
        gone = asyncio.ensure_future(self.withdrawn.wait())
        try:
            await asyncio.wait((message, gone), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if self.withdrawn.is_set() else message.result()
        finally:
            message.cancel()
            gone.cancel()

    async def send(self, message: Message) -> None:
        """Passes the answer on, with the revision; what a withdrawn turn still says is dropped."""
        if message["type"] == "http.response.start" and not self.withdrawn.is_set():
            self.answered = True
            headers = [*message.get("headers", ()), (REVISION_HEADER.encode(), self._revision)]
            message = {**message, "headers": headers}
        if self.answered:
            await self._send(message)


class _Asked:
    """Takes an inner answer in."""

    def __init__(self) -> None:
        self.status = 500
        self.body = b""

    async def send(self, message: Message) -> None:
        """One piece of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("who asked went away in the middle of it")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "SakeTurnstile", "param": None, "code": status}}


async def _answer(send: Send, status: int, body: bytes | dict[str, Any]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
