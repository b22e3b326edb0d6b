"""A LoRA model that is only read for a while: every layer's sum is formed once, not at each call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import linear

from training.sft.fused_lora import FusedLoraLinear

__all__ = ["merged_lora", "other_weights"]


class _MergedLoraLinear(FusedLoraLinear):
    """Multiplies by the sum that is there already; the same numbers as a fused layer's."""

    summed: Any

    def forward(self, x: Any, *_args: Any, **_kwargs: Any) -> Any:
        """x (W + s·B·A)ᵀ + bias."""
        return linear(x, self.summed, self.base_layer.bias)


@contextmanager
def merged_lora(model: Any) -> Iterator[None]:
    """Inside, the fused layers of `model` are merged, and nothing has a gradient.

    Costs as much memory again as the layers' own weights.
    """
    layers = [module for module in model.modules() if type(module) is FusedLoraLinear]
    with torch.no_grad():
        for layer in layers:
            (adapter,) = layer.active_adapters
            weight, scale = layer.base_layer.weight, layer.scaling[adapter]
            a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
            layer.summed = torch.addmm(weight, (b * scale).to(weight.dtype), a.to(weight.dtype))
            layer.__class__ = _MergedLoraLinear
        try:
            yield
        finally:
            for layer in layers:
                layer.__class__ = FusedLoraLinear
                del layer.summed


@contextmanager
def other_weights(model: Any, weights: dict[str, Any]) -> Iterator[None]:
    """Inside, the named parameters of `model` have these values; after it, their own again."""
    parameters = {name: each for name, each in model.named_parameters() if name in weights}
    own = {name: each.data for name, each in parameters.items()}
    try:
        for name, each in parameters.items():
            each.data = weights[name]
        yield
    finally:
        for name, each in parameters.items():
            each.data = own[name]
