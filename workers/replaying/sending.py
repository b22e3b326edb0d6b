"""Puts posts onto a topic, at a rate or as fast as the broker takes them.

Every post gets the headers of a CloudEvent and a `traceparent`: a trace that starts here goes on in
the worker. Delivery is at least once and idempotent: the broker drops what the producer repeats.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from opentelemetry import trace
from opentelemetry.propagate import inject

from schemas.codec import MAX_POST_BYTES
from schemas.errors import NetworkError
from schemas.headers import POST_EVENT, CloudEvent, Header, event_headers
from workers.connection import KafkaConnection
from workers.rates import Pace
from workers.replaying.files import Line
from workers.replaying.schedule import Schedule

__all__ = ["ReplayFailed", "ReplayReport", "open_producer", "replay", "streamed"]

# Sends that wait for the broker's word: enough to fill its batches, and a bound on memory.
MAX_UNACKNOWLEDGED = 500
# The record's envelope and headers on top of the largest post.
ENVELOPE_BYTES = 64 * 1024

tracer = trace.get_tracer("sake")


class ReplayFailed(NetworkError):
    """The broker did not take a post."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was put onto the topic."""

    posts: int
    value_bytes: int
    seconds: float

    @property
    def posts_per_s(self) -> float:
        """Posts a second over the whole run."""
        return self.posts / self.seconds if self.seconds > 0 else 0.0


@asynccontextmanager
async def open_producer(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that takes the largest post. Raises ReplayFailed when no broker answers."""
    producer = AIOKafkaProducer(
        **connection.options(),
        enable_idempotence=True,
        linger_ms=5,
        max_request_size=MAX_POST_BYTES + ENVELOPE_BYTES,
    )
    try:
        await producer.start()
    except KafkaError as error:
        await producer.stop()
        where = connection.bootstrap_servers
        if isinstance(error, KafkaConnectionError):
            raise ReplayFailed(f"no broker answers at {where}: {error}") from error
        raise ReplayFailed(f"{where} grants no idempotent producer, which Kafka does: {error}") from error
    try:
        yield producer
    finally:
        await producer.stop()


def headers_of(line: Line, source: str) -> list[Header]:
    """An event of its own, and the trace that is running, if any."""
    headers: list[Header] = []
    if line.key:
        name = line.key.decode(errors="replace")
        headers += event_headers(CloudEvent(name, source, POST_EVENT, datetime.now(UTC)))
    carrier: dict[str, str] = {}
    inject(carrier)
    return [*headers, *((name, value.encode()) for name, value in carrier.items())]


async def streamed(lines: Iterable[Line]) -> AsyncIterator[Line]:
    """Lines from a file, as `replay` takes them."""
    for line in lines:
        yield line


async def replay(
    lines: AsyncIterable[Line],
    producer: AIOKafkaProducer,
    *,
    topic: str,
    source: str,
    pace: Pace = Pace(),
    progress: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Sends every line; `progress` hears how many the broker has acknowledged. Raises ReplayFailed."""
    started = time.monotonic()
    schedule = Schedule(pace)
    pending: set[asyncio.Future[Any]] = set()
    sent = acknowledged = size = 0
    async for line in lines:
        wait_s = schedule.due_s(line.time_ms) - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        pending.add(await _send(producer, topic, line, source))
        sent, size = sent + 1, size + len(line.value or b"")
        full = len(pending) >= MAX_UNACKNOWLEDGED
        done = await _settle(pending, wait=full)
        acknowledged += done
        if done:
            progress(acknowledged)
    while pending:
        acknowledged += await _settle(pending, wait=True)
        progress(acknowledged)
    return ReplayReport(sent, size, time.monotonic() - started)


async def _send(producer: AIOKafkaProducer, topic: str, line: Line, source: str) -> asyncio.Future[Any]:
    name = "(no key)" if line.key is None else line.key.decode(errors="replace")
    with tracer.start_as_current_span(f"send {topic}", kind=trace.SpanKind.PRODUCER) as span:
        if span.is_recording():
            span.set_attribute("messaging.system", "kafka")
            span.set_attribute("messaging.operation.name", "send")
            span.set_attribute("messaging.destination.name", topic)
            span.set_attribute("messaging.kafka.message.key", name)
        try:
            future: asyncio.Future[Any] = await producer.send(
                topic, value=line.value, key=line.key, headers=headers_of(line, source)
            )
        except KafkaError as error:
            raise ReplayFailed(f"{topic}: post {name} was not taken: {error}") from error
    return future


async def _settle(pending: set[asyncio.Future[Any]], *, wait: bool) -> int:
    """Takes what is acknowledged out of `pending`; how many. Raises what the broker said."""
    if wait:
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    done = {future for future in pending if future.done()}
    pending -= done
    for future in done:
        error = future.exception()
        if error is not None:
            raise ReplayFailed(f"the broker did not take a post: {error}") from error
    return len(done)
