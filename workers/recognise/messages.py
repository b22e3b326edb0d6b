"""What goes into a processor and what comes out: the seam between Kafka and the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sake_model.deadline import Deadline
from schemas.deadletters import Stage
from schemas.errors import PostError
from schemas.headers import Header

__all__ = ["Headers", "InMessage", "OutMessage", "Processor", "StagedPostError"]

Headers = tuple[Header, ...]

# Attributes, lengths and deltas of one record (format v2) take at most this much beside its bytes.
RECORD_OVERHEAD_BYTES = 36


def size_of(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """About how many bytes a record takes, on the wire and in memory."""
    size = RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content or b"") + 4
    return size


@dataclass(frozen=True, slots=True)
class InMessage:
    """One consumed record, untouched."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size_bytes(self) -> int:
        """What it counts against the window."""
        return size_of(self.key, self.value, self.headers)

    @property
    def place(self) -> str:
        """`topic[partition]@offset`, for logs and error messages."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class OutMessage:
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    follows_input: bool = False
    """Set it where the key is the input's: when both topics have as many partitions, the record then
    goes to the input's partition, whoever hashed that key. Otherwise Kafka's own hash decides.
    """
    partition: int | None = None
    """Where it goes; None = as said above."""
    timestamp_ms: int | None = None
    """The record's time; None = now."""

    @property
    def size_bytes(self) -> int:
        """What it counts against the window and the broker's limit."""
        return size_of(self.key, self.value, self.headers)


class StagedPostError(PostError):
    """A PostError that knows at which stage of the work it arose; its cause is what went wrong."""

    def __init__(self, stage: Stage, cause: Exception) -> None:
        super().__init__(str(cause))
        self.stage = stage
        self.__cause__ = cause


class Processor(Protocol):
    """The work on one message."""

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        """All records that this message leads to, in the order in which they are to be published.

        Called for many messages at once, and again for the same message after a crash, a rebalance
        or an error: it must publish nothing itself. Must end soon after the deadline.

        Raises PostError (dead letter), NetworkError (tried again, then dead letter), the EngineError
        classes of sake_model.engine.interface (waits for the engine), OperatorError (the worker stops).
        """
        ...
