"""Layers placed on a background in mild perspective, with boxes that are tight to the pixel.

A box is measured on what was painted, after every change of shape: the bounding box of the
transformed alpha channel. What follows (blur, noise, JPEG) moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from sake_model.corpora.labelled import Box
from sake_model.grounding import Size, iou

__all__ = ["ALPHA_SEEN", "Canvas", "alpha_box", "in_perspective"]

ALPHA_SEEN = 128
"""A pixel counts as part of an object when at least half of it is covered."""
_SEEN = [255 if alpha >= ALPHA_SEEN else 0 for alpha in range(256)]
MAX_TILT = 0.12
"""A corner moves by at most this share of the layer's side."""
REDUCED_FROM = 1.6
"""A layer so many times larger than it will be is halved first: sampled as it is, it would flicker."""
TRIES = 12
"""Places tried for a layer before it is left out."""
MIN_SIDE_PX = 12
"""Smaller objects cannot be made out after the model's resize."""


def alpha_box(layer: Image.Image) -> Box | None:
    """The tight box of what is visible of a layer; None when nothing is."""
    seen = layer.getchannel("A").point(_SEEN).getbbox()
    return None if seen is None else (float(seen[0]), float(seen[1]), float(seen[2]), float(seen[3]))


def in_perspective(
    layer: Image.Image, random: Random, tilt: float = MAX_TILT, size: tuple[int, int] | None = None
) -> Image.Image:
    """The layer as seen a little from the side, within `size` (its own without); cut to what is visible."""
    if size is not None and layer.width > REDUCED_FROM * size[0]:
        layer = layer.reduce(2)
    target = size or layer.size
    moved = [
        (
            x + (1 if x == 0 else -1) * random.uniform(0, tilt) * target[0],
            y + (1 if y == 0 else -1) * random.uniform(0, tilt) * target[1],
        )
        for x, y in _corners(target)
    ]
    # Resized and tilted in one go: each pass over the pixels costs time and sharpness.
    warped = layer.transform(
        target,
        Image.Transform.PERSPECTIVE,
        _coefficients(moved, _corners(layer.size)),
        Image.Resampling.BILINEAR,
    )
    seen = alpha_box(warped)
    return warped if seen is None else warped.crop((int(seen[0]), int(seen[1]), int(seen[2]), int(seen[3])))


def _corners(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    width, height = size
    return ((0, 0), (width, 0), (width, height), (0, height))


def _coefficients(target: Any, source: Any) -> tuple[float, ...]:
    """The eight numbers of the projective map from target to source points, as Pillow wants them."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist())


@dataclass(slots=True)
class Canvas:
    """A picture that is being composed. Layers do not overlap, so all boxes stay true."""

    picture: Image.Image
    """RGB."""
    taken: list[Box]

    @property
    def size(self) -> Size:
        """In pixels."""
        return Size(*self.picture.size)

    def paste(self, layer: Image.Image, random: Random, *, share: float) -> Box | None:
        """Puts the layer somewhere free, its longer side `share` of the canvas's shorter side.

        The box of what is then to be seen, or None when no place was found.
        """
        longest = share * min(self.picture.size)
        scale = longest / max(layer.size)
        width, height = (max(1, round(side * scale)) for side in layer.size)
        fitted = in_perspective(layer, random, size=(width, height))
        painted = alpha_box(fitted)
        if painted is None or min(fitted.size) < MIN_SIDE_PX:
            return None
        for _ in range(TRIES):
            left = random.randint(0, max(0, self.picture.width - fitted.width))
            top = random.randint(0, max(0, self.picture.height - fitted.height))
            box = (painted[0] + left, painted[1] + top, painted[2] + left, painted[3] + top)
            if all(iou(box, other) == 0 for other in self.taken):
                self.picture.paste(fitted, (left, top), fitted)
                self.taken.append(box)
                return box
        return None
