"""Files of a few kilobytes, or of 15 MB, made to cost seconds and gigabytes; each with its right end."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image
from support.images import encoded, png_claiming, quadrants, webp_claiming

__all__ = ["LARGEST", "all_bombs", "palette_at_the_limit"]

# The side of the largest square that is accepted: 2 × 4096 × 4096 pixels.
LARGEST = 5792
# A WebP's.
LARGEST_WEBP = 4096

READ = ""
"""Instead of a reason: it is a picture after all, and is read within its bounds."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SMALL_PNG = encoded(quadrants(8, 8))
SMALL_JPEG = encoded(quadrants(64, 64), "JPEG")
SMALL_GIF = encoded(Image.new("P", (8, 8)), "GIF")
GIF_HEAD = b"GIF89a\x08\0\x08\0\0\0\0"
GIF_FRAME = SMALL_GIF[SMALL_GIF.index(b",") : -1]
ZEROS = zlib.compress(b"\0" * 100_000_000, 9)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int, colour: int, interlaced: int = 0) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", fields)


def with_chunks(chunks: bytes) -> bytes:
    """A good small PNG with these before its pixels."""
    return SMALL_PNG[:33] + chunks + SMALL_PNG[33:]


def plain_png(depth: int, colour: int, bits: int, extra: bytes = b"", interlaced: int = 0) -> bytes:
    """A black square of the largest size: kilobytes, every one of them honest."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + LARGEST * bits // 8)
    rows = [packer.compress(row) for _ in range(LARGEST * (1 + interlaced))]
    data = b"".join([*rows, packer.flush()])
    head = header(LARGEST, LARGEST, depth, colour, interlaced)
    return head + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def palette_at_the_limit() -> bytes:
    """What costs the most memory of all PNGs: a palette with transparency."""
    return plain_png(8, 3, 8, chunk(b"PLTE", b"\1\2\3" * 256) + chunk(b"tRNS", b"\0" * 256))


def jpeg_with(segments: bytes) -> bytes:
    return SMALL_JPEG[:2] + segments + SMALL_JPEG[2:]


def jpeg_claiming(width: int, height: int) -> bytes:
    frame = SMALL_JPEG.index(b"\xff\xc0")
    return SMALL_JPEG[: frame + 5] + struct.pack(">HH", height, width) + SMALL_JPEG[frame + 9 :]


def exif(tags: bytes, count: int) -> bytes:
    """An EXIF block of a JPEG with so many tags, as it says."""
    body = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", count) + tags + b"\0\0\0\x08"
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def tag(number: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack(">HHII", number, kind, count, value)


def scans() -> bytes:
    """The largest progressive JPEG with as many scans as are let through."""
    whole = encoded(Image.new("RGB", (LARGEST, LARGEST)), "JPEG", quality=1, progressive=True)
    first, its_own = whole.index(b"\xff\xda"), whole.count(b"\xff\xda")
    return whole[:first] + whole[first:-2] * (100 // its_own) + whole[-2:]


def webp_frames(count: int) -> bytes:
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (1, 2)]
    whole = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    at = whole.index(b"ANMF")
    size = struct.unpack_from("<I", whole, at + 4)[0]
    one = whole[at : at + 8 + size + size % 2]
    body = whole[8:at] + one * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def animation(image_format: str, count: int) -> bytes:
    frames = [Image.new("RGB", (64, 64), (shade % 256, shade // 256, 0)) for shade in range(count)]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=1)


def turned(orientation: int) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    return encoded(quadrants(64, 64), "JPEG", exif=data)


def all_bombs() -> Iterator[tuple[str, bytes, str]]:
    """Name, file, and the reason why there is no picture."""
    yield from pngs()
    yield from jpegs()
    yield from gifs()
    yield from webps()
    yield from other_formats()


def pngs() -> Iterator[tuple[str, bytes, str]]:
    yield "png: claims 50,000 × 50,000", png_claiming(50_000, 50_000), "too_many_pixels"
    yield "png: claims 2³¹ a side", png_claiming(2**31 - 1, 2**31 - 1), "too_many_pixels"
    yield "png: largest, 16 bits with alpha", plain_png(16, 6, 64), READ
    yield "png: largest, palette with alpha", palette_at_the_limit(), READ
    yield "png: largest, interlaced", plain_png(8, 2, 24, interlaced=1), READ
    yield "png: zTXt of 100 MB", with_chunks(chunk(b"zTXt", b"k\0\0" + ZEROS)), "corrupt"
    yield "png: iTXt of 100 MB", with_chunks(chunk(b"iTXt", b"k\0\1\0\0\0" + ZEROS)), "corrupt"
    yield "png: iCCP of 100 MB", with_chunks(chunk(b"iCCP", b"k\0\0" + ZEROS)), "corrupt"
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 1_000_000, 9))
    yield "png: 100 zTXt of 1 MB", with_chunks(text * 100), "corrupt"
    yield "png: 100 MB of pixels for 8 × 8", header(8, 8, 8, 2) + chunk(b"IDAT", ZEROS), READ
    yield "png: a million chunks", with_chunks(chunk(b"tEXt", b"") * 1_000_000), "too_many_parts"
    end = chunk(b"IEND", b"")
    yield (
        "png: a million chunks behind the pixels",
        SMALL_PNG[:-12] + chunk(b"tEXt", b"") * 1_000_000 + end,
        ("too_many_parts"),
    )
    yield "png: cut off", SMALL_PNG[:60], "truncated"
    yield "png: 300 frames", animation("PNG", 300), READ
    control = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0))
    yield "png: a frame of 2³¹ a side", with_chunks(control + frame), "not_an_image"
    tags = b"".join(tag(number, 7, 10_000_000, 8) for number in range(65_535))
    block = b"MM\0*\0\0\0\x08\xff\xff" + tags + b"\0" * 10_000_000
    yield "png: EXIF of 65,535 tags of 10 MB", with_chunks(chunk(b"eXIf", block)), READ


def jpegs() -> Iterator[tuple[str, bytes, str]]:
    yield "jpeg: claims 65,535 a side", jpeg_claiming(65_535, 65_535), "too_many_pixels"
    yield "jpeg: claims the largest", jpeg_claiming(LARGEST, LARGEST), READ
    yield "jpeg: 100 scans of the largest", scans(), READ
    first = scans()
    yield "jpeg: 101 scans", first[:-2] + b"\xff\xda" + first[-2:], "too_many_scans"
    yield "jpeg: 15 MB of fill bytes", jpeg_with(b"\xff" * 15_000_000), "too_many_parts"
    yield "jpeg: 15 MB of stray bytes", jpeg_with(b"\0" * 15_000_000), "too_many_parts"
    yield "jpeg: 4 million segments", jpeg_with(b"\xff\xe1\0\2" * 4_000_000), "too_many_parts"
    yield "jpeg: 3 million comments", jpeg_with(b"\xff\xfe\0\3a" * 3_000_000), "too_many_parts"
    profile = b"\xff\xe2" + struct.pack(">H", 16) + b"ICC_PROFILE\0\1\1"
    yield "jpeg: a million colour profiles", jpeg_with(profile * 1_000_000), "too_many_parts"
    itself = tag(0x8769, 4, 1, 8) + tag(0x0112, 3, 1, 6 << 16)
    yield "exif: a directory inside itself", jpeg_with(exif(itself, 2)), READ
    yield "exif: an offset beyond everything", jpeg_with(exif(tag(0x0112, 3, 2**32 - 1, 2**32 - 16), 1)), READ
    yield "exif: 65,535 tags, none there", jpeg_with(exif(b"", 65_535)), READ
    yield "exif: 250 blocks of 60 kB", jpeg_with(exif(b"\0" * 60_000, 65_535) * 250), READ
    for orientation in (0, 9, 65_535):
        yield f"exif: orientation {orientation}", turned(orientation), READ
    yield "jpeg: cut off", encoded(quadrants(400, 400), "JPEG")[:2000], "truncated"


def gifs() -> Iterator[tuple[str, bytes, str]]:
    yield "gif: 150,000 frames", SMALL_GIF[:-1] + GIF_FRAME * 150_000 + b";", READ
    canvas = b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0"
    yield "gif: a canvas of 65,535 a side", canvas + GIF_FRAME + b";", "too_many_pixels"
    frame = b"," + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0\2\2\x44\1\0;"
    yield "gif: a frame larger than its canvas", GIF_HEAD + frame, "too_many_pixels"
    yield "gif: 3 million comments", GIF_HEAD + b"!\xfe\1a\0" * 3_000_000 + GIF_FRAME + b";", "too_many_parts"
    comment = b"!\xfe" + (b"\xff" + b"a" * 255) * 60_000 + b"\0"
    yield "gif: a comment of 15 MB", GIF_HEAD + comment + GIF_FRAME + b";", "too_many_parts"
    yield "gif: 15 MB of stray bytes", GIF_HEAD + b"\0" * 15_000_000 + GIF_FRAME + b";", "too_many_parts"


def webps() -> Iterator[tuple[str, bytes, str]]:
    yield "webp: claims 16,383 a side", webp_claiming(16_383, 16_383), "too_many_pixels"
    yield "webp: larger than any WebP may be", webp_claiming(LARGEST, LARGEST), "too_many_pixels"
    largest = Image.new("RGBA", (LARGEST_WEBP, LARGEST_WEBP))
    yield "webp: largest, lossless", encoded(largest, "WEBP", lossless=True, method=0, quality=1), READ
    still = largest.convert("RGB")
    both = encoded(
        still, "WEBP", save_all=True, append_images=[Image.new("RGB", still.size, "red")], method=0, quality=1
    )
    yield "webp: largest, two frames", both, READ
    yield "webp: 50,000 frames", webp_frames(50_000), READ


def other_formats() -> Iterator[tuple[str, bytes, str]]:
    fits = b"".join(
        line.ljust(80)
        for line in (
            b"SIMPLE  =                    T",
            b"BITPIX  =                    8",
            b"NAXIS   =                    2",
            b"NAXIS1  =                60000",
            b"NAXIS2  =                60000",
            b"END",
        )
    ).ljust(2880)
    tiff = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(tiff, "TIFF", compression="packbits")
    files = {
        "tiff: 20,000 a side": tiff.getvalue(),
        "tiff: a directory inside itself": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "fits: 60,000 a side": fits,
        "fits: packed": gzip.compress(fits),
        "svg: 100,000 a side": b'<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>',
        "svg: a billion laughs": b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        "svg: packed, 100 MB": gzip.compress(b"<svg>" + b" " * 100_000_000, 1),
        "bmp": encoded(quadrants(), "BMP"),
        "ico": encoded(quadrants(), "ICO"),
        "avif": b"\0\0\0\x20ftypavif" + b"\0" * 100,
        "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 100,
        "psd": b"8BPS\0\1" + b"\0" * 100,
        "eps that runs a program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
    }
    for name, data in files.items():
        yield name, data, "not_an_image"
