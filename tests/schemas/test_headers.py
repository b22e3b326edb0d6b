"""CloudEvents and Trace Context in Kafka headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import records

from schemas.headers import (
    RECOGNITION_EVENT,
    CloudEvent,
    event_headers,
    fill_from_event,
    find_header,
    read_event,
    read_traceparent,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = CloudEvent(id="a1", source="sake/worker-0", type=RECOGNITION_EVENT, time=records.NOON)


def test_an_event_is_written_as_the_kafka_binding_says() -> None:
    assert dict(event_headers(EVENT, traceparent=TRACE)) == {
        "ce_specversion": b"1.0",
        "ce_type": b"stream.sake.recognition.v1",
        "ce_source": b"sake/worker-0",
        "ce_id": b"a1",
        "ce_time": b"2026-06-01T12:00:00Z",
        "content-type": b"application/json",
        "traceparent": TRACE.encode(),
    }


def test_what_is_not_known_is_left_out() -> None:
    names = {name for name, _ in event_headers(CloudEvent(id="a", source="s", type="t"))}
    assert names == {"ce_specversion", "ce_type", "ce_source", "ce_id", "content-type"}


def test_an_event_comes_back_equal_in_utc() -> None:
    abroad = records.NOON.astimezone(timezone(timedelta(hours=9)))
    event = CloudEvent(id="☃", source="источник", type="t", time=abroad)
    assert read_event(event_headers(event)) == event
    assert find_header(event_headers(event), "ce_time") == b"2026-06-01T12:00:00Z"


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_type", "ce_source", "ce_id"])
def test_half_an_event_is_none(missing: str) -> None:
    assert read_event([header for header in event_headers(EVENT) if header[0] != missing]) is None


@pytest.mark.parametrize("version", [b"0.3", b"2.0", b"", b"\xff"])
def test_only_version_1_is_understood(version: bytes) -> None:
    assert read_event([*event_headers(EVENT), ("ce_specversion", version)]) is None


@pytest.mark.parametrize("time", [b"yesterday", b"2026-06-01T12:00:00", b"\xff", b""])
def test_a_bad_time_is_passed_over(time: bytes) -> None:
    event = read_event([*event_headers(EVENT), ("ce_time", time)])
    assert event is not None
    assert event.time is None


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (TRACE, True),
        (TRACE.replace("00-", "cc-", 1) + "-what-the-future-will-be-like", True),
        (TRACE + "-00", False),
        (TRACE.replace("00-", "ff-", 1), False),
        (TRACE.upper(), False),
        (TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), False),
        (TRACE.replace("b7ad6b7169203331", "0" * 16), False),
        (TRACE[:-1], False),
        (TRACE + "\n", False),
        ("", False),
    ],
)
def test_a_traceparent_is_read_only_when_well_formed(value: str, valid: bool) -> None:
    assert read_traceparent([("traceparent", value.encode())]) == (value if valid else None)


@given(st.lists(st.tuples(st.sampled_from(["ce_id", "ce_time", "traceparent", "x"]), st.binary(max_size=70))))
def test_headers_from_strangers_never_raise(headers: list[tuple[str, bytes]]) -> None:
    read_event([*event_headers(EVENT), *headers])
    read_traceparent(headers)


def test_the_last_of_equal_headers_counts() -> None:
    assert find_header([("a", b"1"), ("a", b"2")], "a") == b"2"
    assert find_header([], "a") is None


def test_a_post_takes_from_its_event_only_what_it_leaves_open() -> None:
    headers = event_headers(CloudEvent(id="1", source="net", type="t", time=datetime(2020, 1, 1, tzinfo=UTC)))
    bare = records.post(created_at=None, source="")
    filled = fill_from_event(bare, headers)
    assert (filled.created_at, filled.source) == (datetime(2020, 1, 1, tzinfo=UTC), "net")
    assert filled.text == bare.text
    assert fill_from_event(records.post(), headers) == records.post()
    assert fill_from_event(records.post(source=""), headers) == records.post(source="net")
    assert fill_from_event(records.post(created_at=None), headers).source == "example"
    assert fill_from_event(bare, []) == bare
