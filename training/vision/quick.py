"""The tower's blocks, written for a CPU that learns: same weights, same result, half of the time between
the matrix products.

transformers sends every picture of a batch through attention by itself and casts between bfloat16 and
float32 around each norm and rotation. Here pictures of one size go through attention together, and what
stands between two matrix products is compiled into one loop (torch.compile; without a C++ compiler it
runs as it is written). Only for towers whose blocks all see the whole picture, under autocast to bfloat16.
"""

from __future__ import annotations

import shutil
from typing import Any

import torch
from torch.nn.functional import linear, silu
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    get_vision_position_ids,
)

__all__ = ["quick_features"]

HALF = torch.bfloat16


def _norm(x: Any, weight: Any) -> Any:
    wide = x.float()
    return ((wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)) * weight).to(HALF)


def _rotated(x: Any, cos: Any, sin: Any) -> Any:
    low, high = x.float().chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1).to(HALF)


def _before(x: Any, norm: Any, layer: Any, turns: Any, heads: int) -> Any:
    """Queries, keys and values of all tokens: (tokens, heads, width) each. `turns`: cosines and sines."""
    query, key, value = (
        linear(_norm(x, norm), *(part.to(HALF) for part in layer)).unflatten(-1, (3, heads, -1)).unbind(1)
    )
    return _rotated(query, *turns), _rotated(key, *turns), value


def _after(x: Any, seen: Any, norm: Any, layers: Any) -> Any:
    """The rest of a block. `layers`: out, gate, up and down, each as (weight, bias)."""
    out, gate, up, down = layers
    x = x + linear(seen, *(part.to(HALF) for part in out))
    inner = _norm(x, norm)
    inner = silu(linear(inner, *(part.to(HALF) for part in gate))) * linear(
        inner, *(part.to(HALF) for part in up)
    )
    return x + linear(inner, *(part.to(HALF) for part in down))


def _attended(query: Any, key: Any, value: Any) -> Any:
    """(pictures, heads, tokens, width) each."""
    near = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
    return torch.softmax(near, -1) @ value


if shutil.which("g++"):
    _before = torch.compile(_before, dynamic=True)
    _after = torch.compile(_after, dynamic=True)


def quick_features(tower: Qwen2_5_VisionTransformerPretrainedModel, pixels: Any, grids: Any) -> Any:
    """What `tower(pixels, grid_thw=grids).pooler_output` gives: a row for each visual token.

    Raises ValueError for a tower with windows.
    """
    if set(tower.fullatt_block_indexes) != set(range(len(tower.blocks))):
        raise ValueError("a tower with windows does not go this way")
    x = tower.patch_embed(pixels)
    cos, sin = tower.rotary_pos_emb(x, get_vision_position_ids(grids, tower.spatial_merge_size))
    order, sizes = _by_size(grids)
    x, half = x[order], cos.shape[-1] // 2
    turns = tuple(table[order, None, :half].float() for table in (cos, sin))
    for block in tower.blocks:
        attn, mlp = block.attn, block.mlp
        rows = _before(x, block.norm1.weight, _of(attn.qkv), turns, attn.num_heads)
        parts = zip(*(table.split([many * size for many, size in sizes]) for table in rows), strict=True)
        seen = [
            _attended(*(table.unflatten(0, (-1, size)).transpose(1, 2) for table in part))
            .transpose(1, 2)
            .flatten(0, 1)
            .flatten(1)
            for part, (_, size) in zip(parts, sizes, strict=True)
        ]
        layers = tuple(_of(layer) for layer in (attn.proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj))
        x = _after(x, torch.cat(seen), block.norm2.weight, layers)
    return tower.merger(x[torch.argsort(order)])


def _of(layer: Any) -> tuple[Any, Any]:
    return layer.weight, layer.bias


def _by_size(grids: Any) -> tuple[Any, list[tuple[int, int]]]:
    """The order of patches in which pictures of as many patches stand together, and (pictures, patches)."""
    patches = grids.prod(-1).tolist()
    starts = [sum(patches[:i]) for i in range(len(patches))]
    sizes = sorted(set(patches))
    order = [
        torch.arange(start, start + size)
        for size in sizes
        for start, own in zip(starts, patches, strict=True)
        if own == size
    ]
    return torch.cat(order), [(patches.count(size), size) for size in sizes]
