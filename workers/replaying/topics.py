"""A topic replayed onto another: bytes, keys, headers and times as they were, at the pace of their times.

Records and progress go out in one transaction. The progress is kept as committed offsets of a group that
belongs to this replay alone (`Replay.group`): the same replay, started again, goes on exactly where its
last transaction ended, whatever ended it, and two at once fence each other. Nothing else is written, and
the source is read without any group. A partition of the source goes into one partition of the target.

A replay that has come to its end and is started again finds what was added since (nothing, where its end
is bounded); `again` starts it from the beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import MAX_POST_BYTES
from schemas.deadletters import PREFIX
from schemas.errors import OperatorError
from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.empty_fetches import mended
from workers.lag import partition_states
from workers.rates import Pace
from workers.recognise.messages import OutMessage
from workers.recognise.transactor import CommitFailed, Fenced, ProducerLimits, Source, Transactor
from workers.replaying.bounds import Bounds
from workers.replaying.merged import Span, merged
from workers.replaying.nothing import why_nothing
from workers.replaying.schedule import Lateness, Schedule
from workers.topics import (
    BrokerUnreachable,
    TopicShape,
    check_topics,
    create_topic,
    describe_topics,
    retention_of,
)

__all__ = ["Replay", "ReplayLimits", "TopicReport", "replay_topic"]

# The bytes that say which replay this is: among a million replays the chance that two meet is below 10^-7.
DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    """How records are gathered into transactions."""

    linger_s: float = 0.02
    """The longest that a record that is due waits for others; a transaction costs 3 ms on one machine, and
    five requests. So a gap of 0.4 s between two records is kept within 5 %.
    """
    lead_s: float = 0.05
    """So long before the last of its records is due a transaction is begun. Only its end, one request of the
    five, is left for that moment: what a busy machine makes others wait for is mostly over by then.
    """
    max_records: int = 500
    """In one transaction."""
    max_bytes: int = 8 * 1024 * 1024
    """In one transaction; a record that is larger goes alone."""
    settle_s: float = 0.05
    """Two equal answers so far apart make the committed offsets (see `CommitLimits.settle_s`)."""
    retry_s: float = 0.5
    """Wait before a failed transaction is tried again."""
    give_up_s: float = 60.0
    """The longest that transactions fail without one that takes effect."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed where. Raises OperatorError for a topic onto itself."""

    source: str
    target: str
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise OperatorError(f"{self.source} cannot be replayed onto itself: name another topic with --to")

    @property
    def group(self) -> str:
        """The group whose committed offsets are the progress; no one ever joins it."""
        what = orjson.dumps([self.source, self.target, repr(self.bounds.start), repr(self.bounds.end)])
        return f"sake-replay-{hashlib.blake2b(what, digest_size=DIGEST_BYTES).hexdigest()}"


@dataclass(slots=True)
class TopicReport:
    """What a run has done, and what it has left."""

    posts: int = 0
    value_bytes: int = 0
    seconds: float = 0.0
    resumed: bool = False
    """Whether an earlier run of the same replay had got somewhere."""
    target_made: bool = False
    expired: int = 0
    """Records that are older than what the target keeps: it may delete them at any time."""
    offsets_before: int = 0
    """Offsets of the source that earlier runs had done."""
    offsets_total: int = 0
    """All that the replay goes over; markers of transactions count too."""
    offsets_left: int = 0
    """Not done; 0 = the replay is complete."""
    nothing: str = ""
    """Why there is nothing to replay; empty where there is something."""
    retries: int = 0
    """Transactions that had to be tried again."""
    lateness: Lateness = field(default_factory=Lateness)

    @property
    def posts_per_s(self) -> float:
        """Posts a second over the whole run."""
        return self.posts / self.seconds if self.seconds > 0 else 0.0


Progress = Callable[[int, int], None]
"""Hears how many offsets are done, and of how many."""


async def replay_topic(
    connection: KafkaConnection,
    replay: Replay,
    *,
    pace: Pace,
    stop: asyncio.Event,
    limit: int | None = None,
    again: bool = False,
    replication: int = 1,
    limits: ReplayLimits = ReplayLimits(),
    progress: Progress = lambda _done, _total: None,
) -> TopicReport:
    """Replays until the end, `limit` records or `stop`; what was sent by then is committed.

    The target is made, with as many partitions as the source, if it is missing. Raises OperatorError,
    BrokerUnreachable, and OperatorError too when another run of the same replay has taken over.
    """
    partitions = await check_topics(connection, (replay.source,))
    for bound in (replay.bounds.start, replay.bounds.end):
        bound.check(set(range(partitions[replay.source])))
    report = TopicReport()
    shape = TopicShape(partitions=partitions[replay.source], replication=replication)
    report.target_made = bool(await create_topic(connection, replay.target, shape))
    kept_ms = None if report.target_made else await retention_of(connection, replay.target)
    run = _Run(connection, replay, partitions[replay.source], limits, report)
    run.oldest_kept_ms = None if kept_ms is None else round(time.time() * 1000) - kept_ms
    started = time.monotonic()
    schedule = Schedule(pace)
    failing_since_s = started
    try:
        while True:
            try:
                await run.open(again=again)
                again = False
                await run.once(schedule, stop, limit, progress)
                break
            except (CommitFailed, BrokerUnreachable, KafkaError) as error:
                trouble: BaseException = error
            except asyncio.CancelledError as error:
                # aiokafka cancels who waits on a connection that closes; nobody has cancelled us.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                trouble = error
            report.retries += 1
            now = time.monotonic()
            if run.progressed_s > failing_since_s or report.retries == 1:
                failing_since_s = now
            if now - failing_since_s > limits.give_up_s:
                raise BrokerUnreachable(
                    f"{connection.bootstrap_servers} took nothing for {limits.give_up_s:g} s ({trouble!r}); "
                    "once it does, the same command goes on"
                ) from trouble
            if await _stopped_before(now + limits.retry_s, stop):
                break
    except Fenced as error:
        raise OperatorError(f"another run of the same replay has taken over: {error}") from error
    finally:
        await run.close()
        report.seconds = time.monotonic() - started
    return report


class _Run:
    """One run: its producer, and how far it is."""

    def __init__(
        self,
        connection: KafkaConnection,
        replay: Replay,
        partitions: int,
        limits: ReplayLimits,
        report: TopicReport,
    ) -> None:
        self._connection = connection
        self._replay = replay
        self._places = [TopicPartition(replay.source, number) for number in range(partitions)]
        self._limits = limits
        self._report = report
        source = Source(self._places[0], partitions, replay.group)
        self._transactor = Transactor(connection, source, ProducerLimits())
        self._targets = 0
        self.oldest_kept_ms: int | None = None
        """The target deletes what is older; None = nothing."""
        self._done: dict[TopicPartition, int] = {}
        """The progress as it is kept: the next offset of each partition that has any."""
        self.progressed_s = time.monotonic()
        """When a transaction last took effect."""
        self._at: dict[TopicPartition, int] = {}
        """The next offset of each partition that is worked on."""

    async def open(self, *, again: bool = False) -> None:
        """Starts a producer, which ends whatever an earlier one left open, and only then asks how far
        the replay is.
        """
        await self._transactor.open()
        self._targets = (await describe_topics(self._connection))[self._replay.target]
        if again:
            await self._begin_anew()
        self._done = await self._committed()
        if self._done and not again and not self._report.posts:
            if await self._target_is_empty():
                self._done = await self._begin_anew()
            else:
                self._report.resumed = True

    async def _begin_anew(self) -> dict[TopicPartition, int]:
        """Puts the progress back to the beginning."""
        async with self._reader() as consumer:
            spans = await self._replay.bounds.resolve(consumer, self._places)
        starts = {place: start for place, (start, _) in spans.items()}
        await self._transactor.commit_offsets((), starts)
        return starts

    async def close(self) -> None:
        """Ends the producer."""
        await self._transactor.close()

    async def once(
        self, schedule: Schedule, stop: asyncio.Event, limit: int | None, progress: Progress
    ) -> None:
        """From where the progress is to the end. Raises CommitFailed, Fenced, KafkaError."""
        async with self._reader() as consumer:
            spans = await self._spans(consumer)
            if not self._report.offsets_total:
                self._report.nothing = await why_nothing(consumer, self._places, self._replay.bounds)
            progress(self._offsets_done(), self._report.offsets_total)
            async with aclosing(merged(consumer, spans, stop)) as records:
                async for batch in self._batches(records, schedule, stop, limit):
                    await self._send(batch)
                    progress(self._offsets_done(), self._report.offsets_total)
            if not stop.is_set() and (limit is None or self._report.posts < limit):
                self._report.offsets_left = 0  # the last ones were markers

    async def _spans(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, Span]:
        """What is left of each partition; the consumer stands at its beginning."""
        whole = await self._replay.bounds.resolve(consumer, self._places)
        spans = {
            place: (max(start, self._done.get(place, start)), end) for place, (start, end) in whole.items()
        }
        spans = {place: (start, end) for place, (start, end) in spans.items() if start < end}
        self._at = {place: start for place, (start, _) in spans.items()}
        consumer.assign(list(spans))
        for place, start in self._at.items():
            consumer.seek(place, start)
        report = self._report
        report.offsets_total = sum(max(0, end - start) for start, end in whole.values())
        report.offsets_left = sum(end - start for start, end in spans.values())
        if not report.posts:
            report.offsets_before = report.offsets_total - report.offsets_left
        return spans

    def _offsets_done(self) -> int:
        return self._report.offsets_total - self._report.offsets_left

    async def _batches(
        self,
        records: AsyncGenerator[tuple[int, Any]],
        schedule: Schedule,
        stop: asyncio.Event,
        limit: int | None,
    ) -> AsyncGenerator[list[tuple[float, Any]]]:
        """(due, record) of those that go into one transaction, `lead_s` before the last of them is due: no
        two are due further apart than `linger_s`, unless both are late.
        """
        limits, batch, size = self._limits, list[tuple[float, Any]](), 0
        left = None if limit is None else limit - self._report.posts
        async for time_ms, record in records:
            if left == 0 or stop.is_set():
                break
            due = schedule.due_s(time_ms)
            full = len(batch) >= limits.max_records or size >= limits.max_bytes
            if batch and (full or due > max(batch[0][0] + limits.linger_s, time.monotonic())):
                if await _stopped_before(batch[-1][0] - limits.lead_s, stop):
                    return
                yield batch
                batch, size = [], 0
            batch.append((due, record))
            size += len(record.value or b"")
            left = None if left is None else left - 1
        if batch and not await _stopped_before(batch[-1][0] - limits.lead_s, stop):
            yield batch

    async def _send(self, batch: list[tuple[float, Any]]) -> None:
        messages = [self._message(record) for _, record in batch]
        offsets = {TopicPartition(r.topic, r.partition): r.offset + 1 for _, r in batch}
        await self._transactor.commit_offsets(messages, offsets, not_before_s=batch[-1][0])
        now = self.progressed_s = time.monotonic()
        report = self._report
        report.posts += len(batch)
        report.value_bytes += sum(len(record.value or b"") for _, record in batch)
        for due, record in batch:
            report.lateness.add(now - due)
            report.expired += self.oldest_kept_ms is not None and record.timestamp < self.oldest_kept_ms
        for place, offset in offsets.items():
            report.offsets_left -= offset - self._at[place]
            self._at[place] = offset

    def _message(self, record: Any) -> OutMessage:
        """The record as it was; of a dead letter what it was before it died."""
        headers = tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX))
        return OutMessage(
            self._replay.target,
            record.key,
            record.value,
            headers,
            partition=record.partition % self._targets,
            timestamp_ms=record.timestamp if record.timestamp >= 0 else None,
        )

    async def _committed(self) -> dict[TopicPartition, int]:
        """The progress; two equal answers make it. Raises OperatorError when the source is shorter."""
        before: dict[TopicPartition, int] | None = None
        while True:
            partitions = {self._replay.source: len(self._places)}
            states = await partition_states(self._connection, partitions, self._replay.group)
            if any((state.committed or 0) > state.end_offset for state in states):
                raise OperatorError(
                    f"{self._replay.source} is shorter than what was replayed of it, so it was made anew: "
                    "replay it from the beginning with --again"
                )
            now = {
                TopicPartition(state.topic, state.partition): state.committed
                for state in states
                if state.committed is not None
            }
            if now == before:
                return now
            before = now
            await asyncio.sleep(self._limits.settle_s)

    async def _target_is_empty(self) -> bool:
        """Whether nothing was ever written there: it was made anew since the last run."""
        partitions = {self._replay.target: self._targets}
        states = await partition_states(self._connection, partitions, self._replay.group)
        return all(state.end_offset == 0 for state in states)

    @asynccontextmanager
    async def _reader(self) -> AsyncGenerator[AIOKafkaConsumer]:
        consumer = mended(
            AIOKafkaConsumer(
                **self._connection.options(),
                group_id=None,
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=2 * MAX_POST_BYTES,
            )
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await close_consumer(consumer)


async def _stopped_before(due_s: float, stop: asyncio.Event) -> bool:
    """Waits until then; whether it was stopped before."""
    wait_s = due_s - time.monotonic()
    if wait_s > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stop.wait()
    return stop.is_set()
