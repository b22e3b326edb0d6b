"""Coordinate frames and boxes.

Frames (origin top left, x to the right, y down):
- original    pixels of the picture as it was posted, after EXIF orientation
- resized     pixels of the picture as the model saw it (Qwen2.5-VL answers in this frame)
- normalised  0–1000 along each side, whatever the size (Qwen3-VL answers in this frame)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BoxFrame", "Size"]


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
