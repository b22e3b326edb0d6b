"""Plans in files and from options."""

from __future__ import annotations

import pytest

from schemas.errors import OperatorError
from training.rl.plan import BUILT_IN, read_plan
from training.rl.rewards import Reward


def test_the_papers_plan_has_the_papers_numbers():
    plan = read_plan("paper")
    assert (plan.rollouts, plan.learning_rate, plan.kl, plan.prompts) == (8, 2e-6, 0.001, 16)
    assert (plan.limits.rounds, plan.limits.text_searches, plan.limits.image_searches) == (3, 1, 1)
    assert plan.reward_plan.search_penalty == 0.01


@pytest.mark.parametrize("name", BUILT_IN)
def test_options_come_before_the_file_and_none_is_no_option(name):
    plan = read_plan(name, reward="self_aware", kl=0.0, seed=7, steps=None)
    assert (plan.reward, plan.kl, plan.seed) == (Reward.SELF_AWARE, 0.0, 7)
    assert plan.steps == read_plan(name).steps
    assert plan.reward_plan.search_penalty == 0.05, "the reward's own, where none is named"
    assert plan.closed == 4
    assert read_plan(name, reward="self_aware", search_penalty=0.0).reward_plan.search_penalty == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rollouts = 1", "two rollouts"),
        ("prompt = 3", "prompt"),
        ("reward = 'best'", "best"),
        ("kl = [", "no TOML"),
        ("temperature = 0", "positive"),
    ],
)
def test_a_file_that_makes_no_run_is_refused_with_its_reason(tmp_path, text, said):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(OperatorError, match=said):
        read_plan(str(path))


def test_what_may_change_within_a_run_folder_is_how_long_it_is():
    assert read_plan("small").facts == read_plan("small", steps=500).facts
    assert read_plan("small").facts != read_plan("small", kl=0.5).facts
