"""Mentions on their way to the webhook: which is due when, and how often it was tried. Pure, no I/O.

Only where a mention lies on its topic is kept (some 300 bytes), never the mention itself: thousands may
wait for the end of quiet hours.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from workers.mentions.retries import Dead, Later, RetryLimits, Taken

__all__ = ["Item", "Outbox"]

# The receiver as a whole rests after failures, half a minute at most: a single mention that it cannot
# stomach must not hold up all others for as long as that mention's own waits grow.
MAX_REST_S = 30.0


@dataclass(slots=True)
class Item:
    """One mention to be sent."""

    partition: int
    offset: int
    message_id: str
    brand: str
    attempts: int = 0
    first_attempt_s: float | None = None
    """On the caller's clock."""


@dataclass(slots=True)
class Outbox:
    """What is to be sent, ordered by when it is due. `now_s` is a monotonic clock."""

    limits: RetryLimits
    _due: list[tuple[float, int, Item]] = field(default_factory=list)
    _order: Callable[[], int] = field(default_factory=lambda: count().__next__)
    _failures: int = 0
    """In a row, of the receiver as a whole."""
    _rest_until_s: float = 0.0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def troubled(self) -> bool:
        """Whether the last attempt failed: then one at a time asks whether the receiver is back."""
        return self._failures > 0

    def put(self, item: Item, due_s: float) -> None:
        """To be sent at a time; equal times in the order in which they were put."""
        heapq.heappush(self._due, (due_s, self._order(), item))

    def next_due_s(self) -> float | None:
        """When something is to be done; None when nothing waits."""
        return max(self._due[0][0], self._rest_until_s) if self._due else None

    def take(self, now_s: float) -> Item | None:
        """What is due, the longest due first; None when nothing is, or the receiver rests."""
        if not self._due or self._due[0][0] > now_s or self._rest_until_s > now_s:
            return None
        return heapq.heappop(self._due)[2]

    def drop(self, partition: int) -> None:
        """Another worker has this partition now."""
        self._due = [entry for entry in self._due if entry[2].partition != partition]
        heapq.heapify(self._due)

    def note(
        self, item: Item, verdict: Taken | Later | Dead, asked_wait_s: float | None, now_s: float
    ) -> None:
        """Learns from an attempt; puts the item back when it is to be tried again."""
        if not isinstance(verdict, Later):
            self._failures = 0  # a refusal is an answer, too
            return
        self._failures += 1
        rest_s = min(MAX_REST_S, self.limits.first_wait_s * 2.0 ** min(self._failures - 1, 10))
        if asked_wait_s is not None:
            rest_s = max(rest_s, min(asked_wait_s, self.limits.max_retry_after_s))
        self._rest_until_s = max(self._rest_until_s, now_s + rest_s)
        self.put(item, now_s + verdict.wait_s)
