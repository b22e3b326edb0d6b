"""Crops and looks: small, bounded, made from pixels, and a copy is known again."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.mention_stream import jpeg

from sake_model.pictures import ModelPicture, prepare
from workers.mentions.look import CROP_SOURCE, CropLimits, crop_of, look_of, looks_like


def prepared(data: bytes) -> ModelPicture:
    return prepare(data, CROP_SOURCE)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def again(data: bytes, scale: float, quality: int) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        size = (round(image.width * scale), round(image.height * scale))
        return encoded(image.resize(size, Image.Resampling.LANCZOS), quality=quality)


@pytest.mark.parametrize(("scale", "quality"), [(1.0, 40), (0.5, 70), (0.25, 60), (1.6, 80)])
def test_a_copy_in_another_size_and_quality_looks_the_same(scale: float, quality: int) -> None:
    data = jpeg(800, 600)
    assert looks_like(look_of(prepared(data)), look_of(prepared(again(data, scale, quality))))


def test_pictures_of_other_things_do_not() -> None:
    looks = [look_of(prepared(jpeg(640, 480, seed))) for seed in range(6)]
    assert not any(looks_like(one, other) for at, one in enumerate(looks) for other in looks[:at])


@pytest.mark.parametrize("colour", ["white", "black", "#c00"])
def test_a_plain_picture_looks_like_nothing(colour: str) -> None:
    plain = look_of(prepared(encoded(Image.new("RGB", (300, 300), colour))))
    assert plain == b""
    assert not looks_like(plain, plain)


SMALL = prepared(jpeg(320, 200))
EDGES_X, EDGES_Y = st.floats(0, 320), st.floats(0, 200)


@settings(max_examples=50)
@given(EDGES_X, EDGES_X, EDGES_Y, EDGES_Y)
def test_any_box_inside_the_picture_has_a_crop(x1: float, x2: float, y1: float, y2: float) -> None:
    (x1, x2), (y1, y2) = sorted((x1, x2)), sorted((y1, y2))
    if x1 == x2 or y1 == y2:
        return
    crop = crop_of(SMALL, (x1, y1, x2, y2), CropLimits())
    assert crop is not None
    left, top, right, bottom = crop.shows_px
    assert 0 <= left <= x1 < x2 <= right <= 320
    assert 0 <= top <= y1 < y2 <= bottom <= 200


def test_a_crop_is_bounded_in_size_and_bytes() -> None:
    noise = Image.effect_noise((3000, 2000), 200).convert("RGB")
    limits = CropLimits(max_bytes=9_000, max_side_px=300)
    crop = crop_of(prepared(encoded(noise, quality=95)), (0.0, 0.0, 3000.0, 2000.0), limits)
    assert crop is not None
    assert len(base64.b64decode(crop.data)) <= 9_000
    assert max(crop.width, crop.height) == 300
    assert crop_of(prepared(encoded(noise)), (0.0, 0.0, 9.0, 9.0), CropLimits(max_bytes=50)) is None


def test_nothing_of_the_strangers_file_is_in_the_crop() -> None:
    exif = Image.Exif()
    exif[0x010E] = "marker-of-a-stranger"
    image = Image.effect_noise((200, 200), 80).convert("RGB")
    crop = crop_of(
        prepared(encoded(image, exif=exif, comment=b"marker-of-a-stranger")), (5, 5, 90, 90), CropLimits()
    )
    assert crop is not None
    assert b"marker-of-a-stranger" not in base64.b64decode(crop.data)


def test_the_crop_shows_what_is_in_the_box_of_a_picture_that_lies_on_its_side() -> None:
    upright = Image.new("RGB", (400, 200), "white")
    upright.paste((200, 0, 0), (300, 20, 380, 100))
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright: shown, it is to be turned by 90° to the right
    data = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=turned, quality=95)
    crop = crop_of(prepared(data), (300, 20, 380, 100), CropLimits(margin_ratio=0))
    assert crop is not None
    with Image.open(io.BytesIO(base64.b64decode(crop.data))) as shown:
        red, green, blue = shown.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert red > 150
    assert green < 60
    assert blue < 60
