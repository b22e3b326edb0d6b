"""The gate before the engine: closed while the engine is down, one post at a time on the way back.

- A post that meets EngineUnavailable closes the gate. Posts that come to a closed gate wait.
- After a back-off one post goes through alone, as the probe: nobody else is inside then. When the
  engine answers it, well or badly, the gate opens; otherwise the back-off grows.
- A post that was inside when the engine's connection broke (EngineLost) is a suspect: each suspect
  goes through alone before the gate opens for all, and stays one while it is turned away unread.
- The engine breaking under a post that is alone is held against that post: its `suspicion` grows. It is
  tried again after a pause that doubles each time, once all other suspects are through, and one post
  more if one waits: whether the engine answers those tells a post that kills from an engine that dies.

What breaks under a post that is alone need not be its doing: servers die by themselves, other workers'
posts take them down, networks cut. So a loss weighs CLEAR only if the engine was really gone, and had
answered another post since it last broke under this one; otherwise DOUBTFUL. MAX_SUSPICION takes four
losses at least, and seven at most. With deaths from other causes at a rate of r, and a trial of t seconds,
a good post meets one with p = rt, and four in a row with p^4: the pauses (1, 2, 4 s and more, less a random
part) make the trials independent, those of different workers, too. A server that dies once a day: p = 6e-5
at t = 5 s, p^4 = 1e-17. The chaos run breaks the engine about 2.5 times a minute and makes, by estimate,
2,000 suspects in 75,000 posts; when two losses were enough it buried 4 of them, so that p was about .04:
p^4 = 4e-6, one post in some 9 million. Another worker's killer has to die as often itself, with the good
post inside at each of its deaths.

No clock of its own beyond the event loop's; no I/O.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sake_model.engine.interface import (
    ConnectionCut,
    EngineLost,
    EngineOverloaded,
    EngineUnavailable,
    ModelChanged,
)

__all__ = ["MAX_SUSPICION", "EngineGate", "GateLimits", "Ticket"]

CLEAR, DOUBTFUL = 2, 1
# A doubtful loss and three clear ones, or four clear ones: where others are there to compare with, four
# losses. Alone on the stream, or where another server answers for a dead one: seven.
MAX_SUSPICION = 3 * CLEAR + DOUBTFUL

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
    solo_losses: int = 0
    """How often the engine broke under it while it was alone."""
    suspicion: int = 0
    """The weight of those losses; with MAX_SUSPICION it is what takes the engine down."""
    answers_before: int = 0
    """How many posts the engine had answered when it last broke under this one."""
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
        self._answers = 0
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
            self._answers += 1
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
            if not other.suspect or other.solo_losses > suspect.solo_losses:
                return place
        return len(self._queue)

    def _lost(self, ticket: Ticket, error: Exception) -> None:
        if self._probe is ticket:
            gone = not isinstance(error, ConnectionCut)
            compared = self._answers > ticket.answers_before
            ticket.suspicion += CLEAR if gone and compared else DOUBTFUL
            ticket.solo_losses += 1
        ticket.suspect = True
        ticket.answers_before = self._answers
        self._close(ticket, error)

    def _down(self, ticket: Ticket, error: Exception) -> None:
        self._close(ticket, error)

    def _close(self, ticket: Ticket, error: Exception) -> None:
        was_open, self._open = self._open, False
        self._reason = f"{type(error).__name__}: {error}"
        if self._probe is ticket:
            self._probe = None
            self._backoff_s = self._longer_backoff_s(ticket)
        elif was_open:
            self._backoff_s = self._limits.first_backoff_s
        if was_open or self._timer is None:
            self._start_timer()
        if was_open:
            self._on_change()

    def _longer_backoff_s(self, ticket: Ticket) -> float:
        """After the engine broke or was away under the post that was alone."""
        limits = self._limits
        if ticket.suspicion >= MAX_SUSPICION:  # it is not tried again, and the others need no such pause
            return limits.first_backoff_s
        own_s = limits.first_backoff_s * limits.factor**ticket.solo_losses
        return min(max(own_s, self._backoff_s * limits.factor), limits.max_backoff_s)

    def _answered(self, ticket: Ticket, *, ran: bool) -> None:
        ticket.suspect = ticket.suspect and not ran
        if self._probe is ticket:
            self._probe = None
            self._backoff_s = 0.0  # it grows within an outage; what suspects wait between grows by itself
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

    def _next(self) -> Ticket:
        """The first; but before one under which the engine broke, somebody to compare it with."""
        first = self._queue[0]
        if first.solo_losses and first.answers_before == self._answers:
            for other in self._queue:
                if not other.suspect:
                    first = other
                    break
        self._queue.remove(first)
        return first

    def _advance(self) -> None:
        """Lets the next one through alone, when it is time and nobody is inside."""
        if self._probe is not None or self._timer is not None or self._inside:
            return
        if not self._queue:
            if not self._open:  # nobody is left to ask the engine: the next post will
                self._reopen()
            return
        self._probe = self._next()
        if self._probe.turn is not None and not self._probe.turn.done():
            self._probe.turn.set_result(None)
