"""`sake worker trends` as a process on a test's topics, entity records for it, and the verdict."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer
from support.kafka import Kafka
from support.sightings import at, sighting, zipf_names
from support.trend_recount import EPOCH, WindowName, recount

from schemas.codec import decode, encode
from schemas.entities import EntityRecord
from schemas.trends import Trend, TrendMoment
from workers.lag import partition_states

__all__ = [
    "TrendsProcess",
    "entity_stream",
    "produce_entities",
    "seen_by",
    "trends_process",
    "uncommitted",
    "verify_trends",
]

# Everything is published, and checkpoints are frequent, so that a kill meets them.
SETTINGS = {
    "SAKE_TRENDS_SLIDING_MIN_MENTIONS": "1",
    "SAKE_TRENDS_CHECKPOINT_S": "0.2",
    "SAKE_TRENDS_CHECKPOINT_RECORDS": "1000",
    "SAKE_TRENDS_QUIET_S": "2",
    "SAKE_LOG_FORMAT": "json",
}
READY_S = 300.0
"""A start takes 3 s of a core, which a busy machine may not give for minutes."""


class TrendsProcess:
    """One running worker."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}/livez"

    async def status(self) -> dict[str, Any]:
        """What it says about itself; empty while it does not answer."""
        assert self.process.returncode is None, f"the worker ended with {self.process.returncode}"
        try:
            async with aiohttp.ClientSession() as http, http.get(self._url) as answer:
                found: dict[str, Any] = await answer.json()
                return found
        except aiohttp.ClientError:
            return {}

    async def until_seen(self, records: int, within_s: float = READY_S) -> int:
        """Returns how many records are in its state, once there are that many."""
        async with asyncio.timeout(within_s):
            while (seen := seen_by(await self.status())) < records:
                await asyncio.sleep(0.02)
        return seen

    async def until_quiet(self, within_s: float = READY_S) -> None:
        """Returns once nothing has been published for a while."""
        before = -1
        async with asyncio.timeout(within_s):
            while (published := (await self.status()).get("published", -1)) != before or published < 1:
                before = published
                await asyncio.sleep(2 * float(SETTINGS["SAKE_TRENDS_QUIET_S"]))

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        async with asyncio.timeout(READY_S):
            return await self.process.wait()


def seen_by(status: dict[str, Any]) -> int:
    """Records that a worker has taken in, as its status says."""
    totals = status.get("totals", {})
    return sum(totals.get(name, 0) for name in ("counted", "late", "unreadable"))


@asynccontextmanager
async def trends_process(
    kafka: Kafka, home: Path, *, worker_id: str = "worker-0", **settings: str
) -> AsyncIterator[TrendsProcess]:
    """A worker with its data in `home`; killed at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAKE_")}
    environment |= SETTINGS | {
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
        "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
        "SAKE_TRENDS_GROUP": trends_group(kafka),
        "SAKE_WORKER_ID": worker_id,
        "SAKE_HEALTH_LISTEN_PORT": str(port),
        "SAKE_HOME": str(home),
        **settings,
    }
    with (home / "worker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers", "worker", "trends"), env=environment, stderr=log
        )
    try:
        yield TrendsProcess(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def trends_group(kafka: Kafka) -> str:
    return f"{kafka.group}-trends"


def entity_stream(count: int, seed: int, *, seconds: float, names: int = 150) -> list[EntityRecord]:
    """Names as people use them, a few in each post; out of order within the grace, some far too late."""
    dice = random.Random(seed)
    drawn = zipf_names(count, dice, names=names)
    records: list[EntityRecord] = []
    while len(records) < count:
        number = len(records)
        now_s = seconds * number / count
        delay_s = dice.choice(
            (0.0, 0.0, 0.0, dice.uniform(0, 30), dice.uniform(0, 58), dice.uniform(70, 900))
        )
        time = None if dice.random() < 0.02 else at(now_s - delay_s)
        for part in range(min(dice.randint(1, 4), count - number)):
            name, seen_at = drawn[number + part], at(now_s + 1)
            records.append(
                sighting(
                    name,
                    time,
                    post_id=f"post-{number}",
                    start=30 * part,
                    boxed=dice.random() < 0.4,
                    recognised_at=seen_at,
                )
            )
    return records


async def produce_entities(kafka: Kafka, records: Sequence[EntityRecord], *, aborted_every: int = 7) -> None:
    """Publishes as the recogniser does, in transactions; every so many one more that is aborted."""
    producer = AIOKafkaProducer(**kafka.connection.options(), transactional_id=f"{kafka.group}-entities")
    async with producer:
        for number, start in enumerate(range(0, len(records), 50)):
            batch = records[start : start + 50]
            if number % aborted_every == 0:
                await producer.begin_transaction()
                await _send(producer, kafka, [*batch, *batch])
                await producer.abort_transaction()
            async with producer.transaction():
                await _send(producer, kafka, batch)


async def _send(producer: AIOKafkaProducer, kafka: Kafka, records: Sequence[EntityRecord]) -> None:
    sent = [
        await producer.send(kafka.names.entities, encode(record), key=record.name.encode())
        for record in records
    ]
    await asyncio.gather(*sent)


async def verify_trends(kafka: Kafka) -> list[str]:
    """What is wrong with the published trends, judged by nothing but the two topics; empty = exact."""
    by_partition: dict[int, list[EntityRecord]] = defaultdict(list)
    for record in await kafka.read(kafka.names.entities):
        by_partition[record.partition].append(decode(record.value, EntityRecord))
    right: dict[WindowName, tuple[int, int, int]] = {}
    over: set[WindowName] = set()
    for records in by_partition.values():
        counted = recount(records)
        right |= counted.at_least(1, 1)
        ended = (counted.closed_before - EPOCH).total_seconds()
        over |= {key for key in counted.windows if key[2] + key[3] <= ended}
    published = await kafka.read(kafka.names.trends)
    trends = [decode(record.value, Trend) for record in published]
    last = {window_of(trend): trend for trend in trends}
    found = {key: (trend.mentions, trend.posts, trend.grounded) for key, trend in last.items()}
    problems = [
        f"{len(keys)} windows {what}, e.g. {keys[0]}: {found.get(keys[0])} for {right.get(keys[0])}"
        for what, keys in (
            ("missing", sorted(right.keys() - found.keys())),
            ("never there", sorted(found.keys() - right.keys())),
            ("wrong", sorted(key for key in right.keys() & found.keys() if right[key] != found[key])),
            ("not closed", sorted(key for key in over if last[key].moment is not TrendMoment.CLOSED)),
        )
        if keys
    ]
    print(f"{len(right)} windows of {sum(map(len, by_partition.values()))} records, {len(trends)} published")
    return problems + _repeats(published, trends)


def _repeats(published: list[Any], trends: list[Trend]) -> list[str]:
    """What comes again must be the same under the same id; a burst and an end come once."""
    ids: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for record, trend in zip(published, trends, strict=True):
        if trend.moment is not TrendMoment.QUIET:
            ids[trend.key, trend.moment].add(dict(record.headers)["ce_id"])
    twice = [each for each, found in ids.items() if len(found) > 1]
    return [f"{len(twice)} windows were told in two ways, e.g. {twice[0]}"] if twice else []


def window_of(trend: Trend) -> WindowName:
    start = int((trend.window_start - EPOCH).total_seconds())
    return trend.name, trend.type, start, int(trend.length_s)


async def uncommitted(kafka: Kafka, partitions: int) -> int:
    """Offsets of the entities' topic that the group has not committed."""
    states = await partition_states(kafka.connection, {kafka.names.entities: partitions}, trends_group(kafka))
    return sum(state.lag for state in states)
