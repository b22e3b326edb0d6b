"""What the trends worker keeps, counts and publishes; all of it can be set."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import OperatorError

__all__ = ["TrendLimits"]


@dataclass(frozen=True, slots=True)
class TrendLimits:
    """Windows, grace, bursts and bounds. Raises OperatorError when they do not fit together."""

    group: str = "sake-trends"
    """Consumer group; also the head of the changelog topic's name."""
    lengths_s: tuple[int, ...] = (60, 300, 3600)
    """Lengths of the windows in s, shortest first."""
    hops_s: tuple[int, ...] = (10, 60, 300)
    """For each length, how far one sliding window starts after the other, in s; divides the length."""
    grace_s: float = 60.0
    """How much older than the newest post seen a post may be and still be counted."""
    max_ahead_s: float = 60.0
    """How far a post's own time may lie after its recognition; beyond, its clock is not believed."""
    quiet_s: float = 10.0
    """A stream that brought nothing for so long publishes its open windows as they stand."""
    max_names: int = 20_000
    """Names that are remembered for each partition; beyond, those with the fewest mentions are forgotten."""
    min_mentions: int = 1
    """Tumbling windows of a name with fewer mentions are not published."""
    sliding_min_mentions: int = 5
    """Sliding windows between the tumbling ones with fewer mentions are not published."""
    burst_score: float = 5.0
    """A burst begins at this score."""
    burst_min_mentions: int = 10
    """A burst has at least so many mentions in its window."""
    burst_bias_mentions: float = 2.0
    """Mentions that are taken for noise whatever the past of a name was."""
    half_life_windows: float = 12.0
    """After so many windows of a length what happened counts half towards what is expected."""
    warm_up_windows: int = 3
    """Windows of a length that must have closed before bursts are told: without a past all is new."""
    checkpoint_s: float = 10.0
    """Between two checkpoints of the counts; a crash costs so much work, never a count."""
    checkpoint_records: int = 50_000
    """A checkpoint comes earlier after so many entity records of a partition."""

    def __post_init__(self) -> None:
        pairs = list(zip(self.lengths_s, self.hops_s, strict=False))
        if not pairs or len(self.lengths_s) != len(self.hops_s):
            raise OperatorError("trends: lengths_s and hops_s need one hop for each length")
        if any(length <= 0 or hop <= 0 or length % hop for length, hop in pairs):
            raise OperatorError("trends: each length must be a multiple of its hop, both in whole seconds")
        if list(self.lengths_s) != sorted(set(self.lengths_s)):
            raise OperatorError("trends: lengths_s must grow")
        if self.grace_s < 0 or self.max_ahead_s < 0:
            raise OperatorError("trends: grace_s and max_ahead_s cannot be negative")
        if self.max_names < 1:
            raise OperatorError("trends: max_names must be at least 1")
        if self.half_life_windows <= 0 or self.burst_bias_mentions <= 0:
            raise OperatorError("trends: half_life_windows and burst_bias_mentions must be positive")
