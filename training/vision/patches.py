"""The tower's patch embedding as the matrix product that it is.

Qwen2.5-VL writes it as a convolution whose stride is its kernel, over patches that were cut out
before. On a CPU the convolution's gradient costs as much as the rest of a small tower.
"""

from __future__ import annotations

from typing import Any

from torch.nn.functional import linear
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionPatchEmbed

__all__ = ["LinearPatchEmbed", "linear_patches"]


class LinearPatchEmbed(Qwen2_5_VisionPatchEmbed):  # type: ignore[misc, unused-ignore]
    """Same weights, same names, same result."""

    def forward(self, hidden_states: Any) -> Any:
        """Patches (flattened) to embeddings."""
        weight = self.proj.weight.flatten(1)
        return linear(hidden_states.view(-1, weight.shape[1]).to(weight.dtype), weight)


def linear_patches(tower: Any) -> Any:
    """The tower, its patch embedding swapped in place."""
    tower.patch_embed.__class__ = LinearPatchEmbed
    return tower
