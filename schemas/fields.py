"""Small field types that several records share, each with the constraint that JSON Schema shows too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

__all__ = ["Coordinate", "Count", "Instant", "Millis", "PositiveCount", "PostId", "Sha256", "refuse_timeless"]

MAX_POST_ID_CHARS = 512
# Whatever its offset, a time between these years can be told in UTC, and a window around it has dates.
FIRST_YEAR, LAST_YEAR = 2, 9998
# 31 years: no duration of ours comes near, and infinity is refused.
MAX_MILLIS = 1e12

# Twice the longest side that PNG can have (2^31 - 1): infinity is refused, no picture is.
MAX_COORDINATE_PX = 2.0**32

Coordinate = Annotated[float, msgspec.Meta(ge=0, le=MAX_COORDINATE_PX)]

Count = Annotated[int, msgspec.Meta(ge=0)]

PositiveCount = Annotated[int, msgspec.Meta(gt=0)]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its offset (RFC 3339). A time without one could mean 24 different hours."""

Millis = Annotated[float, msgspec.Meta(ge=0, le=MAX_MILLIS)]

PostId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_POST_ID_CHARS, pattern=r"^[^\x00-\x1f]+$")]
"""Becomes a Kafka key, a log field and part of other ids: no control characters."""

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


def refuse_timeless(*times: datetime | None) -> None:
    """Raises ValueError for a time that cannot be told in UTC: 0001-01-01T00:00+23:59 is in the year 0."""
    for time in times:
        if time is not None and not FIRST_YEAR <= time.year <= LAST_YEAR:
            raise ValueError(f"a time of the year {time.year} is none")
