"""The trends worker as a process on a real broker: exact, restartable, quiet on the network."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from support.kafka import Kafka
from support.trends_run import (
    TrendsProcess,
    entity_stream,
    produce_entities,
    seen_by,
    trends_process,
    uncommitted,
    verify_trends,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PARTITIONS = 2
RECORDS = 3000


async def finish(kafka: Kafka, worker: TrendsProcess, records: int) -> None:
    await worker.until_seen(records)
    await worker.until_quiet()
    assert await worker.terminate() == 0


async def test_counts_equal_a_recount_over_restarts_and_on_a_new_machine(
    kafka: Kafka, tmp_path: Path
) -> None:
    """The entities come in transactions, some of which are aborted: those are not counted."""
    await kafka.create(PARTITIONS)
    records = entity_stream(RECORDS, seed=1, seconds=600)
    await produce_entities(kafka, records[:1000])
    async with trends_process(kafka, tmp_path / "one") as worker:
        await worker.until_seen(1000)
        await worker.kill()
    await produce_entities(kafka, records[1000:2000])
    async with trends_process(kafka, tmp_path / "one") as worker:
        await worker.until_seen(2000)
        assert await worker.terminate() == 0
    # Markers of transactions count as offsets, but no record is left over: 2 for each partition's last one.
    assert await uncommitted(kafka, PARTITIONS) <= 2 * PARTITIONS
    shutil.rmtree(tmp_path / "one")
    await produce_entities(kafka, records[2000:])
    async with trends_process(kafka, tmp_path / "one") as worker:
        await finish(kafka, worker, RECORDS)
    assert await verify_trends(kafka) == []


async def test_a_second_worker_takes_its_share_in_the_middle_of_the_stream(
    kafka: Kafka, tmp_path: Path
) -> None:
    await kafka.create(PARTITIONS)
    records = entity_stream(RECORDS, seed=2, seconds=600)
    async with trends_process(kafka, tmp_path / "one") as one:
        await produce_entities(kafka, records[:1500])
        await one.until_seen(500)
        async with trends_process(kafka, tmp_path / "two", worker_id="worker-1") as two:
            await produce_entities(kafka, records[1500:])
            while True:
                both = (await one.status(), await two.status())
                shares = [len(each.get("partitions", ())) for each in both]
                if shares == [1, 1] and sum(map(seen_by, both)) == RECORDS:
                    break
                await asyncio.sleep(0.1)
            await one.until_quiet()
            await two.until_quiet()
            assert await one.terminate() == 0
            assert await two.terminate() == 0
    assert await verify_trends(kafka) == []


async def test_it_listens_nowhere_but_for_health(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create(PARTITIONS)
    await produce_entities(kafka, entity_stream(100, seed=3, seconds=10))
    async with trends_process(kafka, tmp_path / "one") as worker:
        await worker.until_seen(100)
        status = await worker.status()
        assert status["phase"] == "running"
        assert len(status["partitions"]) == PARTITIONS
        assert len(listening(worker.process.pid)) == 1


async def test_without_topics_it_says_what_to_do(kafka: Kafka, tmp_path: Path) -> None:
    async with trends_process(kafka, tmp_path / "one") as worker:
        assert await worker.process.wait() != 0
    assert "sake topics create" in (tmp_path / "one" / "worker.log").read_text()


def listening(pid: int) -> set[str]:
    """Local addresses of the TCP sockets on which a process listens."""
    folder = Path(f"/proc/{pid}")
    own = {link.readlink().name for link in (folder / "fd").iterdir() if link.is_symlink()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in (folder / "net" / table).read_text().splitlines()[1:]
    ]
    listen = "0A"
    return {row[1] for row in rows if row[3] == listen and f"socket:[{row[9]}]" in own}
