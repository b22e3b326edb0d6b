"""Dead letters: what a failed post becomes, and how many of them are too many."""

from __future__ import annotations

import traceback
from collections import deque
from dataclasses import dataclass

from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.errors import OperatorError, SakeError
from workers.recognise.messages import InMessage, OutMessage, StagedPostError

__all__ = ["DeadLetterLimit", "DeadLetterLimits", "Failure", "TooManyDeadLetters", "dead_letter"]

# Frames of a stack trace that are kept: the deepest ones tell what broke.
STACK_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a post is given up."""

    error: BaseException
    stage: Stage
    reason: str
    """Machine-readable."""
    attempt: int
    """How often it was tried, the last time included."""

    @classmethod
    def of(cls, error: BaseException, *, attempt: int, reason: str | None = None) -> Failure:
        """The failure that an exception tells of; the stage from the exception when it knows."""
        stage = Stage.DIALOGUE
        if isinstance(error, StagedPostError):
            stage, error = error.stage, error.__cause__ or error
        own_reason = error.reason if isinstance(error, SakeError) else "unexpected_error"
        return cls(error, stage, reason or own_reason, attempt)


def dead_letter(message: InMessage, failure: Failure, *, topic: str, worker: str) -> OutMessage:
    """The record for the dead letters' topic: the original, byte for byte, and why it is there."""
    frames = traceback.extract_tb(failure.error.__traceback__)[-STACK_FRAMES:]
    why = why_dead(
        failure.error,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        stage=failure.stage,
        attempt=failure.attempt,
        reason=failure.reason,
        stacktrace="".join(traceback.format_list(frames)),
        worker=worker,
    )
    letter = DeadLetter(key=message.key, value=message.value, why=why, headers=message.headers)
    return OutMessage(topic, message.key, message.value, letter.kafka_headers(), follows_input=True)


class TooManyDeadLetters(OperatorError):
    """So many posts failed that the deployment, not the posts, must be at fault."""


@dataclass(frozen=True, slots=True)
class DeadLetterLimits:
    """When a worker stops rather than drain its topic into the dead letters."""

    max_consecutive: int = 100
    """Dead letters in a row, over all partitions; 0 = no limit."""
    max_ratio: float = 0.5
    """Share of dead letters among the last `ratio_posts`; 1 = no limit."""
    ratio_posts: int = 1000
    """How many posts must have been seen before the share counts."""

    def __post_init__(self) -> None:
        if self.max_consecutive < 0 or self.ratio_posts < 1 or not 0 < self.max_ratio <= 1:
            raise ValueError("max_consecutive >= 0, ratio_posts >= 1 and 0 < max_ratio <= 1 are needed")


class DeadLetterLimit:
    """Counts outcomes in the order in which they are committed."""

    def __init__(self, limits: DeadLetterLimits) -> None:
        self._limits = limits
        self._row = 0
        self._recent: deque[bool] = deque(maxlen=limits.ratio_posts)
        self._recent_dead = 0

    def see(self, dead: bool) -> None:
        """Counts one post. Raises TooManyDeadLetters when it is one dead letter too many."""
        if len(self._recent) == self._limits.ratio_posts and self._recent[0]:
            self._recent_dead -= 1
        self._recent.append(dead)
        self._recent_dead += dead
        self._row = self._row + 1 if dead else 0
        if not dead:
            return
        if 0 < self._limits.max_consecutive < self._row:
            raise TooManyDeadLetters(
                f"{self._row} posts in a row would be dead letters (limit {self._limits.max_consecutive}); "
                "look at their headers, mend the cause, start again"
            )
        full = len(self._recent) == self._limits.ratio_posts
        if full and self._recent_dead > self._limits.max_ratio * self._limits.ratio_posts:
            raise TooManyDeadLetters(
                f"{self._recent_dead} of the last {self._limits.ratio_posts} posts would be dead letters "
                f"(limit {self._limits.max_ratio:.0%}); look at their headers, mend the cause, start again"
            )
