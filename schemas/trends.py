"""How often a name was mentioned in a window of time: topic `sake.trends`, key = `Trend.key`."""

from __future__ import annotations

from datetime import UTC

import msgspec

from schemas.fields import Count, Instant, PositiveCount, PostId

__all__ = ["MAX_EXAMPLES", "Trend", "TrendExample"]

# Enough to see what the talk is about; the rest is in sake.entities.
MAX_EXAMPLES = 5


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
    a compacted topic keeps the last word on every window.

    Raises ValueError unless the window is positive, posts ≤ mentions and examples ≤ MAX_EXAMPLES.
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
    """The window's first posts, oldest first."""

    def __post_init__(self) -> None:
        if self.window_start >= self.window_end:
            raise ValueError("a window ends after it starts")
        if self.posts > self.mentions or self.grounded > self.mentions:
            raise ValueError("neither posts nor grounded mentions can outnumber the mentions")
        if len(self.examples) > MAX_EXAMPLES:
            raise ValueError(f"at most {MAX_EXAMPLES} examples")

    @property
    def key(self) -> str:
        """Kafka key: name, type and window."""
        start = self.window_start.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return f"{self.name}|{self.type}|{start}"
