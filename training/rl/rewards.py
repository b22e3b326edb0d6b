"""Rewards as pure functions: what a dialogue is worth, given what it came to and what it searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Outcome", "Reward", "RewardPlan", "group_rewards", "multi_em", "paper", "self_aware"]

EXACT = 1.0 - 1e-9
"""An F1 from which all is right."""
REPEATED_COST = 0.1
"""SAAS: for each query asked before."""
EASY_FROM = 2
"""SAAS: a post is easy when so many of its dialogues without search are right."""


class Reward(StrEnum):
    """Which of them a run uses."""

    PAPER = "paper"
    """SAKE's own."""
    MULTI_EM = "multi_em"
    """MMSearch-R1's (arXiv 2506.20670)."""
    SELF_AWARE = "self_aware"
    """SAAS's (arXiv 2605.29796): half of a group must do without search."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one dialogue came to."""

    f1: float
    """Of its answer, 0 to 1; 0 where there was none."""
    well_formed: bool
    """Every turn was strictly as it should be, and the last one answered."""
    searches: int = 0
    """Queries that were looked up."""
    repeated: int = 0
    """Queries that were asked again."""
    closed: bool = False
    """Search was not offered: only the answer was asked for."""


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """A reward and its numbers."""

    kind: Reward = Reward.PAPER
    search_penalty: float = 0.01
    """Taken off: for each query (paper, self_aware) or as a share of what was won (multi_em)."""
    gate: float = 0.9
    """The F1 from which a search was needless, for `paper`; and right is right, for `self_aware`."""
    f1_weight: float = 0.9
    format_weight: float = 0.1


def group_rewards(outcomes: Sequence[Outcome], plan: RewardPlan) -> list[float]:
    """One reward for each dialogue of a group: all are about the same post."""
    if plan.kind is Reward.SELF_AWARE:
        return self_aware(outcomes, plan)
    of_one = paper if plan.kind is Reward.PAPER else multi_em
    return [of_one(outcome, plan) for outcome in outcomes]


def paper(outcome: Outcome, plan: RewardPlan = RewardPlan()) -> float:
    """SAKE: λ_F1·F1 + λ_fmt·format − λ_search·1[F1 ≥ γ]·N, with N queries looked up.

    A search pays where the answer would have been wrong without it, and costs where it is right.

    >>> round(paper(Outcome(1.0, True)), 3)
    1.0
    >>> round(paper(Outcome(1.0, True, searches=2)), 3)  # right, and it cost two searches
    0.98
    >>> round(paper(Outcome(0.5, True, searches=2)), 3)  # not right: whoever does not know may search
    0.55
    >>> round(paper(Outcome(0.9, False, searches=1)), 3)  # at γ the penalty fires
    0.8
    """
    won = plan.f1_weight * outcome.f1 + plan.format_weight * outcome.well_formed
    return won - (plan.search_penalty * outcome.searches if outcome.f1 >= plan.gate else 0.0)


def multi_em(outcome: Outcome, plan: RewardPlan = RewardPlan(Reward.MULTI_EM, 0.1)) -> float:
    """MMSearch-R1 over several entities: λ_F1·EM·(1 − penalty where it searched) + λ_fmt·format.

    EM is 1 where all entities and nothing else was answered.

    >>> round(multi_em(Outcome(1.0, True)), 3)
    1.0
    >>> round(multi_em(Outcome(1.0, True, searches=3)), 3)
    0.91
    >>> round(multi_em(Outcome(0.8, True)), 3)
    0.1
    """
    exact = outcome.f1 >= EXACT
    share = 1.0 - (plan.search_penalty if outcome.searches else 0.0)
    return plan.f1_weight * exact * share + plan.format_weight * outcome.well_formed


def self_aware(
    outcomes: Sequence[Outcome], plan: RewardPlan = RewardPlan(Reward.SELF_AWARE, 0.05)
) -> list[float]:
    """SAAS: what is known by heart need not be searched; what is not, only as much as is needed.

    A post is easy when at least two of its `closed` dialogues are right. Of an easy post every query
    costs; of another one only those beyond the fewest with which a dialogue came to be right. A wrong
    answer wins nothing, and a query asked again always costs 0.1.

    >>> right, wrong = Outcome(1.0, True, closed=True), Outcome(0.0, True, closed=True)
    >>> searched = Outcome(1.0, True, searches=2)
    >>> self_aware([right, right, searched, Outcome(1.0, True)])  # easy
    [1.0, 1.0, 0.9, 1.0]
    >>> self_aware([wrong, wrong, searched, Outcome(1.0, True, searches=3)])  # two were needed
    [0.0, 0.0, 1.0, 0.95]
    >>> self_aware([wrong, Outcome(1.0, True, searches=1, repeated=1)])
    [0.0, 0.9]
    """
    right = [outcome for outcome in outcomes if outcome.f1 >= plan.gate]
    easy = sum(outcome.closed for outcome in right) >= EASY_FROM
    needed = 0 if easy else min((outcome.searches for outcome in right if not outcome.closed), default=0)
    return [
        (outcome.f1 >= plan.gate) * (1.0 - plan.search_penalty * max(0, outcome.searches - needed))
        - REPEATED_COST * outcome.repeated
        for outcome in outcomes
    ]
