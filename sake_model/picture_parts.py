"""How many parts a picture's file is made of, counted before a decoder walks through them.

Pillow reads what lies around the pixels in Python, part by part, with the interpreter's lock held: a file of
20 MB can have millions of empty parts, which took 14 s and 500 MB of memory (measured). Counted here are
chunks of a PNG, segments of a JPEG up to its first scan with the bytes that are none, and blocks of a GIF
up to its first frame. WebP's parts are read in C.
"""

from __future__ import annotations

__all__ = ["MAX_PARTS", "has_too_many_parts"]

# 20 MB in PNG chunks of 8 kB, as libpng writes them, are 2,500; 20 MB of metadata in JPEG segments are 320.
MAX_PARTS = 10_000

_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", (b"GIF87a", b"GIF89a")
# Markers without a length of their own: TEM, RST0 to RST7, SOI, EOI (ITU-T T.81, table B.1).
_BARE = frozenset({0x01, *range(0xD0, 0xDA)})
_FIRST_SCAN = 0xDA
_GIF_EXTENSION, _GIF_FRAME, _GIF_END = 0x21, 0x2C, 0x3B


def has_too_many_parts(data: bytes) -> bool:
    """Whether a decoder would have to walk through more than MAX_PARTS. Never raises; takes some 2 ms."""
    if data.startswith(_PNG):
        return _png_parts(data) > MAX_PARTS
    if data.startswith(_JPEG):
        return _jpeg_parts(data) > MAX_PARTS
    return data.startswith(_GIF) and _gif_parts(data) > MAX_PARTS


def _png_parts(data: bytes) -> int:
    """Chunks: length, name, content, checksum."""
    at, parts = len(_PNG), 0
    while at < len(data) and parts <= MAX_PARTS:
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        parts += 1
    return parts


def _jpeg_parts(data: bytes) -> int:
    """Segments up to the first scan; each byte that belongs to none counts as one."""
    at, parts = len(_JPEG), 0
    while at + 1 < len(data) and parts <= MAX_PARTS:
        marker = data[at + 1]
        parts += 1
        if data[at] != 0xFF or marker in (0x00, 0xFF):
            at += 1
        elif marker == _FIRST_SCAN:
            break
        else:
            at += 2 if marker in _BARE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return parts


def _gif_parts(data: bytes) -> int:
    """Blocks, and their blocks of up to 255 bytes, up to the first frame; likewise every stray byte."""
    flags = data[10] if len(data) > 10 else 0
    at, parts = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0), 0
    while at < len(data) and parts <= MAX_PARTS:
        parts += 1
        if data[at] in (_GIF_FRAME, _GIF_END):
            break
        if data[at] != _GIF_EXTENSION:
            at += 1
            continue
        at += 2
        while at < len(data) and data[at] and parts <= MAX_PARTS:
            at += 1 + data[at]
            parts += 1
        at += 1
    return parts
