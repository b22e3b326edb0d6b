"""Colours and sizes that several drafts share."""

from __future__ import annotations

from workers.demo.drawing.canvas import Colour

__all__ = [
    "BLACK_HAIR",
    "BROWN",
    "BROWN_HAIR",
    "DARK",
    "GREY_HAIR",
    "INK",
    "LIGHT",
    "PORTRAIT",
    "RED_HAIR",
    "SQUARE",
    "TAN",
    "WHITE",
]

WHITE: Colour = (248, 248, 246)
INK: Colour = (22, 22, 26)
PORTRAIT = (480, 640)
SQUARE = (560, 560)

LIGHT: Colour = (238, 196, 168)
TAN: Colour = (224, 172, 140)
BROWN: Colour = (164, 112, 80)
DARK: Colour = (112, 74, 54)
BLACK_HAIR: Colour = (24, 22, 26)
BROWN_HAIR: Colour = (70, 46, 34)
RED_HAIR: Colour = (156, 74, 40)
GREY_HAIR: Colour = (150, 150, 154)
