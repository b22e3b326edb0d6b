"""Files of too many parts are told from honest ones, at once; hostile ones as a whole in tests/security."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.images import encoded, quadrants

from sake_model.picture_parts import MAX_PARTS, has_too_many_parts

NOISE = Image.effect_noise((1200, 900), 90).convert("RGB")


@pytest.mark.parametrize(
    "data",
    [
        encoded(NOISE),
        encoded(NOISE, "JPEG", quality=98, progressive=True),
        encoded(NOISE, "GIF"),
        encoded(NOISE, "WEBP", lossless=True),
        encoded(quadrants(), "JPEG", comment=b"x" * 60_000, icc_profile=b"p" * 1_000_000),
        encoded(
            quadrants(), "GIF", save_all=True, append_images=[quadrants(8, 8)] * 50, comment=b"c" * 50_000
        ),
        b"",
        b"\xff\xd8",
        b"GIF89a",
    ],
)
def test_honest_pictures_have_few(data: bytes) -> None:
    assert not has_too_many_parts(data)


def test_the_bound_is_exact() -> None:
    png = encoded(quadrants(8, 8))
    its_own = 3  # IHDR, IDAT, IEND
    empty = b"\0\0\0\0tEXt\0\0\0\0"
    assert not has_too_many_parts(png[:33] + empty * (MAX_PARTS - its_own) + png[33:])
    assert has_too_many_parts(png[:33] + empty * (MAX_PARTS - its_own + 1) + png[33:])


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF"]),
    st.binary(max_size=300),
    st.integers(1, 3),
)
def test_no_bytes_raise(head: bytes, tail: bytes, times: int) -> None:
    assert not has_too_many_parts(head + tail * times)


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"!", b"\xff\xe1\0\2", b"!\xfe\1a\0"])
@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a\x08\0\x08\0\0\0\0"])
def test_twenty_megabytes_are_judged_in_no_time(head: bytes, filler: bytes) -> None:
    data = head + filler * (20_000_000 // len(filler))
    started_s = time.process_time()
    has_too_many_parts(data)
    assert time.process_time() - started_s < 0.5
