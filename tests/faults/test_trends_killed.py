"""Trend counts are exact whatever dies: ten kill -9 during 50,000 entity records, three of them with
the machine's disk lost, judged by a recount of the topic.

SAKE_FAULT_SEED repeats a run's records and moments; SAKE_FAULT_RECORDS makes it smaller.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import time
from pathlib import Path

import pytest
from support.fault_run import SEED_VARIABLE
from support.kafka import Kafka
from support.trends_run import entity_stream, produce_entities, trends_process, verify_trends

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

PARTITIONS = 3
KILLS = 10
LOST_DISKS = 3
RECORDS = int(os.environ.get("SAKE_FAULT_RECORDS") or 50_000)
# After its moment a kill waits a random time up to this: long against a batch (50 ms) and a
# checkpoint (30 ms, every 200 ms), so that every step of both is hit.
LATEST_S = 0.3


async def test_counts_equal_a_recount_after_ten_kills(kafka: Kafka, tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbits(32))
    print(f"{SEED_VARIABLE}={seed}, {RECORDS} records, load {os.getloadavg()}")
    dice = random.Random(seed)
    await kafka.create(PARTITIONS)
    moments = [0, *sorted(dice.sample(range(RECORDS), KILLS)), RECORDS]
    lost = set(dice.sample(range(KILLS), LOST_DISKS))
    records = entity_stream(RECORDS, seed, seconds=1800)
    started = time.monotonic()
    home = tmp_path / "home"
    seen = 0
    for number in range(KILLS):
        async with trends_process(kafka, home) as worker:
            # It comes while the worker counts, so that a kill meets a running stream.
            feed = asyncio.create_task(
                produce_entities(kafka, records[moments[number] : moments[number + 1]])
            )
            seen = await worker.until_seen(max(1, moments[number + 1] - 200))
            await asyncio.sleep(dice.uniform(0, LATEST_S))
            await worker.kill()
            await feed
        print(f"{time.monotonic() - started:6.1f} s: killed with {seen} of {RECORDS} records counted")
        if number in lost:
            shutil.rmtree(home)
    async with trends_process(kafka, home) as worker:
        await produce_entities(kafka, records[moments[-2] :])
        await worker.until_seen(RECORDS)
        await worker.until_quiet()
        totals = (await worker.status())["totals"]
        assert await worker.terminate() == 0
    print(f"{time.monotonic() - started:6.1f} s: done, {totals}")
    assert totals["counted"] + totals["late"] == RECORDS
    assert totals["late"] > 0
    assert await verify_trends(kafka) == []
