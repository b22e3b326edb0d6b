"""A simulation of the queues that a plan is about, event by event. It shares no formula with the plan.

Posts come to workers (as keys come to partitions: at random), wait for a place in the worker's window,
take its processor one after another, then turns on an engine with so many places, first come first
served, with a search between two turns.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Simulated", "Spread", "simulate"]

Spread = Callable[[random.Random, float], float]
"""A time drawn around a mean."""


def always(_draw: random.Random, mean_s: float) -> float:
    """The mean itself."""
    return mean_s


def exponential(draw: random.Random, mean_s: float) -> float:
    """Squared coefficient of variation 1."""
    return draw.expovariate(1 / mean_s) if mean_s else 0.0


def erlang2(draw: random.Random, mean_s: float) -> float:
    """Squared coefficient of variation 0.5."""
    return exponential(draw, mean_s / 2) + exponential(draw, mean_s / 2)


SPREADS: dict[float, Spread] = {0.0: always, 0.5: erlang2, 1.0: exponential}


@dataclass(slots=True)
class Simulated:
    """What came of it."""

    posts_per_s: float
    mean_s: float
    p95_s: float


@dataclass(slots=True)
class _Queue:
    """So many servers, first come first served."""

    servers: int
    busy: int = 0
    waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def enter(self, begin: Callable[[], None]) -> None:
        if self.busy < self.servers:
            self.busy += 1
            begin()
        else:
            self.waiting.append(begin)

    def leave(self) -> None:
        if self.waiting:
            self.waiting.popleft()()
        else:
            self.busy -= 1


def simulate(
    *,
    workers: int,
    in_flight: int,
    cpu_s: float,
    places: int,
    turn_s: float,
    scv: float,
    searching: float,
    search_s: float,
    posts: int,
    per_s: float | None,
    seed: int = 1,
) -> Simulated:
    """`per_s` None = a backlog: all posts are there at the start. `searching`: share with a second turn."""
    draw, spread = random.Random(seed), SPREADS[scv]
    events: list[tuple[float, int, Callable[[], None]]] = []
    order, now_s = itertools.count(), 0.0
    windows = [_Queue(in_flight) for _ in range(workers)]
    cores = [_Queue(1) for _ in range(workers)]
    engine = _Queue(places)
    came_s: list[float] = []
    left_s: list[tuple[float, float]] = []

    def after(seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(events, (now_s + seconds, next(order), what))

    def post(number: int) -> None:
        who = draw.randrange(workers) if per_s else number % workers
        turns = 1 + (draw.random() < searching)
        begun_s = now_s

        def done() -> None:
            left_s.append((begun_s, now_s))
            windows[who].leave()

        def a_turn(left: int) -> None:
            def answered() -> None:
                engine.leave()
                if left > 1:
                    after(spread(draw, search_s), lambda: a_turn(left - 1))
                else:
                    done()

            engine.enter(lambda: after(spread(draw, turn_s), answered))

        def computed() -> None:
            cores[who].leave()
            a_turn(turns)

        windows[who].enter(lambda: cores[who].enter(lambda: after(cpu_s, computed)))

    at_s = 0.0
    for number in range(posts):
        at_s += draw.expovariate(per_s) if per_s else 0.0
        came_s.append(at_s)
        heapq.heappush(events, (at_s, next(order), lambda number=number: post(number)))  # type: ignore[misc]
    while events:
        now_s, _, what = heapq.heappop(events)
        what()
    # The middle: neither the empty system at the start nor the emptying one at the end.
    middle = sorted(left_s, key=lambda pair: pair[1])[posts // 5 : posts * 4 // 5]
    stays_s = sorted(left - came for came, left in middle)
    return Simulated(
        posts_per_s=(len(middle) - 1) / (middle[-1][1] - middle[0][1]),
        mean_s=sum(stays_s) / len(stays_s),
        p95_s=stays_s[int(len(stays_s) * 0.95)],
    )
