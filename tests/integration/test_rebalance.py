"""Two workers share a topic: partitions move, posts do not repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.fault_run import until_holding
from support.instant_worker import Orders, Slowed, instant_processor, start_worker
from support.kafka import Kafka
from support.post_stream import known_posts, verify

from workers.recognise import Worker
from workers.recognise.config import ConsumerLimits
from workers.recognise.window import WindowLimits

pytestmark = pytest.mark.integration

QUICK = ConsumerLimits(session_timeout_ms=6_000, heartbeat_ms=200)


@asynccontextmanager
async def running(kafka: Kafka, worker_id: str, consumer: ConsumerLimits = QUICK) -> AsyncIterator[Worker]:
    config = kafka.config(worker_id=worker_id, consumer=consumer, window=WindowLimits(max_in_flight=16))
    worker = Worker(config, Slowed(instant_processor(kafka.names), max_wait_ms=40))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.gather(task)


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def open_lanes(worker: Worker) -> int:
    return sum(lane.opened for lane in worker.state.lanes.values())


async def test_a_second_worker_takes_its_share_in_the_middle_of_the_stream(kafka: Kafka) -> None:
    posts = known_posts(3_000, seed=11)
    await kafka.create(partitions=4)
    places = await kafka.produce(post.record for post in posts)
    async with running(kafka, "worker-a") as first:
        await until(lambda: first.state.recognised > 200)
        async with running(kafka, "worker-b") as second:
            await until(lambda: open_lanes(first) == 2 and open_lanes(second) == 2)
            # Counted by the broker: a worker that is evicted in the middle of a commit cannot know of it.
            async with asyncio.timeout(60):
                while sum((await kafka.committed()).values()) < len(posts):
                    await asyncio.sleep(0.05)
            assert second.state.recognised > 100
    assert await verify(kafka, posts, places) == []


async def test_workers_that_come_and_go_all_the_time_lose_and_repeat_nothing(kafka: Kafka) -> None:
    """Static members keep their partitions over a restart, so that a rolling restart moves nothing."""
    posts = known_posts(2_000, seed=12)
    await kafka.create(partitions=4)
    places = await kafka.produce(post.record for post in posts)
    for _ in range(3):
        async with running(kafka, "worker-a") as first, running(kafka, "worker-b") as second:
            await until(lambda: open_lanes(first) + open_lanes(second) == 4)
            await asyncio.sleep(0.3)
    async with running(kafka, "worker-a"), running(kafka, "worker-b"):
        async with asyncio.timeout(60):
            while sum((await kafka.committed()).values()) < len(posts):
                await asyncio.sleep(0.05)
    assert await verify(kafka, posts, places) == []


@pytest.mark.timeout(300)
async def test_a_worker_that_died_holds_a_rebalance_up_for_seconds_not_for_its_session(
    kafka: Kafka, tmp_path: Path
) -> None:
    posts = known_posts(200, seed=13)
    await kafka.create(partitions=4)
    session_ms = 600_000  # far longer than this test waits
    orders = Orders(
        bootstrap_servers=kafka.connection.bootstrap_servers,
        prefix=kafka.names.posts.removesuffix(".posts"),
        group=kafka.group,
        worker_id="worker-that-dies",
        session_timeout_ms=session_ms,
        log=str(tmp_path / "worker.log"),
    )
    patient = ConsumerLimits(session_timeout_ms=session_ms, rebalance_timeout_ms=3_000, heartbeat_ms=200)
    async with running(kafka, "worker-a", patient) as first:
        await until(lambda: open_lanes(first) == 4)
        dying = await start_worker(orders)
        try:
            await until_holding(dying)
        finally:
            dying.kill()
            await dying.wait()
        await kafka.produce(post.record for post in posts)
        async with running(kafka, "worker-b", patient):
            async with asyncio.timeout(120):
                while sum((await kafka.committed()).values()) < len(posts):
                    await asyncio.sleep(0.05)
