"""Muon for the tower's matrices, AdamW for all else, as one optimizer.

Muon (Jordan et al. 2024) makes the step of a matrix orthogonal; with the scale of Liu et al. 2025
("Muon is Scalable for LLM Training", section 2.2) both learn at rates of one size.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["MatrixOptimizer"]

MATRIX_RATE = 2.0
"""A matrix's learning rate, as a multiple of all others'."""


class MatrixOptimizer(torch.optim.Optimizer):  # type: ignore[misc, unused-ignore]
    """Steps `matrices` by Muon and `others` by AdamW; one schedule drives both."""

    def __init__(self, matrices: list[Any], others: list[Any], rate: float, weight_decay: float) -> None:
        super().__init__([*matrices, *others], {"lr": rate})
        self._parts: tuple[Any, ...] = (
            torch.optim.Muon(
                matrices, lr=rate * MATRIX_RATE, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=rate, weight_decay=weight_decay),
        )
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    @torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
    def step(self, closure: Any = None) -> Any:
        """One step of both."""
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Of both."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Of both."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self._parts for group in part.param_groups]
