"""Pictures from strangers: decoded safely, resized once for the model, kept encoded.

Only encoded bytes are kept while a post is in flight: a decoded megapixel is 3 MB. All
functions are synchronous; run them in a small thread pool (Pillow frees the interpreter lock while
it decodes, resizes and encodes). One decode holds at most some 9 bytes a pixel of the original, 16 of
a WebP, for its own duration; of large pictures one at a time is decoded in the whole process, so that
a few files of kilobytes cannot take all of its memory.
"""

from __future__ import annotations

import hashlib
import io
import math
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum

from PIL import (
    GifImagePlugin,  # noqa: F401 - registers itself
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401 - without it Pillow would load every plug-in there is
)

from sake_model.grounding import MAX_ASPECT_RATIO, ResizeLimits, Size, smart_resize
from sake_model.picture_parts import MAX_PARTS, has_too_many_parts
from schemas.errors import PostError
from schemas.recognitions import PictureFacts

__all__ = ["ModelPicture", "PictureError", "PictureLimits", "PictureTrouble", "facts_of", "prepare", "stamp"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")

# A careful progressive encoder makes about 10 scans, a baseline one 1 to 4. Each scan costs a
# pass over all coefficients however few bytes it has: a thousand in one file are an attack.
MAX_JPEG_SCANS = 100

# Pillow holds four canvases of a WebP at once, where other formats have two: half as many pixels.
WEBP_PIXELS_RATIO = 0.5

# Up to here a decode takes at most 64 MB, which every thread may; phones' photos are larger and must queue.
LARGE_PIXELS = 4 * 1024 * 1024
_large = threading.RLock()
# Memory of pictures comes in blocks, by default of 16 MB: glibc keeps those for the thread that freed them
# (measured: 660 MB instead of 440 after four threads in turn). Over 32 MB it gives them back at once.
Image.core.set_block_size(64 * 1024 * 1024)  # type: ignore[attr-defined]

# Resampling starts from the whole-number reduction that leaves at least twice the target:
# as good to the eye as from all pixels, and several times faster on large pictures.
REDUCING_GAP = 2.0

# Visually lossless for what a vision tower sees in patches of 14 pixels.
JPEG_QUALITY = 92

# Stamped pictures are small (some 280 px a side): 3 ms to write, and a tenth larger than at level 6.
PNG_LEVEL = 2

# The third channel of a position stamp carries nothing: the middle of its range.
STAMP_BLUE = 128

# Drawn graphics have few colours; only for them can PNG be the smaller encoding.
MAX_DRAWN_COLOURS = 16_384

ORIENTATION_TAG = 0x0112
# EXIF orientation → what puts the picture upright (EXIF 2.3, section 4.6.4 A).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED = frozenset({5, 6, 7, 8})


class PictureTrouble(StrEnum):
    """Why bytes are no usable picture; stands in `PictureFacts.missing`."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    """More bytes than allowed."""
    NOT_AN_IMAGE = "not_an_image"
    """Neither JPEG, PNG, WebP nor GIF."""
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_SCANS = "too_many_scans"
    """A progressive JPEG made to burn time."""
    TOO_MANY_PARTS = "too_many_parts"
    """So many chunks, segments or blocks that reading past them would take seconds."""
    ASPECT_RATIO = "aspect_ratio"
    """Longer than 200 times its height, or the other way round."""
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"


class PictureError(PostError):
    """The bytes cannot be used as a picture. The post is then recognised from its text alone."""

    def __init__(self, reason: PictureTrouble, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What is accepted from strangers. Raises ValueError unless both are positive."""

    max_bytes: int = 20 * 1024 * 1024
    """Four times the largest photo (5 MB) that the large networks accept."""
    max_pixels: int = 2 * 4096 * 4096
    """Twice the largest photo (4096 × 4096) that the large networks keep."""

    def __post_init__(self) -> None:
        if self.max_bytes <= 0 or self.max_pixels <= 0:
            raise ValueError("max_bytes and max_pixels must be positive")


@dataclass(frozen=True, slots=True)
class ModelPicture:
    """A picture, ready for the model: already at the size in which the model sees it."""

    data: bytes
    """Encoded (JPEG or PNG), at `resized`."""
    media_type: str
    sha256: str
    """Hex digest of the ORIGINAL bytes."""
    original: Size
    resized: Size

    @property
    def uuid(self) -> str:
        """Names this very input to the engine's picture cache: same bytes, same size, same name."""
        return f"{self.sha256}-{self.resized.width}x{self.resized.height}"


def prepare(data: bytes, resize: ResizeLimits, limits: PictureLimits | None = None) -> ModelPicture:
    """Decodes a stranger's picture, puts it upright in RGB, resizes and re-encodes it.

    Of an animation the first frame counts; transparency becomes white; metadata is left
    behind. Blocks for some 10 to 30 ms a megapixel: call it in a thread.
    Raises PictureError, and nothing else for whatever the bytes are.
    """
    limits = limits or PictureLimits()
    if not data:
        raise PictureError(PictureTrouble.EMPTY, "no bytes")
    if len(data) > limits.max_bytes:
        raise PictureError(PictureTrouble.TOO_LARGE, f"{len(data)} bytes, at most {limits.max_bytes}")
    # WebP's decoder allocates its canvas as soon as it is opened, so its header is read here.
    claimed = _webp_canvas(data)
    _check_pixels(claimed, limits.max_pixels * WEBP_PIXELS_RATIO)
    with _turn(claimed), _open(data, limits) as image, _turn(image.size):
        drawn = image.format in ("PNG", "GIF")
        orientation = _orientation(image)
        original = _upright_size(image, orientation)
        if original.aspect_ratio > MAX_ASPECT_RATIO:
            raise PictureError(PictureTrouble.ASPECT_RATIO, f"{original.width}x{original.height}")
        resized = smart_resize(original, resize)
        pixels = _decode(image, _stored_size(resized, orientation))
        image.close()  # frees its pixels before it is another one's turn
    if orientation in UPRIGHT:
        pixels = pixels.transpose(UPRIGHT[orientation])
    if resize.stamp_px:
        stamp(pixels, cell_px=resize.factor_px, side_px=resize.stamp_px)
    encoded, media_type = _lossless(pixels) if resize.stamp_px else _encode(pixels, drawn=drawn)
    return ModelPicture(encoded, media_type, hashlib.sha256(data).hexdigest(), original, resized)


def stamp(pixels: Image.Image, *, cell_px: int, side_px: int) -> None:
    """Writes into the corner of every cell where the cell is, in place.

    Qwen2.5-VL's vision tower has relative positions only. A large tower learns to see
    a picture's edges; a small one that is trained from scratch cannot say where anything is. A square
    of `side_px` in each cell of `cell_px` tells it, and every server runs the stock architecture. Red says
    how far right and green how far down the cell's middle lies, as waves: the pixels of the square, row by
    row, are cosine and sine of 1, 2, 3, … half turns over the side. From a plain number a network
    learns only what changes slowly with it (Tancik et al. 2020, "Fourier features", section 4).
    """
    for top in range(0, pixels.height, cell_px):
        down = _waves((top + cell_px / 2) / pixels.height, side_px**2)
        for left in range(0, pixels.width, cell_px):
            right = _waves((left + cell_px / 2) / pixels.width, side_px**2)
            square = bytes(
                level for red, green in zip(right, down, strict=True) for level in (red, green, STAMP_BLUE)
            )
            pixels.paste(Image.frombytes("RGB", (side_px, side_px), square), (left, top))


def _waves(share: float, count: int) -> list[int]:
    """Cosine and sine of 1, 2, 3, … half turns of a share of a side, as levels of 0 to 255."""
    turns = [math.pi * share * (1 + i // 2) for i in range(count)]
    return [
        round(127.5 * (1 + (math.sin(turn) if i % 2 else math.cos(turn)))) for i, turn in enumerate(turns)
    ]


def facts_of(picture: ModelPicture) -> PictureFacts:
    """The part of a picture that goes on record."""
    return PictureFacts(sha256=picture.sha256, width=picture.original.width, height=picture.original.height)


def _open(data: bytes, limits: PictureLimits) -> Image.Image:
    """Reads the header only. The pixel limit is checked before anything is decoded."""
    if has_too_many_parts(data):
        raise PictureError(PictureTrouble.TOO_MANY_PARTS, f"more than {MAX_PARTS} chunks, segments or blocks")
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise PictureError(PictureTrouble.TOO_MANY_SCANS, f"more than {MAX_JPEG_SCANS} scans")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PictureError(PictureTrouble.NOT_AN_IMAGE, "no JPEG, PNG, WebP or GIF") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(PictureTrouble.TOO_MANY_PIXELS, str(error)) from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _broken(error) from error
    _check_pixels(image.size, limits.max_pixels)
    return image


def _check_pixels(size: tuple[int, int], most: float) -> None:
    if size[0] * size[1] > most:
        raise PictureError(PictureTrouble.TOO_MANY_PIXELS, f"{size[0]}x{size[1]}, at most {most:.0f} pixels")


def _turn(size: tuple[int, int]) -> AbstractContextManager[object]:
    """The right to decode a picture of this size: there is one for all large ones."""
    return _large if size[0] * size[1] > LARGE_PIXELS else nullcontext()


def _webp_canvas(data: bytes) -> tuple[int, int]:
    """The size that a WebP file claims, (0, 0) for anything else (RFC 9649, section 2.4 to 2.7)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return (0, 0)
    if data[12:16] == b"VP8X":
        return (int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1)
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    wide, high = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
    return (wide & 0x3FFF, high & 0x3FFF)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # broken EXIF: the picture itself may be fine
        return 1
    return orientation if orientation in UPRIGHT else 1


def _upright_size(image: Image.Image, orientation: int) -> Size:
    return _stored_size(Size(*image.size), orientation)


def _stored_size(upright: Size, orientation: int) -> Size:
    """The size before it is put upright (or after: turning by 90° is its own inverse for sizes)."""
    return Size(upright.height, upright.width) if orientation in TURNED else upright


def _decode(image: Image.Image, target: Size) -> Image.Image:
    """The first frame as RGB in the target's size, still as the file has it turned."""
    # JPEG only: decodes at 1/2, 1/4 or 1/8, which skips most of the work and the memory.
    image.draft("RGB", (round(target.width * REDUCING_GAP), round(target.height * REDUCING_GAP)))
    try:
        image.load()
        return _flatten(_resize(_in_direct_colour(image), target))
    except MemoryError as error:
        raise PictureError(PictureTrouble.TOO_MANY_PIXELS, "not enough memory") from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _broken(error) from error


def _broken(error: Exception) -> PictureError:
    message = str(error).lower()
    cut = isinstance(error, EOFError) or "truncated" in message or "end of" in message
    return PictureError(PictureTrouble.TRUNCATED if cut else PictureTrouble.CORRUPT, message[:200])


def _in_direct_colour(image: Image.Image) -> Image.Image:
    """In a mode that can be resampled: RGB, RGBA, L, LA or CMYK, 8 bits a channel."""
    if image.mode in ("RGB", "RGBA", "L", "LA", "CMYK") and not image.info.get("transparency"):
        return image
    if image.mode.startswith(("I", "F")):  # 16 bits a pixel: PNG's only such mode
        return image.point(lambda value: value * (255 / 65535)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _resize(image: Image.Image, target: Size) -> Image.Image:
    size = (target.width, target.height)
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return paper


def _encode(pixels: Image.Image, *, drawn: bool) -> tuple[bytes, str]:
    pixels.info = {}  # Pillow would write the stranger's comments and profiles along
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    if not drawn or pixels.getcolors(MAX_DRAWN_COLOURS) is None:
        return buffer.getvalue(), "image/jpeg"
    lossless, media_type = _lossless(pixels)
    return (lossless, media_type) if len(lossless) < buffer.tell() else (buffer.getvalue(), "image/jpeg")


def _lossless(pixels: Image.Image) -> tuple[bytes, str]:
    """As PNG: JPEG would smear a position stamp, whose every pixel counts."""
    pixels.info = {}
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue(), "image/png"
