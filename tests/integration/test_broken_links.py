"""What becomes of a worker whose connections to the broker break, and stay broken for a while."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from support.chaos.proxy import Proxy
from support.instant_worker import Slowed, instant_processor
from support.kafka import Kafka
from support.post_stream import known_posts, verify

from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.recognise import Worker
from workers.recognise.transactor import ProducerLimits, Source, Transactor

FIND_COORDINATOR = 10  # its API key in the Kafka protocol

pytestmark = pytest.mark.integration


def proxy_before(kafka: Kafka) -> Proxy:
    if kafka.broker is None:
        pytest.skip("an outside broker names its own addresses")
    return Proxy(int(kafka.connection.bootstrap_servers.rpartition(":")[2]), random.Random(1), kafka=True)


async def test_a_consumer_whose_fetches_fail_is_closed_without_a_stray_cancellation(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    async with proxy_before(kafka).running() as link:
        consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{link.port}", retry_backoff_ms=60_000)
        await consumer.start()
        place = TopicPartition(kafka.names.posts, 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        await consumer.getmany(timeout_ms=100)
        link.refusing = True
        link.cut()
        await asyncio.sleep(0.2)  # the fetch has failed, and rests for a minute
        assert consumer._fetcher._pending_tasks
        await close_consumer(consumer)
        assert not any(connection.connected() for connection in consumer._client._conns.values())


async def test_a_producer_waits_for_a_broker_that_hangs_up_on_it(kafka: Kafka) -> None:
    """A connection that breaks while the coordinator is looked up is an outage as any other."""
    await kafka.create(partitions=1)
    async with proxy_before(kafka).running() as link:
        source = Source(TopicPartition(kafka.names.posts, 0), 1, kafka.group)
        connection = KafkaConnection(f"127.0.0.1:{link.port}")
        transactor = Transactor(connection, source, ProducerLimits(reconnect_s=0.1))
        link.hangs_up_on = FIND_COORDINATOR
        opening = asyncio.create_task(transactor.open())
        await asyncio.sleep(1)
        assert not opening.done()
        link.well()
        await asyncio.wait_for(opening, 60)
        await transactor.close()


async def test_a_worker_goes_on_after_its_link_was_cut_again_and_again(kafka: Kafka) -> None:
    posts = known_posts(1_000, seed=21)
    await kafka.create(partitions=2)
    places = await kafka.produce(post.record for post in posts)
    async with proxy_before(kafka).running() as link:
        config = kafka.config()
        config = replace(config, connection=KafkaConnection(f"127.0.0.1:{link.port}"))
        worker = Worker(config, Slowed(instant_processor(kafka.names), max_wait_ms=100))
        task = asyncio.create_task(worker.run())
        try:
            async with asyncio.timeout(90):
                for cut in range(3):
                    while worker.state.recognised < 200 * (cut + 1):
                        assert not task.done(), await task
                        await asyncio.sleep(0.02)
                    link.refusing = True
                    link.cut()
                    await asyncio.sleep(2.0)
                    link.well()
                while sum((await kafka.committed()).values()) < len(posts):
                    assert not task.done(), await task
                    await asyncio.sleep(0.05)
        finally:
            worker.stop()
            await asyncio.gather(task, return_exceptions=True)
    assert await verify(kafka, posts, places) == []
