"""Small pictures of the tests' own making, encoded in every way that the worker accepts."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

__all__ = ["QUADRANTS", "encoded", "png_claiming", "quadrants", "webp_claiming"]

QUADRANTS = ((230, 30, 30), (30, 200, 30), (30, 30, 230), (240, 220, 40))
"""Colours of `quadrants`: top left, top right, bottom left, bottom right."""


def quadrants(width: int = 120, height: int = 80) -> Image.Image:
    """Four plain quarters, so that a turned or mirrored picture shows."""
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    for index, colour in enumerate(QUADRANTS):
        left, top = (index % 2) * width // 2, (index // 2) * height // 2
        draw.rectangle((left, top, left + width // 2, top + height // 2), fill=colour)
    return picture


def encoded(picture: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    """The picture's file."""
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size, over next to no data: a bomb's shape."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_claiming(width: int, height: int) -> bytes:
    """A WebP whose extended header claims a canvas, with no frame behind it."""
    canvas = b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body
