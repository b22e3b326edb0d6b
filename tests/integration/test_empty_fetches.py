"""A reader of a silent topic asks a few times a second, whatever the broker's patience, and still reads."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from support.kafka import Kafka

from workers.empty_fetches import MAX_REST_S, mended

pytestmark = pytest.mark.integration


async def test_a_silent_topic_is_asked_a_few_times_a_second_and_still_read(kafka: Kafka) -> None:
    await kafka.create(partitions=2)
    consumer = AIOKafkaConsumer(**kafka.connection.options(), auto_offset_reset="earliest")
    fetches = 0
    send = consumer._client.send

    async def counting(node_id: int, request: object, **options: object) -> object:
        nonlocal fetches
        fetches += type(request).__name__.startswith("Fetch")
        return await send(node_id, request, **options)

    consumer._client.send = counting
    mended(consumer)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(kafka.names.posts, number) for number in range(2)])
        assert not await consumer.getmany(timeout_ms=1000)  # the first rests are short
        before, began_s = fetches, time.monotonic()
        await asyncio.sleep(1)
        assert fetches - before <= (time.monotonic() - began_s) / MAX_REST_S + 1
        await kafka.produce([(b"key", b"value", ())], partition=1)
        record = await consumer.getone()
        assert record.value == b"value"
    finally:
        await consumer.stop()
