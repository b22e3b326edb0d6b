"""Who may write for a partition when two processes believe that it is theirs."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from support.fault_run import until_holding, wait_until_done
from support.instant_worker import Orders, start_worker
from support.kafka import Kafka
from support.post_stream import known_posts, verify

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
            timeout=30,
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
