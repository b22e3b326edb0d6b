"""A reader that follows a topic sees all that is committed after a transaction was aborted, and no more."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from support.kafka import Kafka

from workers.outputs import follow

pytestmark = pytest.mark.integration


async def test_a_follower_is_not_blinded_by_an_aborted_transaction(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    topic = kafka.names.entities
    producer = AIOKafkaProducer(**kafka.connection.options(), transactional_id=f"{kafka.group}-tx")
    seen: list[bytes] = []
    async with producer:
        stream = follow(kafka.connection, (topic,), {topic: 1})

        async def send(*values: bytes) -> None:
            for value in values:
                await producer.send(topic, value)

        async def read() -> None:
            quiet = 0
            while quiet < 3:
                record = await anext(stream)
                quiet = quiet + 1 if record is None else 0
                if record is not None:
                    seen.append(record.value)

        async with producer.transaction():
            await send(b"one", b"two")
        await read()
        await producer.begin_transaction()
        await send(b"never", b"never")
        await producer.abort_transaction()
        await read()
        for value in (b"three", b"four"):
            async with producer.transaction():
                await send(value)
            await read()
        await stream.aclose()
    assert seen == [b"one", b"two", b"three", b"four"]
