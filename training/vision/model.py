"""The tower with four small heads, which are thrown away once it has learnt to see.

kind   what a cell shows: cross entropy, cells that show something and cells that do not counting alike
box    where that thing is, as shares of the picture's sides: L1 over the cells that show one
name   who it is: the cell, projected, must be nearest to the mean of the language model's own
       embeddings of the name's tokens, among all names of the batch (InfoNCE). So the tower's tokens
       speak the language that reads them, and a name never seen has a place there, too.
look   the same thing again: the cell, projected, must be nearest to the mean of its reference's cells
       (the picture that an image search brings), among all references of the batch (InfoNCE). So a mark
       never seen before can be told from another by comparing it with its reference.
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
LOOK_WEIGHT = 1.0
LOOK_WIDTH = 128
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
        self.look = torch.nn.Linear(width, LOOK_WIDTH)

    def forward(
        self,
        *,
        pixel_values: Any,
        image_grid_thw: Any,
        kinds: Any,
        boxes: Any,
        things: Any,
        names: Any,
        looks: Any,
        references: Any,
    ) -> dict[str, Any]:
        """The loss, and what a report wants. Cells of all pictures stand in one row.

        The last `references` pictures are references. `things` says which of the batch's `names`
        (normalised embeddings) a cell shows, `looks` which reference shows the same thing; -1 for none.
        """
        seen = self.tower(pixel_values, grid_thw=image_grid_thw).pooler_output.float()
        cells, others = seen[: len(kinds)], seen[len(kinds) :]
        shows, compared = kinds != NOTHING, looks >= 0
        kind_logits = self.kind(cells)
        loss = _balanced(cross_entropy(kind_logits, kinds, reduction="none"), shows)
        guessed = self.box(cells).sigmoid()
        if shows.any():
            loss = loss + BOX_WEIGHT * (guessed[shows] - boxes[shows]).abs().mean()
            near = normalize(self.name(cells[shows]), dim=-1) @ names.T / TEMPERATURE
            loss = loss + NAME_WEIGHT * cross_entropy(near, things[shows])
        alike = looks.clone()
        if compared.any():
            known = self._known(others, image_grid_thw[len(image_grid_thw) - int(references) :])
            near = normalize(self.look(cells[compared]), dim=-1) @ known.T / TEMPERATURE
            loss = loss + LOOK_WEIGHT * cross_entropy(near, looks[compared])
            alike[compared] = near.argmax(-1)
        return {
            "loss": loss,
            "kinds": kind_logits.argmax(-1).detach(),
            "boxes": guessed.detach(),
            "looks": alike,
        }

    def _known(self, cells: Any, grids: Any) -> Any:
        """One unit vector a reference: the mean of its cells, projected."""
        merge = self.tower.spatial_merge_size
        parts = self.look(cells).split([int(grid.prod()) // merge**2 for grid in grids])
        return normalize(torch.stack([part.mean(0) for part in parts]), dim=-1)


def _balanced(losses: Any, shows: Any) -> Any:
    """Nine of ten cells show nothing: without this, saying so everywhere is nearly right."""
    parts = [losses[cells].mean() for cells in (shows, ~shows) if cells.any()]
    return torch.stack(parts).mean()
