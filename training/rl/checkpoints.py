"""A run's checkpoints: adapter, optimiser and how many steps they have seen; whole or not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)

from training.rl.policy import Policy

__all__ = ["last_checkpoint", "restore", "save"]

STATE_FILE = "state.pt"
KEPT = 2
"""The last one, and the one before it."""
OPTIONS = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True, strict=False)
"""On one process, under DDP and under FSDP: the whole of what learns, by the names that it has alone."""


def last_checkpoint(out: Path) -> int:
    """How many steps the last checkpoint of a run folder has seen; 0 without one."""
    return max((_step(folder) for folder in out.glob("checkpoint-*")), default=0)


def save(out: Path, step: int, policy: Policy, optimiser: Any, *, writes: bool) -> None:
    """Called by all processes; the one that `writes` does. Older checkpoints go."""
    weights, state = get_state_dict(policy.wrapped, optimiser, options=OPTIONS)
    if not writes:
        return
    folder = out / f"checkpoint-{step}"
    half = out / f"half-{step}"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    torch.save({"weights": weights, "optimiser": state}, half / STATE_FILE)
    half.rename(folder)
    for old in sorted(out.glob("checkpoint-*"), key=_step)[:-KEPT]:
        shutil.rmtree(old)


def restore(out: Path, step: int, policy: Policy, optimiser: Any) -> None:
    """Puts policy and optimiser where checkpoint `step` has them."""
    held = torch.load(out / f"checkpoint-{step}" / STATE_FILE, map_location="cpu", weights_only=True)
    set_state_dict(
        policy.wrapped,
        optimiser,
        model_state_dict=held["weights"],
        optim_state_dict=held["optimiser"],
        options=OPTIONS,
    )


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])
