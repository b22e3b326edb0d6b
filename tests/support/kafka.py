"""A Kafka for a test: the embedded broker, fresh, or the one that SAKE_KAFKA_BOOTSTRAP_SERVERS names.

Every test has its own topics and its own group, so that an outside broker can serve many.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.recognise.config import WorkerConfig
from workers.topics import TopicNames, TopicShape, create_topics

__all__ = ["Kafka", "Record", "running_kafka"]

LARGEST_BYTES = 32 * 1024 * 1024
OUTSIDE = "SAKE_KAFKA_BOOTSTRAP_SERVERS"

Record = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""Key, value, headers."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """What a test works with."""

    connection: KafkaConnection
    names: TopicNames
    group: str
    broker: EmbeddedBroker | None
    """None where the broker is an outside one, which nobody may restart."""

    async def create(self, partitions: int = 2) -> None:
        """Makes this test's topics."""
        await create_topics(self.connection, self.names, TopicShape(partitions=partitions))

    def config(self, **changes: Any) -> WorkerConfig:
        """A worker's configuration on these topics."""
        return WorkerConfig(self.connection, self.names, group=self.group, **changes)

    async def produce(
        self, records: Iterable[Record], *, partition: int | None = None
    ) -> list[tuple[int, int]]:
        """Puts records onto the posts' topic; returns the (partition, offset) of each."""
        producer = AIOKafkaProducer(
            **self.connection.options(),
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=32 * 1024 * 1024,
        )
        await producer.start()
        try:
            sent = [
                await producer.send(
                    self.names.posts, key=key, value=value, headers=list(headers), partition=partition
                )
                for key, value, headers in records
            ]
            done = [await one for one in sent]
        finally:
            await producer.stop()
        return [(one.partition, one.offset) for one in done]

    async def read(self, topic: str) -> list[Any]:
        """Everything that a read_committed reader finds on a topic now, partition after partition."""
        consumer = AIOKafkaConsumer(
            **self.connection.options(), isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            partitions = consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)
            found: list[Any] = []
            for number in sorted(partitions):
                partition = TopicPartition(topic, number)
                consumer.assign([partition])
                await consumer.seek_to_beginning(partition)
                end = (await consumer.end_offsets([partition]))[partition]
                while await consumer.position(partition) < end:
                    for records in (await consumer.getmany(partition, timeout_ms=500)).values():
                        found.extend(records)
            return found
        finally:
            await consumer.stop()

    async def committed(self) -> dict[int, int]:
        """The group's committed offset of each partition of the posts' topic that has one."""
        admin = AIOKafkaAdminClient(**self.connection.options())
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self.group)
        finally:
            await admin.close()
        return {
            place.partition: offset.offset
            for place, offset in offsets.items()
            if place.topic == self.names.posts and offset.offset >= 0
        }


@asynccontextmanager
async def running_kafka(data_dir: Path) -> AsyncIterator[Kafka]:
    """A broker and names of its own for one test."""
    unique = f"t{uuid.uuid4().hex[:10]}"
    outside = os.environ.get(OUTSIDE)
    if outside:
        yield Kafka(KafkaConnection(outside), TopicNames.of(unique), f"{unique}-group", None)
        return
    async with EmbeddedBroker(data_dir) as broker:
        connection = KafkaConnection(broker.bootstrap_servers)
        yield Kafka(connection, TopicNames.of(unique), f"{unique}-group", broker)


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client._wait_on_metadata(topic)
    return set(consumer.partitions_for_topic(topic) or ())
