"""The formulas, and where they come from.

Erlang C                 probability of waiting in M/M/c (A. K. Erlang, 1917; by the recursion of
                         Erlang B, which neither overflows nor subtracts)
Allen–Cunneen            mean wait in G/G/c ≈ that of M/M/c · (ca² + cs²) / 2 (A. O. Allen,
                         "Probability, Statistics, and Queueing Theory", 2nd ed., 1990, ch. 5)
MVA, Seidmann            throughput of a closed network by mean value analysis (Reiser, Lavenberg,
                         J. ACM 27(2), 1980), a station of c servers being one that is c times as
                         quick and a delay (Seidmann, Schweitzer, Shalev-Oren, 1987)
Wilson–Hilferty          quantiles of a gamma distribution (PNAS 17, 1931)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Station", "Time", "closed_throughput", "erlang_c", "wait"]


@dataclass(frozen=True, slots=True)
class Time:
    """A random time by its mean (s) and variance (s²). Independent ones add up."""

    mean_s: float = 0.0
    variance: float = 0.0

    def __add__(self, other: Time) -> Time:
        return Time(self.mean_s + other.mean_s, self.variance + other.variance)

    def times(self, count: float, count_variance: float = 0.0) -> Time:
        """The sum of a random number of such times (Wald: E[N]·Var + Var[N]·mean²)."""
        return Time(count * self.mean_s, count * self.variance + count_variance * self.mean_s**2)

    def quantile_s(self, z: float) -> float:
        """The quantile of a gamma distribution of this mean and variance; `z` is the normal one."""
        if self.variance <= 0 or self.mean_s <= 0:
            return self.mean_s
        shape = self.mean_s**2 / self.variance
        root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
        return self.mean_s * max(0.0, root) ** 3

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.variance / self.mean_s**2 if self.mean_s else 0.0


def erlang_c(servers: int, offered: float) -> float:
    """Probability that a customer waits; `offered` = arrivals a second · service time. 1 when overloaded."""
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    busy = offered / servers
    return blocked / (1 - busy * (1 - blocked))


def wait(per_s: float, service: Time, servers: int, arrival_scv: float = 1.0) -> Time:
    """The wait in front of `servers` alike servers. Infinite when they are overloaded.

    The conditional wait of M/M/c is exponential with mean 1/(cμ − λ); so is this one, stretched.
    """
    offered = per_s * service.mean_s
    if not offered:
        return Time()
    if offered >= servers:
        return Time(math.inf, math.inf)
    waits = erlang_c(servers, offered)
    mean_if_s = service.mean_s / (servers - offered) * (arrival_scv + service.scv) / 2
    return Time(waits * mean_if_s, (2 * waits - waits**2) * mean_if_s**2)


@dataclass(frozen=True, slots=True)
class Station:
    """Where customers of a closed network queue."""

    demand_s: float
    """Service that one customer wants of it on a whole round."""
    servers: float = 1.0


def closed_throughput(customers: int, stations: tuple[Station, ...], delay_s: float) -> float:
    """Rounds a second that so many customers make together, who never leave.

    `delay_s`: what a round takes where nobody queues.
    """
    # Where there is a server for everybody nobody queues, whatever the approximation says.
    delay_s += sum(each.demand_s for each in stations if each.servers >= customers)
    stations = tuple(each for each in stations if each.servers < customers)
    delay_s += sum(each.demand_s * (1 - 1 / max(1.0, each.servers)) for each in stations)
    demands_s = [each.demand_s / each.servers for each in stations]
    queues = [0.0] * len(stations)
    per_s = 0.0
    for number in range(1, customers + 1):
        stays_s = [demand_s * (1 + queue) for demand_s, queue in zip(demands_s, queues, strict=True)]
        round_s = delay_s + sum(stays_s)
        if round_s <= 0:
            return math.inf
        per_s = number / round_s
        queues = [per_s * stay_s for stay_s in stays_s]
    return per_s
