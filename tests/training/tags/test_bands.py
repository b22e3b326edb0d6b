"""From hits to bands, tags and the distribution of a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Tool
from training.tags.bands import (
    Band,
    SearchTag,
    Thresholds,
    band,
    distribution,
    search_tag,
    uncertainty,
)
from training.tags.records import EntityTags, PostTags

ORDER = [Band.REQUIRED, Band.AMBIGUOUS, Band.NONE]
counts = st.integers(1, 16).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
thresholds = (
    st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda t: t[0] < t[1]).map(lambda t: Thresholds(*t))
)


@pytest.mark.parametrize(
    ("hit", "expected"), [(0, Band.REQUIRED), (1, Band.AMBIGUOUS), (5, Band.AMBIGUOUS), (6, Band.NONE)]
)
def test_never_sometimes_always(hit, expected):
    assert band(hit, 6) is expected


@given(counts)
def test_by_default_only_never_is_required_and_only_always_is_none(count):
    hit, samples = count
    assert (band(hit, samples) is Band.REQUIRED) == (hit == 0)
    assert (band(hit, samples) is Band.NONE) == (hit == samples)


@given(counts, thresholds)
def test_more_hits_never_make_a_search_more_needed(count, limits):
    hit, samples = count
    if hit < samples:
        before, after = band(hit, samples, limits), band(hit + 1, samples, limits)
        assert ORDER.index(before) <= ORDER.index(after)


@given(counts, thresholds)
def test_never_right_is_required_and_always_right_is_none_whatever_the_thresholds(count, limits):
    _, samples = count
    assert band(0, samples, limits) is Band.REQUIRED
    assert band(samples, samples, limits) is Band.NONE


@pytest.mark.parametrize(("hit", "samples"), [(-1, 6), (7, 6), (0, 0)])
def test_impossible_counts_are_refused(hit, samples):
    with pytest.raises(ValueError, match="hits among"):
        band(hit, samples)


@pytest.mark.parametrize("limits", [(0.5, 0.5), (0.6, 0.4), (-0.1, 1), (0, 1.1)])
def test_thresholds_that_overlap_are_refused(limits):
    with pytest.raises(ValueError, match="bands need"):
        Thresholds(*limits)


@given(st.sampled_from(Band), st.sampled_from(Band))
def test_a_tag_names_exactly_what_is_required(text, image):
    tag = search_tag(text, image)
    assert (tag in (SearchTag.TEXT, SearchTag.BOTH)) == (text is Band.REQUIRED)
    assert (tag in (SearchTag.IMAGE, SearchTag.BOTH)) == (image is Band.REQUIRED)


@given(counts)
def test_uncertainty_is_the_share_of_wrong_samples(count):
    hit, samples = count
    assert uncertainty(hit, samples) == pytest.approx((samples - hit) / samples)


def entity(hit_text: int, hit_image: int) -> EntityTags:
    return EntityTags(start=0, end=3, phrase="Ana", type="PER", hit_text=hit_text, hit_image=hit_image)


def test_a_run_is_summed_up():
    posts = [
        PostTags(
            id="1", text="Ana", picture="p", entities=(entity(0, 6), entity(6, 6)), samples=6, unreadable=1
        ),
        PostTags(id="2", text="Ana", picture="p", entities=(entity(3, 0),), samples=6),
        PostTags(id="3", text="Ana", entities=(entity(0, 0),), samples=0, refused="too long"),
    ]
    found = distribution(posts)
    assert (found.posts, found.refused, found.entities, found.samples, found.unreadable) == (2, 1, 3, 12, 1)
    assert found.hits[Tool.TEXT] == {0: 1, 6: 1, 3: 1}
    assert found.bands[Tool.TEXT] == {Band.REQUIRED: 1, Band.NONE: 1, Band.AMBIGUOUS: 1}
    assert found.tags == {SearchTag.TEXT: 1, SearchTag.NONE: 1, SearchTag.IMAGE: 1}
    assert found.mean_uncertainty[Tool.TEXT] == pytest.approx((1 + 0 + 0.5) / 3)


def test_without_a_picture_no_image_search_is_required_and_the_hits_are_kept():
    found = distribution([PostTags(id="1", text="Ana", entities=(entity(0, 0),), samples=6)])
    assert found.tags == {SearchTag.TEXT: 1}
    assert found.hits[Tool.IMAGE] == {0: 1}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_every_entity_stands_in_one_band_of_each_tool_and_has_one_tag(drawn):
    post = PostTags(id="1", text="Ana", entities=tuple(entity(*pair) for pair in drawn), samples=6)
    found = distribution([post])
    for spread in (*found.hits.values(), *found.bands.values(), found.tags):
        assert sum(spread.values()) == len(drawn)
    assert all(sum(spread.values()) == len(drawn) for spread in found.as_json["bands"].values())
