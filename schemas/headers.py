"""Kafka headers: CloudEvents 1.0 in binary mode (Kafka binding, section 3.2) and W3C Trace Context.

The value stays plain JSON; the event's attributes stand in `ce_…` headers, so that a reader who
knows nothing of CloudEvents loses nothing. Incoming headers are hints from strangers: what is not
well formed is passed over, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from schemas.fields import Instant, refuse_timeless
from schemas.posts import Post

__all__ = [
    "CONTENT_TYPE",
    "ENTITY_EVENT",
    "MENTION_EVENT",
    "POST_EVENT",
    "RECOGNITION_EVENT",
    "TREND_EVENT",
    "CloudEvent",
    "Header",
    "event_headers",
    "fill_from_event",
    "find_header",
    "read_event",
    "read_position",
    "read_traceparent",
]

Header = tuple[str, bytes]

CONTENT_TYPE = "application/json"
SPEC_VERSION = "1.0"
# CloudEvents recommends reverse-DNS types; the version moves only when readers would break.
POST_EVENT = "stream.sake.post.v1"
RECOGNITION_EVENT = "stream.sake.recognition.v1"
ENTITY_EVENT = "stream.sake.entity.v1"
TREND_EVENT = "stream.sake.trend.v1"
MENTION_EVENT = "stream.sake.mention.v1"

# Trace Context, section 3.2: version ff is forbidden, and so are all-zero ids.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_TRACEPARENT_V00_CHARS = 55
# Kafka counts offsets in 63 bits, 19 digits.
_POSITION = re.compile(r"(\d{1,9}):(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """The attributes of one event. `source` + `id` name it; `time` is when it happened."""

    id: str
    source: str
    type: str
    time: datetime | None = None
    position: tuple[int, int] | None = None
    """Partition and offset of the record that it was made from, on the topic that `source` names."""


def event_headers(event: CloudEvent, *, traceparent: str | None = None) -> tuple[Header, ...]:
    """The headers that carry `event` and, when given, the trace that it belongs to."""
    headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_type", event.type),
        ("ce_source", event.source),
        ("ce_id", event.id),
        ("content-type", CONTENT_TYPE),
    ]
    if event.time is not None:
        headers.append(("ce_time", _rfc3339(event.time)))
    if event.position is not None:
        headers.append(("ce_position", f"{event.position[0]}:{event.position[1]}"))
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return tuple((key, value.encode()) for key, value in headers)


def read_event(headers: Iterable[Header]) -> CloudEvent | None:
    """The event that the headers describe; None unless specversion 1.x, type, source and id are there."""
    headers = tuple(headers)
    found = dict(headers)
    version, type_, source, id_ = (
        _text(found.get(f"ce_{n}")) for n in ("specversion", "type", "source", "id")
    )
    if not (version and type_ and source and id_ and version.split(".")[0] == "1"):
        return None
    return CloudEvent(
        id=id_,
        source=source,
        type=type_,
        time=_instant(_text(found.get("ce_time"))),
        position=read_position(headers),
    )


def read_position(headers: Iterable[Header]) -> tuple[int, int] | None:
    """Partition and offset of the record that this one was made from; None when they are not told."""
    found = _POSITION.fullmatch(_text(find_header(headers, "ce_position")) or "")
    return None if found is None else (int(found[1]), int(found[2]))


def read_traceparent(headers: Iterable[Header]) -> str | None:
    """The `traceparent` of these headers; None when there is none or it is not well formed."""
    value = _text(find_header(headers, "traceparent"))
    if value is None or not _TRACEPARENT.fullmatch(value):
        return None
    if value.startswith("00") and len(value) != _TRACEPARENT_V00_CHARS:
        return None
    return value


def find_header(headers: Iterable[Header], key: str) -> bytes | None:
    """The value of the last header of this name: Kafka allows several, the last one counts."""
    value = None
    for name, content in headers:
        if name == key:
            value = content
    return value


def fill_from_event(post: Post, headers: Iterable[Header]) -> Post:
    """The post, with what it leaves open taken from its event: time and source."""
    if post.created_at is not None and post.source:
        return post
    event = read_event(headers)
    if event is None:
        return post
    return msgspec.structs.replace(
        post, created_at=post.created_at or event.time, source=post.source or event.source
    )


def _text(value: bytes | None) -> str | None:
    if not value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _instant(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = msgspec.convert(value, Instant)
        refuse_timeless(time)
    except ValueError:
        return None
    return time


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
