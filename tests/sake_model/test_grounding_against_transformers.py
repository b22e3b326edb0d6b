"""Our smart_resize and that of transformers are one function."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sake_model.grounding import ResizeLimits, Size, smart_resize

pytestmark = pytest.mark.model


@settings(max_examples=3000, deadline=None)
@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    factor=st.sampled_from([28, 32]),
    low=st.integers(1, 10**6),
    spread=st.integers(1, 10**6),
)
def test_equal_for_every_picture_and_limit(width, height, factor, low, spread):
    pytest.importorskip("torch")
    reference = pytest.importorskip("transformers.models.qwen2_vl.image_processing_qwen2_vl").smart_resize
    original, limits = Size(width, height), ResizeLimits(low, low + spread + factor**2, factor)
    assume(original.aspect_ratio <= 200)
    high, wide = reference(height, width, factor, limits.min_pixels, limits.max_pixels)
    assert smart_resize(original, limits) == Size(wide, high)
