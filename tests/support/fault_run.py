"""A stream of known posts through a worker that is killed again and again, and the verdict."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from support.instant_worker import Orders, start_worker
from support.kafka import Kafka
from support.post_stream import known_posts, verify

__all__ = ["FaultPlan", "run_faults", "until_holding", "wait_until_done"]

SEED_VARIABLE = "SAKE_FAULT_SEED"
PARTITIONS = 3
# After its moment, which is a number of committed posts, an event waits a random time up to this: long
# against a transaction (3 ms), so that every step of one is hit.
LATEST_S = 0.05


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How much is sent and how much is broken."""

    posts: int
    kills: int
    broker_restarts: int
    max_wait_ms: float
    finish_s: float = 120.0
    """For the last worker, which nobody kills."""


async def run_faults(kafka: Kafka, plan: FaultPlan, folder: Path) -> list[str]:
    """What the verifier finds wrong. Prints the seed, and what was done when."""
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbits(32))
    print(f"{SEED_VARIABLE}={seed}")
    dice = random.Random(seed)
    posts = known_posts(plan.posts, seed)
    await kafka.create(PARTITIONS)
    places = await kafka.produce(post.record for post in posts)
    started = time.monotonic()
    orders = Orders(
        bootstrap_servers=kafka.connection.bootstrap_servers,
        prefix=kafka.names.posts.removesuffix(".posts"),
        group=kafka.group,
        max_wait_ms=plan.max_wait_ms,
        log=str(folder / "workers.log"),
    )
    events = ["kill"] * plan.kills + ["restart"] * (plan.broker_restarts if kafka.broker else 0)
    dice.shuffle(events)
    moments = sorted(dice.sample(range(plan.posts), len(events)))
    worker = await start_worker(orders)
    try:
        await until_holding(worker)
        for event, moment in zip(events, moments, strict=True):
            done = await _until_committed(kafka, worker, moment)
            await asyncio.sleep(dice.uniform(0, LATEST_S))
            print(f"{time.monotonic() - started:6.1f} s: {event} with {done} of {plan.posts} posts done")
            if event == "kill":
                worker.kill()
                await worker.wait()
                worker = await start_worker(orders)
                await until_holding(worker)
            elif kafka.broker is not None:
                await kafka.broker.restart()
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    await wait_until_done(kafka, orders, plan.posts, plan.finish_s)
    print(f"{time.monotonic() - started:6.1f} s: done")
    return await verify(kafka, posts, places)


async def wait_until_done(kafka: Kafka, orders: Orders, posts: int, within_s: float) -> None:
    """Lets one worker run until all offsets are committed, then stops it with SIGTERM."""
    worker = await start_worker(orders)
    try:
        await until_holding(worker)
        async with asyncio.timeout(within_s):
            while sum((await kafka.committed()).values()) < posts:
                assert worker.returncode is None, f"the worker ended with {worker.returncode}"
                await asyncio.sleep(0.1)
            worker.terminate()
            assert await worker.wait() == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def until_holding(worker: asyncio.subprocess.Process) -> None:
    assert worker.stdout is not None
    async with asyncio.timeout(60):
        line = await worker.stdout.readline()
    assert line == b"holding\n", f"the worker ended with {await worker.wait()}"


async def _until_committed(kafka: Kafka, worker: asyncio.subprocess.Process, posts: int) -> int:
    async with asyncio.timeout(60):
        while (done := sum((await kafka.committed()).values())) < posts:
            assert worker.returncode is None, f"the worker ended with {worker.returncode}"
            await asyncio.sleep(0.01)
    return done
