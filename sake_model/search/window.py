"""A rate limiter that no window ever exceeds.

Token and leaky buckets (aiolimiter among them) let a full bucket out at once and refill while they
do: up to twice the limit passes in one window. A provider that counts per window answers that with
429. Here every call occupies one place, from the moment it is let through until `period_s` after
the provider must have counted it; with `calls` places per rate, no window can hold more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sake_model.search.limits import Rate
from sake_model.search.peers import Places

__all__ = ["Place", "SlidingWindow"]

POLL_S = 0.25
"""How often a full ledger is looked at again: another process may have been answered early."""


@dataclass(slots=True, eq=False)
class Place:
    """One call's place in every window of its provider."""

    counted_by_s: float
    """The latest moment (limiter's clock) at which the provider has counted the call."""
    in_ledger: int = 0
    """Its number in the ledger; 0 = none."""


class SlidingWindow:
    """Lets callers through, first come first served, within all rates of one provider.

    With a ledger the rates hold for all processes that share it, and over their restarts; an
    unanswered call then counts as late as `answer_within_s` after it was let through.
    """

    def __init__(
        self,
        rates: tuple[Rate, ...],
        *,
        transit_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        ledger: Places | None = None,
        name: str = "",
        answer_within_s: float = 0.0,
    ) -> None:
        self._rates = rates
        self._transit_s = transit_s
        self._clock = clock
        self._ledger = ledger if rates else None
        self._name = name
        self._answer_within_s = answer_within_s
        self._full_until_s = float("-inf")
        self._taken: list[list[Place]] = [[] for _ in rates]
        self._turn = asyncio.Lock()
        self._answered = asyncio.Event()

    def free_at_s(self, calls: int = 1) -> float:
        """When so many places are free at the latest, if nobody waits: now or later (own clock)."""
        now_s = self._clock()
        own = (self._rate_free_at_s(i, calls, now_s) for i in range(len(self._rates)))
        return max([now_s, self._full_until_s, *own])

    async def enter(self, calls: int = 1, spread_s: float = 0.0) -> Place:
        """Waits for places for `calls` calls. The caller must send the first without another await.

        `spread_s`: how much later the last of them is sent at most. More calls than a rate has
        places are let through alone, in an empty window.
        """
        async with self._turn:  # asyncio.Lock is fair: first come, first served
            while True:
                while (free_at_s := self.free_at_s(calls)) > self._clock():
                    await self._wait(free_at_s - self._clock())
                number = await self._enter_ledger(calls, spread_s)
                if number is not None:
                    break
            place = Place(self._clock() + spread_s + self._transit_s, number)
            for taken in self._taken:
                taken.extend([place] * calls)
            return place

    async def _enter_ledger(self, calls: int, spread_s: float) -> int | None:
        """A place among all processes; None = there is none, look again at `_full_until_s`."""
        if self._ledger is None:
            return 0
        counted_in_s = max(spread_s, self._answer_within_s) + self._transit_s
        number, wait_s = await self._ledger.take(self._name, self._rates, calls, counted_in_s)
        if number is None:
            self._full_until_s = self._clock() + min(wait_s, POLL_S)
        return number

    def answered(self, place: Place) -> None:
        """The call was answered: it cannot arrive later than now."""
        place.counted_by_s = min(place.counted_by_s, self._clock())
        self._answered.set()
        if self._ledger is not None and place.in_ledger:
            self._ledger.answered(place.in_ledger)

    def give_back(self, place: Place) -> None:
        """The call was not made after all."""
        for taken in self._taken:
            taken[:] = [each for each in taken if each is not place]
        self._answered.set()
        if self._ledger is not None:
            self._ledger.give_back(place.in_ledger)

    def _rate_free_at_s(self, index: int, calls: int, now_s: float) -> float:
        rate, taken = self._rates[index], self._taken[index]
        room = rate.calls - min(calls, rate.calls)
        if len(taken) <= room:
            return now_s
        # Half-open windows: a call exactly one period after another shares no window with it.
        taken[:] = [place for place in taken if place.counted_by_s + rate.period_s > now_s]
        if len(taken) <= room:
            return now_s
        in_the_way = len(taken) - room
        return sorted(place.counted_by_s for place in taken)[in_the_way - 1] + rate.period_s

    async def _wait(self, seconds: float) -> None:
        """Until the time is over, or an answer may have freed a place earlier."""
        self._answered.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._answered.wait()
        except TimeoutError:
            pass
