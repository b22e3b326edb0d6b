"""How sure a micro F1 is: percentile bootstrap over posts (Efron and Tibshirani 1993, chapter 13).

Posts, not entities, are drawn: the entities of one post stand and fall together. Two systems on
the same posts are compared on the same draws (paired), which cancels what is hard for both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sake_model.scoring.counts import Counts

__all__ = ["Interval", "difference_interval", "f1_interval", "resampled"]

# The ends of a 95 % interval then rest on 25 draws each; 1,500 posts take about half a second.
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the interval that holds it, at some level of confidence."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is significant at the interval's level."""
        return self.low > 0 or self.high < 0


def resampled(
    size: int,
    figure: Callable[[Sequence[int]], float | None],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Any figure of `size` posts; it is given the numbers of those drawn, again and again.

    It may be None where it is not defined, as a ratio to nothing: such draws are left out. Raises
    ValueError when there are no posts, or the figure of all of them is not defined.
    """
    value = figure(range(size))
    draws = [figure(draw) for draw in _draws(size, resamples, seed)]
    if value is None:
        raise ValueError("the figure of these posts is not defined")
    return _interval(value, [drawn for drawn in draws if drawn is not None] or [value], level)


def f1_interval(
    posts: Sequence[Counts], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The micro F1 of these posts. Raises ValueError when there are none."""
    return resampled(
        len(posts),
        lambda draw: _f1([posts[index] for index in draw]),
        level=level,
        resamples=resamples,
        seed=seed,
    )


def difference_interval(
    ours: Sequence[Counts],
    theirs: Sequence[Counts],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The micro F1 of `ours` less that of `theirs`, post by post the same posts.

    Raises ValueError when there are none, or not as many of both.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} posts cannot be paired with {len(theirs)}")
    return resampled(
        len(ours),
        lambda draw: _f1([ours[index] for index in draw]) - _f1([theirs[index] for index in draw]),
        level=level,
        resamples=resamples,
        seed=seed,
    )


def _f1(posts: Sequence[Counts]) -> float:
    # Summed by hand: a thousand times faster draws than adding Counts matters here.
    right = sum(post.right for post in posts)
    both = sum(post.predicted + post.gold for post in posts)
    return 2 * right / both if both else 0.0


def _draws(size: int, resamples: int, seed: int) -> list[list[int]]:
    if size == 0:
        raise ValueError("a bootstrap needs at least one post")
    chance = random.Random(seed)
    return [chance.choices(range(size), k=size) for _ in range(resamples)]


def _interval(value: float, draws: list[float], level: float) -> Interval:
    draws.sort()
    tail = (1 - level) / 2
    low, high = int(tail * len(draws)), int((1 - tail) * len(draws)) - 1
    return Interval(value, draws[low], draws[max(low, high)])
