"""What becomes of a stranger's bytes that say they are a picture."""

import hashlib
import io
import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features
from support.images import QUADRANTS, encoded, png_claiming, quadrants, webp_claiming

from sake_model.grounding import ResizeLimits, Size
from sake_model.pictures import PictureError, PictureLimits, PictureTrouble, facts_of, prepare

# Pillow warns of odd metadata; in the worker these warnings change nothing.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Small, so that the tests are fast; the real limits are tested in test_grounding.
SMALL = ResizeLimits(min_pixels=56 * 56, max_pixels=112 * 112, factor_px=28)


def pixels_of(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "RGB"
        return picture.copy()


def corners(picture: Image.Image) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters, left to right, top to bottom."""
    width, height = picture.size
    return [
        picture.getpixel((width * (1 + 2 * (i % 2)) // 4, height * (1 + 2 * (i // 2)) // 4)) for i in range(4)
    ]


def near(found, expected) -> bool:
    return all(
        abs(a - b) <= 12 for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True)
    )


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
    ],
)
def test_every_accepted_format_arrives_at_the_models_size(image_format, options):
    data = encoded(quadrants(), image_format, **options)
    picture = prepare(data, SMALL)
    assert picture.original == Size(120, 80)
    assert picture.resized == Size(112, 84)
    shown = pixels_of(picture.data)
    assert shown.size == (112, 84)
    assert near(corners(shown), QUADRANTS)
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert facts_of(picture).width == 120


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_every_mode_becomes_rgb(mode):
    image_format = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    grey = Image.new("L", (60, 60), 128)
    picture = grey.convert("I").point(lambda v: v * 257).convert("I;16") if mode == "I;16" else grey
    if mode in ("P", "PA"):
        picture = grey.convert("RGB" if mode == "P" else "RGBA").quantize(4)
    elif mode != "I;16":
        picture = grey.convert("RGB").convert(mode)
    shown = pixels_of(prepare(encoded(picture, image_format), SMALL).data)
    expected = 255 if mode == "1" else 128  # one bit a pixel is dithered
    values = [value for pixel in corners(shown) for value in pixel]
    assert mode == "1" or all(abs(value - expected) <= 3 for value in values)


def test_transparency_becomes_white():
    glass = Image.new("RGBA", (60, 60), (255, 0, 0, 0))
    glass.paste((0, 0, 255, 255), (0, 0, 60, 30))
    shown = pixels_of(prepare(encoded(glass), SMALL).data)
    assert near(corners(shown), [(0, 0, 255)] * 2 + [(255, 255, 255)] * 2)


def test_a_palette_with_a_transparent_colour_becomes_white():
    palette = quadrants(60, 60).quantize(8)
    index = palette.getpixel((10, 10))
    shown = pixels_of(prepare(encoded(palette, transparency=index), SMALL).data)
    assert near(corners(shown)[:1], [(255, 255, 255)])
    assert near(corners(shown)[1:], QUADRANTS[1:])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, "0123"), (2, "1032"), (3, "3210"), (4, "2301"), (5, "0213"), (6, "2031"), (7, "3120"), (8, "1302")],
)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_obeyed(orientation, upright, image_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = prepare(encoded(quadrants(), image_format, exif=exif), SMALL)
    assert picture.original == (Size(80, 120) if orientation >= 5 else Size(120, 80))
    shown = pixels_of(picture.data)
    assert shown.size == (picture.resized.width, picture.resized.height)
    assert near(corners(shown), [QUADRANTS[int(i)] for i in upright])


def test_broken_exif_does_not_cost_the_picture():
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff\xff")
    assert prepare(data, SMALL).original == Size(120, 80)


def test_of_an_animation_the_first_frame_counts():
    first, second = quadrants(60, 60), Image.new("RGB", (60, 60), "black")
    for image_format in ("GIF", "WEBP", "PNG"):
        data = encoded(first, image_format, save_all=True, append_images=[second], duration=10)
        assert near(corners(pixels_of(prepare(data, SMALL).data)), QUADRANTS)


def test_metadata_stays_behind():
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    picture = prepare(encoded(quadrants(), "JPEG", exif=exif, comment=b"where I live"), SMALL)
    assert b"where I live" not in picture.data
    flat = Image.new("RGB", (200, 200), "red")
    flat = prepare(encoded(flat, "PNG", exif=exif, icc_profile=b"where I live"), SMALL)
    assert flat.media_type == "image/png"
    assert b"where I live" not in flat.data
    assert b"iCCP" not in flat.data


def test_drawn_graphics_stay_lossless_where_that_is_smaller():
    assert prepare(encoded(Image.new("RGB", (200, 200), "red")), SMALL).media_type == "image/png"
    noise = Image.effect_noise((300, 300), 90).convert("RGB")
    assert prepare(encoded(noise, "PNG"), SMALL).media_type == "image/jpeg"


def test_one_pixel_is_a_picture():
    picture = prepare(encoded(Image.new("RGB", (1, 1), "red")), SMALL)
    assert (picture.original, picture.resized) == (Size(1, 1), Size(56, 56))


def test_the_uuid_names_bytes_and_size():
    data = encoded(quadrants())
    a, b = prepare(data, SMALL), prepare(data, ResizeLimits(min_pixels=200 * 200))
    assert a.sha256 == b.sha256
    assert a.uuid != b.uuid == f"{b.sha256}-{b.resized.width}x{b.resized.height}"


def scan_bomb() -> bytes:
    data = encoded(quadrants(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    return data[:scan] + data[scan:-2] * 60 + data[-2:]


BAD = {
    "empty": (b"", "empty"),
    "html": (b"<!doctype html><h1>404</h1>", "not_an_image"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image"),
    "random": (bytes(range(256)) * 8, "not_an_image"),
    "tiff": (encoded(quadrants(), "TIFF"), "not_an_image"),
    "bmp": (encoded(quadrants(), "BMP"), "not_an_image"),
    "pdf": (encoded(quadrants(), "PDF"), "not_an_image"),
    "ico": (encoded(quadrants(), "ICO"), "not_an_image"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    "fits": (b"SIMPLE  =                    T" + b" " * 3000, "not_an_image"),
    "too large": (encoded(quadrants()) + b"\0" * 200_000, "too_large"),
    "png bomb": (png_claiming(30_000, 30_000), "too_many_pixels"),
    # Between our limit (33 million) and Pillow's own (89 million).
    "large png": (png_claiming(7_000, 7_000), "too_many_pixels"),
    "large webp": (webp_claiming(7_000, 7_000), "too_many_pixels"),
    "png of 2^31 a side": (png_claiming(2**31 - 1, 2**31 - 1), "too_many_pixels"),
    "webp bomb": (webp_claiming(16_383, 16_383), "too_many_pixels"),
    "webp of 2^24 a side": (webp_claiming(2**24, 2**24), "too_many_pixels"),
    "gif bomb": (
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;",
        "too_many_pixels",
    ),
    "scans": (scan_bomb(), "too_many_scans"),
    "ribbon": (encoded(Image.new("RGB", (2001, 10))), "aspect_ratio"),
    "pole": (encoded(Image.new("L", (1, 201))), "aspect_ratio"),
    "half a jpeg": (encoded(quadrants(600, 600), "JPEG")[:3000], "truncated"),
    "half a png": (encoded(Image.effect_noise((90, 90), 99))[:2000], "truncated"),
    "half a gif": (encoded(Image.effect_noise((90, 90), 99), "GIF")[:3000], "truncated"),
    "half a webp": (encoded(Image.effect_noise((90, 90), 99), "WEBP")[:500], "corrupt"),
    "jpeg header only": (b"\xff\xd8\xff\xe0", "not_an_image"),
    "png signature only": (b"\x89PNG\r\n\x1a\n", "not_an_image"),
    "empty png": (png_claiming(1, 1).replace(b"IDAT", b"tEXt"), "not_an_image"),
    "zero width": (png_claiming(0, 5), "not_an_image"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_end_with_a_reason(name):
    data, reason = BAD[name]
    with pytest.raises(PictureError) as caught:
        prepare(data, SMALL, PictureLimits(max_bytes=150_000))
    assert caught.value.reason == PictureTrouble(reason)


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"max_pixels": -1}])
def test_limits_are_positive(limits):
    with pytest.raises(ValueError, match="positive"):
        PictureLimits(**limits)


def test_a_bomb_costs_no_memory():
    tracemalloc.start()
    for name in ("png bomb", "webp bomb", "gif bomb"):
        with pytest.raises(PictureError):
            prepare(BAD[name][0], SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


SEEDS = [
    encoded(quadrants(48, 32), "JPEG"),
    encoded(quadrants(48, 32), "JPEG", progressive=True),
    encoded(quadrants(48, 32)),
    encoded(quadrants(48, 32).quantize(4), "PNG", transparency=1),
    encoded(quadrants(48, 32), "GIF"),
    encoded(quadrants(48, 32), "GIF", save_all=True, append_images=[quadrants(32, 48)]),
    encoded(quadrants(48, 32), "WEBP"),
    encoded(quadrants(48, 32).convert("RGBA"), "WEBP", lossless=True),
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_pictures_end_as_a_picture_or_as_a_picture_error(data):
    mutated = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set":
            mutated[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del mutated[at : at + data.draw(st.integers(1, 30))]
        elif kind == "insert":
            mutated[at:at] = data.draw(st.binary(max_size=20))
        else:
            mutated[at:at] = mutated[at : at + 40]
        if not mutated:
            break
    try:
        picture = prepare(bytes(mutated), SMALL, PictureLimits(max_pixels=1_000_000))
    except PictureError:
        return
    assert pixels_of(picture.data).size == (picture.resized.width, picture.resized.height)


def test_pillow_can_do_what_is_promised():
    assert features.check("jpg")
    assert features.check("webp")


def stamped(grey_level=90):
    limits = ResizeLimits(112 * 112, 140 * 140, 28, stamp_px=4)
    grey = Image.new("RGB", (112, 140), (grey_level,) * 3)
    buffer = io.BytesIO()
    grey.save(buffer, "PNG")
    with Image.open(io.BytesIO(prepare(buffer.getvalue(), limits).data)) as seen:
        return seen.convert("RGB")


def test_a_position_stamp_survives_encoding_and_leaves_the_rest_alone():
    pixels = stamped()
    for column in range(4):
        for row in range(5):
            for i in range(16):
                red, green, _ = pixels.getpixel((28 * column + i % 4, 28 * row + i // 4))
                wave = math.sin if i % 2 else math.cos
                turns = math.pi * (1 + i // 2)
                assert red == round(127.5 * (1 + wave(turns * (column + 0.5) / 4)))
                assert green == round(127.5 * (1 + wave(turns * (row + 0.5) / 5)))
    assert pixels.getpixel((28 + 16, 28 + 16)) == (90, 90, 90)


def test_no_two_cells_have_the_same_stamp():
    pixels = stamped()
    squares = {
        pixels.crop((left, top, left + 4, top + 4)).tobytes()
        for left in range(0, 112, 28)
        for top in range(0, 140, 28)
    }
    assert len(squares) == 4 * 5
