"""One provider behind its limits: concurrency, rates, pauses, timeout, retries, circuit."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from sake_model.deadline import Deadline
from sake_model.search import telemetry
from sake_model.search.circuit import Circuit, CircuitState
from sake_model.search.flights import Flight
from sake_model.search.interface import (
    Provider,
    SearchError,
    SearchFailed,
    SearchRefused,
    SearchRequest,
    SearchResult,
    SearchThrottled,
)
from sake_model.search.limits import ProviderLimits
from sake_model.search.peers import Peers, Places, Word
from sake_model.search.window import Place, SlidingWindow

__all__ = ["Gate", "NotNow"]

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 24 * 3600.0
"""A Retry-After beyond this is cut: a mistyped header must not silence a provider for good."""

T = TypeVar("T")


class NotNow(SearchError):
    """The provider was not asked: its limits, a pause or its circuit leave no place in time."""


class Gate:
    """The only way to a provider. `clock` must be the one of the deadlines and of the loop."""

    def __init__(
        self,
        provider: Provider,
        limits: ProviderLimits,
        *,
        weight: Callable[[SearchRequest], int] = lambda _request: 1,
        ledger: Places | None = None,
        peers: Peers | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.provider = provider
        self.limits = limits
        self.circuit = Circuit(limits.failures_to_open, limits.open_s, clock=clock)
        self._weight = weight
        self._clock = clock
        self._random = rng or random.Random()
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._window = SlidingWindow(
            limits.rates,
            transit_s=limits.transit_s,
            clock=clock,
            ledger=ledger,
            name=provider.name,
            answer_within_s=limits.timeout_s,
        )
        self._paused_until_s = float("-inf")
        self._peers_pause_until_s = float("-inf")
        self._throttles_in_a_row = 0
        self._peers = peers if limits.rates else None
        if self._peers is not None:
            self._peers.listen(provider.name, self._hear)

    async def ask(
        self, request: SearchRequest, flight: Flight[T], *, patience_s: float = math.inf
    ) -> tuple[SearchResult, ...]:
        """The provider's answer, by as many attempts as the policy and the flight's time allow.

        `patience_s`: the longest wait for a place. Raises NotNow, SearchRefused, SearchThrottled
        (429 to the last) or SearchFailed.
        """
        start_by_s = self._clock() + patience_s
        failures = 0
        while True:
            try:
                return await self._attempt(request, flight, start_by_s)
            except (SearchThrottled, SearchFailed) as error:
                failures += 1
                wait_s = self._wait_s(error, failures)
                if failures >= self.limits.retry.attempts or self._clock() + wait_s >= flight.latest.at_s:
                    raise
            await asyncio.sleep(wait_s)

    def _wait_s(self, error: SearchError, failures: int) -> float:
        if isinstance(error, SearchThrottled):
            return 0.0  # the pause holds for everybody: the next attempt waits it out with them
        return self._random.uniform(0.0, self.limits.retry.ceiling_s(failures))

    async def _attempt(
        self, request: SearchRequest, flight: Flight[T], start_by_s: float
    ) -> tuple[SearchResult, ...]:
        self._check(flight, start_by_s)
        patience = asyncio.timeout_at(start_by_s if math.isfinite(start_by_s) else None)
        async with AsyncExitStack() as held:
            try:
                async with patience:
                    await held.enter_async_context(self._slots)
                    place = await self._enter(request, flight, start_by_s)
            except TimeoutError:
                raise NotNow(f"{self.provider.name} is busy") from None
            return await self._call(request, place)

    async def _enter(self, request: SearchRequest, flight: Flight[T], start_by_s: float) -> Place:
        """Waits until neither a pause nor a rate stands in the way; the circuit has the last word."""
        while True:
            self._check(flight, start_by_s)
            if (pause_s := self._pause_until_s - self._clock()) > 0:
                await asyncio.sleep(pause_s)
            weight = self._weight(request)
            # The first request leaves at once, the others within the time of the attempt.
            place = await self._window.enter(weight, self.limits.timeout_s if weight > 1 else 0.0)
            if self._pause_until_s > self._clock():  # somebody was throttled while we waited
                self._window.give_back(place)
            elif not self.circuit.enter():
                self._window.give_back(place)
                raise NotNow(f"{self.provider.name} is left alone after repeated failures")
            else:
                return place

    def _check(self, flight: Flight[T], start_by_s: float) -> None:
        """Gives up at once where waiting is in vain."""
        if not self.circuit.lets_through:
            raise NotNow(f"{self.provider.name} is left alone after repeated failures")
        start_s = max(self._window.free_at_s(), self._pause_until_s)
        telemetry.tell_wait(self.provider.name, max(0.0, start_s - self._clock()))
        if start_s > self._clock() and start_s >= min(start_by_s, flight.latest.at_s):
            raise NotNow(f"{self.provider.name} has no place within its limits in time")

    async def _call(self, request: SearchRequest, place: Place) -> tuple[SearchResult, ...]:
        """One attempt. Whatever goes wrong leaves as one of the SearchError classes.

        A call that timed out or was cancelled may still be on its way: its place is kept.
        """
        before = self.circuit.state
        started_s = self._clock()
        outcome = "failed"
        try:
            with telemetry.retrieval(self.provider.name) as span:
                async with asyncio.timeout(self.limits.timeout_s):
                    results = await self.provider.search(request, Deadline(started_s + self.limits.timeout_s))
                self._window.answered(place)
                outcome = "hit" if results else "miss"
                telemetry.describe(span, results)
                self._answered()
                return results
        except SearchRefused:
            outcome = "refused"
            self._window.answered(place)
            self._answered()
            raise
        except SearchThrottled as error:
            outcome = "throttled"
            self._window.answered(place)
            self._throttled(error)
            raise
        except TimeoutError:
            outcome = "timeout"
            self.circuit.failed()
            raise SearchFailed(f"{self.provider.name} gave no answer in {self.limits.timeout_s} s") from None
        except asyncio.CancelledError:
            outcome = "cancelled"
            self.circuit.abandoned()
            raise
        except Exception as error:
            self.circuit.failed()
            if isinstance(error, SearchFailed):
                raise
            log.exception("search provider %s broke on %s", self.provider.name, request.tool)
            raise SearchFailed(f"{self.provider.name} broke: {error!r}") from error
        finally:
            telemetry.count_call(self.provider.name, request.tool, outcome, self._clock() - started_s)
            if (after := self.circuit.state) is not before and after is not CircuitState.HALF_OPEN:
                telemetry.count_circuit(self.provider.name, after)
            self._tell_circuit(before, after)

    def _answered(self) -> None:
        self._throttles_in_a_row = 0
        self.circuit.succeeded()

    def _throttled(self, error: SearchThrottled) -> None:
        """Pauses the provider for everybody: as long as it says, or longer each time."""
        self._throttles_in_a_row += 1
        pause_s = error.retry_after_s
        if pause_s is None:
            ceiling_s = self.limits.retry.ceiling_s(self._throttles_in_a_row)
            pause_s = self._random.uniform(ceiling_s / 2, ceiling_s)
        pause_s = min(pause_s, LONGEST_PAUSE_S)
        self._paused_until_s = max(self._paused_until_s, self._clock() + pause_s)
        if self._peers is not None:
            self._peers.paused(self.provider.name, pause_s)
        self.circuit.abandoned()

    @property
    def _pause_until_s(self) -> float:
        return max(self._paused_until_s, self._peers_pause_until_s)

    def _hear(self, word: Word) -> None:
        """What the other workers say."""
        before = self.circuit.state
        self._peers_pause_until_s = self._clock() + word.pause_s if word.pause_s else float("-inf")
        self.circuit.hear(word)
        if (after := self.circuit.state) is not before:
            telemetry.count_circuit(self.provider.name, after)

    def _tell_circuit(self, before: CircuitState, after: CircuitState) -> None:
        if self._peers is None or after is before:
            return
        if after is CircuitState.OPEN:
            self._peers.opened(self.provider.name, self.circuit.open_s)
        elif after is CircuitState.CLOSED:
            self._peers.closed(self.provider.name)
