"""What a mention shows of its picture: a small crop, and what copies of it are known by.

Both are made from pixels that `sake_model.pictures.prepare` decoded and encoded anew: nothing of a
stranger's file reaches a reader. All functions block for some 10 to 50 ms; call them in a thread.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from sake_model.grounding import ResizeLimits, Size
from sake_model.pictures import ModelPicture
from schemas.entities import BoxPx
from schemas.mentions import Crop

__all__ = ["CROP_SOURCE", "CropLimits", "crop_of", "look_of", "looks_like"]

CROP_SOURCE = ResizeLimits(min_pixels=1, max_pixels=1_048_576, factor_px=1)
"""How pictures are decoded for crops: a megapixel at most, never enlarged, the aspect ratio as it is."""

# A perceptual hash that keeps the colours: the mean of each of 8 × 8 cells, for red, green and blue (the idea
# of MPEG-7's colour layout, ISO/IEC 15938-3, without its transform). Of 62 pictures made smaller, larger and
# of less quality no cell moved by more than 15 of 255; the closest two pictures of the same drawn scene
# with other marks in it differ by 55 somewhere. A difference hash of 128 bits cannot tell those two apart.
LOOK_CELLS = 8
MAX_CELL_DIFFERENCE = 24
# A plain or nearly plain picture looks like all others of its colour, and says nothing.
MIN_SPREAD = 48
QUALITIES = (85, 70, 55, 40, 25)


@dataclass(frozen=True, slots=True)
class CropLimits:
    """Size of crops. Raises ValueError unless positive."""

    max_bytes: int = 24 * 1024
    """Of the JPEG; base64 adds a third."""
    max_side_px: int = 320
    """Longer side; enough to see whose logo it is on a phone."""
    margin_ratio: float = 0.15
    """What is shown around the box, as a share of its longer side."""

    def __post_init__(self) -> None:
        if min(self.max_bytes, self.max_side_px) <= 0 or self.margin_ratio < 0:
            raise ValueError("limits of crops must be positive")


def crop_of(picture: ModelPicture, box_px: BoxPx, limits: CropLimits) -> Crop | None:
    """What the picture shows in the box (pixels of the original) and around it.

    None when no quality makes it small enough, which only a limit of a few hundred bytes can cause.
    """
    shown = _with_margin(box_px, picture.original, limits.margin_ratio)
    across, down = (
        picture.resized.width / picture.original.width,
        picture.resized.height / picture.original.height,
    )
    left, top = int(shown[0] * across), int(shown[1] * down)
    right = min(picture.resized.width, max(left + 1, round(shown[2] * across)))
    bottom = min(picture.resized.height, max(top + 1, round(shown[3] * down)))
    with Image.open(io.BytesIO(picture.data)) as image:
        part = image.convert("RGB").crop((min(left, right - 1), min(top, bottom - 1), right, bottom))
    part.thumbnail((limits.max_side_px, limits.max_side_px), Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        buffer = io.BytesIO()
        part.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= limits.max_bytes:
            return Crop(
                data=base64.b64encode(buffer.getvalue()).decode(),
                width=part.width,
                height=part.height,
                shows_px=shown,
            )
    return None


def look_of(picture: ModelPicture) -> bytes:
    """What the picture looks like from afar, 192 bytes; none for one that is too plain to be known again."""
    with Image.open(io.BytesIO(picture.data)) as image:
        cells = image.convert("RGB").resize((LOOK_CELLS, LOOK_CELLS), Image.Resampling.BOX).tobytes()
    spread = max(max(cells[channel::3]) - min(cells[channel::3]) for channel in range(3))
    return cells if spread >= MIN_SPREAD else b""


def looks_like(one: bytes, other: bytes) -> bool:
    """Whether two pictures look the same from afar; plain ones never do."""
    if not one or not other:
        return False
    return all(abs(left - right) <= MAX_CELL_DIFFERENCE for left, right in zip(one, other, strict=True))


def _with_margin(box_px: BoxPx, size: Size, margin_ratio: float) -> BoxPx:
    x1, y1, x2, y2 = box_px
    margin = margin_ratio * max(x2 - x1, y2 - y1)
    return (
        max(0.0, x1 - margin),
        max(0.0, y1 - margin),
        min(float(size.width), x2 + margin),
        min(float(size.height), y2 + margin),
    )
