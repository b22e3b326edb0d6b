"""A new checkpoint goes live while posts flow: broker, two workers, engine, `sake engine reload`, all real.

Needs both environments: it runs in that of the stream, with the model environment beside it.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import subprocess
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from support import tiny_checkpoints as tiny
from support.commands import MODEL_ENVIRONMENT, reload, sake_engine

from sake_model.engine.served import Served, served_by

pytest.importorskip("aiokafka")

from support.kafka import Kafka, running_kafka

from schemas.codec import decode
from schemas.recognitions import Recognition
from workers.demo.child import WorkerProcess, worker_process

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(900)]

PARTITIONS = 2
IN_FLIGHT = 8
"""Posts that one worker has in work."""
MAX_PAUSE_S = 2.0
MARGIN = timedelta(seconds=3)
STALL_S = 180.0
"""So long a handful of tiny posts may take on a busy machine; after that something is stuck."""


@dataclass
class Stream:
    """Posts that flow until they are told to stop."""

    kafka: Kafka
    workers: dict[Path, WorkerProcess]
    """By log."""
    sent: list[bytes] = field(default_factory=list)
    flowing: bool = True

    async def flow(self) -> None:
        """Ten posts, as often as the workers have nearly caught up: they are never idle, nor far behind."""
        while self.flowing:
            if len(self.sent) - sum((await self.kafka.committed()).values()) < 4 * IN_FLIGHT:
                keys = [f"post-{len(self.sent) + number}".encode() for number in range(10)]
                await self.kafka.produce(
                    (key, orjson.dumps({"id": key.decode(), "text": f"Spotify in Oslo, {key.decode()}"}), ())
                    for key in keys
                )
                self.sent += keys
            await asyncio.sleep(0.1)

    async def recognised(self, posts: int) -> None:
        """Returns once so many more are done. Fails when a worker has ended, or nothing goes on."""
        wanted = sum((await self.kafka.committed()).values()) + posts
        try:
            async with asyncio.timeout(STALL_S):
                while sum((await self.kafka.committed()).values()) < wanted:
                    for worker in self.workers.values():
                        worker.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            tails = "\n\n".join(f"{log} ends with:\n{log.read_text()[-3000:]}" for log in self.workers)
            pytest.fail(f"{posts} posts more were not done; {await self.kafka.committed()}\n{tails}")

    async def end(self) -> None:
        """Sends nothing more; returns when all is done."""
        self.flowing = False
        await asyncio.sleep(0.5)
        await self.recognised(len(self.sent) - sum((await self.kafka.committed()).values()))


@dataclass
class Scene:
    """What happened."""

    checkpoints: Path
    sent: list[bytes] = field(default_factory=list)
    reloads: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    asked: datetime = datetime.min
    live: datetime = datetime.max
    messages: list[Any] = field(default_factory=list)
    letters: list[Any] = field(default_factory=list)

    @property
    def outcome(self) -> Any:
        """What the good reload printed."""
        return orjson.loads(self.reloads[tiny.NEW][1])


async def played(folder: Path) -> Scene:
    """Posts flow; meanwhile three bad checkpoints and a good one are to go live."""
    scene = Scene(folder / "checkpoints")
    maker = [str(MODEL_ENVIRONMENT / "bin" / "python"), tiny.__file__, str(scene.checkpoints)]
    await asyncio.to_thread(subprocess.run, maker, check=True)
    common = {"SAKE_HOME": str(folder / "home")}
    engine = {
        **common,
        "SAKE_MODEL": str(scene.checkpoints / tiny.OLD),
        "SAKE_ENGINE_ENVIRONMENT": str(MODEL_ENVIRONMENT),
        "SAKE_ENGINE_DTYPE": "float32",
        "SAKE_ENGINE_CPU_THREADS": "1",
    }
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(sake_engine(engine, folder / "engine.err"))
        kafka = await stack.enter_async_context(running_kafka(folder / "broker"))
        await kafka.create(PARTITIONS)
        # The workers' home has no checkpoint: all that they know of it is what the server tells.
        worker = {
            "SAKE_HOME": str(folder / "elsewhere"),
            "SAKE_ENGINE_URL": url,
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
            "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
            "SAKE_WORKER_GROUP": kafka.group,
            "SAKE_SEARCH_PROVIDERS": "none",
            "SAKE_WINDOW_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
        workers = {
            log: await stack.enter_async_context(worker_process({**worker, "SAKE_WORKER_ID": log.stem}, log))
            for log in (folder / "w0.log", folder / "w1.log")
        }
        await asyncio.gather(*(one.holds_partitions() for one in workers.values()))
        stream = Stream(kafka, workers)
        # A group: what ends the flow ends the test.
        flowing = await stack.enter_async_context(asyncio.TaskGroup())
        flowing.create_task(stream.flow())
        await stream.recognised(40)
        for name in (tiny.OTHER_SHAPE, tiny.NO_NUMBERS, tiny.NEW, tiny.NONSENSE):
            asked = datetime.now(UTC)
            scene.reloads[name] = await reload(scene.checkpoints / name, common)
            if name == tiny.NEW:
                scene.asked, scene.live = asked, datetime.now(UTC)
            await stream.recognised(30)
        await stream.end()
        scene.sent = stream.sent
        scene.messages = await kafka.read(kafka.names.recognitions)
        scene.letters = await kafka.read(kafka.names.dead_letters)
    return scene


async def test_posts_flow_on_through_a_good_and_three_bad_reloads(tmp_path: Path) -> None:
    if not (MODEL_ENVIRONMENT / "bin" / "vllm").is_file():
        pytest.skip(f"no vLLM in {MODEL_ENVIRONMENT}")
    scene = await played(tmp_path)
    codes = {name: code for name, (code, _, _) in scene.reloads.items()}
    assert codes == {tiny.OTHER_SHAPE: 2, tiny.NO_NUMBERS: 2, tiny.NEW: 0, tiny.NONSENSE: 2}, scene.reloads
    assert "tensor model.norm.weight is (7,)" in scene.reloads[tiny.OTHER_SHAPE][2]
    assert "numbers that are none" in scene.reloads[tiny.NO_NUMBERS][2]
    assert "was taken back" in scene.reloads[tiny.NONSENSE][2]

    assert Counter(message.key for message in (*scene.messages, *scene.letters)) == Counter(scene.sent)
    assert scene.letters == []

    old, new = (served_by(scene.checkpoints / name) for name in (tiny.OLD, tiny.NEW))
    assert scene.outcome["digest"] == new.manifest.digest
    by_digest = {served.manifest.digest: served for served in (old, new)}
    records = [(message.partition, decode(message.value, Recognition)) for message in scene.messages]
    assert {record.model.digest for _, record in records} == set(by_digest)
    for _, record in records:
        _check_all_by_one(record, by_digest[record.model.digest])
    for partition in range(PARTITIONS):
        _check_order([record for place, record in records if place == partition], old.manifest.digest)
    assert _pause_s([record for _, record in records], scene) < MAX_PAUSE_S


def _check_all_by_one(record: Recognition, wrote: Served) -> None:
    """Its prompts, and its bound of every turn."""
    prompts, most = wrote.prompt_set(), wrote.manifest.max_turn_tokens
    assert prompts is not None
    assert record.model.prompts_digest == prompts.digest
    assert most is not None
    assert all(one.output_tokens <= most for one in record.rounds)


def _pause_s(records: list[Recognition], scene: Scene) -> float:
    """The longest time around the change in which no post was finished, beyond what a post takes anyway
    (a busy machine makes that long). Prints it and what else counts.
    """
    ends = sorted(record.recognised_at for record in records)
    post_s = statistics.median(record.timings.total_ms for record in records) / 1e3
    gaps = [((later - earlier).total_seconds(), later) for earlier, later in itertools.pairwise(ends)]
    longest_s, at = max(gaps)
    # The change itself lies in the last moments of the command.
    around_s = max(gap_s for gap_s, later in gaps if scene.asked <= later <= scene.live + MARGIN)
    print(
        f"\n{len(scene.sent)} posts in {(ends[-1] - ends[0]).total_seconds():.0f} s, {post_s:.2f} s a post; "
        f"turns were held {scene.outcome['held_s']:.2f} s, {scene.outcome['withdrawn']} begun anew; longest "
        f"time without a finished post: {around_s:.2f} s around the change, {longest_s:.2f} s in all, until "
        f"{at:%H:%M:%S} (reload {scene.asked:%H:%M:%S} to {scene.live:%H:%M:%S})"
    )
    return around_s - post_s


def _check_order(records: list[Recognition], old: str) -> None:
    """In the order in which posts were finished: old, then new. In the order of the partition: the same,
    but for the posts that were in work at the change.
    """
    by_time = [record.model.digest == old for record in sorted(records, key=lambda one: one.recognised_at)]
    assert by_time == sorted(by_time, reverse=True)
    by_offset = [record.model.digest == old for record in records]
    assert by_offset[0]
    assert not by_offset[-1]
    first_new, last_old = by_offset.index(False), len(by_offset) - 1 - by_offset[::-1].index(True)
    assert last_old - first_new < IN_FLIGHT
