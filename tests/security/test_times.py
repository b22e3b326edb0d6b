"""Times that no clock shows: a stranger writes them into a post, and everything behind must bear it."""

from __future__ import annotations

import pytest
from support.records import entity, recognition

from schemas.codec import NotTheSchema, decode_post, encode
from schemas.headers import fill_from_event
from schemas.posts import Post
from schemas.recognitions import entity_records
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits

TIMES = (
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59Z",
)


@pytest.mark.parametrize("time", TIMES)
def test_a_post_of_no_time_is_a_dead_letter(time: str) -> None:
    with pytest.raises(NotTheSchema, match="a time of the year"):
        decode_post(b'{"id": "p1", "text": "x", "created_at": "%s"}' % time.encode())


@pytest.mark.parametrize("time", TIMES)
def test_an_events_time_that_is_none_is_passed_over(time: str) -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_id", b"i")]
    post = fill_from_event(Post(id="p1", text="x"), (*headers, ("ce_time", time.encode())))
    assert (post.created_at, post.source) == (None, "s")


@pytest.mark.parametrize(
    "time", ["0002-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z", "9998-12-31T00:00:00Z"]
)
def test_trends_count_a_post_of_an_absurd_time_by_its_recognition(time: str) -> None:
    """Also as the first one of a partition, from which all windows are reckoned."""
    post = decode_post(b'{"id": "p1", "text": "x", "created_at": "%s"}' % time.encode())
    (absurd,) = entity_records(recognition(entity("Spotify"), created_at=post.created_at))
    (good,) = entity_records(recognition(entity("Spotify"), post_id="p2"))
    trends = PartitionTrends(TrendLimits())
    trends.count(absurd, 0)
    trends.count(good, 1)
    found = [one for one in trends.open_windows() if one.length_s == 3600]
    assert max(one.mentions for one in found) == 2
    assert all(encode(one) for one in found)
    assert trends.state.totals.ahead == 1
