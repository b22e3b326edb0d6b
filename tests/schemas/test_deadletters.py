"""Dead letters keep the original byte for byte and say what went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import NotJson
from schemas.deadletters import MAX_MESSAGE_CHARS, PREFIX, DeadLetter, NotADeadLetter, Stage, why_dead
from schemas.errors import EngineError, Fault

WHY = why_dead(
    NotJson("not JSON: x"),
    topic="sake.posts",
    partition=3,
    offset=41,
    stage=Stage.DECODE,
    attempt=1,
    reason="not_json",
)


def test_the_headers_are_connects_under_our_prefix() -> None:
    headers = dict(DeadLetter(key=b"k", value=b"v", why=WHY).kafka_headers())
    assert {name.removeprefix(PREFIX) for name in headers} == {
        "topic",
        "partition",
        "offset",
        "stage",
        "attempt",
        "fault",
        "reason",
        "exception.class.name",
        "exception.message",
        "exception.stacktrace",
        "time",
        "worker",
    }
    assert headers[PREFIX + "offset"] == b"41"
    assert headers[PREFIX + "stage"] == b"decode"
    assert headers[PREFIX + "exception.class.name"] == b"schemas.codec.NotJson"


@given(
    st.one_of(st.none(), st.binary(max_size=40)),
    st.one_of(st.none(), st.binary(max_size=40)),
    st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=4),
)
def test_the_original_survives_unchanged(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    letter = DeadLetter(key=key, value=value, why=WHY, headers=tuple(headers))
    assert DeadLetter.read(key, value, letter.kafka_headers()) == letter


def test_a_second_death_replaces_the_first() -> None:
    first = DeadLetter(key=None, value=b"", why=WHY, headers=(("trace", b"\xff"),)).kafka_headers()
    again = why_dead(
        EngineError("gone"),
        topic="t",
        partition=0,
        offset=0,
        stage=Stage.DIALOGUE,
        attempt=2,
        reason="kills_engine",
    )
    second = DeadLetter(key=None, value=b"", why=again, headers=first)
    names = [name for name, _ in second.kafka_headers()]
    assert len(names) == len(set(names))
    read = DeadLetter.read(None, b"", second.kafka_headers())
    assert read.headers == (("trace", b"\xff"),)
    assert (read.why.attempt, read.why.fault, read.why.stage) == (2, Fault.ENGINE, Stage.DIALOGUE)


def test_long_and_unstorable_messages_are_cut_and_escaped() -> None:
    why = why_dead(
        ValueError("\ud800" + "x" * 1_000_000),
        topic="t",
        partition=0,
        offset=0,
        stage=Stage.DIALOGUE,
        attempt=1,
        reason="bug",
        stacktrace="top" + "y" * 1_000_000 + "bottom",
    )
    letter = DeadLetter(key=None, value=None, why=why)
    assert sum(len(value) for _, value in letter.kafka_headers()) < 12_000
    assert why.exception_message.startswith("\\ud800x")
    assert len(why.exception_message) < MAX_MESSAGE_CHARS + 10
    assert why.exception_stacktrace.endswith("bottom")


@pytest.mark.parametrize("broken", ["offset", "stage", "time"])
def test_what_is_not_a_dead_letter_is_refused(broken: str) -> None:
    headers = dict(DeadLetter(key=None, value=None, why=WHY).kafka_headers())
    with pytest.raises(NotADeadLetter, match=broken):
        DeadLetter.read(None, None, (headers | {PREFIX + broken: b"?"}).items())
    with pytest.raises(NotADeadLetter):  # as seconds: the year 10000
        DeadLetter.read(None, None, (headers | {PREFIX + "time": b"253402300800"}).items())
    del headers[PREFIX + broken]
    with pytest.raises(NotADeadLetter, match=broken):
        DeadLetter.read(None, None, headers.items())
