"""What a Faust application keeps over a crash: it must be with the broker before its offset is committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faust.transport.producer import ProducerBuffer
from support.kafka import Kafka
from support.mention_stream import put, said

from workers.faust_app import COMMIT_INTERVAL_S
from workers.mentions.config import MatchConfig, MentionSettings
from workers.mentions.service import MentionsConfig, MentionsWorker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE_S = 120


async def test_a_count_is_with_the_broker_before_its_record_is_committed(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust sends a table's changes some time, and commits meanwhile; here that time is three commits."""
    send = ProducerBuffer._send_pending

    async def slowly(buffer: ProducerBuffer, sending: Any) -> None:
        await asyncio.sleep(3 * COMMIT_INTERVAL_S)
        await send(buffer, sending)

    monkeypatch.setattr(ProducerBuffer, "_send_pending", slowly)
    await kafka.create()
    watch_list = tmp_path / "watch.yaml"
    watch_list.write_text("brands: [{name: Spotify}]")
    settings = MentionSettings(watch_list=watch_list)
    match = MatchConfig(kafka.connection, kafka.names, group=kafka.group)
    worker = MentionsWorker(MentionsConfig(match, settings, tmp_path / "faust"))
    running = asyncio.create_task(worker.run())
    try:
        await put(kafka, [said("p1", "Saw Spotify on stage")])
        async with asyncio.timeout(PATIENCE_S):
            while not await committed(kafka):
                assert not running.done()
                await asyncio.sleep(0.1)
        assert await changes(kafka) == 1
    finally:
        worker.stop()
        await asyncio.wait([running], timeout=PATIENCE_S)
    running.result()


async def committed(kafka: Kafka) -> int:
    """How many matched mentions are folded, as far as a restart would know."""
    admin = AIOKafkaAdminClient(**kafka.connection.options())
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(f"{kafka.group}-fold")
    finally:
        await admin.close()
    return sum(
        max(0, each.offset) for place, each in offsets.items() if place.topic == kafka.names.mentions_matched
    )


async def changes(kafka: Kafka) -> int:
    """How many changes of the table lie on its changelog."""
    topic = f"{kafka.group}-fold-stories-changelog"
    consumer = AIOKafkaConsumer(**kafka.connection.options())
    await consumer.start()
    try:
        places = [TopicPartition(topic, each) for each in await consumer._client._wait_on_metadata(topic)]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()
