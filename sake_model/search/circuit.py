"""A circuit breaker: leaves a broken provider alone, then tries it with one call.

Of the libraries, purgatory and pybreaker let every waiting call through once the pause is over and
count a cancelled call as a failure; here one call probes, and a cancelled one says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from sake_model.search.peers import Word

__all__ = ["Circuit", "CircuitState"]


class CircuitState(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"
    """Calls go through."""
    OPEN = "open"
    """Nothing goes through until the pause is over."""
    HALF_OPEN = "half_open"
    """One call is under way to find out."""


class Circuit:
    """Counts failures in a row; opens at `failures_to_open`, probes after `open_s`."""

    def __init__(
        self, failures_to_open: int, open_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_at_s: float | None = None
        self._probing = False
        self._heard_of = False

    @property
    def state(self) -> CircuitState:
        """The state now."""
        if self._opened_at_s is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if self._probing else CircuitState.OPEN

    @property
    def lets_through(self) -> bool:
        """Whether `enter` would succeed now."""
        if self._opened_at_s is None:
            return True
        return not self._probing and self._clock() >= self._opened_at_s + self._open_s

    @property
    def open_s(self) -> float:
        """For how long nothing is let through yet."""
        if self._opened_at_s is None:
            return 0.0
        return max(0.0, self._opened_at_s + self._open_s - self._clock())

    def hear(self, word: Word) -> None:
        """What other workers say: a circuit that one opens is open for all, until one has succeeded."""
        if self._probing or word.undecided:
            return
        if word.open_s > 0:
            self._opened_at_s = self._clock() + word.open_s - self._open_s
            self._heard_of = True
        elif word.try_it:
            self._opened_at_s = self._clock() - self._open_s
            self._heard_of = True
        elif self._heard_of:  # what opened here a moment ago the others do not know yet
            self.succeeded()

    def enter(self) -> bool:
        """Asks for a call; True = go ahead, and tell the end by one of the methods below."""
        if not self.lets_through:
            return False
        self._probing = self._opened_at_s is not None
        return True

    def succeeded(self) -> None:
        """The provider answered (also with a refusal or a 429: it is there)."""
        self._failures = 0
        self._opened_at_s = None
        self._probing = False
        self._heard_of = False

    def failed(self) -> None:
        """The provider failed or timed out."""
        self._failures += 1
        if self._probing or self._failures >= self._failures_to_open:
            self._opened_at_s = self._clock()
            self._heard_of = False
        self._probing = False

    def abandoned(self) -> None:
        """The call was cancelled: nothing is learnt of the provider."""
        self._probing = False
