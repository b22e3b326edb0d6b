"""GRPO's arithmetic as pure functions (Shao et al. 2024, "DeepSeekMath", section 4.1).

Written out here, and not taken from TRL, since TRL cannot carry this dialogue: its trainer wants the
conversation as its own tool loop or as a `rollout_func`, and the latter fails where a tool returns
pictures; its sampling on a CPU keeps finished rows until the last one ends. What is needed of GRPO
is short: advantages within a group, a clipped ratio against the policy that sampled, and a KL term to
the policy that the run began with. One value for each token that the model itself wrote.

One departure: a step's loss is the mean over all of its tokens, as in DAPO (Yu et al. 2025, section
3.3), where DeepSeekMath first takes the mean of each dialogue: a long dialogue's tokens count as much
as a short one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

__all__ = ["Weights", "clipped_tokens", "group_advantages", "k3", "token_losses"]

SAME = 1e-6
"""Rewards of a group that differ by less are equal: the smallest difference that a reward makes is a
penalty for one search, 0.01."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the objective's parts."""

    clip_low: float = 0.2
    clip_high: float = 0.2
    """How far the ratio counts, below and above 1 (PPO's and GRPO's ε)."""
    kl: float = 0.001
    """β, of the KL term; 0 leaves it out."""


def group_advantages(rewards: Sequence[float]) -> list[float]:
    """(reward − mean) / standard deviation, within the group of one prompt; zeros where all are equal.

    >>> group_advantages([1.0, 0.0, 1.0, 0.0])
    [1.0, -1.0, 1.0, -1.0]
    >>> group_advantages([0.7, 0.7, 0.7])
    [0.0, 0.0, 0.0]
    """
    mean, spread = fmean(rewards), pstdev(rewards)
    if spread < SAME:
        return [0.0] * len(rewards)
    return [(reward - mean) / spread for reward in rewards]


def k3(new: Any, reference: Any) -> Any:
    """The KL divergence from the reference, estimated at each token: never negative, without bias.

    Schulman's third estimator: r − 1 − ln r, with r = reference / new (arXiv 2402.03300, equation 4).
    """
    difference = reference - new
    return difference.exp() - difference - 1


def token_losses(new: Any, old: Any, reference: Any | None, advantages: Any, weights: Weights) -> Any:
    """The loss of each token: the clipped surrogate, plus β times the KL term where there is one.

    `new`, `old`, `reference`: log-probabilities of the tokens under the policy that learns, the one
    that sampled them and the one that the run began with; `advantages`: those of their rollouts.
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - weights.clip_low, 1 + weights.clip_high)
    losses = -(ratio * advantages).minimum(clipped * advantages)
    return losses if reference is None else losses + weights.kl * k3(new, reference)


def clipped_tokens(new: Any, old: Any, advantages: Any, weights: Weights) -> Any:
    """How many tokens there are whose gradient the clip cuts off."""
    ratio = (new - old).exp()
    cut = ((ratio > 1 + weights.clip_high) & (advantages > 0)) | (
        (ratio < 1 - weights.clip_low) & (advantages < 0)
    )
    return cut.sum()
