"""Figures with their 95 % intervals, [value, low, high] as files hold them, from draws of whole posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sake_model.scoring import bootstrap
from sake_model.scoring.counts import Counts

__all__ = ["DIGITS", "Sure"]

DIGITS = 4
"""Of a figure in a file: a hundredth of a point of F1, which no interval comes near."""


class Sure:
    """Figures with their intervals, all of the same number of draws."""

    def __init__(self, resamples: int = bootstrap.RESAMPLES) -> None:
        self._resamples = resamples

    def f1(self, counts: Sequence[Counts]) -> list[float]:
        """Micro F1."""
        return _listed(bootstrap.f1_interval(counts, resamples=self._resamples))

    def f1_difference(self, ours: Sequence[Counts], theirs: Sequence[Counts]) -> list[float]:
        """Micro F1 of ours less theirs, paired."""
        return _listed(bootstrap.difference_interval(ours, theirs, resamples=self._resamples))

    def ratio(self, above: Sequence[float], below: Sequence[float] | None = None) -> list[float] | None:
        """The sum of one figure of each post over the sum of another, or its mean; None where that is
        not defined.
        """
        whole = [1.0] * len(above) if below is None else below

        def figure(draw: Sequence[int]) -> float | None:
            total = sum([whole[index] for index in draw])
            return sum([above[index] for index in draw]) / total if total else None

        return self.of(len(above), figure)

    def of(self, posts: int, figure: Callable[[Sequence[int]], float | None]) -> list[float] | None:
        """Any figure of these posts; None where it is not defined."""
        if not posts or figure(range(posts)) is None:
            return None
        return _listed(bootstrap.resampled(posts, figure, resamples=self._resamples))


def _listed(interval: bootstrap.Interval) -> list[float]:
    return [round(each, DIGITS) for each in (interval.value, interval.low, interval.high)]
