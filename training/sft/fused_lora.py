"""PEFT's LoRA layers with one matrix product instead of three.

y = x (W + s·B·A)ᵀ with the sum formed once a step: for a batch of some thousand tokens that
costs next to nothing, and saves two thin products and three passes over the activations a
layer. Weights, names and saved files stay PEFT's. Without dropout the result is that of
PEFT, up to the rounding that merging the adapter for deployment brings anyway.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch.nn.functional import linear

from schemas.errors import OperatorError

__all__ = ["FusedLoraLinear", "fuse_lora"]


class _MergedLinear(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """x → x (W + s·B·A)ᵀ; gradients to x, A and B, none to W."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, a: Any, b: Any, scale: float) -> Any:  # noqa: PLR0917 - torch calls it so
        a_cast, b_cast = a.to(weight.dtype), (b * scale).to(weight.dtype)
        merged = torch.addmm(weight, b_cast, a_cast)
        ctx.save_for_backward(x, merged, a_cast, b_cast)
        ctx.scale = scale
        return linear(x, merged)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, merged, a, b = ctx.saved_tensors
        grad_rows, x_rows = grad.flatten(0, -2), x.flatten(0, -2)
        grad_x = (grad_rows @ merged).view_as(x) if ctx.needs_input_grad[0] else None
        grad_a = (grad_rows @ b).t() @ x_rows
        grad_b = grad_rows.t() @ (x_rows @ a.t())
        return grad_x, None, grad_a.float(), grad_b.float() * ctx.scale, None


class FusedLoraLinear(LoraLinear):  # type: ignore[misc, unused-ignore]
    """A LoRA layer with one adapter and no dropout."""

    def forward(self, x: Any, *_args: Any, **_kwargs: Any) -> Any:
        """x (W + s·B·A)ᵀ + bias."""
        base = self.base_layer
        (adapter,) = self.active_adapters
        out = _MergedLinear.apply(
            x,
            base.weight,
            self.lora_A[adapter].weight,
            self.lora_B[adapter].weight,
            self.scaling[adapter],
        )
        return out if base.bias is None else out + base.bias


def fuse_lora(model: Any) -> int:
    """Makes every LoRA layer of `model` a fused one, in place; the number of layers changed.

    Raises OperatorError where a layer has dropout, which fused layers cannot have.
    """
    layers = [module for module in model.modules() if type(module) is LoraLinear]
    for layer in layers:
        if any(not isinstance(dropout, torch.nn.Identity) for dropout in layer.lora_dropout.values()):
            raise OperatorError("fused LoRA has no dropout: set lora_dropout to 0")
        # The class is swapped, not the method: torch.compile then shares one graph among all layers.
        layer.__class__ = FusedLoraLinear
    return len(layers)
