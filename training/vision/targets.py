"""What each visual token of a picture should know: what it shows, its name and its box.

One visual token is a cell of 28 × 28 px of the resized picture. A cell shows the smallest thing
whose box holds the cell's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sake_model.corpora.labelled import Box
from sake_model.grounding import Size
from training.synthetic.posts import Shown

__all__ = ["KINDS", "NOTHING", "CellTarget", "cell_targets"]

KINDS = ("nothing", "PER", "LOC", "ORG", "OTHER")
NOTHING = 0


@dataclass(frozen=True, slots=True)
class CellTarget:
    """Kind (index into KINDS), the thing (index, or -1) and its box as shares of the picture's sides."""

    kind: int = NOTHING
    thing: int = -1
    box: Box = (0.0, 0.0, 0.0, 0.0)


def cell_targets(shown: Sequence[Shown], picture: Size, resized: Size, cell_px: int) -> list[CellTarget]:
    """A target for every cell, row by row. `shown` is in pixels of `picture`."""
    shares = [
        (
            box[0] / picture.width,
            box[1] / picture.height,
            box[2] / picture.width,
            box[3] / picture.height,
        )
        for box in (thing.box for thing in shown)
    ]
    smallest_first = sorted(range(len(shown)), key=lambda i: _area(shares[i]))
    targets = []
    for top in range(0, resized.height, cell_px):
        y = (top + cell_px / 2) / resized.height
        for left in range(0, resized.width, cell_px):
            x = (left + cell_px / 2) / resized.width
            found = next((i for i in smallest_first if _holds(shares[i], x, y)), None)
            targets.append(
                CellTarget()
                if found is None
                else CellTarget(KINDS.index(shown[found].type), found, shares[found])
            )
    return targets


def _holds(box: Box, x: float, y: float) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
