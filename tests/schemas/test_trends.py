"""Counts of names in windows of time."""

from __future__ import annotations

from datetime import timedelta, timezone

import msgspec
import pytest
from support import records

from schemas.trends import MAX_EXAMPLES, TrendExample

EXAMPLE = TrendExample(post_id="p", exact="Spotify", at=records.NOON)


@pytest.mark.parametrize(
    "change",
    [
        {"window_end": records.NOON},
        {"posts": 4},
        {"grounded": 4},
        {"examples": (EXAMPLE,) * (MAX_EXAMPLES + 1)},
    ],
    ids=str,
)
def test_counts_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"window|outnumber|examples"):
        msgspec.structs.replace(records.trend(), **change)


def test_the_key_names_name_type_and_window_whatever_the_time_zone() -> None:
    trend = records.trend()
    assert trend.key == "spotify|ORG|2026-06-01T12:00:00Z|300s"
    abroad = records.NOON.astimezone(timezone(timedelta(hours=9)))
    assert msgspec.structs.replace(trend, window_start=abroad).key == trend.key
    assert msgspec.structs.replace(trend, type="PER").key != trend.key
    hour = msgspec.structs.replace(trend, window_end=records.NOON + timedelta(hours=1))
    assert hour.key == "spotify|ORG|2026-06-01T12:00:00Z|3600s"


def test_shares_and_rates_follow_from_the_counts() -> None:
    trend = records.trend()
    assert trend.length_s == 300
    assert trend.grounded_share == pytest.approx(1 / 3)
    assert trend.rate_ratio is None
    assert msgspec.structs.replace(trend, expected=1.5).rate_ratio == 2.0
