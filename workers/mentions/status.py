"""What a mentions worker says about itself, stage by stage: readable at any time, without I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from workers.recognise.state import Phase, WorkerState

__all__ = ["FoldStatus", "MentionsStatus", "StageStatus", "WebhookStatus"]

# Each stage gives a sign several times a minute, whether or not there is anything to do.
MAX_SILENCE_S = 60.0


@dataclass(slots=True)
class StageStatus:
    """A stage that mends itself by starting again."""

    phase: Phase = Phase.STARTING
    last_sign_s: float = field(default_factory=time.monotonic)
    """When it last went round its loop, on the monotonic clock."""

    def begins(self) -> None:
        """It connects, for the first time or anew."""
        self.phase = Phase.STARTING

    def sign(self) -> None:
        """It works, or would if there were anything to do."""
        self.phase = Phase.RUNNING
        self.last_sign_s = time.monotonic()

    def alive(self) -> bool:
        """Whether it starts, or gives signs."""
        return self.phase is Phase.STARTING or time.monotonic() - self.last_sign_s < MAX_SILENCE_S

    def as_dict(self) -> dict[str, Any]:
        """For people and dashboards."""
        return {"phase": self.phase.value, "silent_s": round(time.monotonic() - self.last_sign_s, 3)}


@dataclass(slots=True)
class FoldStatus(StageStatus):
    """Folding of copies."""

    folded: int = 0
    """Mentions of single posts that were taken in."""
    published: int = 0
    """Records that the broker has, last words included."""

    def as_dict(self) -> dict[str, Any]:
        """For people and dashboards."""
        return {**StageStatus.as_dict(self), "folded": self.folded, "published": self.published}


@dataclass(slots=True)
class WebhookStatus(StageStatus):
    """The webhook's sender."""

    on: bool = False
    waiting: int = 0
    """Mentions to be sent now, tried again, or held back by quiet hours."""
    taken: int = 0
    dead: int = 0
    trouble: str = ""
    """Why the receiver did not take the last one; empty when it did."""

    def as_dict(self) -> dict[str, Any]:
        """For people and dashboards."""
        if not self.on:
            return {"phase": "off"}
        numbers = {"waiting": self.waiting, "taken": self.taken, "dead": self.dead}
        return {**StageStatus.as_dict(self), **numbers, "trouble": self.trouble}


@dataclass(slots=True)
class MentionsStatus:
    """All three stages; see `workers.health.Reporting`."""

    match: WorkerState = field(default_factory=WorkerState)
    fold: FoldStatus = field(default_factory=FoldStatus)
    webhook: WebhookStatus = field(default_factory=WebhookStatus)

    def alive(self) -> bool:
        """Whether no stage is to be mended by a restart."""
        return self.match.alive() and self.fold.alive() and (not self.webhook.on or self.webhook.alive())

    def ready(self) -> bool:
        """Whether mentions come through. A receiver in trouble is none of ours."""
        stages = (self.fold, self.webhook) if self.webhook.on else (self.fold,)
        return self.match.ready() and all(stage.phase is Phase.RUNNING for stage in stages)

    def report(self) -> dict[str, Any]:
        """The worker in one JSON object: what matching says, and the other stages beside it."""
        return {
            **self.match.report(),
            "kind": "mentions",
            "alive": self.alive(),
            "ready": self.ready(),
            "fold": self.fold.as_dict(),
            "webhook": self.webhook.as_dict(),
        }
