"""A picture in the making that remembers the exact box of everything that an entity can point at."""

from __future__ import annotations

import random
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from schemas.entities import BoxPx

__all__ = ["Canvas", "Colour", "text_layer", "toned"]

Colour = tuple[int, int, int]
Point = tuple[float, float]

# Everything is drawn at twice the size and halved at the end: smooth edges.
SUPERSAMPLING = 2
# Alpha from which a pixel belongs to a thing: the middle of an anti-aliased edge.
SOLID_ALPHA = 128
JPEG_QUALITY = 80
# Grain as a camera makes it, in grey levels.
GRAIN_LEVELS = 7


class Canvas:
    """A scene of `width` x `height` pixels; all coordinates are in these final pixels.

    `things=False` leaves out everything that `place` would paint, and changes nothing else: what
    differs between the two pictures is exactly what the boxes should hold.
    """

    def __init__(self, width: int, height: int, *, seed: int, things: bool = True) -> None:
        self.width, self.height = width, height
        self.random = random.Random(seed)
        self.boxes_px: dict[str, list[BoxPx]] = {}
        self._things = things
        self._image = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING))
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def rectangle(
        self, x1: float, y1: float, x2: float, y2: float, fill: Colour, *, round_px: float = 0
    ) -> None:
        """A filled rectangle with corners rounded by `round_px`."""
        self._draw.rounded_rectangle(_up(x1, y1, x2, y2), radius=round_px * SUPERSAMPLING, fill=fill)

    def ellipse(self, x1: float, y1: float, x2: float, y2: float, fill: Colour) -> None:
        """A filled ellipse that touches the sides of this rectangle."""
        self._draw.ellipse(_up(x1, y1, x2, y2), fill=fill)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width_px: float = 1) -> None:
        """A line through these points."""
        scaled = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points]
        self._draw.line(scaled, fill=fill, width=round(width_px * SUPERSAMPLING), joint="curve")

    def gradient(self, x1: float, y1: float, x2: float, y2: float, *, top: Colour, bottom: Colour) -> None:
        """A rectangle whose colour runs from `top` to `bottom`."""
        left, upper, right, lower = (round(value) for value in _up(x1, y1, x2, y2))
        ramp = Image.linear_gradient("L").resize((right - left, lower - upper))
        self._image.paste(ImageOps.colorize(ramp, top, bottom), (left, upper))

    def glow(self, x: float, y: float, radius_px: float, colour: Colour, strength: float = 0.6) -> None:
        """Light around a point, fading out."""
        size = round(2 * radius_px * SUPERSAMPLING)
        fade = ImageOps.invert(Image.radial_gradient("L")).resize((size, size))
        fade = fade.point(lambda level: round(max(0, level - 75) / 180 * 255 * strength))
        corner = (round(x * SUPERSAMPLING - size / 2), round(y * SUPERSAMPLING - size / 2))
        self._image.paste(Image.new("RGB", (size, size), colour), corner, fade)

    def blur(self, radius_px: float) -> None:
        """Puts all that was painted so far out of focus."""
        # What is blurred needs no supersampling: a quarter of the pixels, and nobody sees the difference.
        soft = self._image.reduce(SUPERSAMPLING).filter(ImageFilter.GaussianBlur(radius_px))
        self._image = soft.resize(self._image.size, Image.Resampling.BILINEAR)
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def paint(self, layer: Image.Image, x: float, y: float, width: float) -> None:
        """Paints a layer that no entity points at."""
        fitted, corner = _fitted(layer, x, y, width)
        self._image.paste(fitted, corner, fitted)

    def place(self, name: str, layer: Image.Image, x: float, y: float, width: float) -> None:
        """Paints a layer with its top left at (x, y) and remembers the box of what is solid in it."""
        fitted, (left, top) = _fitted(layer, x, y, width)
        solid = fitted.getchannel("A").point(lambda alpha: 255 if alpha >= SOLID_ALPHA else 0).getbbox()
        if solid is None:
            raise ValueError(f"{name} has no solid pixel")
        x1, y1, x2, y2 = solid
        box_px = (
            max(0.0, (left + x1) / SUPERSAMPLING),
            max(0.0, (top + y1) / SUPERSAMPLING),
            min(float(self.width), (left + x2) / SUPERSAMPLING),
            min(float(self.height), (top + y2) / SUPERSAMPLING),
        )
        self.boxes_px.setdefault(name, []).append(box_px)
        if self._things:
            self._image.paste(fitted, (left, top), fitted)

    def finished(self) -> Image.Image:
        """The picture at its final size, with a little vignette and grain."""
        image = self._image.resize((self.width, self.height), Image.Resampling.LANCZOS)
        vignette = Image.radial_gradient("L").resize(image.size)
        shade = vignette.point(lambda level: 255 - max(0, level - 110) // 3)
        image = ImageChops.multiply(image, Image.merge("RGB", [shade] * 3))
        grain = Image.frombytes("L", image.size, self.random.randbytes(self.width * self.height))
        grain = grain.filter(ImageFilter.GaussianBlur(0.7)).point(lambda level: level * GRAIN_LEVELS // 128)
        grains = Image.merge("RGB", [grain] * 3)
        return ImageChops.subtract(
            ImageChops.add(image, grains), Image.new("RGB", image.size, (GRAIN_LEVELS,) * 3)
        )

    def jpeg(self) -> bytes:
        """The finished picture as JPEG."""
        out = BytesIO()
        self.finished().save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
        return out.getvalue()


def toned(colour: Colour, *, times: float = 1.0, plus: int = 0) -> Colour:
    """The colour with each channel multiplied and raised, kept within 0–255."""
    red, green, blue = (min(255, max(0, round(channel * times) + plus)) for channel in colour)
    return red, green, blue


def text_layer(text: str, height_px: int, fill: Colour) -> Image.Image:
    """Latin text in Pillow's own font, `height_px` tall before scaling, on nothing."""
    font = ImageFont.load_default(height_px)
    left, top, right, bottom = font.getbbox(text)
    layer = Image.new("RGBA", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(layer).text((-left, -top), text, font=font, fill=fill)
    return layer


def _up(*values: float) -> tuple[float, ...]:
    return tuple(value * SUPERSAMPLING for value in values)


def _fitted(layer: Image.Image, x: float, y: float, width: float) -> tuple[Image.Image, tuple[int, int]]:
    wide = round(width * SUPERSAMPLING)
    size = (wide, max(1, round(layer.height * wide / layer.width)))
    corner = (round(x * SUPERSAMPLING), round(y * SUPERSAMPLING))
    return layer.convert("RGBA").resize(size, Image.Resampling.LANCZOS), corner
