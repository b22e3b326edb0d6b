"""Boxes that are tight to the pixel, whatever was done to a layer."""

from __future__ import annotations

from random import Random

import pytest
from PIL import Image, ImageDraw

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.model

from hypothesis import given, settings
from hypothesis import strategies as st

from sake_model.grounding import iou
from training.synthetic.canvas import Canvas, alpha_box, in_perspective

GROUND = (10, 200, 30)


def shape(kind: str, width: int, height: int) -> Image.Image:
    layer = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(layer)
    corner = (width - 1, height - 1)
    if kind == "ellipse":
        draw.ellipse((0, 0, *corner), fill=(255, 0, 255, 255))
    else:
        draw.rectangle((0, 0, *corner), fill=(255, 0, 255, 255))
    return layer


def painted_box(picture: Image.Image) -> tuple[int, int, int, int]:
    """The box of all pixels of which at least half is not the ground's colour."""
    off = np.abs(np.asarray(picture, int) - np.array(GROUND)).sum(-1)
    full = np.abs(np.array((255, 0, 255)) - np.array(GROUND)).sum()
    rows, columns = np.nonzero(off >= full * 0.5)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["ellipse", "rectangle"]),
    st.integers(40, 120),
    st.integers(40, 120),
    st.integers(1, 3),
)
def test_the_box_is_that_of_the_painted_pixels(seed, kind, width, height, times):
    canvas = Canvas(Image.new("RGB", (200, 160), GROUND), [])
    box = canvas.paste(shape(kind, width * times, height * times), Random(seed), share=0.6)
    assert box is not None
    assert all(abs(ours - seen) <= 1 for ours, seen in zip(box, painted_box(canvas.picture), strict=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_boxes_lie_inside_and_never_overlap(seed, share):
    canvas, random = Canvas(Image.new("RGB", (220, 180), GROUND), []), Random(seed)
    boxes = [canvas.paste(shape("rectangle", 90, 60), random, share=share) for _ in range(5)]
    placed = [box for box in boxes if box is not None]
    assert placed == canvas.taken
    for i, (x1, y1, x2, y2) in enumerate(placed):
        assert 0 <= x1 < x2 <= 220
        assert 0 <= y1 < y2 <= 180
        assert all(iou(placed[i], other) == 0 for other in placed[:i])


def test_perspective_keeps_a_layer_inside_its_size_and_cuts_what_is_empty():
    tilted = in_perspective(shape("rectangle", 100, 80), Random(3))
    assert tilted.width <= 100
    assert tilted.height <= 80
    assert alpha_box(tilted) == (0, 0, *tilted.size)


def test_nothing_visible_has_no_box():
    assert alpha_box(Image.new("RGBA", (5, 5))) is None
