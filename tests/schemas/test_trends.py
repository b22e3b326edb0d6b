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
    assert trend.key == "spotify|ORG|2026-06-01T12:00:00Z"
    abroad = records.NOON.astimezone(timezone(timedelta(hours=9)))
    assert msgspec.structs.replace(trend, window_start=abroad).key == trend.key
    assert msgspec.structs.replace(trend, type="PER").key != trend.key
