"""Connections before anybody knows whose they are: few, and not for long.

aiohttp takes as many connections as there are descriptors, and waits for a request for ever. So who has
not yet sent one that may look is a stranger: strangers are cut off after a while, and the oldest gives way
to a new one, so that a flood keeps out nobody whose request comes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Doors"]

MAX_STRANGERS = 64
# From connecting to the end of a request's head, over a bad line. A refused one has as long for another.
PATIENCE_S = 10.0
# Browsers open at most six connections to a host; a few tools besides.
PER_PAGE = 8


class Doors:
    """Counts connections. One loop, no locks."""

    def __init__(
        self, pages: int, *, max_strangers: int = MAX_STRANGERS, patience_s: float = PATIENCE_S
    ) -> None:
        """`pages` may be open at once."""
        self._max_guests = pages * PER_PAGE
        self._max_strangers = max_strangers
        self._patience_s = patience_s
        self._strangers: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._guests: set[asyncio.BaseTransport] = set()

    def __len__(self) -> int:
        return len(self._strangers) + len(self._guests)

    def before(self, server: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The server's protocols, each behind these doors."""
        return lambda: _Visit(self, server())

    def enter(self, transport: asyncio.Transport) -> None:
        """Somebody has connected."""
        while len(self._strangers) >= self._max_strangers:
            self._throw_out(next(iter(self._strangers)))
        later = asyncio.get_running_loop().call_later
        self._strangers[transport] = later(self._patience_s, self._throw_out, transport)

    def admit(self, transport: asyncio.BaseTransport | None) -> bool:
        """Who is there may look; False when there are too many who may."""
        if transport not in self._strangers:  # known already, or not behind these doors
            return True
        if len(self._guests) >= self._max_guests:
            return False
        self._strangers.pop(transport).cancel()
        self._guests.add(transport)
        return True

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """The connection is closed."""
        self._guests.discard(transport)
        if (timer := self._strangers.pop(transport, None)) is not None:
            timer.cancel()

    def _throw_out(self, transport: asyncio.BaseTransport) -> None:
        self.leave(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class _Visit(asyncio.Protocol):
    """One connection: hands everything on to the server's own protocol."""

    def __init__(self, doors: Doors, inner: asyncio.Protocol) -> None:
        self._doors = doors
        self._transport: asyncio.Transport | None = None
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._doors.enter(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._doors.leave(self._transport)
        self._inner.connection_lost(error)
