"""The tower with three small heads, which are thrown away once it has learnt to see.

kind   what a cell shows: cross entropy, cells that show something and cells that do not counting alike
box    where that thing is, as shares of the picture's sides: L1 over the cells that show one
name   who it is: the cell, projected, must be nearest to the mean of the language model's own
       embeddings of the name's tokens, among all names of the batch (InfoNCE). So the tower's tokens
       speak the language that reads them, and a name never seen has a place there, too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy, normalize

from training.vision.targets import KINDS, NOTHING

__all__ = ["DenseVision"]

BOX_WEIGHT = 4.0
"""An L1 of 0.1 (a tenth of the picture) then weighs as much as an undecided kind."""
NAME_WEIGHT = 1.0
TEMPERATURE = 0.07
"""As in CLIP (Radford et al. 2021)."""


class DenseVision(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Wraps a Qwen2.5-VL vision tower for pretraining; `tower` is what is kept."""

    def __init__(self, tower: Any, width: int) -> None:
        super().__init__()
        self.tower = tower
        self.kind = torch.nn.Linear(width, len(KINDS))
        self.box = torch.nn.Linear(width, 4)
        self.name = torch.nn.Linear(width, width)

    def forward(
        self, *, pixel_values: Any, image_grid_thw: Any, kinds: Any, boxes: Any, things: Any, names: Any
    ) -> dict[str, Any]:
        """The loss, and what a report wants. Cells of all pictures stand in one row.

        `things` says which of the batch's `names` (normalised embeddings) a cell shows, -1 for none.
        """
        cells = self.tower(pixel_values, grid_thw=image_grid_thw).pooler_output.float()
        shows = kinds != NOTHING
        kind_logits = self.kind(cells)
        loss = _balanced(cross_entropy(kind_logits, kinds, reduction="none"), shows)
        guessed = self.box(cells).sigmoid()
        if shows.any():
            loss = loss + BOX_WEIGHT * (guessed[shows] - boxes[shows]).abs().mean()
            near = normalize(self.name(cells[shows]), dim=-1) @ names.T / TEMPERATURE
            loss = loss + NAME_WEIGHT * cross_entropy(near, things[shows])
        return {"loss": loss, "kinds": kind_logits.argmax(-1).detach(), "boxes": guessed.detach()}


def _balanced(losses: Any, shows: Any) -> Any:
    """Nine of ten cells show nothing: without this, saying so everywhere is nearly right."""
    parts = [losses[cells].mean() for cells in (shows, ~shows) if cells.any()]
    return torch.stack(parts).mean()
