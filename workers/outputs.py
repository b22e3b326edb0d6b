"""Reads what the worker publishes, as any careful reader would: read_committed, no group."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import MAX_POST_BYTES, decode
from schemas.deadletters import DeadLetter
from schemas.recognitions import Recognition
from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.empty_fetches import mended
from workers.topics import BrokerUnreachable, TopicNames

__all__ = ["everything_on", "follow", "follow_outputs", "last_recognitions", "read_output"]

# So often at least `follow` lets its caller look at its clock.
QUIET_MS = 200
# A poll of what is there already; transaction markers at the end bring nothing, and end it no sooner.
POLL_MS = 50


async def follow_outputs(
    connection: KafkaConnection, topics: TopicNames, partitions: dict[str, int]
) -> AsyncGenerator[Recognition | DeadLetter | None]:
    """Every recognition and dead letter from the topics' beginning; None when a poll brought nothing,
    so that the caller can look at its clock. Never ends by itself. Raises BrokerUnreachable.
    """
    async for record in follow(connection, (topics.recognitions, topics.dead_letters), partitions):
        yield None if record is None else read_output(record, topics)


def read_output(record: Any, topics: TopicNames) -> Recognition | DeadLetter:
    """What a record of one of the two topics holds. Raises CodecError, NotADeadLetter."""
    if record.topic == topics.dead_letters:
        return DeadLetter.read(record.key, record.value, record.headers)
    return decode(record.value, Recognition)


async def follow(
    connection: KafkaConnection,
    topics: tuple[str, ...],
    partitions: dict[str, int],
) -> AsyncGenerator[Any]:
    """Every committed record of these topics from their beginning, as aiokafka gives it; None when a
    poll brought nothing. Never ends by itself. Raises BrokerUnreachable.
    """
    async with _reader(connection, topics, partitions) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=QUIET_MS)
            if not batches:
                yield None
            # In the order of `topics`: what a record is about may come in the same batch.
            for place in sorted(batches, key=lambda place: topics.index(place.topic)):
                for record in batches[place]:
                    yield record


async def last_recognitions(
    connection: KafkaConnection, topics: TopicNames, partitions: dict[str, int]
) -> dict[str, Recognition]:
    """The last recognition of each post that is on the topic now. Raises BrokerUnreachable."""
    found: dict[str, Recognition] = {}
    async for record in everything_on(connection, topics.recognitions, partitions):
        recognition = decode(record.value, Recognition)
        found[recognition.post_id] = recognition
    return found


async def everything_on(
    connection: KafkaConnection, topic: str, partitions: dict[str, int]
) -> AsyncGenerator[Any]:
    """Every committed record that is on a topic now, partition after partition, as aiokafka gives it.

    Raises BrokerUnreachable.
    """
    async with _reader(connection, (topic,), partitions) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        for place, end in ends.items():
            # Markers of transactions are offsets, too: the position passes them, records do not show them.
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(place, timeout_ms=POLL_MS)).values():
                    for record in records:
                        yield record


@asynccontextmanager
async def _reader(
    connection: KafkaConnection,
    topics: tuple[str, ...],
    partitions: dict[str, int],
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer at the beginning of these topics. Raises BrokerUnreachable, in the block, too."""
    consumer = mended(
        AIOKafkaConsumer(
            **connection.options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # A dead letter carries its post.
            max_partition_fetch_bytes=2 * MAX_POST_BYTES,
        )
    )
    try:
        await consumer.start()
        consumer.assign(
            [TopicPartition(topic, number) for topic in topics for number in range(partitions[topic])]
        )
        yield consumer
    except KafkaError as error:
        raise BrokerUnreachable(
            f"{connection.bootstrap_servers} does not give its records: {error}"
        ) from error
    finally:
        await close_consumer(consumer)
