"""Backgrounds without anything to recognise: gradients, blurred shapes, stripes, and a user's photos."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

__all__ = ["background"]

SHAPES = 14
"""Enough to look like clutter once blurred."""
NOISE_LEVELS = 16
"""Most that the grain adds or takes, of 255 levels."""
COARSE = 3
MAX_BLUR_SHARE = 0.02


def background(random: Random, width: int, height: int, photos: tuple[Path, ...] = ()) -> Image.Image:
    """An RGB picture of this size in pixels; a photo where there are any, else drawn."""
    if photos:
        with Image.open(random.choice(photos)) as photo:
            return photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    # Drawn small: enlarging softens the edges, and what is soft needs no pixels.
    small = (max(8, width // COARSE), max(8, height // COARSE))
    picture = _gradient(random, *small)
    draw = ImageDraw.Draw(picture)
    for _ in range(random.randint(0, SHAPES)):
        _shape(random, draw, *small)
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0, MAX_BLUR_SHARE) * small[0]))
    return _grained(random, picture.resize((width, height), Image.Resampling.BILINEAR))


def _gradient(random: Random, width: int, height: int) -> Image.Image:
    corners = np.array([[_colour(random) for _ in range(2)] for _ in range(2)], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def _shape(random: Random, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    x, y = random.uniform(-0.2, 1) * width, random.uniform(-0.2, 1) * height
    box = (x, y, x + random.uniform(0.03, 0.5) * width, y + random.uniform(0.03, 0.5) * height)
    kind = random.randrange(3)
    if kind == 0:
        draw.ellipse(box, fill=_colour(random))
    elif kind == 1:
        draw.rectangle(box, fill=_colour(random))
    else:
        draw.line(box, fill=_colour(random), width=max(1, round(random.uniform(0.005, 0.05) * width)))


def _grained(random: Random, picture: Image.Image) -> Image.Image:
    levels = random.randint(0, NOISE_LEVELS)
    drawn = np.random.default_rng(random.getrandbits(32)).integers(
        0, 2 * levels + 1, (picture.height, picture.width), np.uint8
    )
    grain = Image.fromarray(drawn)
    return ImageChops.add(picture, Image.merge("RGB", (grain,) * 3), offset=-levels)


def _colour(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)
