"""How often a name was mentioned in a window of time: topic `sake.trends`, key = `Trend.key`."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from typing import Annotated

import msgspec

from schemas.fields import Count, Instant, PositiveCount, PostId

__all__ = ["MAX_EXAMPLES", "Trend", "TrendExample", "TrendMoment", "WindowKind"]

# Enough to see what the talk is about; the rest is in sake.entities.
MAX_EXAMPLES = 5

# Neither infinity nor a number that a reader's float could not hold.
MAX_MENTIONS = 2.0**53

Mentions = Annotated[float, msgspec.Meta(ge=0, le=MAX_MENTIONS)]
Score = Annotated[float, msgspec.Meta(ge=-MAX_MENTIONS, le=MAX_MENTIONS)]


class WindowKind(StrEnum):
    """How windows of one length lie beside each other."""

    TUMBLING = "tumbling"
    """End to end: the start is a multiple of the length since 1970-01-01T00:00Z."""
    SLIDING = "sliding"
    """Overlapping, one each hop. Those that start where a tumbling one starts equal it and are
    published as it, once: all sliding windows are the records of both kinds.
    """


class TrendMoment(StrEnum):
    """What made a record be published."""

    CLOSED = "closed"
    """The window and its grace are over by event time: nothing of this record changes any more."""
    QUIET = "quiet"
    """The stream went quiet while the window was open: the counts so far."""
    BURST = "burst"
    """A burst of this name began in this window: the counts so far. Once a burst."""


class TrendExample(msgspec.Struct, frozen=True, kw_only=True):
    """One post that mentions the name."""

    post_id: PostId
    exact: str
    """The name as this post writes it."""
    source: str = ""
    lang: str = ""
    at: Instant
    """The time by which the post was put into the window."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Mentions of one name and type in the half-open window [window_start, window_end).

    A later record with the same key replaces the earlier one: counts only grow within a window, so
    a compacted topic keeps the last word on every window. Equal records have the same `ce_id`.

    Raises ValueError unless the window is positive, posts and grounded ≤ mentions and examples ≤
    MAX_EXAMPLES.
    """

    name: str
    """Normalised name, as in EntityRecord.name."""
    type: str
    window_start: Instant
    window_end: Instant
    mentions: PositiveCount
    posts: PositiveCount
    """Different posts among the mentions."""
    grounded: Count = 0
    """Mentions that have a box in their picture."""
    examples: tuple[TrendExample, ...] = ()
    """Posts of the window, spread over it, oldest first."""
    kind: WindowKind = WindowKind.TUMBLING
    moment: TrendMoment = TrendMoment.CLOSED
    expected: Mentions = 0.0
    """Mentions in a window of this length by the name's own recent past: an exponentially weighted
    mean over its tumbling windows that closed before, those without a mention included.
    """
    deviation: Mentions = 0.0
    """Standard deviation of the same past."""
    burst_score: Score = 0.0
    """How many (biased) deviations the mentions lie above what was expected; see workers.trends.burst."""
    bursting: bool = False
    """Whether a burst of this name, seen in windows of this length, is under way."""
    late: Count = 0
    """Mentions of the name that came during this window but belong to windows that were closed by
    then; they are in no window's mentions.
    """
    may_miss: Count = 0
    """At most so many mentions are missing from this record, because the name had to be forgotten in
    between to bound memory. 0 = the counts are exact.
    """

    def __post_init__(self) -> None:
        if self.window_start >= self.window_end:
            raise ValueError("a window ends after it starts")
        if self.posts > self.mentions or self.grounded > self.mentions:
            raise ValueError("neither posts nor grounded mentions can outnumber the mentions")
        if len(self.examples) > MAX_EXAMPLES:
            raise ValueError(f"at most {MAX_EXAMPLES} examples")

    @property
    def key(self) -> str:
        """Kafka key: name, type, window's start and its length."""
        start = self.window_start.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return f"{self.name}|{self.type}|{start}|{self.length_s:g}s"

    @property
    def length_s(self) -> float:
        """The window's length in seconds."""
        return (self.window_end - self.window_start).total_seconds()

    @property
    def grounded_share(self) -> float:
        """Share of the mentions that have a box, 0 to 1."""
        return self.grounded / self.mentions

    @property
    def rate_ratio(self) -> float | None:
        """Mentions against `expected`: 2.0 = twice as many as usual. None for a name without a past."""
        return self.mentions / self.expected if self.expected else None
