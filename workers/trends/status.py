"""What the trends worker says about itself: readable at any time, without I/O."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from workers.recognise.state import Phase
from workers.trends.state import PartitionState, Totals

__all__ = ["PartitionStatus", "TrendsStatus"]


@dataclass(slots=True)
class PartitionStatus:
    """One assigned partition of the entities' topic."""

    state: PartitionState
    checkpointed_offset: int
    """Records before it would not be read again after a crash."""

    def as_dict(self) -> dict[str, Any]:
        """For people and dashboards."""
        return {
            "next_offset": self.state.next_offset,
            "checkpointed_offset": self.checkpointed_offset,
            "watermark_ms": self.state.watermark_ms if self.state.names else None,
            "names": len(self.state.names),
            **asdict(self.state.totals),
        }


@dataclass(slots=True)
class TrendsStatus:
    """Written by the worker, read by health endpoints, metrics and tests."""

    phase: Phase = Phase.STARTING
    started_at_s: float = field(default_factory=time.monotonic)
    last_poll_s: float | None = None
    published: int = 0
    """Trend records that the broker has taken."""
    stopped_because: str = ""
    partitions: dict[int, PartitionStatus] = field(default_factory=dict)

    def poll_age_s(self) -> float:
        """Seconds since Kafka was last asked for records (since the start, before the first time)."""
        return time.monotonic() - (self.last_poll_s or self.started_at_s)

    def alive(self, max_poll_age_s: float = 30.0) -> bool:
        """Whether the worker does what it should: starting, or asking Kafka again and again."""
        if self.phase is Phase.STOPPED:
            return False
        return self.phase is Phase.STARTING or self.poll_age_s() < max_poll_age_s

    def ready(self) -> bool:
        """Whether entities are being counted."""
        return self.phase is Phase.RUNNING and bool(self.partitions)

    def totals(self) -> Totals:
        """Summed over the assigned partitions."""
        sums = Totals()
        for partition in self.partitions.values():
            for name, value in asdict(partition.state.totals).items():
                setattr(sums, name, getattr(sums, name) + value)
        return sums

    def report(self) -> dict[str, Any]:
        """The worker in one JSON object, for people and dashboards."""
        return {
            "kind": "trends",
            "phase": self.phase.value,
            "alive": self.alive(),
            "ready": self.ready(),
            "published": self.published,
            "poll_age_s": round(self.poll_age_s(), 3),
            "stopped_because": self.stopped_because,
            "totals": asdict(self.totals()),
            "partitions": {str(number): one.as_dict() for number, one in self.partitions.items()},
        }
