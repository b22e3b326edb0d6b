"""The arithmetic of GRPO against a slow one that follows the papers word by word."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model

from training.rl.objective import Weights, clipped_tokens, group_advantages, k3, token_losses


def test_a_group_whose_rewards_are_equal_has_no_advantage_and_no_nan():
    assert group_advantages([0.3] * 8) == [0.0] * 8
    assert group_advantages([0.1 + 0.2, 0.3]) == [0.0, 0.0], "rounding is no difference"


def test_advantages_have_mean_zero_and_deviation_one_however_small_the_difference():
    advantages = group_advantages([1.0, 1.0, 0.99, 1.0])
    assert sum(advantages) == pytest.approx(0, abs=1e-9)
    assert sum(a * a for a in advantages) / 4 == pytest.approx(1)
    assert advantages[2] < -1


def slow_loss(new, old, reference, advantage, *, low, high, beta):
    """One token, in floats, as PPO (equation 7) and DeepSeekMath (equations 3 and 4) write it."""
    ratio = math.exp(new - old)
    surrogate = min(ratio * advantage, min(max(ratio, 1 - low), 1 + high) * advantage)
    kl = math.exp(reference - new) - (reference - new) - 1
    return -(surrogate - beta * kl)


NEW = [-1.0, -0.5, -2.0, -0.1, -3.0, -0.7]
OLD = [-1.0, -1.0, -1.0, -0.1, -2.9, -0.9]
REFERENCE = [-1.2, -0.4, -2.0, -1.0, -2.0, -0.7]
ADVANTAGES = [1.0, 1.0, -1.0, 0.5, -2.0, 0.0]


@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_losses_and_gradients_are_those_of_the_slow_reference(beta):
    weights = Weights(0.2, 0.3, beta)
    new = torch.tensor(NEW, dtype=torch.float64, requires_grad=True)
    old, reference, advantages = (torch.tensor(x, dtype=torch.float64) for x in (OLD, REFERENCE, ADVANTAGES))
    losses = token_losses(new, old, reference, advantages, weights)
    rows = list(zip(NEW, OLD, REFERENCE, ADVANTAGES, strict=True))
    slow = [slow_loss(*row, low=0.2, high=0.3, beta=beta) for row in rows]
    assert losses.tolist() == pytest.approx(slow)
    losses.sum().backward()
    step = 1e-6
    for i, (at, *rest) in enumerate(rows):
        ends = [slow_loss(at + d, *rest, low=0.2, high=0.3, beta=beta) for d in (-step, step)]
        assert new.grad[i].item() == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-5)


def test_what_is_clipped_has_no_gradient_and_is_counted():
    new = torch.tensor([0.5, 0.5, -0.5, -0.5], requires_grad=True)
    old, advantages = torch.zeros(4), torch.tensor([1.0, -1.0, 1.0, -1.0])
    token_losses(new, old, None, advantages, Weights(kl=0.0)).sum().backward()
    assert [grad != 0 for grad in new.grad.tolist()] == [False, True, True, False]
    assert clipped_tokens(new, old, advantages, Weights()).item() == 2


def test_kl_is_zero_where_nothing_moved_and_grows_to_both_sides():
    moved = k3(torch.tensor([-2.0, -1.5, -1.0, -0.5, 0.0]), torch.tensor(-1.0)).tolist()
    assert moved[2] == 0
    assert moved[0] > moved[1] > 0
    assert all(later > sooner for sooner, later in pairwise(moved[2:]))
