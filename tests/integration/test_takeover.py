"""Who may write for a partition when two processes believe that it is theirs."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from support.fault_run import until_holding, wait_until_done
from support.instant_worker import Orders, Slowed, instant_processor, start_worker
from support.kafka import Kafka
from support.post_stream import known_posts, verify

from workers.recognise import Worker
from workers.recognise.config import ConsumerLimits, DrainLimits
from workers.recognise.session import WorkerFenced

pytestmark = pytest.mark.integration


async def committed(kafka: Kafka) -> int:
    return sum((await kafka.committed()).values())


async def test_a_frozen_worker_that_wakes_after_its_successor_took_over_repeats_nothing(
    kafka: Kafka, tmp_path: Path
) -> None:
    """SIGSTOP, a successor with the same static id, SIGCONT: the zombie is fenced."""
    posts = known_posts(3_000, seed=7)
    await kafka.create(partitions=3)
    places = await kafka.produce(post.record for post in posts)
    orders = Orders(
        bootstrap_servers=kafka.connection.bootstrap_servers,
        prefix=kafka.names.posts.removesuffix(".posts"),
        group=kafka.group,
        max_wait_ms=150,
        log=str(tmp_path / "workers.log"),
    )
    zombie = await start_worker(orders)
    successor = None
    try:
        await until_holding(zombie)
        while await committed(kafka) < 300:
            await asyncio.sleep(0.01)
        os.kill(zombie.pid, signal.SIGSTOP)  # full of finished and half-finished posts
        frozen_at = await committed(kafka)
        successor = await start_worker(orders)
        await until_holding(successor)
        while await committed(kafka) < frozen_at + 500:
            await asyncio.sleep(0.01)
        os.kill(zombie.pid, signal.SIGCONT)
        done, _ = await asyncio.wait(
            [asyncio.create_task(zombie.wait()), asyncio.create_task(successor.wait())],
            timeout=60,
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert done, "two workers of one name cannot both go on"
        assert 1 in (zombie.returncode, successor.returncode), "it ends as one who needs an operator"
    finally:
        for process in (zombie, successor):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
    await wait_until_done(kafka, orders, len(posts), within_s=60)
    assert await verify(kafka, posts, places) == []


async def fence(kafka: Kafka) -> None:
    """What a successor does first: it starts a producer with the partition's transactional id."""
    name = f"{kafka.group}-{kafka.names.posts}-0"
    producer = AIOKafkaProducer(**kafka.connection.options(), transactional_id=name)
    await producer.start()
    await producer.stop()


async def test_a_partition_that_was_fenced_but_not_taken_away_is_taken_back(kafka: Kafka) -> None:
    posts = known_posts(600, seed=3)
    await kafka.create(partitions=1)
    places = await kafka.produce(post.record for post in posts)
    config = kafka.config(drain=DrainLimits(fenced_grace_s=0.3))
    worker = Worker(config, Slowed(instant_processor(kafka.names), max_wait_ms=100))
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60):
            while worker.state.recognised < 100:
                await asyncio.sleep(0.01)
            await fence(kafka)
            while await committed(kafka) < len(posts):
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await asyncio.gather(task)
    assert await verify(kafka, posts, places) == []


async def test_a_worker_that_is_fenced_again_and_again_ends_and_says_why(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    await kafka.produce(post.record for post in known_posts(3_000, seed=4))
    config = kafka.config(drain=DrainLimits(fenced_grace_s=0.1))
    worker = Worker(config, Slowed(instant_processor(kafka.names), max_wait_ms=300))
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while not task.done():
            if any(lane.opened for lane in worker.state.lanes.values()):
                await fence(kafka)
            await asyncio.sleep(0.05)
    with pytest.raises(WorkerFenced, match="SAKE_WORKER_ID"):
        task.result()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_broker_that_goes_again_and_again_costs_nothing_and_is_no_rival(
    kafka: Kafka, how: signal.Signals
) -> None:
    """Killed, the embedded broker forgets about a second of what it acknowledged; that is done again."""
    if kafka.broker is None:
        pytest.skip("an outside broker is not ours to restart")
    posts = known_posts(3_000, seed=5)
    await kafka.create(partitions=2)
    places = await kafka.produce(post.record for post in posts)
    await asyncio.sleep(2.0)  # for the broker to save the posts themselves
    consumer = ConsumerLimits(heartbeat_ms=100, session_timeout_ms=6_000)
    worker = Worker(kafka.config(consumer=consumer), Slowed(instant_processor(kafka.names), max_wait_ms=150))
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(90):
            for restart in range(4):
                while await committed(kafka) < 500 * (restart + 1):
                    await asyncio.sleep(0.02)
                assert kafka.broker.pid is not None
                os.kill(kafka.broker.pid, how)
                await kafka.broker.restart()
            while await committed(kafka) < len(posts):
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await asyncio.gather(task)
    assert await verify(kafka, posts, places) == []
