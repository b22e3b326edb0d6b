"""What a post becomes that cannot be recognised: topic `sake.dead-letters`.

The shape is Kafka Connect's, under our own prefix: key, value and headers of the original message
stay as they were, byte for byte, and further headers say what went wrong where. So a dead letter is
put back to work by producing it again without the headers that start with `PREFIX`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from schemas.errors import Fault, PostError, SakeError
from schemas.fields import Count, Instant
from schemas.headers import Header

__all__ = ["PREFIX", "DeadLetter", "DeadLetterHeaders", "NotADeadLetter", "Stage", "why_dead"]

PREFIX = "__sake.errors."

# A header is for reading, not for archiving: enough for a message and the deepest frames.
MAX_MESSAGE_CHARS = 2_000
MAX_STACKTRACE_CHARS = 8_000


class Stage(StrEnum):
    """Where a post was when it failed."""

    DECODE = "decode"
    PICTURE = "picture"
    DIALOGUE = "dialogue"
    RECORD = "record"
    """The finished records broke the schema or an invariant."""
    PUBLISH = "publish"


class DeadLetterHeaders(
    msgspec.Struct, frozen=True, kw_only=True, rename=lambda name: PREFIX + name.replace("_", ".")
):
    """Why the message is here. Each field is one header, UTF-8 text; names as in Kafka Connect."""

    topic: str
    partition: Count
    offset: Count
    stage: Stage
    attempt: Count
    """How often it was tried, the last time included."""
    fault: Fault
    reason: str
    """Machine-readable, e.g. `not_json`, `too_large`, `kills_engine`."""
    exception_class_name: str
    exception_message: str
    exception_stacktrace: str = ""
    time: Instant
    worker: str = ""


class NotADeadLetter(PostError):
    """The headers of a dead letter are missing or not well formed."""

    reason = "not_a_dead_letter"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The original message and what went wrong with it."""

    key: bytes | None
    value: bytes | None
    why: DeadLetterHeaders
    headers: tuple[Header, ...] = field(default=())
    """The original's headers, in their order."""

    def kafka_headers(self) -> tuple[Header, ...]:
        """The original headers, then ours. Those of an earlier death are replaced."""
        return (*_foreign(self.headers), *_to_headers(self.why))

    @classmethod
    def read(cls, key: bytes | None, value: bytes | None, headers: Iterable[Header]) -> DeadLetter:
        """The dead letter that a message of `sake.dead-letters` holds. Raises NotADeadLetter."""
        headers = tuple(headers)
        ours = {
            name: (content or b"").decode(errors="replace")
            for name, content in headers
            if name.startswith(PREFIX)
        }
        try:
            why = msgspec.convert(ours, DeadLetterHeaders, strict=False)
        except (msgspec.ValidationError, ValueError) as error:  # the latter: a year beyond 9999
            raise NotADeadLetter(f"not a dead letter: {error}") from error
        return cls(key=key, value=value, why=why, headers=_foreign(headers))


def why_dead(
    error: BaseException,
    *,
    topic: str,
    partition: int,
    offset: int,
    stage: Stage,
    attempt: int,
    reason: str,
    stacktrace: str = "",
    worker: str = "",
) -> DeadLetterHeaders:
    """The headers for a message that failed with `error`, now; long texts are cut."""
    return DeadLetterHeaders(
        topic=topic,
        partition=partition,
        offset=offset,
        stage=stage,
        attempt=attempt,
        fault=error.fault if isinstance(error, SakeError) else Fault.POST,
        reason=reason,
        exception_class_name=f"{type(error).__module__}.{type(error).__qualname__}",
        exception_message=_storable(str(error)[:MAX_MESSAGE_CHARS]),
        exception_stacktrace=_storable(stacktrace[-MAX_STACKTRACE_CHARS:]),
        time=datetime.now(UTC),
        worker=worker,
    )


def _storable(text: str) -> str:
    # An exception's text may quote half of a surrogate pair, which UTF-8 cannot hold.
    return text.encode(errors="backslashreplace").decode()


def _to_headers(why: DeadLetterHeaders) -> tuple[Header, ...]:
    return tuple((name, str(value).encode()) for name, value in msgspec.to_builtins(why).items())


def _foreign(headers: tuple[Header, ...]) -> tuple[Header, ...]:
    return tuple(header for header in headers if not header[0].startswith(PREFIX))
