"""Where a Faust application goes on reading: behind what is committed, or at the beginning."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from support.kafka import Kafka

from workers.faust_app import make_app, running_app

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE_S = 120
RECORDS = [str(number).encode() for number in range(5)]


async def test_what_was_fetched_before_the_first_commit_comes_again(kafka: Kafka, tmp_path: Path) -> None:
    """Faust seeks to what is committed once its tables are restored; nothing is, before the first commit."""
    await kafka.create()
    async with AIOKafkaProducer(**kafka.connection.options()) as producer:
        for value in RECORDS:
            await producer.send_and_wait(kafka.names.posts, value, partition=0)
    app = make_app(kafka.connection, group=f"{kafka.group}-faust", member="one", folder=tmp_path)
    seen: list[bytes] = []

    async def collect(stream: Any) -> None:
        stream.enable_acks = False  # so that nothing is ever committed
        async for event in stream.events():
            seen.append(event.value)

    topic = app.topic(kafka.names.posts, key_type=bytes, value_type=bytes)
    app.agent(topic, name="collect")(collect)
    async with running_app(app):
        await until(seen, RECORDS)
        await app.consumer.perform_seek()
        await until(seen, RECORDS + RECORDS)


async def until(seen: list[bytes], expected: list[bytes]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while seen != expected:
            await asyncio.sleep(0.05)
