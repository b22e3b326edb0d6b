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
# Faust's longest fetch.
POLL_S = 1.0
RECORDS = [str(number).encode() for number in range(5)]


async def test_what_was_fetched_before_the_first_commit_comes_again(kafka: Kafka, tmp_path: Path) -> None:
    """Faust seeks to what is committed once its tables are restored; nothing is, before the first commit."""
    await kafka.create()
    await send(kafka)
    app, seen = collecting(kafka, tmp_path)
    async with running_app(app):
        await until(seen, RECORDS)
        await app.consumer.perform_seek()
        await until(seen, RECORDS + RECORDS)


async def test_nothing_is_fetched_while_a_rebalance_lasts(kafka: Kafka, tmp_path: Path) -> None:
    """Its end clears the queues that are fetched into."""
    await kafka.create()
    app, seen = collecting(kafka, tmp_path)
    async with running_app(app):
        await send(kafka)
        await until(seen, RECORDS)
        app.rebalancing = True
        await asyncio.sleep(2 * POLL_S)  # a fetch that was under way ends
        await send(kafka)
        await asyncio.sleep(2 * POLL_S)
        assert seen == RECORDS
        app.rebalancing = False
        await until(seen, RECORDS + RECORDS)


async def send(kafka: Kafka) -> None:
    async with AIOKafkaProducer(**kafka.connection.options()) as producer:
        for value in RECORDS:
            await producer.send_and_wait(kafka.names.posts, value, partition=0)


def collecting(kafka: Kafka, folder: Path) -> tuple[Any, list[bytes]]:
    """An application that never commits, and what it sees."""
    app = make_app(kafka.connection, group=f"{kafka.group}-faust", member="one", folder=folder)
    seen: list[bytes] = []

    async def collect(stream: Any) -> None:
        stream.enable_acks = False
        async for event in stream.events():
            seen.append(event.value)

    app.agent(app.topic(kafka.names.posts, key_type=bytes, value_type=bytes), name="collect")(collect)
    return app, seen


async def until(seen: list[bytes], expected: list[bytes]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while seen != expected:
            await asyncio.sleep(0.05)
