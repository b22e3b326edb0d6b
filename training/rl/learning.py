"""One step's dialogues to one (or a few) optimiser steps, on one process or on many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from training.rl.objective import clipped_tokens, k3, token_losses
from training.rl.plan import RlPlan
from training.rl.policy import Policy
from training.rl.tokens import Sequenced

__all__ = ["Example", "Learner", "Learnt", "micro_batches"]

BETAS = (0.9, 0.95)
"""A run has few steps: with Adam's 0.999 the second moment would be that of the start for most of it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sequence and the advantage of its dialogue."""

    sequence: Sequenced
    advantage: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """Figures of one step, over all processes."""

    loss: float = 0.0
    kl: float = 0.0
    """A token."""
    clipped: float = 0.0
    """Share of tokens."""
    drift: float = 0.0
    """Mean absolute difference of log-probabilities, sampled and learnt."""
    grad_norm: float = 0.0
    learning_rate: float = 0.0


def micro_batches(examples: Sequence[Example], tokens: int) -> Iterator[list[Example]]:
    """Batches of like length, each at most `tokens` long with its padding (or a single example)."""
    batch: list[Example] = []
    for example in sorted(examples, key=lambda each: len(each.sequence.ids), reverse=True):
        if batch and len(batch[0].sequence.ids) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch


class Learner:
    """The optimiser and what it moves."""

    def __init__(self, policy: Policy, plan: RlPlan, accelerator: Accelerator) -> None:
        self._policy = policy
        self._plan = plan
        self._accelerator = accelerator
        parameters = list(policy.learning.values())
        self.optimiser = torch.optim.AdamW(parameters, lr=plan.learning_rate, betas=BETAS, weight_decay=0.0)
        policy.wrapped, self.optimiser = accelerator.prepare(policy.model, self.optimiser)

    def update(self, examples: Sequence[Example], own_tokens: int, step: int) -> Learnt:
        """Learns from the step's examples.

        `own_tokens`: what the model wrote in all dialogues of the step, of all processes: the mean is
        over these. Dialogues without an advantage are among them, but need not be among the examples:
        without them only their share of the KL term is missing.
        """
        rate = self._plan.learning_rate * min(1.0, step / max(1, self._plan.warmup_steps))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        order = list(examples)
        Random(f"{self._plan.seed}/{step}").shuffle(order)
        parts = [order[i :: self._plan.updates] for i in range(self._plan.updates)]
        sums = [self._part(part, own_tokens / self._plan.updates) for part in parts]
        return self._figures(sums, own_tokens, rate)

    def _part(self, examples: Sequence[Example], of_tokens: float) -> tuple[Any, float]:
        """Sums over this process's tokens (loss, kl, clipped, drift, how many), and the gradient's norm."""
        plan, policy = self._plan, self._policy
        batches = list(micro_batches(examples, plan.learning_batch_tokens))
        rows = [[example.sequence for example in batch] for batch in batches]
        references = policy.reference_logprobs(rows) if plan.kl else [None] * len(rows)
        sums = torch.zeros(5, device=policy.device)
        # All processes must call the model as often as each other: who has less learns nothing at the end.
        calls = max(gather_object([len(batches)]))
        for number in range(calls):
            last = number == calls - 1
            with nullcontext() if last else self._accelerator.no_sync(policy.wrapped):
                if number < len(batches):
                    loss = self._loss(batches[number], references[number], sums)
                else:
                    loss = 0.0 * policy.logprobs([_NOTHING]).sum()
                # Gradients are averaged over the processes, but the loss is already a share of the whole.
                self._accelerator.backward(loss * self._accelerator.num_processes / of_tokens)
        if not calls:
            return sums, 0.0
        norm = self._accelerator.clip_grad_norm_(list(policy.learning.values()), plan.max_grad_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return sums, float(norm)

    def _loss(self, batch: Sequence[Example], reference: Any | None, sums: Any) -> Any:
        """The batch's summed loss; `sums` grow."""
        device, weights = self._policy.device, self._plan.weights
        new = self._policy.logprobs([example.sequence for example in batch])
        old = torch.tensor([each for one in batch for each in one.sequence.logprobs], device=device)
        advantages = torch.tensor(
            [one.advantage for one in batch for _ in one.sequence.logprobs], device=device
        )
        losses = token_losses(new, old, reference, advantages, weights)
        with torch.no_grad():
            kl = k3(new, reference).sum() if reference is not None else new.new_zeros(())
            clipped = clipped_tokens(new, old, advantages, weights)
            drift = (new - old).abs().sum()
            sums += torch.stack([losses.sum(), kl, clipped.float(), drift, new.new_tensor(len(new))])
        return losses.sum()

    def _figures(self, parts: Sequence[tuple[Any, float]], own_tokens: int, rate: float) -> Learnt:
        total = self._accelerator.reduce(sum(sums for sums, _ in parts), reduction="sum").tolist()
        loss, kl, clipped, drift, tokens = total
        tokens = max(1.0, tokens)
        norms = [norm for _, norm in parts]
        norm = sum(norms) / len(norms)
        return Learnt(loss / own_tokens, kl / tokens, clipped / tokens, drift / tokens, norm, rate)


_NOTHING = Sequenced((0, 0), (False, True), (0.0,))
"""One token, for a pass whose gradient is zero."""
