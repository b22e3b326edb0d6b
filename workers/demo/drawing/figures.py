"""Invented people, drawn flat, as layers: nobody in particular, but somebody."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from workers.demo.drawing.canvas import Colour, toned

__all__ = ["Person", "figure"]

SIZE_PX = 800


@dataclass(frozen=True, slots=True)
class Person:
    """How somebody looks."""

    skin: Colour
    hair: Colour
    shirt: Colour
    long_hair: bool = False
    glasses: bool = False
    beard: bool = False
    raised_arm: bool = False


def figure(person: Person) -> Image.Image:
    """Head, shoulders and chest on nothing, 800 pixels wide and high."""
    layer = Image.new("RGBA", (SIZE_PX, SIZE_PX))
    draw = ImageDraw.Draw(layer)
    shade = toned(person.skin, times=0.86)
    if person.long_hair:
        draw.rounded_rectangle((255, 120, 545, 520), radius=130, fill=person.hair)
    if person.raised_arm:
        _raised_arm(draw, person)
    draw.rounded_rectangle((345, 370, 455, 540), radius=40, fill=shade)
    draw.rounded_rectangle((160, 490, 640, 940), radius=140, fill=person.shirt)
    draw.polygon([(330, 490), (470, 490), (400, 590)], fill=shade)
    draw.line([(255, 800), (265, 660)], fill=toned(person.shirt, times=0.8), width=8)
    draw.line([(545, 800), (535, 660)], fill=toned(person.shirt, times=0.8), width=8)
    draw.ellipse((268, 270, 310, 345), fill=shade)
    draw.ellipse((490, 270, 532, 345), fill=shade)
    draw.rounded_rectangle((288, 140, 512, 440), radius=112, fill=person.skin)
    _face(draw, person)
    _hair(draw, person)
    return layer.crop(layer.getchannel("A").getbbox())


def _raised_arm(draw: ImageDraw.ImageDraw, person: Person) -> None:
    draw.line([(580, 570), (690, 420), (660, 220)], fill=person.shirt, width=86, joint="curve")
    draw.ellipse((612, 130, 712, 240), fill=person.skin)


def _face(draw: ImageDraw.ImageDraw, person: Person) -> None:
    dark = (52, 40, 38)
    for x in (348, 452):
        draw.ellipse((x - 11, 284, x + 11, 308), fill=dark)
        draw.arc((x - 28, 248, x + 28, 290), 205, 335, fill=toned(person.hair, times=0.8), width=9)
    draw.line(
        [(400, 300), (392, 346), (406, 350)], fill=toned(person.skin, times=0.72), width=6, joint="curve"
    )
    if person.beard:
        draw.rounded_rectangle((290, 336, 510, 446), radius=88, fill=person.hair)
    draw.chord((358, 350, 442, 404), 10, 170, fill=(250, 246, 240))
    if person.glasses:
        for x in (348, 452):
            draw.ellipse((x - 40, 258, x + 40, 334), outline=dark, width=8)
        draw.line([(388, 292), (412, 292)], fill=dark, width=8)


def _hair(draw: ImageDraw.ImageDraw, person: Person) -> None:
    draw.chord((272, 104, 528, 372), 182, 358, fill=person.hair)
    draw.ellipse((270, 196, 330, 270), fill=person.hair)
    draw.ellipse((470, 196, 530, 270), fill=person.hair)
