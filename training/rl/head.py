"""Log-probabilities of given tokens from hidden states, without a table of all logits.

A row of logits has as many numbers as the vocabulary. They are made, used and dropped some rows at a
time, forward and backward; the head itself is frozen. Rows without a wanted token never get there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["HeadRows", "token_logprobs"]

ROWS = 256
"""At a time: 256 × 49,216 float32 numbers are 50 MB."""


class HeadRows:
    """Takes the hidden states of wanted positions from in front of a model's head."""

    def __init__(self, model: Any) -> None:
        self._wanted: Any = None
        self._taken: Any = None
        model.get_output_embeddings().register_forward_pre_hook(self._take)

    def _take(self, _head: Any, inputs: tuple[Any, ...]) -> Any:
        if self._wanted is None:
            return None
        (hidden,) = inputs
        self._taken = hidden.flatten(0, 1)[self._wanted]
        return (hidden[:0],)

    def of(self, forward: Callable[[], Any], wanted: Any) -> Any:
        """The rows `wanted` (indices into batch × positions) of one call of `forward`."""
        self._wanted = wanted
        try:
            forward()
        finally:
            taken, self._wanted, self._taken = self._taken, None, None
        return taken


def token_logprobs(hidden: Any, head: Any, targets: Any, never: Any, temperature: float) -> Any:
    """Log-probability of each row's target at `temperature`, tokens of `never` left out.

    `hidden` is rows × width, `head` vocabulary × width. Gradients go to `hidden` alone.
    """
    return _TokenLogprobs.apply(hidden, head, targets, never, temperature)


class _TokenLogprobs(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    @staticmethod
    def forward(  # noqa: PLR0917 - torch calls it so
        ctx: Any, hidden: Any, head: Any, targets: Any, never: Any, temperature: float
    ) -> Any:
        found, norms = [], []
        for rows, wanted in zip(hidden.split(ROWS), targets.split(ROWS), strict=True):
            logits = _logits(rows, head, never, temperature)
            norms.append(logits.logsumexp(1))
            found.append(logits.gather(1, wanted[:, None]).squeeze(1) - norms[-1])
        ctx.save_for_backward(hidden, head, targets, never, torch.cat(norms))
        ctx.temperature = temperature
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        hidden, head, targets, never, norms = ctx.saved_tensors
        grads = []
        parts = (each.split(ROWS) for each in (hidden, targets, norms, grad))
        for rows, wanted, norm, share in zip(*parts, strict=True):
            # d(log p of the target)/d logits = one at the target − p.
            change = _logits(rows, head, never, ctx.temperature).sub_(norm[:, None]).exp_().neg_()
            change.scatter_add_(1, wanted[:, None], torch.ones_like(norm)[:, None])
            change.mul_(share[:, None] / ctx.temperature)
            grads.append(change.to(head.dtype) @ head)
        return torch.cat(grads), None, None, None, None


def _logits(rows: Any, head: Any, never: Any, temperature: float) -> Any:
    logits = (rows @ head.t()).float()
    if temperature != 1.0:
        logits.div_(temperature)
    return logits.index_fill_(1, never, float("-inf"))
