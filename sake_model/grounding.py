"""Coordinate frames and boxes.

Frames (origin top left, x to the right, y down):
- original    pixels of the picture as it was posted, after EXIF orientation
- resized     pixels of the picture as the model saw it (Qwen2.5-VL answers in this frame)
- normalised  0–1000 along each side, whatever the size (Qwen3-VL answers in this frame)

Original and resized pictures have their own scale along each axis: resizing to whole
multiples of the model's patch does not quite keep the aspect ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from schemas.entities import BoxPx

__all__ = [
    "MAX_ASPECT_RATIO",
    "NORMALISED_SIZE",
    "BoxFrame",
    "ResizeLimits",
    "Size",
    "area",
    "clip",
    "from_original",
    "iou",
    "smart_resize",
    "to_original",
]

# Qwen's own limit: beyond it the processor, and so the server, refuses the picture.
MAX_ASPECT_RATIO = 200

# A box less than this wide or high (in original pixels) is nothing that can be seen.
MIN_SIDE_PX = 0.5


class BoxFrame(StrEnum):
    """The frame in which a checkpoint writes its boxes."""

    RESIZED = "resized"
    NORMALISED = "normalised"


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both positive."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a picture has a positive size, not {self.width}x{self.height}")

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def aspect_ratio(self) -> float:
        """The longer side over the shorter one."""
        return max(self.width, self.height) / min(self.width, self.height)


# The normalised frame is a picture of 1000 by 1000 whatever the picture is.
NORMALISED_SIZE = Size(1000, 1000)


@dataclass(frozen=True, slots=True)
class ResizeLimits:
    """What size a checkpoint wants its pictures in; the defaults are those of SAKE-7B.

    `factor_px` is patch size times merge size (14 × 2 for Qwen2.5-VL, 16 × 2 for Qwen3-VL).
    Raises ValueError when no size can satisfy the limits.
    """

    min_pixels: int = 512 * 512
    """A smaller picture is enlarged to this area."""
    max_pixels: int = 2 * 672 * 672
    """A larger picture is shrunk to this area."""
    factor_px: int = 28
    """Both sides become multiples of it."""
    stamp_px: int = 0
    """Side of the position stamps that the checkpoint was trained with (`pictures.stamp`); 0 = none."""

    def __post_init__(self) -> None:
        if not 0 <= self.stamp_px <= self.factor_px:
            raise ValueError("a position stamp fits into a cell of factor_px")
        if self.factor_px <= 0 or self.min_pixels <= 0:
            raise ValueError("min_pixels and factor_px must be positive")
        if self.max_pixels < max(self.min_pixels, self.factor_px**2):
            raise ValueError("max_pixels must be at least min_pixels and hold one patch of factor_px²")


def smart_resize(original: Size, limits: ResizeLimits) -> Size:
    """The size in which Qwen2.5-VL and Qwen3-VL see a picture.

    Sides are whole multiples of the factor; the area lies between the limits, the aspect
    ratio is kept as closely as that allows. Equal, number for number, to `smart_resize` of
    transformers' Qwen2-VL image processor, banker's rounding included.
    Raises ValueError beyond `MAX_ASPECT_RATIO`.
    """
    if original.aspect_ratio > MAX_ASPECT_RATIO:
        raise ValueError(f"aspect ratio {original.aspect_ratio:.0f} is over {MAX_ASPECT_RATIO}")
    factor, width, height = limits.factor_px, original.width, original.height
    wide, high = round(width / factor) * factor, round(height / factor) * factor
    if wide * high > limits.max_pixels:
        shrink = math.sqrt((height * width) / limits.max_pixels)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
        high = max(factor, math.floor(height / shrink / factor) * factor)
    elif wide * high < limits.min_pixels:
        stretch = math.sqrt(limits.min_pixels / (height * width))
        wide = math.ceil(width * stretch / factor) * factor
        high = math.ceil(height * stretch / factor) * factor
    return Size(wide, high)


def to_original(
    box: tuple[float, float, float, float], frame: BoxFrame, *, resized: Size, original: Size
) -> BoxPx | None:
    """A model's box in pixels of the original picture, clipped to it.

    `box` is in `frame`; `resized` is the picture as the model saw it. Corners in the wrong
    order are put right. None when nothing of the box is inside the picture, or a number in
    it is not finite.
    """
    try:
        return clip(_scale(box, _frame_size(frame, resized), original), original)
    except OverflowError:  # a JSON number of 400 digits is an int that no float can hold
        return None


def from_original(
    box_px: BoxPx, frame: BoxFrame, *, resized: Size, original: Size
) -> tuple[float, float, float, float]:
    """The inverse of `to_original` for boxes inside the picture; not rounded."""
    return _scale(box_px, original, _frame_size(frame, resized))


def clip(box_px: tuple[float, float, float, float], size: Size) -> BoxPx | None:
    """The part of a box that lies inside a picture; None when too little of it does to be seen.

    The result has 0 ≤ x1 < x2 ≤ width and 0 ≤ y1 < y2 ≤ height.
    """
    if not all(math.isfinite(number) for number in box_px):
        return None
    x1, x2 = sorted((box_px[0], box_px[2]))
    y1, y2 = sorted((box_px[1], box_px[3]))
    x1, x2 = max(0.0, x1), min(float(size.width), x2)
    y1, y2 = max(0.0, y1), min(float(size.height), y2)
    if x2 - x1 < MIN_SIDE_PX or y2 - y1 < MIN_SIDE_PX:
        return None
    return (x1, y1, x2, y2)


def area(box: tuple[float, float, float, float]) -> float:
    """Area of a box, 0 when it is empty or inside out; in the square of the box's own unit."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes in one frame, 0 to 1; coordinates are edges, not pixels."""
    both = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    either = area(a) + area(b) - both
    return both / either if both > 0 else 0.0


def _frame_size(frame: BoxFrame, resized: Size) -> Size:
    return resized if frame is BoxFrame.RESIZED else NORMALISED_SIZE


def _scale(
    box: tuple[float, float, float, float], source: Size, target: Size
) -> tuple[float, float, float, float]:
    across, down = target.width / source.width, target.height / source.height
    return (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
