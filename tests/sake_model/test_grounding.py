"""Frames, boxes and the model's picture size."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sake_model.grounding import (
    BoxFrame,
    ResizeLimits,
    Size,
    clip,
    from_original,
    iou,
    smart_resize,
    to_original,
)

sides = st.integers(1, 6000)
sizes = st.builds(Size, sides, sides)
numbers = st.floats(-1e4, 1e4)
boxes = st.tuples(numbers, numbers, numbers, numbers)


def test_a_size_is_positive():
    with pytest.raises(ValueError, match="positive"):
        Size(0, 5)


@pytest.mark.parametrize(
    "limits",
    [
        {"min_pixels": 0},
        {"factor_px": 0},
        {"min_pixels": 10, "max_pixels": 9},
        {"max_pixels": 700, "min_pixels": 1},
    ],
)
def test_limits_that_no_size_can_meet_are_refused(limits):
    with pytest.raises(ValueError, match="must be"):
        ResizeLimits(**limits)


@pytest.mark.parametrize(
    ("original", "resized"),
    [
        (Size(1024, 1024), Size(924, 924)),  # down to 2·672²
        (Size(640, 480), Size(644, 476)),  # between the limits: nearest multiples of 28
        (Size(100, 100), Size(532, 532)),  # up to 512²
        (Size(1, 1), Size(532, 532)),
        (Size(14, 42), Size(308, 896)),
    ],
)
def test_the_model_size_of_a_picture(original, resized):
    assert smart_resize(original, ResizeLimits()) == resized


def test_rounding_is_to_even_as_in_python():
    # 70 / 28 = 2.5 → 2, 98 / 28 = 3.5 → 4: transformers uses the built-in round.
    limits = ResizeLimits(min_pixels=1, max_pixels=10**6)
    assert smart_resize(Size(70, 98), limits) == Size(56, 112)


def test_a_ribbon_is_refused():
    with pytest.raises(ValueError, match="aspect ratio"):
        smart_resize(Size(2010, 10), ResizeLimits())


@given(sizes)
def test_a_resized_picture_is_left_alone_by_the_server(original):
    assume(original.aspect_ratio <= 200)
    limits = ResizeLimits()
    resized = smart_resize(original, limits)
    assert resized.width % 28 == resized.height % 28 == 0
    assert limits.min_pixels <= resized.pixels <= limits.max_pixels
    assert smart_resize(resized, limits) == resized


@given(sizes, sizes, st.sampled_from(BoxFrame), boxes)
def test_a_box_of_the_original_survives_the_way_there_and_back(original, resized, frame, box):
    inside = clip(box, original)
    assume(inside is not None)
    there = from_original(inside, frame, resized=resized, original=original)
    back = to_original(there, frame, resized=resized, original=original)
    # Within the tolerance of floats; a sliver of exactly the least width may be lost to it.
    if back is None:
        assert min(inside[2] - inside[0], inside[3] - inside[1]) == pytest.approx(0.5)
    else:
        assert back == pytest.approx(inside, abs=1e-6)


def test_each_axis_has_its_own_scale():
    box = to_original((10, 10, 20, 20), BoxFrame.RESIZED, resized=Size(100, 50), original=Size(200, 200))
    assert box == (20, 40, 40, 80)
    box = to_original((0, 500, 1000, 1000), BoxFrame.NORMALISED, resized=Size(7, 7), original=Size(640, 480))
    assert box == (0, 240, 640, 480)


@given(
    st.tuples(*[st.floats() | st.integers(-(10**400), 10**400)] * 4), sizes, sizes, st.sampled_from(BoxFrame)
)
def test_whatever_a_model_writes_ends_inside_the_picture_or_nowhere(box, original, resized, frame):
    found = to_original(box, frame, resized=resized, original=original)
    if found is not None:
        x1, y1, x2, y2 = found
        assert 0 <= x1 < x2 <= original.width
        assert 0 <= y1 < y2 <= original.height


def test_corners_in_the_wrong_order_are_put_right():
    assert clip((30, 40, 10, 20), Size(100, 100)) == (10, 20, 30, 40)


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 9), (101, 5, 200, 9), (-9, -9, -1, -1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)]
)
def test_a_box_that_shows_nothing_is_none(box):
    assert clip(box, Size(100, 100)) is None


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (0, 0, 10, 5), 0.5),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),
    ],
)
def test_iou(a, b, expected):
    assert iou(a, b) == pytest.approx(expected)


@given(boxes, boxes)
def test_iou_is_symmetric_and_bounded(a, b):
    assert iou(a, b) == iou(b, a)
    assert 0.0 <= iou(a, b) <= 1.0 + 1e-9
