"""Quiet hours: when nobody wants to be told. Wall-clock times of a time zone, daylight saving included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["DAYS", "QuietHours"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Every day in `days`: from `start` until the next `end`, which may be the next morning.

    Raises ValueError when both times are equal (nobody could tell never from always) or no day is named.
    """

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    """Weekdays on which quiet hours begin, Monday = 0."""

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"quiet hours from {self.start:%H:%M} until the same time are never or always")
        if not self.days:
            raise ValueError("quiet hours on no day are none; leave them out")

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours end in which `now` (with its offset) lies, in UTC; None outside of them.

        Compared on the wall clock's own terms: a night in which clocks change is an hour shorter or
        longer, and still ends when the clock on the wall says so.
        """
        local = now.astimezone(self.zone)
        for days_ago in (1, 0):  # those of yesterday evening may still hold
            first_day = local.date() - timedelta(days=days_ago)
            if first_day.weekday() not in self.days:
                continue
            last_day = first_day + timedelta(days=self.end < self.start)
            begin = datetime.combine(first_day, self.start, self.zone).astimezone(UTC)
            end = datetime.combine(last_day, self.end, self.zone).astimezone(UTC)
            if begin <= now < end:
                return end
        return None
