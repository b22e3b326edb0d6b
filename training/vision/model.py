"""The tower with five small heads, which are thrown away once it has learnt to see.

kind   what a cell shows: cross entropy, cells that show something and cells that do not counting alike
box    where that thing is, as shares of the picture's sides: L1 and generalised IoU (Rezatofighi et al.
       2019), as in DETR (Carion et al. 2020), over the cells that show one
digit  the same box as an answer writes it, digit by digit: cross entropy of the first two digits of each
       number. The language model then has only to copy what its tokens say, not to reckon with it
name   who it is: the cell, projected, must be nearest to the mean of the language model's own
       embeddings of the name's tokens, among all names of the batch (InfoNCE). So the tower's tokens
       speak the language that reads them, and a name never seen has a place there, too.
look   the same thing again: the cell, projected, must be nearest to the mean of its reference's cells
       (the picture that an image search brings), among all references of the batch (InfoNCE). So a mark
       never seen before can be told from another by comparing it with its reference.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn.functional import cross_entropy, normalize

from training.dialogues import HUNDREDTH
from training.vision.quick import quick_features
from training.vision.targets import KINDS, NOTHING

__all__ = ["DenseVision", "digits_of", "generalised_iou", "iou"]

BOX_WEIGHT = 4.0
"""An L1 of 0.1 (a tenth of the picture) then weighs as much as an undecided kind."""
OVERLAP_WEIGHT = 1.0
DIGIT_WEIGHT = 1.0
NAME_WEIGHT = 1.0
LOOK_WEIGHT = 1.0
LOOK_WIDTH = 128
TEMPERATURE = 0.07
"""As in CLIP (Radford et al. 2021)."""

DIGIT_ROLES = 8
"""Four numbers of a box, two digits each."""


def generalised_iou(ours: Any, theirs: Any) -> Any:
    """IoU less the share of the hull that neither box covers, row by row: (n, 4) and (n, 4) to (n,), -1 to 1.

    `ours` may have its corners in the wrong order: then it covers nothing, and is pulled towards `theirs`.
    """
    low, high = torch.minimum(ours[:, :2], theirs[:, :2]), torch.maximum(ours[:, 2:], theirs[:, 2:])
    hull = _inside(low, high).clamp(min=1e-9)
    shared, both = _overlap(ours, theirs)
    return shared / both.clamp(min=1e-9) - (hull - both) / hull


def iou(ours: Any, theirs: Any) -> Any:
    """Intersection over union, row by row: (n, 4) and (n, 4) to (n,), 0 to 1."""
    shared, both = _overlap(ours, theirs)
    return shared / both.clamp(min=1e-9)


def _overlap(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Area of the intersection and of the union."""
    shared = _inside(torch.maximum(ours[:, :2], theirs[:, :2]), torch.minimum(ours[:, 2:], theirs[:, 2:]))
    return shared, _inside(ours[:, :2], ours[:, 2:]) + _inside(theirs[:, :2], theirs[:, 2:]) - shared


def _inside(low: Any, high: Any) -> Any:
    return (high - low).clamp(min=0).prod(-1)


def digits_of(boxes: Any) -> Any:
    """The first two digits of each number as an answer writes it: (n, 4) shares of the picture's sides to
    (n, 8) digits, of x1, y1, x2, y2. The second digit of a number of one digit is 0."""
    hundredths = (boxes * 100).round().long()
    number = hundredths * HUNDREDTH
    size = 10 ** (number.clamp(min=10).float().log10() + 1e-6).floor().long()
    return torch.stack([number // size, number // (size // 10) % 10], dim=-1).flatten(1)


class DenseVision(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Wraps a Qwen2.5-VL vision tower for pretraining; `tower` is what is kept."""

    def __init__(self, tower: Any, width: int) -> None:
        super().__init__()
        self.tower = tower
        self.kind = torch.nn.Linear(width, len(KINDS))
        self.box = torch.nn.Linear(width, 4)
        self.digit = torch.nn.Linear(width, DIGIT_ROLES * 10)
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
        seen = quick_features(self.tower, pixel_values, image_grid_thw).float()
        cells, others = seen[: len(kinds)], seen[len(kinds) :]
        shows, compared = kinds != NOTHING, looks >= 0
        kind_logits = self.kind(cells)
        loss = _balanced(cross_entropy(kind_logits, kinds, reduction="none"), shows)
        loss = loss + DIGIT_WEIGHT * self._digit_loss(cells, boxes, shows)
        guessed = self.box(cells).sigmoid()
        if shows.any():
            loss = loss + BOX_WEIGHT * (guessed[shows] - boxes[shows]).abs().mean()
            loss = loss + OVERLAP_WEIGHT * (1 - generalised_iou(guessed[shows], boxes[shows])).mean()
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

    def _digit_loss(self, cells: Any, boxes: Any, shows: Any) -> Any:
        """Cells that show nothing have to leave every digit open: what all cells say together is then what
        the others say, and can be read before one has learnt where to look."""
        said = self.digit(cells).unflatten(-1, (DIGIT_ROLES, 10)).log_softmax(-1)
        right = said.gather(-1, digits_of(boxes).unsqueeze(-1)).squeeze(-1)
        wrong = torch.where(shows[:, None], -right, -said.mean(-1) - math.log(10))
        return _balanced(wrong.mean(-1), shows)

    def _known(self, cells: Any, grids: Any) -> Any:
        """One unit vector a reference: the mean of its cells, projected."""
        merge = self.tower.spatial_merge_size
        parts = self.look(cells).split([int(grid.prod()) // merge**2 for grid in grids])
        return normalize(torch.stack([part.mean(0) for part in parts]), dim=-1)


def _balanced(losses: Any, shows: Any) -> Any:
    """Nine of ten cells show nothing: without this, saying so everywhere is nearly right."""
    parts = [losses[cells].mean() for cells in (shows, ~shows) if cells.any()]
    return torch.stack(parts).mean()
