"""How well a score tells what will go wrong: AUROC and the risk–coverage curve, ties done justice.

AUROC is the Mann–Whitney statistic (Hanley and McNeil 1982): the chance that something wrong has a
higher score than something right, ties counting a half. Risk and coverage are those of selective
prediction (El-Yaniv and Wiener 2010; AURC as in Geifman, Uziel and El-Yaniv 2019): the surest are
answered first; things of equal score come in any order, and the figures are the mean over all orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Curve", "Judged", "Point", "aurc", "auroc", "decision", "risk_coverage"]


class Judged(NamedTuple):
    """One thing that was answered."""

    score: float
    """The higher, the less sure."""
    wrong: bool


class Point(NamedTuple):
    """The error rate among what is answered, and how much that is."""

    coverage: float
    """Share of all things that are answered without a search."""
    risk: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Risk at every coverage that a threshold on the score can choose."""

    points: tuple[Point, ...]
    """From the surest to everything."""
    aurc: float
    """Mean risk over all coverages 1/n … n/n; the less the better."""
    best_aurc: float
    """Of a score that knows: everything right comes first."""


def auroc(things: Iterable[Judged]) -> float | None:
    """0.5 = the score says nothing, 1 = all that is wrong scores higher. None where nothing, or
    everything, is wrong.

    >>> auroc([Judged(0.0, False), Judged(0.5, True), Judged(0.5, False)])
    0.75
    """
    right_below = wins = 0.0
    all_right = all_wrong = 0
    for right, wrong in _tallied(things):
        wins += wrong * (right_below + right / 2)
        right_below += right
        all_right, all_wrong = all_right + right, all_wrong + wrong
    return wins / (all_right * all_wrong) if all_right and all_wrong else None


def risk_coverage(things: Sequence[Judged]) -> Curve:
    """The curve of a score. Raises ValueError where there is nothing."""
    points, answered, wrong_so_far = [], 0, 0
    for right, wrong in _tallied(things):
        answered, wrong_so_far = answered + right + wrong, wrong_so_far + wrong
        points.append(Point(answered / len(things), wrong_so_far / answered))
    return Curve(tuple(points), aurc(things), aurc([Judged(each.wrong, each.wrong) for each in things]))


def aurc(things: Sequence[Judged]) -> float:
    """Area under the risk–coverage curve: its mean risk. Raises ValueError where there is nothing."""
    if not things:
        raise ValueError("a curve needs something that was answered")
    total, answered, wrong_so_far = 0.0, 0, 0.0
    for right, wrong in _tallied(things):
        share = wrong / (right + wrong)
        for _ in range(right + wrong):
            answered, wrong_so_far = answered + 1, wrong_so_far + share
            total += wrong_so_far / answered
    return total / len(things)


def decision(things: Sequence[Judged]) -> tuple[float, float]:
    """(True, false) positive rate of a yes-or-no score: of the wrong and of the right ones, the share
    that scores above 0. A rate of nothing is 0.
    """
    flagged = [each for each in things if each.score > 0]
    wrong = sum(each.wrong for each in things)
    hits = sum(each.wrong for each in flagged)
    return _share(hits, wrong), _share(len(flagged) - hits, len(things) - wrong)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _tallied(things: Iterable[Judged]) -> list[tuple[int, int]]:
    """(right, wrong) of every score, the lowest first."""
    tally: dict[float, list[int]] = {}
    for score, wrong in things:
        tally.setdefault(score, [0, 0])[wrong] += 1
    return [(right, wrong) for _, (right, wrong) in sorted(tally.items())]
