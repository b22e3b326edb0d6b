"""What is rising, from the trend records as they come. No I/O; time is the stream's own.

A replayed stream is as old as its posts: "now" is the end of the newest window, not the clock's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.trends import Trend, WindowKind
from workers.console.bounded import Bounded
from workers.console.texts import shortened

__all__ = ["Rising"]

# A curve is as long as this many windows, and the table as many names as fit beside the stream.
CURVE_WINDOWS = 40
SHOWN_NAMES = 8
# Names of one window length that are followed; what is rising is among the newest.
NAMES = 4_000
# Of one window length: twice what so many names of usual length take.
NAMES_BYTES = 8 * 1024 * 1024
OVERHEAD_BYTES = 1_000
# A name leaves the table so many windows after its last record: what is not mentioned does not rise.
# Partitions of the topic close their windows at different times, one window apart at most.
STAYS_WINDOWS = 2


@dataclass(slots=True)
class Curve:
    """One name in windows of one length."""

    newest: Trend
    counts: dict[float, int] = field(default_factory=dict)
    """Mentions by the start of the (tumbling) window, in seconds since 1970."""

    @property
    def bytes(self) -> int:
        """About what it takes: its strings, and a curve."""
        newest = self.newest
        written = [newest.name, newest.name, newest.type]
        written += [
            text for each in newest.examples for text in (each.exact, each.post_id, each.source, each.lang)
        ]
        return OVERHEAD_BYTES + 4 * sum(map(len, written))

    def add(self, trend: Trend) -> None:
        """One more record; a later one of the same window replaces the earlier."""
        if trend.window_end >= self.newest.window_end:
            self.newest = without_examples(trend)
        if trend.kind is WindowKind.TUMBLING:
            self.counts[trend.window_start.timestamp()] = trend.mentions
            while len(self.counts) > CURVE_WINDOWS:
                del self.counts[min(self.counts)]


def without_examples(trend: Trend) -> Trend:
    """The record with its last example only: that is the one whose writing of the name is shown."""
    return msgspec.structs.replace(trend, examples=trend.examples[-1:])


class Rising:
    """Names by window length."""

    def __init__(self) -> None:
        self._curves: dict[float, Bounded[tuple[str, str], Curve]] = {}
        self._ends: dict[float, float] = {}
        self.changed = False

    def add(self, trend: Trend) -> None:
        """A trend record has come."""
        length_s = trend.length_s
        curves = self._curves.get(length_s)
        if curves is None:
            if len(self._curves) >= 6:  # windows of ever new lengths are no trends of ours
                return
            curves = self._curves.setdefault(length_s, Bounded(NAMES, NAMES_BYTES))
        key = (trend.name, trend.type)
        curve = curves.get(key) or Curve(without_examples(trend))
        curve.add(trend)
        curves.put(key, curve, curve.bytes)
        self._ends[length_s] = max(self._ends.get(length_s, 0.0), trend.window_end.timestamp())
        self.changed = True

    def table(self) -> dict[str, Any]:
        """The top names above their past of each window length, bursting ones first."""
        self.changed = False
        return {
            "windows": [
                {
                    "length_s": length_s,
                    "end": self._ends[length_s] * 1e3,
                    "names": self._top(length_s, curves),
                }
                for length_s, curves in sorted(self._curves.items())
            ]
        }

    def _top(self, length_s: float, curves: Bounded[tuple[str, str], Curve]) -> list[dict[str, Any]]:
        end_s = self._ends[length_s]
        oldest_s = end_s - STAYS_WINDOWS * length_s
        alive = [each for each in curves if each.newest.window_end.timestamp() > oldest_s]
        rising = sorted(filter(_rises, alive), key=_rank, reverse=True)
        return [_row(each, length_s, end_s) for each in rising[:SHOWN_NAMES]]


def _rises(curve: Curve) -> bool:
    """Whether it is mentioned more than before, by more than what is taken for noise."""
    return curve.newest.bursting or curve.newest.burst_score > 0


def _rank(curve: Curve) -> tuple[bool, float, int, float]:
    newest = curve.newest
    return newest.bursting, newest.burst_score, newest.mentions, newest.window_end.timestamp()


def _row(curve: Curve, length_s: float, end_s: float) -> dict[str, Any]:
    newest = curve.newest
    # The last whole tumbling window that any name has: all curves share one axis, none ends in a window
    # that has only begun.
    last_start_s = end_s // length_s * length_s - length_s
    starts = (last_start_s - back * length_s for back in range(CURVE_WINDOWS - 1, -1, -1))
    exact = newest.examples[-1].exact if newest.examples else newest.name
    return {
        "name": shortened(newest.name, 80),
        "exact": shortened(exact, 80),
        "type": shortened(newest.type, 24),
        "mentions": newest.mentions,
        "posts": newest.posts,
        "grounded": round(newest.grounded_share, 3),
        "ratio": newest.rate_ratio and round(newest.rate_ratio, 2),
        "score": round(newest.burst_score, 1),
        "bursting": newest.bursting,
        "late": newest.late,
        "may_miss": newest.may_miss,
        "moment": newest.moment.value,
        "curve": [curve.counts.get(start, 0) for start in starts],
    }
