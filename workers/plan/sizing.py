"""The smallest deployment that carries a load with room to spare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schemas.errors import OperatorError
from workers.plan.facts import Deployment, Facts
from workers.plan.model import Forecast, forecast, full_turn_s, places_busy

__all__ = ["Goal", "Plan", "sized"]

MOST_PLACES = 5_000_000
"""Of all engines, or of all windows; beyond this (some 78,000 workers) the question is wrong."""
PLENTY = 10
"""Times the replicas that the load needs: nobody waits for an engine that is idle nine tenths of the time."""
NEARLY_ALL = 0.95
"""Of an engine's speed: at all of it the wait for it has no end."""
GROWTH = 2
"""Partitions a worker: workers can double before a topic needs more partitions, which would move keys."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for."""

    posts_per_s: float
    busy: float = 0.7
    """The largest share of anything that is used: the rest is for bursts and for a part that is down."""
    p95_s: float | None = None
    """The longest 95th percentile of a post's time; None = whatever comes of it."""

    def __post_init__(self) -> None:
        # Written so that what is no number (nan) is refused, too.
        if not (0 < self.posts_per_s < math.inf and 0 < self.busy < 1):
            raise ValueError(f"posts a second are positive, and busy is between 0 and 1: {self}")
        if self.p95_s is not None and not self.p95_s > 0:
            raise ValueError(f"a time is positive: {self}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    deployment: Deployment
    partitions: int
    gpus: int
    forecast: Forecast


def sized(goal: Goal, facts: Facts, *, gpus: int | None = None, workers: int | None = None) -> Plan:
    """The plan for a goal; what is given is taken as given.

    Raises OperatorError when no number of GPUs reaches the p95, when the GPUs do not make one replica, and
    when what it would take is beyond anything that runs.
    """
    replicas = _replicas_of(gpus, facts) if gpus is not None else _fewest_replicas(goal, facts)
    most = replicas if gpus is not None or goal.p95_s is None else replicas * PLENTY
    while True:
        _check_size("engines", replicas, facts.engine.turns_at_once)
        count = workers or _fewest_workers(goal, facts, replicas)
        _check_size("workers", count, facts.worker.in_flight)
        deployment = Deployment(count, replicas)
        found = forecast(facts, deployment, goal.posts_per_s)
        if goal.p95_s is None or found.p95_s <= goal.p95_s or gpus is not None:
            return Plan(deployment, count * GROWTH, replicas * facts.engine.gpus, found)
        if replicas >= most:
            raise OperatorError(
                f"no number of GPUs makes the p95 {goal.p95_s} s: it is {found.p95_s:.2f} s where hardly a "
                "post waits; look for fewer turns, shorter answers, or a quicker engine or search"
            )
        replicas = min(most, replicas + max(1, replicas // 20))


def _replicas_of(gpus: int, facts: Facts) -> int:
    replicas = gpus // facts.engine.gpus if facts.engine.gpus else gpus
    if replicas < 1:
        raise OperatorError(f"a replica takes {facts.engine.gpus} GPUs, there are {gpus}")
    return replicas


def _fewest_replicas(goal: Goal, facts: Facts) -> int:
    return max(1, math.ceil(goal.posts_per_s * _engine_s(facts) / goal.busy))


def _engine_s(facts: Facts) -> float:
    """Seconds of a whole replica that a post takes."""
    return facts.post.turns * full_turn_s(facts) / facts.engine.turns_at_once


def _fewest_workers(goal: Goal, facts: Facts, replicas: int) -> int:
    """By their processors, then by their windows; where the engine is too small, enough to keep it busy."""
    per_s = min(goal.posts_per_s, NEARLY_ALL * replicas / _engine_s(facts))
    count = max(1, math.ceil(per_s * facts.worker.post_cpu_s / goal.busy))
    while True:
        _check_size("workers", count, facts.worker.in_flight)
        busy = places_busy(facts, Deployment(count, replicas), per_s)
        if not math.isfinite(busy) or busy <= goal.busy:
            return count
        count = max(count + 1, math.ceil(count * busy / goal.busy))


def _check_size(what: str, count: int, places: int) -> None:
    if count * places > MOST_PLACES:
        raise OperatorError(
            f"that would be {count:,} {what} of {places:,} places each: look over the posts a second and "
            "the figures of posts and engine"
        )
