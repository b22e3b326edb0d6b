"""How unusual a count is, measured against the name's own past.

Source: Schubert, Weiler, Kriegel: SigniTrend, KDD 2014 (doi 10.1145/2623330.2623740), its
significance score: exponentially weighted mean and variance (EWMA, EWMVar) of the counts in equal
windows, and a z-score with a bias β, which is the level of noise, so that neither a first mention
nor a name without variance is infinitely significant:

    score = (x - max(EWMA, β)) / (sqrt(EWMVar) + β)

    Δ = x - EWMA;  EWMA += α Δ;  EWMVar = (1 - α) (EWMVar + α Δ²);  α = 1 - 2^(-1 / half-life)

Not taken: its hashing (names are counted one by one here, within a bound) and word pairs. Added:
until 1/α windows have been seen, α = 1/n, which makes mean and variance those of all n windows;
a long series of empty windows is applied at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BurstModel", "Past"]


@dataclass(slots=True)
class Past:
    """Mean and variance of a name's counts in the windows of one length, up to window `index`."""

    mean: float = 0.0
    variance: float = 0.0
    index: int = 0
    """Number of the last window taken in: its start divided by the length."""

    @property
    def deviation(self) -> float:
        """Standard deviation in mentions."""
        return math.sqrt(self.variance)


class BurstModel:
    """The formulas with their constants filled in."""

    def __init__(self, half_life_windows: float, bias_mentions: float) -> None:
        self._alpha = 1.0 - 2.0 ** (-1.0 / half_life_windows)
        self._keep = 1.0 - self._alpha
        self._bias = bias_mentions
        # From this window on α is no longer 1/n.
        self._settled = math.ceil(1.0 / self._alpha)

    def score(self, mentions: int, past: Past) -> float:
        """How many biased deviations `mentions` lie above the past."""
        return (mentions - max(past.mean, self._bias)) / (past.deviation + self._bias)

    def up_to(self, past: Past, index: int, first_index: int) -> Past:
        """The past after window `index`, when all windows after `past.index` were empty.

        `first_index` is the number of the first window that the stream had at all.
        """
        mean, variance, last = past.mean, past.variance, max(past.index, first_index - 1)
        if last >= index or (mean == 0.0 and variance == 0.0):
            return Past(mean, variance, max(index, past.index))
        while last < index and last + 2 - first_index < self._settled:
            last += 1
            mean, variance = _step(mean, variance, 0.0, 1.0 / (last + 1 - first_index))
        # k empty windows at once: each takes mean to q·mean and variance to q·(variance + α·mean²);
        # the sum of the geometric series gives q^k·(variance + mean²·(1 - q^k)).
        kept = self._keep ** (index - last)
        return Past(mean * kept, kept * (variance + mean * mean * (1.0 - kept)), index)

    def take_in(self, past: Past, index: int, mentions: int, first_index: int) -> Past:
        """The past after window `index`, which had so many mentions."""
        before = self.up_to(past, index - 1, first_index)
        alpha = max(self._alpha, 1.0 / max(1, index + 1 - first_index))
        mean, variance = _step(before.mean, before.variance, float(mentions), alpha)
        return Past(mean, variance, index)


def _step(mean: float, variance: float, count: float, alpha: float) -> tuple[float, float]:
    delta = count - mean
    return mean + alpha * delta, (1.0 - alpha) * (variance + alpha * delta * delta)
