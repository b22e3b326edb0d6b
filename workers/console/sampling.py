"""How much of a fast stream one page is shown: a uniform sample, at a bounded rate."""

from __future__ import annotations

import random
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Sample"]

Item = TypeVar("Item")

# The rates that the page names are means over this time.
MEAN_S = 3.0
# What comes at once may wait so long: records come in the lumps of their transactions, and a stream that is
# slow on the whole is then shown whole.
WAITS_S = 5.0


class Sample(Generic[Item]):
    """At most `per_s` items a second out of any number, every one with the same chance.

    Between two calls of `due` the items are a reservoir (Vitter 1985, algorithm R) of WAITS_S seconds'
    worth; in a slow stream, where they fit, none is left out. Times are seconds of one clock.
    """

    def __init__(self, per_s: float, now_s: float, *, rng: random.Random | None = None) -> None:
        self._per_s = per_s
        self._capacity = max(1, round(per_s * WAITS_S))
        self._at_once = max(1.0, per_s)
        self._random = rng or random.Random()
        self._kept: list[tuple[int, Item]] = []
        self._offered = 0
        self._since_empty = 0
        self._allowance = self._at_once
        self._last_s = now_s
        self._history: deque[tuple[float, int, int]] = deque()
        self.shown = 0
        """All that `due` ever gave."""

    def offer(self, item: Item) -> None:
        """One item of the stream."""
        self._offered += 1
        self._since_empty += 1
        if len(self._kept) < self._capacity:
            self._kept.append((self._offered, item))
            return
        place = self._random.randrange(self._since_empty)
        if place < self._capacity:
            self._kept[place] = (self._offered, item)

    def due(self, now_s: float) -> list[Item]:
        """What may be shown now, in the stream's order."""
        passed_s = max(0.0, now_s - self._last_s)
        self._last_s = now_s
        self._allowance = min(self._at_once, self._allowance + passed_s * self._per_s)
        count = min(int(self._allowance), len(self._kept))
        shown = self._taken(count) if count else []
        self._allowance -= count
        self.shown += count
        self._remember(now_s, count)
        return [item for _, item in shown]

    def _taken(self, count: int) -> list[tuple[int, Item]]:
        if self._since_empty > len(self._kept):
            # Some were left out already: any may be, and those that are not shown now are the past.
            shown, self._kept = sorted(self._random.sample(self._kept, count), key=_number), []
        else:
            self._kept.sort(key=_number)
            shown, self._kept = self._kept[:count], self._kept[count:]
        self._since_empty = len(self._kept)
        return shown

    def _remember(self, now_s: float, shown: int) -> None:
        self._history.append((now_s, self._offered, shown))
        while self._history[0][0] < now_s - MEAN_S and len(self._history) > 2:
            self._history.popleft()

    def rates(self) -> tuple[float, float]:
        """(shown, offered) a second, over the last few seconds."""
        if len(self._history) < 2:
            return 0.0, 0.0
        (first_s, before, _), (last_s, after, _) = self._history[0], self._history[-1]
        seconds = max(last_s - first_s, 1e-3)
        shown = sum(count for _, _, count in list(self._history)[1:])
        return shown / seconds, (after - before) / seconds


def _number(kept: tuple[int, Item]) -> int:
    return kept[0]
