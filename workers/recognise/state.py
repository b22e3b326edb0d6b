"""What a worker says about itself: readable at any time, without I/O.

Times are seconds on the monotonic clock; ages are what a reader wants.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["LaneState", "Phase", "WorkerState"]


class Phase(StrEnum):
    """Where a worker is in its life."""

    STARTING = "starting"
    """Connecting to the broker, checking topics."""
    RUNNING = "running"
    WAITING_FOR_ENGINE = "waiting_for_engine"
    """Consumption rests until the engine answers again."""
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(slots=True)
class LaneState:
    """One assigned partition."""

    opened: bool = False
    running: int = 0
    finished: int = 0
    committed_offset: int = -1
    """-1 = nothing committed yet."""
    end_offset: int | None = None
    """One past the partition's last post, as of the last look (every `WatchLimits.check_s`)."""

    @property
    def lag(self) -> int | None:
        """Offsets that are not done; None before the first look. A group that never committed counts
        from 0, the deleted ones included.
        """
        return None if self.end_offset is None else max(0, self.end_offset - max(0, self.committed_offset))

    @property
    def held(self) -> int:
        """Posts in work or finished."""
        return self.running + self.finished


@dataclass(slots=True)
class WorkerState:
    """Written by the worker, read by health endpoints, logs and tests."""

    phase: Phase = Phase.STARTING
    started_at_s: float = field(default_factory=time.monotonic)
    last_poll_s: float | None = None
    last_completed_s: float | None = None
    last_commit_s: float | None = None
    consumed: int = 0
    recognised: int = 0
    """Committed posts that were worked on successfully."""
    dead_letters: int = 0
    """Committed dead letters."""
    engine_trouble: str = ""
    """Why consumption rests; empty while the engine answers."""
    stopped_because: str = ""
    lanes: dict[str, LaneState] = field(default_factory=dict)
    """By `topic[partition]`."""

    @property
    def running(self) -> int:
        """Posts in work."""
        return sum(lane.running for lane in self.lanes.values())

    @property
    def finished(self) -> int:
        """Posts finished and not yet committed."""
        return sum(lane.finished for lane in self.lanes.values())

    def poll_age_s(self) -> float:
        """Seconds since Kafka was last asked for records (since the start, before the first time)."""
        return time.monotonic() - (self.last_poll_s or self.started_at_s)

    def alive(self, max_poll_age_s: float = 30.0) -> bool:
        """Whether the worker does what it should: starting, or asking Kafka again and again."""
        if self.phase is Phase.STOPPED:
            return False
        return self.phase is Phase.STARTING or self.poll_age_s() < max_poll_age_s

    def ready(self) -> bool:
        """Whether posts are being worked on: partitions are held and the engine answers."""
        return self.phase is Phase.RUNNING and any(lane.opened for lane in self.lanes.values())

    def report(self) -> dict[str, Any]:
        """The worker in one JSON object, for people and dashboards."""
        return {
            "kind": "recognise",
            "phase": self.phase.value,
            "alive": self.alive(),
            "ready": self.ready(),
            "consumed": self.consumed,
            "recognised": self.recognised,
            "dead_letters": self.dead_letters,
            "running": self.running,
            "finished": self.finished,
            "poll_age_s": round(self.poll_age_s(), 3),
            "engine_trouble": self.engine_trouble,
            "stopped_because": self.stopped_because,
            "partitions": {
                name: {
                    "opened": lane.opened,
                    "running": lane.running,
                    "finished": lane.finished,
                    "committed_offset": lane.committed_offset,
                }
                for name, lane in self.lanes.items()
            },
        }
