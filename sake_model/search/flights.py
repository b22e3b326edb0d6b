"""One flight per key: equal work that is asked for at the same time is done once.

A flight lives as long as somebody waits for it. A waiter that is cancelled or runs out of time
leaves; the flight goes on for the others, and ends when the last one has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from sake_model.deadline import Deadline

__all__ = ["Flight", "Flights"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flight(Generic[V]):
    """Work under way, and how long somebody will wait for it."""

    __slots__ = ("_task", "_waiters", "latest")

    def __init__(self, latest: Deadline) -> None:
        self.latest = latest
        """The latest deadline among those who asked; it grows when a more patient one joins."""
        self._task: asyncio.Task[V] | None = None
        self._waiters = 0

    def start(self, work: Callable[[Flight[V]], Awaitable[V]]) -> asyncio.Task[V]:
        """Begins the work, in the context (trace) of the first who asked."""

        async def run() -> V:
            return await work(self)

        self._task = asyncio.ensure_future(run())
        return self._task

    async def join(self, deadline: Deadline) -> V:
        """The flight's result. Raises TimeoutError at `deadline`, and what the work raises."""
        task = self._task
        assert task is not None
        self.latest = max(self.latest, deadline, key=lambda each: each.at_s)
        self._waiters += 1
        try:
            async with asyncio.timeout_at(deadline.at_s):
                return await asyncio.shield(task)
        finally:
            self._waiters -= 1
            if not self._waiters and not task.done():
                task.cancel()


class Flights(Generic[K, V]):
    """The flights under way, by key."""

    def __init__(self) -> None:
        self._flights: dict[K, Flight[V]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: K, deadline: Deadline, work: Callable[[Flight[V]], Awaitable[V]]) -> V:
        """Joins the flight of `key`, or begins one. Raises as `Flight.join` does.

        The deadline is on the running loop's clock, which is `time.monotonic` for every usual loop.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(deadline)
            flight.start(work).add_done_callback(lambda task: self._landed(key, flight, task))
        return await flight.join(deadline)

    def _landed(self, key: K, flight: Flight[V], task: asyncio.Task[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # seen here too: all waiters may have left

    async def close(self) -> None:
        """Cancels what is under way; those who wait get CancelledError."""
        tasks = [flight._task for flight in self._flights.values() if flight._task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
