"""The search pool: providers in order behind their limits, a cache and one flight per query."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sake_model.deadline import Deadline
from sake_model.search import telemetry
from sake_model.search.cache import SearchCache
from sake_model.search.flights import Flight, FlightCancelled, Flights
from sake_model.search.gate import Gate
from sake_model.search.interface import (
    Provider,
    SearchError,
    SearchOutcome,
    SearchRequest,
    SearchResult,
    SearchUnavailable,
)
from sake_model.search.ledger import Ledger
from sake_model.search.limits import PoolLimits, ProviderLimits
from sake_model.search.query import normalise

if TYPE_CHECKING:
    from sake_model.search.shared.connect import Shared

__all__ = ["Member", "SearchPool"]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A provider, what may be asked of it, and how its cached answers are told apart."""

    provider: Provider
    limits: ProviderLimits = ProviderLimits()
    version: str = ""
    """What its answers depend on besides the query (the digest of a local index): a new version
    finds no cached answer of an old one."""
    weight: Callable[[SearchRequest], int] = lambda _request: 1
    """How many requests to the remote party one search makes at most: so many count in its rates."""


class SearchPool:
    """Asks its providers in order until one knows something.

    A provider that misses or fails is followed by the next. A miss is an answer: if any provider
    missed and none found, the outcome is that miss. `clock` must be the running loop's.
    """

    def __init__(
        self,
        members: tuple[Member, ...],
        cache: SearchCache,
        limits: PoolLimits = PoolLimits(),
        *,
        ledger: Ledger | None = None,
        shared: Shared | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        names = [member.provider.name for member in members]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a pool needs providers with names of their own, not {names}")
        self._members = members
        peers = shared.ledger if shared is not None else None
        places = peers or ledger
        self._gates = [
            Gate(
                each.provider,
                each.limits,
                weight=each.weight,
                ledger=places,
                peers=peers,
                clock=clock,
                rng=rng,
            )
            for each in members
        ]
        self._cache = cache
        self._ledger = ledger
        self._shared = shared
        self._limits = limits
        self._clock = clock
        self._closed = False
        self._flights: Flights[SearchRequest, SearchOutcome] = Flights()

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        """The answer to one request. Raises SearchUnavailable when no provider answered in time."""
        started_s = self._clock()
        error: str | None = None
        try:
            with telemetry.execute_tool(request) as span:
                outcome = await self._search(normalise(request), deadline)
                telemetry.describe_outcome(span, request, outcome)
        except SearchUnavailable as unavailable:
            error = type(unavailable).__name__
            raise
        finally:
            telemetry.count_tool(request.tool, self._clock() - started_s, error=error)
        return _as_asked(outcome, request)

    async def close(self) -> None:
        """Ends what is under way, then frees the providers, the cache and the ledger."""
        self._closed = True
        await self._flights.close()
        for member in self._members:
            try:
                await member.provider.close()
            except Exception:
                log.exception("search provider %s did not close", member.provider.name)
        await asyncio.to_thread(self._cache.close)  # it finishes its writes
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.close)
        if self._shared is not None:
            await self._shared.close()

    async def __aenter__(self) -> Self:
        """Raises OperatorError when the server that workers share refuses this one."""
        if self._shared is not None:
            await self._shared.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        able = [i for i, each in enumerate(self._members) if each.provider.supports(request.tool)]
        if self._closed:
            raise SearchUnavailable("the search pool was closed")
        if not able:
            raise SearchUnavailable(f"no provider of the pool answers {request.tool}")
        if not request.query:
            return SearchOutcome((), self._members[able[0]].provider.name)
        if (known := self._known(request, able)) is not None:
            return known
        if deadline.at_s <= self._clock():
            raise SearchUnavailable("no time was left to search")
        try:
            return await self._flights.run(request, deadline, lambda flight: self._ask(request, able, flight))
        except TimeoutError:
            raise SearchUnavailable("no provider answered before the deadline") from None
        except FlightCancelled:
            raise SearchUnavailable("the search pool was closed") from None

    def _known(self, request: SearchRequest, able: list[int]) -> SearchOutcome | None:
        """What the cache says, if it says all: misses up to a hit, or misses only."""
        for i in able:
            results = self._cache.get(self._key(i, request))
            outcome = "unknown" if results is None else "hit" if results else "miss"
            telemetry.count_cache(self._members[i].provider.name, outcome)
            if results is None:
                return None
            if results:
                return SearchOutcome(results, self._members[i].provider.name, cached=True)
        return SearchOutcome((), self._members[able[-1]].provider.name, cached=True)

    async def _ask(
        self, request: SearchRequest, able: list[int], flight: Flight[SearchOutcome]
    ) -> SearchOutcome:
        missed: str | None = None
        troubles: list[str] = []
        for i in able:
            name = self._members[i].provider.name
            results = self._cache.get(self._key(i, request))
            found_by_others = False
            if results is None and (results := await self._found_by_others(i, request)) is not None:
                found_by_others = True
            if results is None:
                patience_s = math.inf if i == able[-1] else self._members[i].limits.patience_s
                try:
                    results = await self._gates[i].ask(request, flight, patience_s=patience_s)
                except SearchError as error:
                    troubles.append(str(error))
                    continue
                results = results[: self._limits.results]
                self._remember(i, request, results)
            if results:
                return SearchOutcome(results, name, cached=found_by_others)
            missed = name
        if missed is None:
            raise SearchUnavailable("; ".join(troubles))
        return SearchOutcome((), missed)

    def _key(self, index: int, request: SearchRequest) -> str:
        member = self._members[index]
        return f"{member.provider.name}\0{member.version}\0{request.tool.value}\0{request.query}"

    def _remember(self, index: int, request: SearchRequest, results: tuple[SearchResult, ...]) -> None:
        limits = self._members[index].limits
        ttl_s = limits.hit_ttl_s if results else limits.miss_ttl_s
        self._cache.put(self._key(index, request), results, ttl_s)
        if self._shared is not None and limits.rates:
            self._shared.answers.put(self._key(index, request), results, ttl_s)

    async def _found_by_others(self, index: int, request: SearchRequest) -> tuple[SearchResult, ...] | None:
        """What another worker was answered; of providers with limits only: an own index is quicker."""
        member = self._members[index]
        if self._shared is None or not member.limits.rates:
            return None
        found = await self._shared.answers.get(self._key(index, request))
        if found is None:
            return None
        results, left_s = found
        telemetry.count_cache(member.provider.name, "hit" if results else "miss")
        self._cache.put(self._key(index, request), results, left_s)
        return results


def _as_asked(outcome: SearchOutcome, request: SearchRequest) -> SearchOutcome:
    """Evidence names the query as the model wrote it, whoever's flight brought it."""
    if all(each.query == request.query for each in outcome.results):
        return outcome
    results = tuple(dataclasses.replace(each, query=request.query) for each in outcome.results)
    return dataclasses.replace(outcome, results=results)
