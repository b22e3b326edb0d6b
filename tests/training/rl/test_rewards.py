"""What a dialogue is worth."""

from __future__ import annotations

import doctest

import pytest

from training.rl import rewards
from training.rl.rewards import Outcome, Reward, RewardPlan, group_rewards, paper

RIGHT = Outcome(1.0, well_formed=True)


def test_the_examples_of_the_module_hold():
    tested = doctest.testmod(rewards)
    assert tested.attempted >= 10
    assert tested.failed == 0


@pytest.mark.parametrize("penalty", [0.0, 0.01, 0.05, 0.1])
@pytest.mark.parametrize("searches", [1, 2, 5])
def test_a_needless_search_costs_exactly_what_the_formula_says(penalty, searches):
    plan = RewardPlan(Reward.PAPER, penalty)
    searched = Outcome(1.0, well_formed=True, searches=searches)
    assert paper(RIGHT, plan) - paper(searched, plan) == pytest.approx(penalty * searches)


def test_the_penalty_fires_from_the_gate_on_and_not_below():
    plan = RewardPlan(Reward.PAPER, 0.1, gate=0.8)
    cost = {
        f1: paper(Outcome(f1, well_formed=True), plan)
        - paper(Outcome(f1, well_formed=True, searches=1), plan)
        for f1 in (0.0, 0.79, 0.8, 1.0)
    }
    assert cost == pytest.approx({0.0: 0.0, 0.79: 0.0, 0.8: 0.1, 1.0: 0.1})


def test_a_search_that_makes_the_answer_right_pays_under_every_reward():
    guessed, searched = Outcome(0.0, well_formed=True), Outcome(1.0, well_formed=True, searches=1)
    closed = Outcome(0.0, well_formed=True, closed=True)
    for kind in Reward:
        wrong, right, _ = group_rewards([guessed, searched, closed], RewardPlan(kind, 0.1))
        assert right > wrong, kind


def test_a_broken_form_costs_its_share():
    assert paper(RIGHT) - paper(Outcome(1.0, well_formed=False)) == pytest.approx(0.1)


def test_half_right_is_half_a_reward_for_the_paper_and_none_for_exact_match():
    half = Outcome(0.5, well_formed=False)
    assert group_rewards([half], RewardPlan(Reward.PAPER)) == pytest.approx([0.45])
    assert group_rewards([half], RewardPlan(Reward.MULTI_EM)) == [0.0]


def test_self_aware_makes_a_post_easy_when_two_know_it_by_heart():
    plan = RewardPlan(Reward.SELF_AWARE, 0.05)
    knows, fails = Outcome(1.0, True, closed=True), Outcome(0.0, True, closed=True)
    free = [Outcome(1.0, True, searches=1), Outcome(1.0, True, searches=3)]
    assert group_rewards([knows, knows, *free], plan)[2:] == pytest.approx([0.95, 0.85])
    assert group_rewards([knows, fails, *free], plan)[2:] == pytest.approx([1.0, 0.9])
