"""The things that show an entity: signs, screens, jerseys, flags, name tags, posters."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from training.synthetic.marks import Brand, Flag

__all__ = ["brand_thing", "flag_thing", "person_thing", "poster", "road_sign", "scarf"]

SIDE_PX = 224
FONTS = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "DejaVuSerif", "DejaVuSansMono-Bold")
SIGN_HEIGHTS = (0.65, 1.0)
"""Shares of the width. A mark on a lower sign would be too small to be told from others."""
ROAD_SIGNS = ((0, 104, 56), (250, 250, 250), (255, 205, 0), (0, 70, 150))
"""Green, white, yellow, blue: as in most countries."""
SHIRT = (
    (0.28, 0.0), (0.72, 0.0), (1.0, 0.22), (0.88, 0.42), (0.78, 0.36), (0.78, 1.0), (0.22, 1.0), (0.22, 0.36),
    (0.12, 0.42), (0.0, 0.22),
)  # fmt: skip
Colour = tuple[int, int, int]


@lru_cache(maxsize=64)
def _font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size_px)


def brand_thing(brand: Brand, random: Random, *, captioned: bool = False) -> Image.Image:
    """The mark bare, on a sign, on a screen or on a shirt; `captioned` = on a sign, above the name."""
    kind = "sign" if captioned else random.choice(("bare", "sign", "screen", "shirt"))
    if kind == "bare":
        return brand.draw()
    own = _rgb(brand.colour)
    ground, colour = (own, _contrast(own)) if random.random() < 0.5 else (_contrast(own), own)
    mark = brand.draw("{:02x}{:02x}{:02x}".format(*colour))
    if kind == "shirt":
        return _on_shirt(mark, ground, random)
    layer = _panel(
        SIDE_PX, round(SIDE_PX * random.uniform(*SIGN_HEIGHTS)), ground, radius=random.choice((0, 12, 30))
    )
    inside = (0.08, 0.08, 0.92, 0.92)
    if kind == "screen":
        ImageDraw.Draw(layer).rectangle((0, 0, *layer.size), outline=(20, 20, 22, 255), width=9)
    elif captioned:
        inside = (0.08, 0.08, 0.92, 0.62)
        _write(layer, brand.name, (0.05, 0.65, 0.95, 0.96), colour, random)
    _fit(layer, mark, inside)
    return layer


def flag_thing(flag: Flag, random: Random) -> Image.Image:
    """The flag, with or without a hem."""
    layer = flag.draw().copy()
    if random.random() < 0.4:
        ImageDraw.Draw(layer).rectangle(
            (0, 0, layer.width - 1, layer.height - 1), outline=(240, 240, 240, 255), width=4
        )
    return layer


def person_thing(name: str, random: Random) -> Image.Image:
    """A name tag, or a shirt with the surname and a number."""
    colour = _any_colour(random)
    if random.random() < 0.5:
        layer = _panel(SIDE_PX, 140, (250, 250, 250), radius=16)
        ImageDraw.Draw(layer).rectangle((0, 0, SIDE_PX, 44), fill=(*colour, 255))
        _write(layer, "HELLO my name is", (0.1, 0.05, 0.9, 0.28), _contrast(colour), random)
        _write(layer, name, (0.05, 0.38, 0.95, 0.92), (20, 20, 30), random)
        return layer
    ink = _contrast(colour)
    layer = _shirt(colour)
    _write(layer, name.rsplit(maxsplit=1)[-1].upper(), (0.25, 0.16, 0.75, 0.34), ink, random)
    _write(layer, str(random.randint(1, 99)), (0.32, 0.38, 0.68, 0.85), ink, random)
    return layer


def scarf(name: str, random: Random) -> Image.Image:
    """A club's scarf: the name between stripes."""
    colour, stripe = _any_colour(random), _any_colour(random)
    layer = _panel(SIDE_PX, 92, colour, radius=0)
    draw = ImageDraw.Draw(layer)
    for left in (0, SIDE_PX - 22):
        draw.rectangle((left, 0, left + 21, layer.height), fill=(*stripe, 255))
    _write(layer, name.upper(), (0.13, 0.15, 0.87, 0.85), _contrast(colour), random)
    return layer


def road_sign(name: str, random: Random) -> Image.Image:
    """The sign at a town's border."""
    ground = random.choice(ROAD_SIGNS)
    layer = _panel(SIDE_PX, 110, ground, radius=14)
    ink = _contrast(ground)
    ImageDraw.Draw(layer).rounded_rectangle((5, 5, SIDE_PX - 6, 104), 10, outline=(*ink, 255), width=4)
    _write(layer, name, (0.08, 0.2, 0.92, 0.8), ink, random)
    return layer


def poster(title: str, random: Random) -> Image.Image:
    """A poster with the title in one word a line."""
    ground = _any_colour(random)
    layer = _panel(round(SIDE_PX * random.uniform(0.6, 0.9)), SIDE_PX, ground, radius=0)
    draw = ImageDraw.Draw(layer)
    for _ in range(random.randint(0, 3)):
        x, y, side = (random.uniform(0, 0.8) * SIDE_PX for _ in range(3))
        draw.ellipse((x, y, x + side, y + side), fill=(*_any_colour(random), 255))
    words = title.split()
    for i, word in enumerate(words):
        top = 0.1 + 0.8 * i / len(words)
        _write(layer, word.upper(), (0.06, top, 0.94, top + 0.72 / len(words)), _contrast(ground), random)
    return layer


def _on_shirt(mark: Image.Image, ground: Colour, random: Random) -> Image.Image:
    layer = _shirt(ground)
    _fit(layer, mark, (0.25, 0.2, 0.75, random.uniform(0.55, 0.7)))
    return layer


def _shirt(colour: Colour) -> Image.Image:
    layer = Image.new("RGBA", (SIDE_PX, SIDE_PX))
    ImageDraw.Draw(layer).polygon([(x * SIDE_PX, y * SIDE_PX) for x, y in SHIRT], fill=(*colour, 255))
    return layer


def _panel(width: int, height: int, colour: Colour, *, radius: int) -> Image.Image:
    layer = Image.new("RGBA", (width, height))
    ImageDraw.Draw(layer).rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=(*colour, 255))
    return layer


def _fit(layer: Image.Image, mark: Image.Image, inside: tuple[float, float, float, float]) -> None:
    """Draws the mark as large as it fits into a part of the layer (shares of its sides)."""
    left, top, right, bottom = (
        inside[0] * layer.width, inside[1] * layer.height, inside[2] * layer.width, inside[3] * layer.height
    )  # fmt: skip
    scale = min((right - left) / mark.width, (bottom - top) / mark.height)
    fitted = mark.resize((max(1, round(mark.width * scale)), max(1, round(mark.height * scale))))
    layer.alpha_composite(
        fitted, (round((left + right - fitted.width) / 2), round((top + bottom - fitted.height) / 2))
    )


def _write(
    layer: Image.Image, text: str, inside: tuple[float, float, float, float], colour: Colour, random: Random
) -> None:
    """Writes one line as large as it fits into a part of the layer."""
    font = _font(random.choice(FONTS), 48)
    left, top, right, bottom = font.getbbox(text)
    line = Image.new("RGBA", (max(1, round(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(line).text((-left, -top), text, font=font, fill=(*colour, 255))
    _fit(layer, line, inside)


def _rgb(colour: str) -> Colour:
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def _contrast(colour: Colour) -> Colour:
    """White on dark, near-black on light (perceived brightness, ITU-R BT.601)."""
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return (24, 24, 28) if bright > 140 else (250, 250, 250)


def _any_colour(random: Random) -> Colour:
    return random.randrange(256), random.randrange(256), random.randrange(256)
