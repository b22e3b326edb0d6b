"""One flight per key: equal work that is asked for at the same time is done once.

A flight lives as long as somebody waits for it. A waiter that is cancelled or runs out of time
leaves; the flight goes on for the others, and ends when the last one has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from sake_model.deadline import Deadline

__all__ = ["Flight", "FlightCancelled", "Flights"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FlightCancelled(Exception):
    """The work was cancelled under a waiter that was not: everything is being closed."""


class Flight(Generic[V]):
    """Work under way, and how long somebody will wait for it."""

    __slots__ = ("_task", "_waiters", "latest")

    def __init__(self, latest: Deadline) -> None:
        self.latest = latest
        """The latest deadline among those who asked; it grows when a more patient one joins."""
        self._task: asyncio.Task[V] | None = None
        self._waiters = 0

    @property
    def abandoned(self) -> bool:
        """Whether all who waited have left: it is being cancelled, nobody may join any more."""
        return not self._waiters

    def start(self, work: Callable[[Flight[V]], Awaitable[V]]) -> asyncio.Task[V]:
        """Begins the work, in the context (trace) of the first who asked."""

        async def run() -> V:
            return await work(self)

        self._task = asyncio.ensure_future(run())
        return self._task

    async def join(self, deadline: Deadline) -> V:
        """The flight's result. Raises TimeoutError at `deadline`, FlightCancelled, what the work raises."""
        task = self._task
        assert task is not None
        self.latest = max(self.latest, deadline, key=lambda each: each.at_s)
        self._waiters += 1
        try:
            async with asyncio.timeout_at(deadline.at_s):
                return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _is_cancelled(asyncio.current_task()):
                raise FlightCancelled("the flight was cancelled, its waiter was not") from None
            raise
        finally:
            self._waiters -= 1
            if not self._waiters and not task.done():
                task.cancel()


class Flights(Generic[K, V]):
    """The flights under way, by key."""

    def __init__(self) -> None:
        self._flights: dict[K, Flight[V]] = {}
        self._tasks: set[asyncio.Task[V]] = set()
        """All that run, those too that were abandoned a moment ago."""

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: K, deadline: Deadline, work: Callable[[Flight[V]], Awaitable[V]]) -> V:
        """Joins the flight of `key`, or begins one. Raises as `Flight.join` does.

        The deadline is on the running loop's clock, which is `time.monotonic` for every usual loop.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(deadline)
            task = flight.start(work)
            self._tasks.add(task)
            task.add_done_callback(lambda task: self._landed(key, flight, task))
        try:
            return await flight.join(deadline)
        finally:
            # At once, not when the task has ended: who asks in between must not join a dying flight.
            if flight.abandoned:
                self._forget(key, flight)

    def _forget(self, key: K, flight: Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _landed(self, key: K, flight: Flight[V], task: asyncio.Task[V]) -> None:
        self._forget(key, flight)
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen here too: all waiters may have left

    async def close(self) -> None:
        """Cancels what is under way; those who wait get FlightCancelled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_cancelled(task: asyncio.Task[object] | None) -> bool:
    return task is not None and task.cancelling() > 0
