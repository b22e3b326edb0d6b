"""Reads what the worker publishes, as any careful reader would: read_committed, no group."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import MAX_POST_BYTES, decode
from schemas.deadletters import DeadLetter
from schemas.recognitions import Recognition
from workers.connection import KafkaConnection
from workers.topics import BrokerUnreachable, TopicNames

__all__ = ["read_outputs"]

# The longest that a record waits for its reader when nothing else comes.
POLL_MS = 200


async def read_outputs(
    connection: KafkaConnection, topics: TopicNames, partitions: dict[str, int]
) -> AsyncGenerator[Recognition | DeadLetter | None]:
    """Every recognition and dead letter from the topics' beginning; None when a poll brought nothing,
    so that the caller can look at its clock. Never ends by itself. Raises BrokerUnreachable.
    """
    places = [
        TopicPartition(topic, number)
        for topic in (topics.recognitions, topics.dead_letters)
        for number in range(partitions[topic])
    ]
    consumer = AIOKafkaConsumer(
        **connection.options(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # A dead letter carries its post.
        max_partition_fetch_bytes=2 * MAX_POST_BYTES,
    )
    try:
        await consumer.start()
        consumer.assign(places)
        while True:
            batches = await consumer.getmany(timeout_ms=POLL_MS)
            if not batches:
                yield None
            for place, records in batches.items():
                for record in records:
                    if place.topic == topics.dead_letters:
                        yield DeadLetter.read(record.key, record.value, record.headers)
                    else:
                        yield decode(record.value, Recognition)
    except KafkaError as error:
        raise BrokerUnreachable(
            f"{connection.bootstrap_servers} does not give its records: {error}"
        ) from error
    finally:
        await consumer.stop()
