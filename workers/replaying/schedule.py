"""When each post is due."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable

from workers.rates import Pace

__all__ = ["Lateness", "Schedule"]

MS_PER_S = 1000.0


class Schedule:
    """Due times on a monotonic clock, in seconds. The first post is due when it is asked about.

    A post that is older than the one before it is due with it, and so is one that has no time.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._start_s: float | None = None
        self._first_ms: int | None = None
        self._latest_ms = 0
        self._number = 0

    def due_s(self, time_ms: int | None) -> float:
        """When the next post is due, given the time at which it first came."""
        if self._start_s is None:
            self._start_s = self._clock()
        number, self._number = self._number, self._number + 1
        if self._pace.per_s is not None:
            return self._start_s + number / self._pace.per_s
        if self._pace.times is None:
            return self._start_s
        if time_ms is not None:
            if self._first_ms is None:
                self._first_ms = self._latest_ms = time_ms
            self._latest_ms = max(self._latest_ms, time_ms)
        elapsed_ms = self._latest_ms - (self._first_ms or 0)
        return self._start_s + elapsed_ms / MS_PER_S / self._pace.times


class Lateness:
    """How long after they were due posts were on the topic; whole milliseconds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, late_s: float, posts: int = 1) -> None:
        """Counts posts that were this late."""
        self._counts[max(0, math.ceil(late_s * MS_PER_S))] += posts

    def percentile(self, share: float) -> int:
        """The least lateness, in ms, that this share of the posts kept; 0 when there are none."""
        rank, passed = share * self._counts.total(), 0
        for late_ms in sorted(self._counts):
            passed += self._counts[late_ms]
            if passed >= rank:
                return late_ms
        return 0
