"""What follows an attempt at the webhook: done, once more later, or never again. Pure.

2xx                             taken
408, 425, 429, 5xx, no answer   once more, later and later, until `give_up_s` after the first attempt
anything else                   never: the same request would be refused again, so it is a dead letter
"""

from __future__ import annotations

import email.utils
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Answer", "Dead", "Later", "RetryLimits", "Taken", "judge", "retry_after_s"]

TRANSIENT = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How long and how often it is tried. Raises ValueError when they contradict themselves."""

    first_wait_s: float = 1.0
    """Before the second attempt; doubled before each further one, and drawn from half to all of it."""
    max_wait_s: float = 300.0
    """The longest such wait."""
    max_retry_after_s: float = 3_600.0
    """The longest wait that the receiver may ask for."""
    give_up_s: float = 86_400.0
    """After the first attempt; then it is a dead letter."""

    def __post_init__(self) -> None:
        if not 0 < self.first_wait_s <= self.max_wait_s or min(self.max_retry_after_s, self.give_up_s) <= 0:
            raise ValueError(
                "waits of the webhook must be positive, and the first not longer than the longest"
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status, or why none came."""

    status: int | None
    trouble: str = ""
    """Machine-readable, when there is no status: `timeout`, `connection`, `blocked_address`, …"""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Later:
    """Once more, after this wait."""

    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Never again."""

    reason: str


def judge(
    answer: Answer, attempts: int, age_s: float, chance: float, limits: RetryLimits
) -> Taken | Later | Dead:
    """What follows the `attempts`-th attempt, `age_s` after the first one. `chance` is uniform in [0, 1)."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Taken()
    reason = f"http_{answer.status}" if answer.status is not None else answer.trouble
    if answer.status is not None and answer.status < 500 and answer.status not in TRANSIENT:
        return Dead(reason)
    # 2^30 times the first wait is past every limit; larger powers overflow one day.
    longest_s = min(limits.max_wait_s, limits.first_wait_s * 2.0 ** min(attempts - 1, 30))
    wait_s = longest_s * (0.5 + chance / 2)
    if answer.retry_after_s is not None:
        wait_s = max(wait_s, min(answer.retry_after_s, limits.max_retry_after_s))
    if age_s + wait_s > limits.give_up_s:
        return Dead(reason)
    return Later(wait_s, reason)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for (RFC 9110, section 10.2.3): seconds, or a date."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
