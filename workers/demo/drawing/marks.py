"""Brand marks and flags as layers, from the SVG files under `workers/demo/marks/`.

Marks: simple-icons (CC0-1.0, only icons without a licence of their own). Flags: flag-icons (MIT).
The marks name their owners, as a photo of a street does; they stay their owners' trademarks.
"""

from __future__ import annotations

import math
from functools import cache
from io import BytesIO
from pathlib import Path

import cairosvg
from PIL import Image, ImageChops

from workers.demo.drawing.canvas import Colour

__all__ = ["flag", "mark", "waving"]

MARKS = Path(__file__).parents[1] / "marks"
# Larger than any mark is ever drawn, supersampling included.
RENDER_PX = 640
WAVE_SHARE = 0.045
POLE_SHADE = 0.16


def mark(slug: str, colour: Colour) -> Image.Image:
    """A brand's mark in one colour on nothing, cut to what is painted."""
    svg = (MARKS / "brands" / f"{slug}.svg").read_text()
    red, green, blue = colour
    svg = svg.replace("<svg ", f'<svg fill="#{red:02x}{green:02x}{blue:02x}" ', 1)
    layer = _render(svg)
    return layer.crop(layer.getchannel("A").getbbox())


def flag(country: str) -> Image.Image:
    """A country's flag (ISO 3166 code in lower case), 4:3."""
    return _render((MARKS / "flags" / f"{country}.svg").read_text())


def waving(layer: Image.Image, *, phase: float = 0.0) -> Image.Image:
    """The flag in the wind: its columns swing more and more away from the pole, with light and shade."""
    wave_px = layer.height * WAVE_SHARE
    margin = math.ceil(wave_px)
    out = Image.new("RGBA", (layer.width, layer.height + 2 * margin))
    shade = Image.new("L", out.size, 255)
    for column in range(layer.width):
        share = column / layer.width
        angle = 2 * math.pi * 1.3 * share + phase
        lift = round(math.sin(angle) * wave_px * min(1.0, share * 3))
        out.paste(layer.crop((column, 0, column + 1, layer.height)), (column, margin + lift))
        light = round(255 * (1 - POLE_SHADE + POLE_SHADE * math.cos(angle)))
        shade.paste(min(255, light), (column, 0, column + 1, out.height))
    colours = ImageChops.multiply(out.convert("RGB"), Image.merge("RGB", [shade] * 3))
    colours.putalpha(out.getchannel("A"))
    return colours


@cache
def _render(svg: str) -> Image.Image:
    png = cairosvg.svg2png(bytestring=svg.encode(), output_width=RENDER_PX)
    return Image.open(BytesIO(png)).convert("RGBA")
