"""What one worker may do without knowing of the others: its part of a rate, by its own calls alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sake_model.search.limits import Rate

__all__ = ["OwnCalls", "SentCall"]


@dataclass(slots=True, eq=False)
class SentCall:
    """One take of a worker."""

    calls: int
    counted_by_s: float
    """The latest moment (worker's own clock) at which the provider has counted it."""


class OwnCalls:
    """A worker's own calls to one provider, held against its share of the provider's rates."""

    def __init__(self, rates: tuple[Rate, ...], workers: int) -> None:
        # Rounded down: the shares of all workers together never make more than the rate.
        self._shares = tuple((rate.calls // workers, rate.period_s) for rate in rates)
        self._longest_s = max((rate.period_s for rate in rates), default=0.0)
        self._sent: list[SentCall] = []

    def free_in_s(self, calls: int, now_s: float) -> float:
        """Seconds until so many calls fit into the share; infinite when they never do."""
        self._sent = [each for each in self._sent if each.counted_by_s + self._longest_s > now_s]
        return max((self._share_free_in_s(*share, calls, now_s) for share in self._shares), default=0.0)

    def add(self, call: SentCall) -> None:
        """A call is let through, by whichever way."""
        self._sent.append(call)

    def remove(self, call: SentCall) -> None:
        """A call was not made after all."""
        self._sent = [each for each in self._sent if each is not call]

    def _share_free_in_s(self, share_calls: int, period_s: float, calls: int, now_s: float) -> float:
        if calls > share_calls:
            return math.inf
        # Half-open windows, as in `window`: one period later a call is out of the way.
        ends_s = sorted(
            each.counted_by_s + period_s
            for each in self._sent
            if each.counted_by_s + period_s > now_s
            for _ in range(each.calls)
        )
        in_the_way = len(ends_s) - (share_calls - calls)
        return ends_s[in_the_way - 1] - now_s if in_the_way > 0 else 0.0
