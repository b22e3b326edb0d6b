"""One post from its first attempt to its end: results, or the failure that makes it a dead letter."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from sake_model.deadline import Deadline
from sake_model.engine.interface import (
    EngineLost,
    EngineOverloaded,
    EngineRejected,
    EngineUnavailable,
    ModelChanged,
)
from schemas.errors import EngineError, NetworkError, OperatorError, PostError
from workers.recognise.gate import MAX_SUSPICION, EngineGate, Ticket
from workers.recognise.letters import Failure
from workers.recognise.messages import InMessage, OutMessage, Processor

__all__ = ["Attempts", "PostLimits"]

# Suspects whose partitions went elsewhere and may come back. Some hundred bytes each; only those that
# were in work when the engine broke are suspects, so that this is many windows' worth.
MAX_INTERRUPTED = 4096


@dataclass(frozen=True, slots=True)
class PostLimits:
    """What one post may cost."""

    deadline_s: float = 60.0
    """For everything that is done for one post; time in which the engine was down does not count."""
    grace_s: float = 5.0
    """After the deadline, until a processor that does not end by itself is cut off."""
    max_attempts: int = 3
    """For trouble that is not the post's: network, time."""
    retry_s: float = 0.2
    """Wait after the first such failure; it doubles each time, with jitter."""
    max_retry_s: float = 5.0
    """The longest such wait."""
    max_record_bytes: int = 1_000_000
    """The largest record that the output topics take; Kafka's default limit, less framing."""

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or self.deadline_s <= 0:
            raise ValueError("max_attempts is at least 1, deadline_s is positive")


class TookTooLong(PostError):
    """The processor did not end although the deadline had passed."""

    reason = "deadline"


class RecordTooLarge(PostError):
    """A finished record is larger than its topic takes."""

    reason = "record_too_large"


@dataclass(slots=True)
class Trial:
    """How far one post has come."""

    deadline: Deadline
    ticket: Ticket
    attempts: int = 0
    changes: int = 0
    """How often another checkpoint went live under it."""
    failures: int = 0
    """Attempts that ended in trouble which is neither the post's nor an engine that is down."""


class Attempts:
    """Runs a processor with retries; shared by all posts of one worker."""

    def __init__(self, processor: Processor, gate: EngineGate, limits: PostLimits) -> None:
        self._processor = processor
        self._gate = gate
        self._limits = limits
        self._interrupted: dict[str, Ticket] = {}

    async def run(self, message: InMessage) -> tuple[OutMessage, ...] | Failure:
        """The post's records, or why it is given up. Raises OperatorError only.

        A suspect that is cancelled, for a rebalance say, comes back as one: the verdict on a post that
        takes the engine down needs several restarts of it, and rebalances may be more frequent.
        """
        ticket = self._interrupted.pop(message.place, None) or Ticket()
        try:
            return await self._run(message, Trial(Deadline.after(self._limits.deadline_s), ticket))
        except asyncio.CancelledError:
            self._keep(message.place, ticket)
            raise

    def _keep(self, place: str, ticket: Ticket) -> None:
        if ticket.suspect:
            self._interrupted[place] = ticket
        if len(self._interrupted) > MAX_INTERRUPTED:
            del self._interrupted[next(iter(self._interrupted))]

    async def _run(self, message: InMessage, trial: Trial) -> tuple[OutMessage, ...] | Failure:
        while True:
            trial.attempts += 1
            try:
                async with self._gate.passage(trial.ticket):
                    if trial.ticket.waited:
                        trial.ticket.waited = False
                        trial.deadline = Deadline.after(self._limits.deadline_s)
                    outputs = await self._once(message, trial.deadline)
                self._check_sizes(outputs)
            except OperatorError:
                raise
            except EngineError as error:
                failure = await self._engine_trouble(trial, error)
            except NetworkError as error:
                failure = await self._try_again(trial, error)
            except Exception as error:
                return Failure.of(error, attempt=trial.attempts)
            else:
                return outputs
            if failure is not None:
                return failure

    async def _engine_trouble(self, trial: Trial, error: EngineError) -> Failure | None:
        """None = once more; where the engine is down the gate tells when."""
        if isinstance(error, EngineLost) and trial.ticket.suspicion >= MAX_SUSPICION:
            return Failure.of(error, attempt=trial.attempts, reason="kills_engine")
        if isinstance(error, EngineUnavailable):
            return None
        if isinstance(error, ModelChanged):
            await self._with_the_new_model(trial)
            return None
        if isinstance(error, EngineOverloaded):
            if trial.deadline.passed:
                self._gate.overloaded(trial.ticket, error)
            else:
                await self._pause(trial.attempts)
            return None
        if isinstance(error, EngineRejected):
            return Failure.of(error, attempt=trial.attempts, reason="engine_rejects")
        return await self._try_again(trial, error)

    async def _with_the_new_model(self, trial: Trial) -> None:
        """Begun anew at once, with a new deadline, and never given up: the post did nothing wrong.

        More than one change a post is two servers behind one address: then with growing pauses.
        """
        trial.changes += 1
        if trial.changes > 1:
            await self._pause(trial.changes)
        trial.deadline = Deadline.after(self._limits.deadline_s)

    async def _try_again(self, trial: Trial, error: Exception) -> Failure | None:
        """None = once more, with a new deadline, after a pause; the failure when that is enough."""
        trial.failures += 1
        if trial.failures >= self._limits.max_attempts:
            return Failure.of(error, attempt=trial.attempts)
        await self._pause(trial.failures)
        trial.deadline = Deadline.after(self._limits.deadline_s)
        return None

    async def _once(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        try:
            async with asyncio.timeout(max(0.0, deadline.left_s) + self._limits.grace_s):
                return await self._processor.process(message, deadline)
        except TimeoutError as error:
            raise TookTooLong(f"no result {self._limits.grace_s:.0f} s after the deadline") from error

    def _check_sizes(self, outputs: tuple[OutMessage, ...]) -> None:
        for output in outputs:
            if output.size_bytes > self._limits.max_record_bytes:
                raise RecordTooLarge(
                    f"a record of {output.size_bytes} bytes for {output.topic}, "
                    f"at most {self._limits.max_record_bytes} are taken"
                )

    async def _pause(self, count: int) -> None:
        wait_s = min(self._limits.retry_s * 2 ** min(count - 1, 30), self._limits.max_retry_s)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
