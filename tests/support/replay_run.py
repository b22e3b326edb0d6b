"""A recorded topic, `sake replay` as a process of its own that is killed, and a reader with a clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from support.kafka import Kafka
from support.timer import Timer

from workers.empty_fetches import mended
from workers.topics import TopicShape, create_topic

__all__ = ["Arrivals", "Life", "difference", "play", "record"]

PARTITIONS = 3
MEAN_GAP_MS = 8.0
# Now and then nothing comes for a while.
PAUSE_EVERY = 5000
PAUSE_MS = (2000, 8000)
# Many times a fetch, on a machine that does other things, too.
SETTLED_S = 1.0
# The reader is an instrument: a busy core must not make it late. Where that is not allowed it is not done.
READER_NICE = -10


async def record(kafka: Kafka, posts: int, dice: random.Random) -> int:
    """Puts posts with gaps of their own onto the posts' topic; the time from the first to the last, in ms."""
    await kafka.create(PARTITIONS)
    producer = AIOKafkaProducer(**kafka.connection.options(), enable_idempotence=True, linger_ms=20)
    await producer.start()
    now_ms = first_ms = round(time.time() * 1000) - 6 * 3600 * 1000
    try:
        pending = []
        for number in range(posts):
            if number:
                now_ms += round(dice.expovariate(1 / MEAN_GAP_MS))
                now_ms += dice.randint(*PAUSE_MS) if number % PAUSE_EVERY == 0 else 0
            pending.append(
                await producer.send(
                    kafka.names.posts,
                    key=b"p%d" % number,
                    value=orjson.dumps({"id": f"p{number}", "text": f"post {number} " + "x" * (number % 90)}),
                    headers=[("ce_id", b"%d" % number)],
                    partition=dice.randrange(PARTITIONS),
                    timestamp_ms=now_ms,
                )
            )
        await asyncio.gather(*pending)
    finally:
        await producer.stop()
    return now_ms - first_ms


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap between two records."""

    wanted_s: float
    measured_s: float
    jitter_s: float
    """What a timer beside it was late by at both ends."""

    @property
    def error(self) -> float:
        """How far what was measured is from what it should be, as a share of this."""
        return abs(self.measured_s - self.wanted_s) / self.wanted_s

    @property
    def own_error(self) -> float:
        """The part of it that the timer does not explain."""
        return max(0.0, abs(self.measured_s - self.wanted_s) - self.jitter_s) / self.wanted_s


@dataclass(slots=True)
class Life:
    """What one process sent, as its reader saw it: (seconds on the clock, time of the record in ms)."""

    seen: list[tuple[float, int]] = field(default_factory=list)

    def gaps(self, times: float, at_least_s: float, timer: Timer) -> list[Gap]:
        """Gaps that follow each other, each at least so long as replayed. A record counts as come when the
        last one of its moment had come.
        """
        moments = dict(sorted((stamp, at) for at, stamp in self.seen))
        marks: list[tuple[float, int]] = []
        for stamp, at in moments.items():
            if not marks or (stamp - marks[-1][1]) / 1000 / times >= at_least_s:
                marks.append((at, stamp))
        return [
            Gap(
                wanted_s=(later - stamp) / 1000 / times,
                measured_s=then - at,
                jitter_s=timer.jitter_s(at) + timer.jitter_s(then),
            )
            for (at, stamp), (then, later) in pairwise(marks)
        ]

    @property
    def seconds(self) -> float:
        """From the first record to the last."""
        return self.seen[-1][0] - self.seen[0][0] if self.seen else 0.0


class Arrivals:
    """Reads a topic while it grows, as a read_committed reader does, and looks at the clock."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self.lives = [Life()]
        self.records = 0

    async def read(self) -> None:
        """Until it is cancelled."""
        consumer = mended(
            AIOKafkaConsumer(
                **self._kafka.connection.options(),
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                # The embedded broker does not wake a waiting fetch when a transaction is committed.
                fetch_max_wait_ms=5,
            )
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(self._topic, number) for number in range(PARTITIONS)])
            while True:
                batches = await consumer.getmany(timeout_ms=50)
                now = time.monotonic()
                for records in batches.values():
                    self.lives[-1].seen += ((now, record.timestamp) for record in records)
                    self.records += len(records)
        finally:
            await consumer.stop()

    async def settled(self) -> None:
        """Waits until nothing has come for a while: what was committed last is still on its way."""
        before = -1
        while before != self.records:
            before = self.records
            await asyncio.sleep(SETTLED_S)

    async def until(self, records: int, process: asyncio.subprocess.Process) -> None:
        """Waits for so many records, or the end of the process."""
        while self.records < records and process.returncode is None:
            await asyncio.sleep(0.01)


async def play(
    kafka: Kafka, target: str, *, times: float, kills: list[int], log: Path
) -> tuple[Arrivals, dict[str, Any]]:
    """Replays with a kill -9 at each of these numbers of records; what was seen, and the last report."""
    shape = TopicShape(partitions=PARTITIONS)
    await create_topic(kafka.connection, target, shape)
    arrivals = Arrivals(kafka, target)
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, READER_NICE)
    reader = asyncio.create_task(arrivals.read())
    try:
        for moment in [*kills, None]:
            process = await _start(kafka, target, times, log, priority)
            try:
                if moment is not None:
                    await arrivals.until(moment, process)
                    assert not reader.done(), reader
                    assert process.returncode is None, (
                        f"it ended with {process.returncode}, {arrivals.records} records were seen"
                    )
                    process.kill()
                out, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if moment is not None:
                await arrivals.settled()
                print(f"killed with {arrivals.records} records out")
                arrivals.lives.append(Life())
        assert process.returncode == 0, log.read_text()[-2000:]
        report: dict[str, Any] = orjson.loads(out)
        await arrivals.settled()
        return arrivals, report
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, priority)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _start(
    kafka: Kafka, target: str, times: float, log: Path, priority: int
) -> asyncio.subprocess.Process:
    command = ("replay", kafka.names.posts, "--to", target, "--rate", f"{times:g}x", "--json")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SAKE_FAULT_")}
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers", *command),
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=partial(os.setpriority, os.PRIO_PROCESS, 0, priority),
            env={
                **inherited,
                "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
                "SAKE_HOME": str(log.parent),
            },
        )


async def difference(kafka: Kafka, target: str) -> list[str]:
    """What the target has too little, too much or in another order; partition by partition."""
    found = []
    source, replayed = await kafka.read(kafka.names.posts), await kafka.read(target)
    for number in range(PARTITIONS):
        wanted, given = (list(_of_partition(each, number)) for each in (source, replayed))
        if wanted != given:
            missing, extra = len(set(wanted) - set(given)), len(given) - len(set(given))
            found.append(f"partition {number}: {missing} missing, {extra} twice, or out of order")
    return found


def _of_partition(records: list[Any], number: int) -> Iterator[tuple[Any, ...]]:
    for each in records:
        if each.partition == number:
            yield each.timestamp, each.key, each.value, tuple(each.headers)
