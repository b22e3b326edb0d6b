"""The gate before the engine: closed while the engine is down, one post at a time on the way back.

- A post that meets EngineUnavailable closes the gate. Posts that come to a closed gate wait.
- After a back-off one post goes through alone, as the probe: nobody else is inside then. When the
  engine answers it, well or badly, the gate opens; otherwise the back-off grows.
- A post that was inside when the engine's connection broke (EngineLost) is a suspect: each suspect
  goes through alone before the gate opens for all, and stays one while it is turned away unread. The
  engine breaking under a post that is alone is counted against that post; `solo_deaths` tells how often.
  It is tried again once all other suspects are through.

No clock of its own beyond the event loop's; no I/O.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sake_model.engine.interface import EngineLost, EngineOverloaded, EngineUnavailable, ModelChanged

__all__ = ["EngineGate", "GateLimits", "Ticket"]

# A well engine that turns a request away before it runs: of a suspect that says nothing.
TURNED_AWAY = (EngineOverloaded, ModelChanged)


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How long to wait for an engine."""

    first_backoff_s: float = 0.5
    max_backoff_s: float = 15.0
    """A vLLM takes 30 s and more to load: probing oftener than this gains nothing."""
    factor: float = 2.0


@dataclass(slots=True, eq=False)
class Ticket:
    """One post's standing with the gate."""

    suspect: bool = False
    solo_deaths: int = 0
    waited: bool = False
    """Whether it stood before a closed gate since this was last set to False."""
    turn: asyncio.Future[None] | None = field(default=None, repr=False)


class EngineGate:
    """Shared by all posts of one worker. `on_change` is called whenever it opens or closes."""

    def __init__(self, limits: GateLimits, on_change: Callable[[], None] = lambda: None) -> None:
        self._limits = limits
        self._on_change = on_change
        self._open = True
        self._inside = 0
        self._probe: Ticket | None = None
        self._queue: deque[Ticket] = deque()
        self._backoff_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""

    @property
    def open(self) -> bool:
        """Whether posts may go to the engine freely."""
        return self._open

    @property
    def reason(self) -> str:
        """Why it is closed; empty while it is open."""
        return "" if self._open else self._reason

    @property
    def waiting(self) -> int:
        """Posts before the closed gate."""
        return len(self._queue)

    @asynccontextmanager
    async def passage(self, ticket: Ticket) -> AsyncIterator[None]:
        """Waits until this post may go to the engine, and judges what became of it there.

        Lets every exception through. EngineUnavailable and EngineLost close the gate.
        """
        if not self._open or ticket.suspect:
            await self._wait_turn(ticket)
        self._inside += 1
        try:
            yield
        except EngineLost as error:
            self._lost(ticket, error)
            raise
        except EngineUnavailable as error:
            self._down(ticket, error)
            raise
        except asyncio.CancelledError:
            if self._probe is ticket:  # it tells nothing about the engine; another one must
                self._probe = None
            raise
        except TURNED_AWAY:
            self._answered(ticket, ran=False)
            raise
        except BaseException:
            self._answered(ticket, ran=True)
            raise
        else:
            self._answered(ticket, ran=True)
        finally:
            self._inside -= 1
            self._advance()

    def overloaded(self, ticket: Ticket, error: Exception) -> None:
        """Treats an engine that only ever refuses this post as one that is down."""
        self._down(ticket, error)

    async def _wait_turn(self, ticket: Ticket) -> None:
        ticket.waited = True
        ticket.turn = asyncio.get_running_loop().create_future()
        if ticket.suspect:
            if self._open:  # otherwise newcomers would keep it from ever being alone
                self._open = False
                self._reason = "a post under which the engine broke is tried alone"
                self._on_change()
            self._queue.insert(self._place_of(ticket), ticket)
        else:
            self._queue.append(ticket)
        self._advance()
        try:
            await ticket.turn
        except asyncio.CancelledError:
            if ticket in self._queue:
                self._queue.remove(ticket)
            if self._probe is ticket:
                self._probe = None
            self._advance()
            raise
        finally:
            ticket.turn = None

    def _place_of(self, suspect: Ticket) -> int:
        """Before all who are none, behind those under which the engine broke less often: they can be
        done before it breaks again. And a post that only stood beside the killer of another worker is
        not tried again in step with it.
        """
        for place, other in enumerate(self._queue):
            if not other.suspect or other.solo_deaths > suspect.solo_deaths:
                return place
        return len(self._queue)

    def _lost(self, ticket: Ticket, error: Exception) -> None:
        if self._probe is ticket:
            ticket.solo_deaths += 1
        ticket.suspect = True
        self._close(ticket, error)

    def _down(self, ticket: Ticket, error: Exception) -> None:
        self._close(ticket, error)

    def _close(self, ticket: Ticket, error: Exception) -> None:
        was_open, self._open = self._open, False
        self._reason = f"{type(error).__name__}: {error}"
        if self._probe is ticket:
            self._probe = None
            self._backoff_s = min(self._backoff_s * self._limits.factor, self._limits.max_backoff_s)
        elif was_open:
            self._backoff_s = self._limits.first_backoff_s
        if was_open or self._timer is None:
            self._start_timer()
        if was_open:
            self._on_change()

    def _answered(self, ticket: Ticket, *, ran: bool) -> None:
        ticket.suspect = ticket.suspect and not ran
        if self._probe is ticket:
            self._probe = None
            if not any(other.suspect for other in (ticket, *self._queue)):
                self._reopen()

    def _reopen(self) -> None:
        self._open = True
        while self._queue:
            turn = self._queue.popleft().turn
            if turn is not None and not turn.done():
                turn.set_result(None)
        self._on_change()

    def _start_timer(self) -> None:
        # Full jitter would let a probe come at once; half keeps several workers apart as well.
        wait_s = self._backoff_s * random.uniform(0.5, 1.0)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._timer_over)

    def _timer_over(self) -> None:
        self._timer = None
        self._advance()

    def _advance(self) -> None:
        """Lets the next one through alone, when it is time and nobody is inside."""
        if self._probe is not None or self._timer is not None or self._inside:
            return
        if not self._queue:
            if not self._open:  # nobody is left to ask the engine: the next post will
                self._reopen()
            return
        self._probe = self._queue.popleft()
        if self._probe.turn is not None and not self._probe.turn.done():
            self._probe.turn.set_result(None)
