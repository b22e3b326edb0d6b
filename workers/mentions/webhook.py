"""Sends `sake.mentions` to the webhook: at least once, each message under one id.

Nothing is kept on disk here: a mention that waits (quiet hours, a receiver that is down) waits on its topic,
and what is done out of order is noted in the group's offsets (`workers.mentions.ledger`). What the receiver
refuses for good, or for too long, goes to `sake.mentions.dead-letters`: a topic as all others here are, so
that it outlives the machine and is read, watched and sent again by the same means.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from opentelemetry import metrics

from schemas.deadletters import DeadLetter, Stage, why_dead
from schemas.errors import NetworkError
from schemas.mentions import Revision
from workers.connection import KafkaConnection
from workers.empty_fetches import mended
from workers.mentions.ledger import Ledger
from workers.mentions.outbox import Item, Outbox
from workers.mentions.posts import LookupFailed, RecordReader
from workers.mentions.receiver import Receiver
from workers.mentions.retries import Dead, Taken, judge
from workers.mentions.status import WebhookStatus
from workers.mentions.webhook_config import WebhookConfig
from workers.topics import TopicNames

__all__ = ["Head", "QuietUntil", "WebhookSender"]

log = logging.getLogger(__name__)

QuietUntil = Callable[[str, datetime], datetime | None]
"""Brand and time → when its quiet hours end; None outside of them."""

COMMIT_S = 1.0
POLL_MS = 200
# A mention that is held back is looked at so often: the watch list may have changed.
HELD_LOOK_S = 30.0
RECONNECT_S = 2.0

_meter = metrics.get_meter("sake")
# Attempts at the webhook: `outcome` = taken, dead, gone (from its topic), or later with its `error.type`.
_outcomes = _meter.create_counter("sake.mentions.webhook.outcomes")
# One request, from the connection to the answer's head.
_seconds = _meter.create_histogram("sake.mentions.webhook.duration", unit="s")


class Head(msgspec.Struct, frozen=True):
    """What the sender must know of a mention."""

    brand: str
    id: str
    revision: Revision = Revision.FIRST
    posts: int = 1

    @classmethod
    def read(cls, value: bytes | None) -> Head:
        """What these bytes say. Raises ValueError where they are no mention."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except RecursionError as error:  # brackets by the thousand, in a field that nobody knows
            raise ValueError("nested too deep") from error

    @property
    def message_id(self) -> str:
        """What a receiver knows a message by, however often it comes."""
        return f"{self.id}-{self.revision.value}-{self.posts}"


class Refused(NetworkError):
    """The webhook did not take a mention; stands in its dead letter."""


class WebhookSender:
    """Sends until it is cancelled."""

    def __init__(
        self,
        config: WebhookConfig,
        connection: KafkaConnection,
        topics: TopicNames,
        quiet_until: QuietUntil,
        *,
        group: str,
        member: str,
        status: WebhookStatus | None = None,
    ) -> None:
        self._config = config
        self._connection = connection
        self._topics = topics
        self._quiet_until = quiet_until
        self._group = group
        self._member = member
        self.status = status or WebhookStatus()

    async def run(self) -> None:
        """For ever; begins anew when the Kafka client breaks."""
        while True:
            self.status.begins()
            try:
                async with AsyncExitStack() as stack:
                    await self._session(stack)
            except (KafkaError, NetworkError) as error:
                log.warning("the webhook's sender begins anew: %r", error)
            await asyncio.sleep(RECONNECT_S)

    async def _session(self, stack: AsyncExitStack) -> None:
        receiver = Receiver(self._config)
        stack.push_async_callback(receiver.close)
        reader = RecordReader(self._connection)
        stack.push_async_callback(reader.close)
        producer = AIOKafkaProducer(**self._connection.options(), enable_idempotence=True)
        stack.push_async_callback(producer.stop)
        await producer.start()
        consumer = mended(
            AIOKafkaConsumer(
                **self._connection.options(),
                group_id=self._group,
                group_instance_id=self._member,
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset=self._config.settings.start,
            )
        )
        stack.push_async_callback(consumer.stop)
        session = _Session(self, consumer, producer, reader, receiver)
        consumer.subscribe([self._topics.mentions], listener=session)
        await consumer.start()
        await session.run()

    async def offsets(self) -> dict[TopicPartition, Any]:
        """What the group has committed, with its metadata. Raises KafkaError."""
        admin = AIOKafkaAdminClient(**self._connection.options())
        try:
            await admin.start()
            found: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(self._group)
            return found
        finally:
            await admin.close()

    # What a session asks of its sender.

    @property
    def config(self) -> WebhookConfig:
        """The webhook's."""
        return self._config

    @property
    def topics(self) -> TopicNames:
        """All of them."""
        return self._topics

    @property
    def member(self) -> str:
        """This worker's name."""
        return self._member

    def quiet_until(self, brand: str) -> datetime | None:
        """When a brand's quiet hours end, by the watch list in force."""
        return self._quiet_until(brand, datetime.now(UTC))


class _Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed here
    """One life of the Kafka clients."""

    def __init__(
        self,
        sender: WebhookSender,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        reader: RecordReader,
        receiver: Receiver,
    ) -> None:
        self._sender = sender
        self._settings = sender.config.settings
        self._consumer = consumer
        self._producer = producer
        self._reader = reader
        self._receiver = receiver
        self._ledgers: dict[int, Ledger] = {}
        self._committed: dict[int, tuple[int, str]] = {}
        self._outbox = Outbox(self._settings.retry)
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError, NetworkError."""
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("read mentions", self._read_for_ever()),
                ("send mentions", self._send_for_ever()),
                ("commit mentions", self._commit_for_ever()),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._running):
                task.cancel()
            await asyncio.gather(*tasks, *self._running, return_exceptions=True)
            await self._commit()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """What is in work may be sent, but is no longer counted here."""
        for place in revoked:
            self._ledgers.pop(place.partition, None)
            self._committed.pop(place.partition, None)
            self._outbox.drop(place.partition)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Takes up what is open."""
        offsets = await self._sender.offsets()
        for place in assigned:
            kept = offsets.get(place)
            if kept is None or kept.offset < 0:
                self._ledgers[place.partition] = Ledger(await self._consumer.position(place))
            else:
                self._ledgers[place.partition] = Ledger(kept.offset, kept.metadata)

    async def _read_for_ever(self) -> None:
        status = self._sender.status
        while True:
            status.sign()
            status.waiting = len(self._outbox)
            if len(self._outbox) >= self._settings.max_pending:
                self._consumer.pause(*self._consumer.assignment())
            elif self._consumer.paused() and len(self._outbox) < self._settings.max_pending // 2:
                self._consumer.resume(*self._consumer.paused())
            # aiokafka fetches as soon as partitions are assigned, before the listener has taken them up.
            ready = [place for place in self._consumer.assignment() if place.partition in self._ledgers]
            if not ready:
                await asyncio.sleep(POLL_MS / 1e3)
                continue
            batches = await self._consumer.getmany(*ready, timeout_ms=POLL_MS, max_records=500)
            for place, records in batches.items():
                for record in records:
                    self._see(place.partition, record)
            if batches:
                self._changed.set()

    def _see(self, partition: int, record: Any) -> None:
        ledger = self._ledgers.get(partition)
        if ledger is None or not ledger.see(record.offset):
            return
        try:
            head = Head.read(record.value)
        except ValueError as error:
            log.error("%s[%d]@%d is no mention: %s", record.topic, partition, record.offset, error)
            ledger.finish(record.offset)
            return
        if head.revision not in self._settings.revisions:
            ledger.finish(record.offset)
            return
        self._outbox.put(Item(partition, record.offset, head.message_id, head.brand), time.monotonic())

    async def _send_for_ever(self) -> None:
        while True:
            slots = 1 if self._outbox.troubled else self._settings.concurrency
            item = self._outbox.take(time.monotonic()) if len(self._running) < slots else None
            if item is not None:
                task = asyncio.create_task(self._send(item))
                self._running.add(task)
                task.add_done_callback(self._sent)
                continue
            self._changed.clear()
            due_s = self._outbox.next_due_s()
            wait_s = None if due_s is None or len(self._running) >= slots else due_s - time.monotonic()
            try:
                async with asyncio.timeout(None if wait_s is None else max(0.0, wait_s)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a mention could not be sent, and is tried again: %r", task.exception())

    async def _send(self, item: Item) -> None:
        quiet = self._sender.quiet_until(item.brand)
        if quiet is not None:
            wait_s = min(HELD_LOOK_S, max(0.0, (quiet - datetime.now(UTC)).total_seconds()))
            self._outbox.put(item, time.monotonic() + wait_s)
            return
        try:
            record: Any = await self._reader.read(self._sender.topics.mentions, item.partition, item.offset)
            if record is None:
                log.error("the mention %s is gone from its topic before it was sent", item.message_id)
                self._finish(item, "gone")
                return
            await self._attempt(item, record)
        except (KafkaError, LookupFailed):
            self._outbox.put(item, time.monotonic() + RECONNECT_S)
            raise

    async def _attempt(self, item: Item, record: Any) -> None:
        started_s = time.monotonic()
        item.attempts += 1
        if item.first_attempt_s is None:
            item.first_attempt_s = started_s
        answer = await self._receiver.post(item.message_id, record.value)
        now_s = time.monotonic()
        _seconds.record(now_s - started_s, {"error.type": answer.trouble} if answer.trouble else {})
        age_s = now_s - item.first_attempt_s
        verdict = judge(answer, item.attempts, age_s, random.random(), self._settings.retry)
        self._sender.status.trouble = "" if isinstance(verdict, Taken) else verdict.reason
        if isinstance(verdict, Dead):
            await self._bury(item, record, verdict.reason)
        self._outbox.note(item, verdict, answer.retry_after_s, now_s)
        if isinstance(verdict, Taken | Dead):
            status = self._sender.status
            if isinstance(verdict, Taken):
                status.taken += 1
            else:
                status.dead += 1
            self._finish(item, "taken" if isinstance(verdict, Taken) else "dead")
        else:
            _outcomes.add(1, {"outcome": "later", "error.type": verdict.reason})

    async def _bury(self, item: Item, record: Any, reason: str) -> None:
        log.warning(
            "the webhook does not take %s: %s, tried %d times", item.message_id, reason, item.attempts
        )
        why = why_dead(
            Refused(f"{self._sender.config.url.host}: {reason}"),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            stage=Stage.PUBLISH,
            attempt=item.attempts,
            reason=f"webhook_{reason}",
            worker=self._sender.member,
        )
        letter = DeadLetter(record.key, record.value, why, tuple(record.headers))
        await self._producer.send_and_wait(
            self._sender.topics.mentions_dead_letters,
            key=letter.key,
            value=letter.value,
            headers=list(letter.kafka_headers()),
        )

    def _finish(self, item: Item, outcome: str) -> None:
        _outcomes.add(1, {"outcome": outcome})
        ledger = self._ledgers.get(item.partition)
        if ledger is not None:
            ledger.finish(item.offset)

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_S)
            await self._commit()

    async def _commit(self) -> None:
        now = {partition: ledger.commit() for partition, ledger in self._ledgers.items()}
        changed = {partition: at for partition, at in now.items() if self._committed.get(partition) != at}
        if changed:
            topic = self._sender.topics.mentions
            await self._consumer.commit(
                {TopicPartition(topic, partition): at for partition, at in changed.items()}
            )
            self._committed |= changed
