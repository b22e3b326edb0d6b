"""What is broken when: a list of faults that follows from a seed and a length alone.

Every minute has 40 s of faults that overlap as they like (never two on the same thing), then a calm
20 s with one worker and one engine killed while all else is well: what a recovery takes can only be
measured there. Every 20 s the partitions are dealt anew.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["KINDS", "Fault", "Kind", "plan", "targets_of"]

MINUTE_S = 60.0
STORM_S = 40.0
"""Of each minute. A fault of the storm has ended by then."""
CALM_WORKER_S, CALM_ENGINE_S = 46.0, 53.0
"""Into the minute. 6 s after the storm's end, and long enough before each other and the next storm."""
REBALANCE_S, STAYS_S = 20.0, 1.0
"""Every so often a guest joins the group, and leaves it again once it has held partitions for so long."""
KILLERS_S = 12.0
"""Into the minute, a post that takes the engine down may come: it takes it down five times and more,
and that must be over in the calm."""
GAP_S = (0.3, 3.5)
"""Between the beginnings of two faults."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of breaking things."""

    name: str
    weight: int
    """How often it is drawn, beside the others."""
    lasts_s: tuple[float, float]
    on: str
    """What it is done to: worker, kafka (a worker's connections to it), engine, …"""
    amounts: tuple[float, ...] = (0.0,)
    """What it is done with; its meaning is the kind's."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a run. Times in seconds from the run's beginning."""

    at_s: float
    lasts_s: float
    kind: str
    target: str
    amount: float = 0.0
    calm: bool = False
    """Nothing else is broken then: its recovery is measured."""

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return self.at_s + self.lasts_s


KINDS = (
    Kind("killed", 5, (0.0, 3.0), "worker"),
    Kind("frozen", 4, (0.5, 12.0), "worker"),
    Kind("stepped", 3, (2.0, 10.0), "clock", (-86_400.0, -3600.0, -30.0, 30.0, 3600.0, 86_400.0)),
    Kind("killed", 2, (0.3, 5.0), "engine"),
    Kind("frozen", 2, (0.5, 8.0), "engine"),
    Kind("stopped", 1, (0.0, 3.0), "broker"),
    Kind("killed", 1, (0.0, 3.0), "broker"),
    Kind("frozen", 2, (0.5, 8.0), "broker"),
    *(
        Kind(how, weight, lasts_s, f"{what} link", amounts)
        for what in ("kafka", "engine", "search")
        for how, weight, lasts_s, amounts in (
            ("cut", 2, (0.0, 4.0), (0.0,)),
            ("delayed", 2, (2.0, 8.0), (0.02, 0.1, 0.4)),
            ("halved", 2, (0.5, 5.0), (0.0,)),
        )
    ),
    Kind("throttled", 3, (2.0, 15.0), "search"),
    Kind("hanging", 3, (2.0, 15.0), "search"),
    Kind("full", 3, (3.0, 15.0), "disk"),
    Kind("burst", 3, (3.0, 6.0), "feed", (10.0,)),
    Kind("poisoned", 2, (0.0, 0.0), "feed", (1.0, 20.0)),
)
"""Amounts: seconds of a clock's step; seconds by which each piece is delayed; times the usual rate;
poisoned: 1 = a post that takes the engine down, more = so many that are no posts.
"""


def targets_of(on: str, workers: tuple[str, ...]) -> tuple[str, ...]:
    """The things that a kind's `on` stands for."""
    if on in ("worker", "clock", "kafka link"):
        return tuple(f"{on} {worker}" for worker in workers)
    return (on,)


def plan(
    seed: int,
    seconds: float,
    workers: tuple[str, ...],
    without: frozenset[str] = frozenset(),
) -> tuple[Fault, ...]:
    """The faults of a run, by their beginnings. `without`: what cannot be broken on this machine."""
    dice = random.Random(seed)
    kinds = [kind for kind in KINDS if kind.on not in without]
    faults: list[Fault] = []
    minute_s = 0.0
    while minute_s < seconds:
        storm_s = min(STORM_S, seconds - minute_s)
        faults += _storm(dice, minute_s, storm_s, kinds, workers)
        if minute_s + MINUTE_S <= seconds:
            victim = f"worker {dice.choice(workers)}"
            faults += [
                Fault(minute_s + CALM_WORKER_S, 0.0, "killed", victim, calm=True),
                Fault(minute_s + CALM_ENGINE_S, 1.0, "killed", "engine", calm=True),
            ]
        minute_s += MINUTE_S
    faults += [
        Fault(number * REBALANCE_S, STAYS_S, "joined", "group")
        for number in range(1, int(seconds / REBALANCE_S))
    ]
    return tuple(sorted(faults, key=lambda fault: fault.at_s))


def _storm(
    dice: random.Random, begins_s: float, lasts_s: float, kinds: list[Kind], workers: tuple[str, ...]
) -> list[Fault]:
    faults: list[Fault] = []
    free_at_s: dict[str, float] = {}
    at_s, ends_s = begins_s, begins_s + lasts_s
    while True:
        at_s += dice.uniform(*GAP_S)
        kind = dice.choices(kinds, [kind.weight for kind in kinds])[0]
        target = dice.choice(targets_of(kind.on, workers))
        length_s = dice.uniform(*kind.lasts_s)
        amount = dice.choice(kind.amounts)
        if at_s >= ends_s:
            return faults
        late = kind.name == "poisoned" and amount == 1 and at_s > begins_s + KILLERS_S
        if not late and at_s + length_s <= ends_s and free_at_s.get(target, 0.0) <= at_s:
            faults.append(Fault(at_s, length_s, kind.name, target, amount))
            free_at_s[target] = at_s + length_s
