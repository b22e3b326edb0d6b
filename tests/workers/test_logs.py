"""Log lines: JSON for machines, short lines for people, trace ids in both."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from workers.logs import set_up_logging
from workers.settings import LogSettings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(settings: LogSettings, *, verbose: bool = False) -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    set_up_logging(settings, verbose=verbose, stream=stream)
    return stream, logging.getLogger("sake.test")


def test_a_pipe_gets_one_json_object_a_line() -> None:
    stream, log = lines(LogSettings())
    log.warning("engine %s is away", "a", extra={"partition": 3})
    told = orjson.loads(stream.getvalue())
    assert (told["level"], told["logger"], told["message"]) == ("warning", "sake.test", "engine a is away")
    assert told["partition"] == 3
    assert told["time"].endswith("+00:00")
    assert "trace_id" not in told


def test_a_line_carries_the_running_trace() -> None:
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    stream, log = lines(LogSettings(format="json"))
    with trace.use_span(NonRecordingSpan(context)):
        log.info("here")
    told = orjson.loads(stream.getvalue())
    assert (told["trace_id"], told["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")


def test_an_exception_stays_one_json_line() -> None:
    stream, log = lines(LogSettings(format="json"))
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
    assert stream.getvalue().count("\n") == 1
    assert "ValueError: two" in orjson.loads(stream.getvalue())["exception"]


def test_people_get_short_lines() -> None:
    stream, log = lines(LogSettings(format="pretty"))
    log.info("partition is paused", extra={"partition": 3})
    assert stream.getvalue()[8:] == " info    partition is paused  partition=3\n"


def test_the_level_is_kept_and_verbose_goes_before_it() -> None:
    stream, log = lines(LogSettings(level="error"))
    log.warning("not told")
    assert stream.getvalue() == ""
    stream, log = lines(LogSettings(level="error"), verbose=True)
    log.debug("told")
    assert "told" in stream.getvalue()


def test_what_cannot_be_json_is_told_as_text() -> None:
    stream, log = lines(LogSettings(format="json"))
    log.info("odd", extra={"thing": object})
    assert "class 'object'" in orjson.loads(stream.getvalue())["thing"]
