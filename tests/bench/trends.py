"""What counting trends costs, and that its state stays bounded.

    .venv/bin/python tests/bench/trends.py [--records 100000] [--week-records 2000000] [--json]

1. Throughput: the real worker, in this process, on a broker that already holds the records: per
   second of the clock, and per second of processor time of the whole process, which is what a core
   to itself would do. Long-tailed names, half of them seen once; 100 records for each second of event
   time, so that windows close and are published all the time; checkpoints as by default.
2. A week: 1,000,000 names that are seen once and a head of frequent ones go through the counting core
   of one partition, with a checkpoint for each simulated hour into a table. Names, memory, table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

sys.path.insert(0, str(Path(__file__).parents[2]))

from schemas.codec import encode
from schemas.entities import EntityRecord, GroundedEntity, Span
from schemas.ids import entity_id
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.recognise.state import Phase
from workers.topics import TopicNames, TopicShape, create_topics
from workers.trends.checkpoint import Checkpoints
from workers.trends.counting import PartitionTrends
from workers.trends.limits import TrendLimits
from workers.trends.worker import TrendsPlan, TrendsWorker

START = datetime(2026, 6, 1, tzinfo=UTC)
TARGET_PER_S = 5_000
HEAD = 20_000
"""Names that come again and again, by Zipf's law; every other record is of a name never seen before."""
WEEK_S = 7 * 86_400.0
EVENT_RATE_PER_S = 100.0
PARTITIONS = 2
SEED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000, help="for the throughput")
    parser.add_argument("--week-records", type=int, default=2_000_000, help="half of them new names")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    if options.records:
        found["throughput"] = asyncio.run(throughput(options.records))
    if options.week_records:
        found["week"] = week(options.week_records)
    found["load_after"] = os.getloadavg()[0]
    print(json.dumps(found) if options.json else table(found))


def stream(count: int, seconds: float) -> Iterator[EntityRecord]:
    """Long-tailed names evenly spread over a stretch of event time."""
    dice = random.Random(SEED)
    head = dice.choices(range(HEAD), [1 / rank for rank in range(1, HEAD + 1)], k=count)
    for number in range(count):
        name = f"rare name {number}" if number % 2 else f"name {head[number]}"
        at = START + timedelta(seconds=seconds * number / count)
        yield EntityRecord(
            entity=GroundedEntity(
                id=entity_id(str(number), 3, 3 + len(name), "ORG"),
                span=Span(3, 3 + len(name), name),
                type="ORG",
                box_px=(1.0, 2.0, 3.0, 4.0) if number % 3 == 0 else None,
            ),
            name=name,
            post_id=f"post-{number // 2}",
            created_at=at,
            recognised_at=at + timedelta(seconds=1),
            source="bench",
            lang="en",
            model_digest="sha256:" + "12" * 32,
        )


async def throughput(count: int) -> dict[str, Any]:
    """Through broker, Faust, counting, publishing and checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedBroker(Path(folder) / "broker") as broker:
            connection = KafkaConnection(broker.bootstrap_servers)
            names = TopicNames.of(f"bench-{uuid.uuid4().hex[:8]}")
            await create_topics(connection, names, TopicShape(partitions=PARTITIONS))
            async with AIOKafkaProducer(**connection.options(), linger_ms=20) as producer:
                for record in stream(count, count / EVENT_RATE_PER_S):
                    await producer.send(names.entities, encode(record), key=record.name.encode())
            limits = TrendLimits(group=names.trends)
            worker = TrendsWorker(TrendsPlan(connection, names, Path(folder) / "state", limits=limits))
            running = asyncio.create_task(worker.run())
            while worker.status.phase is not Phase.RUNNING:
                await _alive(running)
            wall_s, core_s = time.perf_counter(), time.process_time()
            while worker.status.totals().counted < count:
                await _alive(running)
            worker.stop()  # ends with everything published and one more checkpoint
            await running
            return {
                "records": count,
                "published": worker.status.published,
                "per_s": round(count / (time.perf_counter() - wall_s)),
                "per_s_a_core": round(count / (time.process_time() - core_s)),
                "totals": asdict(worker.status.totals()),
            }


async def _alive(running: asyncio.Task[None]) -> None:
    if running.done():
        running.result()
    await asyncio.sleep(0.01)


def week(count: int) -> dict[str, Any]:
    """A simulated week through one partition."""
    limits = TrendLimits()
    kept: dict[bytes, bytes] = {}
    checkpoints = Checkpoints(0, limits)
    trends = PartitionTrends(limits, checkpoints.load(kept))
    core_s = time.process_time()
    hourly = count // (7 * 24)
    most_names = most_cells = published = 0
    days: list[dict[str, Any]] = []
    for offset, record in enumerate(stream(count, WEEK_S)):
        trends.count(record, offset)
        if offset % 1000 == 0:
            published += len(trends.take())
        if offset % hourly == 0:
            checkpoint = checkpoints.make(trends.state)
            kept.update([*checkpoint.parts, checkpoint.manifest])
            for key in checkpoint.stale:
                kept.pop(key, None)
            most_names = max(most_names, len(trends.state.names))
            most_cells = max(most_cells, cells(trends))
        if (offset + 1) % (count // 7) == 0:
            days.append(
                {
                    "names": len(trends.state.names),
                    "cells": cells(trends),
                    "table_mb": round(sum(map(len, kept.values())) / 1e6, 1),
                    "resident_mb": resident_mb(),
                }
            )
            print(f"day {len(days)}: {days[-1]}", file=sys.stderr)
    return {
        "records": count,
        "distinct_names": count // 2 + HEAD,
        "most_names": most_names,
        "most_cells": most_cells,
        "published": published,
        "per_s_a_core": round(count / (time.process_time() - core_s)),
        "days": days,
        "totals": asdict(trends.state.totals),
    }


def cells(trends: PartitionTrends) -> int:
    return sum(len(pane.cells) for scale in trends.state.scales for pane in scale.panes.values())


def resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000


def table(found: dict[str, Any]) -> str:
    lines = [f"load {found['load_before']:.1f} before, {found['load_after']:.1f} after"]
    if run := found.get("throughput"):
        verdict = "ok" if run["per_s_a_core"] >= TARGET_PER_S else "TOO SLOW"
        lines.append(
            f"throughput: {run['per_s_a_core']} entity records/s a core ({run['per_s']}/s by the clock), "
            f"{run['published'] / run['records']:.2f} trend records each; target {TARGET_PER_S}: {verdict}"
        )
    if run := found.get("week"):
        first, last = run["days"][0], run["days"][-1]
        lines += [
            f"a week: {run['records']} records, about {run['distinct_names']} names; "
            f"at most {run['most_names']} remembered, {run['most_cells']} cells",
            f"  table {first['table_mb']} MB after a day, {last['table_mb']} MB after the week; "
            f"resident {first['resident_mb']} and {last['resident_mb']} MB",
            f"  {run['totals']['forgotten_names']} names forgotten, "
            f"{run['totals']['dropped_mentions']} mentions dropped with them",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
