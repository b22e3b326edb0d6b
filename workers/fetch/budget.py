"""Bytes that may be in memory at once: a semaphore with weights, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["ByteBudget"]


class ByteBudget:
    """Hands out bytes and waits when there are too few. Not for use across event loops."""

    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self.free_bytes = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size_bytes: int) -> None:
        """Waits until these bytes are free. Raises ValueError for more than there are at all."""
        if size_bytes > self._total_bytes:
            raise ValueError(f"{size_bytes} bytes asked of a budget of {self._total_bytes}")
        if not self._waiting and size_bytes <= self.free_bytes:
            self.free_bytes -= size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size_bytes)  # its turn came in the same moment
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
                self.give_back(0)  # the next may fit now
            raise

    def give_back(self, size_bytes: int) -> None:
        """Frees bytes that were taken, and lets those in whose turn it is."""
        self.free_bytes += size_bytes
        while self._waiting and self._waiting[0][0] <= self.free_bytes:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self.free_bytes -= size
                turn.set_result(None)
