"""A brand's sign, and how it is set into an area of a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from workers.demo.drawing.canvas import Canvas, Colour
from workers.demo.drawing.marks import mark

__all__ = ["INK", "WHITE", "Area", "Scene", "Sign", "centred", "share"]

Scene = Callable[[Canvas], None]
"""Paints a background on the canvas that it is given and then places its things by name."""

Area = tuple[float, float, float, float]
WHITE: Colour = (248, 248, 246)
INK: Colour = (28, 30, 34)


@dataclass(frozen=True, slots=True)
class Sign:
    """A mark in its colours; `name` is what the picture's boxes are called."""

    name: str
    slug: str
    colour: Colour
    ground: Colour = WHITE

    def layer(self) -> Image.Image:
        """The mark alone: its ground belongs to the scene."""
        return mark(self.slug, self.colour)


def centred(
    canvas: Canvas,
    sign: Sign,
    area: Area,
    *,
    fill_share: float = 0.7,
) -> None:
    """Places the mark in the middle of the area, `fill_share` of it wide or high."""
    left, top, right, bottom = area
    layer = sign.layer()
    wide = min((right - left) * fill_share, (bottom - top) * fill_share * layer.width / layer.height)
    high = wide * layer.height / layer.width
    canvas.place(sign.name, layer, (left + right - wide) / 2, (top + bottom - high) / 2, wide)


def share(canvas: Canvas, x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
    """The area between these shares of the canvas's width and height."""
    return canvas.width * x1, canvas.height * y1, canvas.width * x2, canvas.height * y2
