"""What one run of reinforcement learning does; read from a TOML file, single numbers from the command."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from sake_model.dialogue import DialogueLimits
from schemas.errors import OperatorError
from training.rl.objective import Weights
from training.rl.rewards import Reward, RewardPlan

__all__ = ["BUILT_IN", "PENALTIES", "RlPlan", "read_plan"]

BUILT_IN = ("small", "paper")
"""The settings that come with this package: for one CPU core, and those of SAKE's authors."""
PENALTIES = {Reward.PAPER: 0.01, Reward.MULTI_EM: 0.1, Reward.SELF_AWARE: 0.05}
"""Each reward's own, where the plan names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RlPlan:
    """One run. Raises ValueError for numbers that make no run."""

    reward: Reward = Reward.PAPER
    search_penalty: float | None = None
    """None = the reward's own."""
    gate: float = 0.9
    """F1 from which an answer counts as right."""
    mixed_f1: bool = False
    """The reward's F1 is .25 MNER + .25 EEG + .5 GMNER, not GMNER alone."""
    rollouts: int = 8
    """Dialogues a prompt: the group."""
    prompts: int = 8
    """Posts a step, over all processes."""
    steps: int = 100
    learning_rate: float = 2e-5
    warmup_steps: int = 2
    updates: int = 1
    """Optimiser steps that a step's dialogues are split into."""
    kl: float = 0.001
    clip_low: float = 0.2
    clip_high: float = 0.2
    max_grad_norm: float = 1.0
    temperature: float = 1.0
    rounds: int = 3
    text_searches: int = 1
    image_searches: int = 1
    max_new_tokens: int = 128
    """Of one turn."""
    lora_rank: int = 32
    """Where no adapter is given."""
    checkpoint_every: int = 5
    """Steps."""
    sampling_batch_tokens: int = 16_384
    """Tokens that are sampled together, prompts and turns."""
    learning_batch_tokens: int = 4_096
    """Tokens of one forward and backward pass, padding and all."""
    seed: int = 1
    """Of the order of posts and of what is drawn."""

    def __post_init__(self) -> None:
        counts = ("prompts", "steps", "updates", "max_new_tokens", "checkpoint_every", "rounds")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.rollouts < 2:
            raise ValueError("a group needs two rollouts, to compare one with the other")
        if self.temperature <= 0 or self.learning_rate <= 0:
            raise ValueError("temperature and learning_rate must be positive")

    @property
    def weights(self) -> Weights:
        """Of the objective."""
        return Weights(self.clip_low, self.clip_high, self.kl)

    @property
    def reward_plan(self) -> RewardPlan:
        """Of the reward."""
        penalty = PENALTIES[self.reward] if self.search_penalty is None else self.search_penalty
        return RewardPlan(self.reward, penalty, self.gate)

    @property
    def limits(self) -> DialogueLimits:
        """Of the dialogues."""
        return DialogueLimits(
            rounds=self.rounds,
            text_searches=self.text_searches,
            image_searches=self.image_searches,
            turn_tokens=self.max_new_tokens,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What must not change within a run folder: all but how long it is and how it is cut up."""
        free = {"steps", "checkpoint_every", "sampling_batch_tokens", "learning_batch_tokens"}
        facts = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in free}
        return facts | {"search_penalty": self.reward_plan.search_penalty}

    @property
    def closed(self) -> int:
        """Dialogues of a group that must do without search."""
        return self.rollouts // 2 if self.reward is Reward.SELF_AWARE else 0


def read_plan(source: str, **given: Any) -> RlPlan:
    """A built-in plan by its name, or a TOML file's; what is `given` and not None comes before it.

    Raises OperatorError for a file that is none, and for numbers that make no run.
    """
    path = resources.files("training") / "configs" / "rl" / f"{source}.toml"
    if source not in BUILT_IN:
        path = Path(source)
        if not path.is_file():
            raise OperatorError(f"there is no plan {source!r}: name a file, or one of {', '.join(BUILT_IN)}")
    try:
        values = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{source} is no TOML file: {error}") from error
    values |= {name: value for name, value in given.items() if value is not None}
    if unknown := values.keys() - {each.name for each in fields(RlPlan)}:
        raise OperatorError(f"{source} holds {', '.join(sorted(unknown))}, which no plan has")
    try:
        values["reward"] = Reward(values.get("reward", Reward.PAPER))
        return RlPlan(**values)
    except (ValueError, TypeError) as error:
        raise OperatorError(f"the plan of {source} makes no run: {error}") from error
