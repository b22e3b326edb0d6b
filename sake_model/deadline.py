"""One time budget, shared by everything that is done for one post."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, in seconds."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that lies `seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at_s - time.monotonic()

    @property
    def passed(self) -> bool:
        """True once no time is left."""
        return self.left_s <= 0

    def earlier(self, seconds: float) -> Deadline:
        """The deadline `seconds` before this one: keeps a reserve for what must follow."""
        return Deadline(self.at_s - seconds)
