"""Places in the rate windows of all workers, and the share that is left when the server is away."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sake_model.search.limits import Rate
from sake_model.search.peers import Word
from sake_model.search.shared.server import SharedAway, SharedServer
from sake_model.search.shared.share import OwnCalls, SentCall

__all__ = ["SharedLedger"]

POLL_S = 0.25
"""How often a worker that must wait for the server looks again."""
MOST_UNANSWERED = 4096
"""Places kept by number, to be told answered; what times out never is, and is the oldest."""


@dataclass(frozen=True, slots=True)
class _Taken:
    provider: str
    own: SentCall
    on_server: str
    """Its name there; empty = it was taken from the own share."""


class SharedLedger:
    """`Places` and `Peers` (search.peers) of workers that name the same server."""

    def __init__(self, server: SharedServer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._own: dict[str, OwnCalls] = {}
        self._hears: dict[str, Callable[[Word], None]] = {}
        self._taken: dict[int, _Taken] = {}
        self._numbers = itertools.count(1)
        self._instance = f"{server.config.member}:{secrets.token_hex(8)}"

    def listen(self, provider: str, hear: Callable[[Word], None]) -> None:
        """See `Peers`."""
        self._hears[provider] = hear
        self._server.listen(provider, hear)

    def opened(self, provider: str, for_s: float) -> None:
        """See `Peers`."""
        self._server.tell(provider, "open", for_s)

    def closed(self, provider: str) -> None:
        """See `Peers`."""
        self._server.tell(provider, "closed")

    def paused(self, provider: str, for_s: float) -> None:
        """See `Peers`."""
        self._server.tell(provider, "pause", for_s)

    async def take(
        self, provider: str, rates: tuple[Rate, ...], calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        """See `Places`. A provider that must rest is told to `hear`, and the place is then number 0."""
        await self._server.started()
        own = self._own.get(provider)
        if own is None:
            own = self._own[provider] = OwnCalls(rates, self._server.config.workers)
        if self._server.alone_s is not None:
            return self._take_of_own(provider, own, calls, counted_in_s)
        if wait_s := self._careful_wait_s(own, calls):
            return self._share_is_used_up(provider, wait_s)
        return await self._take_of_all(provider, own, rates, calls, counted_in_s)

    def answered(self, place: int) -> None:
        """See `Places`."""
        if (taken := self._taken.pop(place, None)) is not None:
            taken.own.counted_by_s = min(taken.own.counted_by_s, self._clock())
            if taken.on_server:
                self._server.answered(taken.provider, taken.on_server, taken.own.calls)

    def give_back(self, place: int) -> None:
        """See `Places`."""
        if (taken := self._taken.pop(place, None)) is not None:
            self._own[taken.provider].remove(taken.own)
            if taken.on_server:
                self._server.give_back(taken.provider, taken.on_server, taken.own.calls)

    async def _take_of_all(
        self, provider: str, own: OwnCalls, rates: tuple[Rate, ...], calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        name = f"{self._instance}:{next(self._numbers)}"
        # The call leaves when the reply is here, which may be so much later than the server's grant.
        counted_in_s += self._server.limits.timeout_s
        try:
            granted, wait_s, word = await self._server.take(provider, name, calls, counted_in_s, rates)
        except SharedAway:
            return None, POLL_S
        except asyncio.CancelledError:
            self._server.give_back(provider, name, calls)
            raise
        self._hears[provider](word)
        if word.open_s or word.pause_s:
            return 0, 0.0
        if granted and (wait_s := self._careful_wait_s(own, calls)):
            self._server.give_back(provider, name, calls)
            return self._share_is_used_up(provider, wait_s)
        if not granted:
            return None, wait_s
        return self._let_through(provider, own, calls, counted_in_s, name), 0.0

    def _careful_wait_s(self, own: OwnCalls, calls: int) -> float:
        return own.free_in_s(calls, self._clock()) if self._server.careful_s else 0.0

    def _take_of_own(
        self, provider: str, own: OwnCalls, calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        alone_s = self._server.alone_s or 0.0
        if alone_s < self._server.limits.patience_s:
            return None, min(POLL_S, self._server.limits.patience_s - alone_s)
        if (wait_s := self._server.until_own_share_s) > 0:
            return self._rest(provider, wait_s)
        if wait_s := own.free_in_s(calls, self._clock()):
            return self._share_is_used_up(provider, wait_s)
        self._hears[provider](Word(undecided=True))  # the pause is over; the circuit is this worker's own
        self._server.acts_alone()
        return self._let_through(provider, own, calls, counted_in_s, ""), 0.0

    def _share_is_used_up(self, provider: str, wait_s: float) -> tuple[int | None, float]:
        """A share of nothing is told at once: nobody shall wait for what cannot come."""
        if math.isinf(wait_s):
            return self._rest(provider, self._server.careful_s or wait_s)
        return None, wait_s

    def _rest(self, provider: str, pause_s: float) -> tuple[int | None, float]:
        self._hears[provider](Word(pause_s=pause_s, undecided=True))
        return 0, 0.0

    def _let_through(
        self, provider: str, own: OwnCalls, calls: int, counted_in_s: float, on_server: str
    ) -> int:
        call = SentCall(calls, self._clock() + counted_in_s)
        own.add(call)
        number = next(self._numbers)
        self._taken[number] = _Taken(provider, call, on_server)
        if len(self._taken) > MOST_UNANSWERED:
            del self._taken[next(iter(self._taken))]
        return number
