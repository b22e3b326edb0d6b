"""Sends to the webhook again what it once refused: the mentions among `sake.mentions.dead-letters`.

Each under the id that it had, so a receiver that did take it knows it again. How far it came is kept as
committed offsets of a group of its own, which nobody joins: the next time only what died since is sent.
What the receiver refuses again stays where it is, on its topic; a receiver that is down ends the run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import MAX_POST_BYTES
from schemas.deadletters import DeadLetter, NotADeadLetter
from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.empty_fetches import mended
from workers.mentions.receiver import Receiver
from workers.mentions.retries import Later, Taken, judge
from workers.mentions.webhook import Head
from workers.mentions.webhook_config import WebhookConfig
from workers.topics import BrokerUnreachable, TopicNames, check_topics

__all__ = ["ResendReport", "resend"]

POLL_MS = 200
COMMIT_S = 1.0
# A person waits: a receiver that has not taken a mention for so long is down.
PATIENCE_S = 20.0
MAX_WAIT_S = 5.0


@dataclass(slots=True)
class ResendReport:
    """What came of the letters."""

    sent: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Refused again, by reason."""
    others: int = 0
    """No mentions that a webhook refused: recognitions that could not be matched."""
    left: int = 0
    """Not tried, since the receiver is down or it was stopped."""
    trouble: str = ""
    """Why the receiver counts as down; empty while it answers."""


async def resend(
    connection: KafkaConnection,
    topics: TopicNames,
    webhook: WebhookConfig,
    *,
    group: str,
    again: bool = False,
    stop: asyncio.Event,
    patience_s: float = PATIENCE_S,
) -> ResendReport:
    """Sends all letters that are there now; `again`: also those that an earlier run has dealt with.

    Raises OperatorError (the topic is missing), BrokerUnreachable.
    """
    topic = topics.mentions_dead_letters
    partitions = await check_topics(connection, (topic,))
    places = [TopicPartition(topic, number) for number in range(partitions[topic])]
    report = ResendReport()
    receiver = Receiver(webhook)
    courier = _Courier(webhook, receiver, topics.mentions, report, stop, patience_s=patience_s)
    try:
        async with _reader(connection, group, places) as consumer:
            report.left = await _everything(consumer, places, courier, again=again)
    finally:
        await receiver.close()
    return report


class _Courier:
    """Brings one letter after the other."""

    def __init__(
        self,
        webhook: WebhookConfig,
        receiver: Receiver,
        mentions: str,
        report: ResendReport,
        stop: asyncio.Event,
        *,
        patience_s: float,
    ) -> None:
        # Within a person's patience; the webhook's own limits are a worker's.
        retry = webhook.settings.retry
        self._limits = replace(retry, max_wait_s=max(retry.first_wait_s, min(retry.max_wait_s, MAX_WAIT_S)))
        self._patience_s = patience_s
        self._receiver = receiver
        self._mentions = mentions
        self._report = report
        self._stop = stop

    async def bring(self, record: Any) -> bool:
        """Whether this letter is dealt with, one way or the other; else the run ends here."""
        try:
            letter = DeadLetter.read(record.key, record.value, record.headers)
            head = Head.read(letter.value)
        except (NotADeadLetter, ValueError):
            self._report.others += 1
            return True
        if letter.why.topic != self._mentions:
            self._report.others += 1
            return True
        return await self._try(head.message_id, letter.value or b"")

    async def _try(self, message_id: str, body: bytes) -> bool:
        began_s, attempts = time.monotonic(), 0
        while not self._stop.is_set():
            attempts += 1
            answer = await self._receiver.post(message_id, body)
            age_s = time.monotonic() - began_s
            verdict = judge(answer, attempts, age_s, random.random(), self._limits)
            if isinstance(verdict, Taken):
                self._report.sent += 1
                return True
            if not isinstance(verdict, Later):
                self._report.refused[verdict.reason] += 1
                return True
            if age_s + verdict.wait_s > self._patience_s:
                self._report.trouble = verdict.reason
                return False
            await asyncio.sleep(verdict.wait_s)
        return False


async def _everything(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], courier: _Courier, *, again: bool
) -> int:
    """How many offsets are left."""
    first, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    at = {}
    for place in places:
        done = None if again else await consumer.committed(place)
        at[place] = min(max(first[place], done or 0), ends[place])
        consumer.seek(place, at[place])
    going, committed_s = True, time.monotonic()
    for place in places:
        while going and await consumer.position(place) < ends[place]:
            batch = await consumer.getmany(place, timeout_ms=POLL_MS)
            for record in batch.get(place, ()):
                going = going and record.offset < ends[place] and await courier.bring(record)
                if not going:
                    break
                at[place] = record.offset + 1
                if time.monotonic() - committed_s > COMMIT_S:
                    await consumer.commit(at)
                    committed_s = time.monotonic()
        if going:
            at[place] = ends[place]
    await consumer.commit(at)
    return sum(ends[place] - at[place] for place in places)


@asynccontextmanager
async def _reader(
    connection: KafkaConnection, group: str, places: list[TopicPartition]
) -> AsyncGenerator[AIOKafkaConsumer]:
    """Reads these partitions and keeps offsets for a group, without joining it. Raises BrokerUnreachable."""
    consumer = mended(
        AIOKafkaConsumer(
            **connection.options(),
            group_id=group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=2 * MAX_POST_BYTES,
        )
    )
    try:
        await consumer.start()
        consumer.assign(places)
        yield consumer
    except KafkaError as error:
        raise BrokerUnreachable(
            f"{connection.bootstrap_servers} does not give its records: {error}"
        ) from error
    finally:
        await close_consumer(consumer)
