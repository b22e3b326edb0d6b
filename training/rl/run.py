"""A whole run: sample, look up, score, learn, write down; stops and goes on.

What it leaves in its folder: plan.json, curves.jsonl and curves.png, checkpoint-N/, and adapter/, which
the export takes like that of SFT.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from sake_model.checkpoint.graft import build_processor, sha256_of_file
from sake_model.checkpoint.manifest import digest_of_files
from sake_model.corpora.labelled import LabelledPost
from sake_model.search.interface import Search
from schemas.errors import OperatorError
from training.appendlog import AppendLog
from training.model_setup import ModelSetup
from training.rl.checkpoints import last_checkpoint, restore, save
from training.rl.curves import CURVES_FILE, PLOT_FILE, StepRecord, kept_records, plot_curves
from training.rl.learning import Example, Learner, Learnt
from training.rl.objective import group_advantages
from training.rl.plan import RlPlan
from training.rl.policy import Policy, adapted_for_rl
from training.rl.rewards import Outcome, group_rewards
from training.rl.rollouts import Leading, Rollout, Start, lead_all, outcome_of
from training.rl.sampling import LocalSampler, Sampler
from training.rl.tokens import sequences
from training.runfolder import claim_folder
from training.tags.run import prepared

__all__ = ["RlStart", "posts_of_step", "run_rl"]

ADAPTER = "adapter"


@dataclass(frozen=True, slots=True)
class RlStart:
    """What a run begins with, beyond the base model."""

    adapter: Path | None = None
    """The policy, and the reference that the KL term holds it to. None = the bare base model."""
    tower: Path | None = None
    """The vision tower; it stays as it is."""

    @property
    def facts(self) -> dict[str, str]:
        """What a run's plan remembers of it: contents, wherever they lie. Raises OperatorError."""
        for path in (self.adapter, self.tower):
            if path is not None and not path.exists():
                raise OperatorError(f"there is no {path} to begin with")
        return {
            "adapter": digest_of_files(self.adapter) if self.adapter is not None else "",
            "tower": f"sha256:{sha256_of_file(self.tower)}" if self.tower is not None else "",
        }


@dataclass(frozen=True, slots=True)
class _Played:
    """One dialogue with its worth. Plain, so that processes can tell one another."""

    prompt: int
    """Its number within the step."""
    outcome: Outcome
    reward: float
    advantage: float
    rounds: int
    length: int


async def run_rl(
    make_base: Callable[[], tuple[Any, Any]],
    posts: Sequence[LabelledPost],
    model: ModelSetup,
    search: Search,
    *,
    plan: RlPlan,
    start: RlStart = RlStart(),
    out: Path,
    progress: Callable[[StepRecord], None] = lambda _record: None,
    sampler_of: Callable[[Policy], Sampler] | None = None,
) -> None:
    """Runs all steps of the plan that `out` has not seen; see the module for what it leaves there.

    `sampler_of` makes what samples; None = the policy itself, in this process.
    Raises OperatorError when another plan, other posts or another start were begun in `out`.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    if accelerator.is_main_process:
        claim_folder(out, _facts(posts, model, plan, start))
    accelerator.wait_for_everyone()
    torch.manual_seed(plan.seed)
    policy = _policy(make_base, model, plan, start, accelerator)
    learner = Learner(policy, plan, accelerator)
    done = last_checkpoint(out)
    if done:
        restore(out, done, policy, learner.optimiser)
    run = _Run(posts, model, Leading(search, model, plan.limits), plan, policy, learner, accelerator)
    local = LocalSampler(policy, model.resize.factor_px, plan.sampling_batch_tokens)
    sampler = sampler_of(policy) if sampler_of else local
    records = kept_records(out / CURVES_FILE, done) if accelerator.is_main_process else []
    for record in records:
        progress(record)
    for step in range(done + 1, plan.steps + 1):
        record = await run.step(step, sampler)
        ends = step == plan.steps
        if accelerator.is_main_process:
            with AppendLog(out / CURVES_FILE, StepRecord) as log:
                log.add(record)
            records.append(record)
            progress(record)
        if ends or step % plan.checkpoint_every == 0:
            save(out, step, policy, learner.optimiser, writes=accelerator.is_main_process)
            if accelerator.is_main_process:
                plot_curves(records, out / PLOT_FILE)
    if accelerator.is_main_process:
        policy.model.save_pretrained(out / ADAPTER)


def posts_of_step(posts: int, prompts: int, step: int, seed: int) -> list[int]:
    """Which posts are a step's prompts: all once an epoch, in an order of the epoch's own.

    Nothing but these numbers decides, so a run that goes on has the stream of one that never stopped.

    >>> sorted(posts_of_step(6, 3, 1, seed=1) + posts_of_step(6, 3, 2, seed=1))
    [0, 1, 2, 3, 4, 5]
    """
    places = range((step - 1) * prompts, step * prompts)
    return [_order(posts, place // posts, seed)[place % posts] for place in places]


@lru_cache(maxsize=2)
def _order(posts: int, epoch: int, seed: int) -> list[int]:
    return Random(f"{seed}/{epoch}").sample(range(posts), posts)


def _facts(posts: Sequence[LabelledPost], model: ModelSetup, plan: RlPlan, start: RlStart) -> dict[str, Any]:
    ids = hashlib.sha256("\n".join(post.id for post in posts).encode()).hexdigest()
    return {**model.facts, **plan.facts, **start.facts, "posts": len(posts), "post_ids": f"sha256:{ids}"}


def _policy(
    make_base: Callable[[], tuple[Any, Any]],
    model: ModelSetup,
    plan: RlPlan,
    start: RlStart,
    accelerator: Accelerator,
) -> Policy:
    base, tokenizer = make_base()
    adapted = adapted_for_rl(base, start.tower, start.adapter, plan.lora_rank).to(accelerator.device)
    resize = model.resize
    processor = build_processor(tokenizer, min_pixels=resize.min_pixels, max_pixels=resize.max_pixels)
    return Policy(
        adapted,
        tokenizer,
        processor.image_processor,
        temperature=plan.temperature,
        device=accelerator.device,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What every step needs."""

    posts: Sequence[LabelledPost]
    model: ModelSetup
    leading: Leading
    plan: RlPlan
    policy: Policy
    learner: Learner
    accelerator: Accelerator

    async def step(self, step: int, sampler: Sampler) -> StepRecord:
        """One step: this process's share of the prompts, and figures over all of them."""
        began_s = time.monotonic()
        places = posts_of_step(len(self.posts), self.plan.prompts, step, self.plan.seed)
        mine = list(enumerate(places))[self.accelerator.process_index :: self.accelerator.num_processes]
        starts = [each for number, place in mine for each in await self._group(step, number, place)]
        rollouts = await lead_all(starts, sampler, self.leading)
        played, examples = self._valued(rollouts, [number for number, _ in mine])
        everyone: list[_Played] = gather_object(played)
        sampled_s = time.monotonic()
        learnt = self.learner.update(examples, max(1, sum(each.length for each in everyone)), step)
        seconds = (sampled_s - began_s, time.monotonic() - sampled_s)
        ids = tuple(self.posts[place].id for place in places)
        return _record(step, ids, everyone, learnt, seconds=seconds)

    async def _group(self, step: int, number: int, place: int) -> list[Start]:
        post = self.posts[place]
        picture = None
        if self.model.sees_pictures:
            picture = await asyncio.to_thread(prepared, post, self.model.resize)
        post = post if picture is not None else post.text_only
        seed = f"{self.plan.seed}/{step}/{number}"
        return [
            Start(post, picture, f"{seed}/{i}", closed=i < self.plan.closed)
            for i in range(self.plan.rollouts)
        ]

    def _valued(
        self, rollouts: Sequence[Rollout], prompts: Sequence[int]
    ) -> tuple[list[_Played], list[Example]]:
        """All dialogues with their worth; and to learn from, those better or worse than their group.

        `prompts` are the numbers of the groups within the step.
        """
        played: list[_Played] = []
        examples: list[Example] = []
        for i, prompt in enumerate(prompts):
            group = rollouts[i * self.plan.rollouts : (i + 1) * self.plan.rollouts]
            outcomes = [outcome_of(each, self.model, mixed=self.plan.mixed_f1) for each in group]
            rewards = group_rewards(outcomes, self.plan.reward_plan)
            advantages = group_advantages(rewards)
            for rollout, outcome, reward, advantage in zip(group, outcomes, rewards, advantages, strict=True):
                length = sum(len(turn.ids) for turn in rollout.turns)
                played.append(_Played(prompt, outcome, reward, advantage, len(rollout.turns), length))
                if advantage:
                    examples += [Example(each, advantage) for each in sequences(rollout.turns)]
        return played, examples


def _record(
    step: int,
    posts: tuple[str, ...],
    played: Sequence[_Played],
    learnt: Learnt,
    *,
    seconds: tuple[float, float],
) -> StepRecord:
    free = [each.outcome for each in played if not each.outcome.closed]
    return StepRecord(
        step=step,
        posts=posts,
        reward=fmean(each.reward for each in played),
        f1=fmean(each.outcome.f1 for each in played),
        right=fmean(each.outcome.f1 >= 1.0 for each in played),
        well_formed=fmean(each.outcome.well_formed for each in played),
        search_rate=fmean(each.searches > 0 for each in free),
        searches=fmean(each.searches for each in free),
        rounds=fmean(each.rounds for each in played),
        length=fmean(each.length for each in played),
        kl=learnt.kl,
        clipped=learnt.clipped,
        drift=learnt.drift,
        learnt_groups=len({each.prompt for each in played if each.advantage}),
        loss=learnt.loss,
        grad_norm=learnt.grad_norm,
        learning_rate=learnt.learning_rate,
        sampling_s=seconds[0],
        learning_s=seconds[1],
    )
