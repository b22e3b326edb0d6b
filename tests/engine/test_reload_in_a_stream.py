"""A new checkpoint goes live while posts flow: broker, two workers, engine, `sake engine reload`, all real.

Needs both environments: it runs in that of the stream, with the model environment beside it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from support import tiny_checkpoints as tiny

from sake_model.checkpoint.manifest import read_manifest
from sake_model.engine.served import served_by

pytest.importorskip("aiokafka")

from support.kafka import Kafka, running_kafka

from schemas.codec import decode
from schemas.recognitions import Recognition
from workers.demo.child import worker_process

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
MODEL_ENVIRONMENT = Path(os.environ.get("SAKE_ENGINE_ENVIRONMENT", ROOT / ".venv-model"))
PARTITIONS = 2
IN_FLIGHT = 8
"""Posts that one worker has in work."""
MAX_PAUSE_S = 2.0
READY_S = 240.0


@dataclass
class Stream:
    """Posts that flow until they are told to stop."""

    kafka: Kafka
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
        """Returns once so many more are done."""
        wanted = sum((await self.kafka.committed()).values()) + posts
        while sum((await self.kafka.committed()).values()) < wanted:
            await asyncio.sleep(0.1)

    async def end(self) -> None:
        """Sends nothing more; returns when all is done."""
        self.flowing = False
        await asyncio.sleep(0.5)
        await self.recognised(len(self.sent) - sum((await self.kafka.committed()).values()))


@asynccontextmanager
async def sake_engine(variables: dict[str, str], log: Path) -> AsyncIterator[str]:
    """The command as a person runs it; the address that it prints. Ended with us, however we end."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sake_model.engine.guard", "30"),
            *(sys.executable, "-m", "workers", "engine"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(READY_S):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("SAKE_ENGINE_URL="), log.read_text()[-3000:]
        yield line.strip().partition("=")[2]
    finally:
        process.stdin.close()
        await process.wait()


async def reload(folder: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """`sake engine reload FOLDER`: its exit code and what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "engine", "reload", str(folder), "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_posts_flow_on_through_a_good_and_three_bad_reloads(tmp_path: Path) -> None:
    if not (MODEL_ENVIRONMENT / "bin" / "vllm").is_file():
        pytest.skip(f"no vLLM in {MODEL_ENVIRONMENT}")
    checkpoints = tmp_path / "checkpoints"
    maker = [str(MODEL_ENVIRONMENT / "bin" / "python"), tiny.__file__, str(checkpoints)]
    await asyncio.to_thread(subprocess.run, maker, check=True)
    home = tmp_path / "home"
    home.mkdir()
    common = {"SAKE_HOME": str(home)}
    engine = {
        **common,
        "SAKE_MODEL": str(checkpoints / tiny.OLD),
        "SAKE_ENGINE_ENVIRONMENT": str(MODEL_ENVIRONMENT),
        "SAKE_ENGINE_DTYPE": "float32",
        "SAKE_ENGINE_CPU_THREADS": "1",
    }
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(sake_engine(engine, tmp_path / "engine.err"))
        kafka = await stack.enter_async_context(running_kafka(tmp_path / "broker"))
        await kafka.create(PARTITIONS)
        # The workers' machine has no checkpoint: all that they know of it is what the server tells.
        worker = {
            **common,
            "SAKE_ENGINE_URL": url,
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
            "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
            "SAKE_WORKER_GROUP": kafka.group,
            "SAKE_SEARCH_PROVIDERS": "none",
            "SAKE_WINDOW_MAX_IN_FLIGHT": str(IN_FLIGHT),
        }
        workers = [
            await stack.enter_async_context(
                worker_process({**worker, "SAKE_WORKER_ID": name}, tmp_path / f"{name}.log")
            )
            for name in ("w0", "w1")
        ]
        await asyncio.gather(*(one.holds_partitions() for one in workers))
        stream = Stream(kafka)
        flowing = asyncio.create_task(stream.flow())
        await stream.recognised(40)
        refused = {
            name: await reload(checkpoints / name, common) for name in (tiny.OTHER_SHAPE, tiny.NO_NUMBERS)
        }
        await stream.recognised(20)
        asked = datetime.now().astimezone()
        code, out, err = await reload(checkpoints / tiny.NEW, common)
        assert code == 0, err
        live = datetime.now().astimezone()
        await stream.recognised(40)
        taken_back = await reload(checkpoints / tiny.NONSENSE, common)
        await stream.recognised(40)
        await stream.end()
        await flowing
        for one in workers:
            one.check()
        messages = await kafka.read(kafka.names.recognitions)
        letters = await kafka.read(kafka.names.dead_letters)

    assert refused[tiny.OTHER_SHAPE][0] == refused[tiny.NO_NUMBERS][0] == taken_back[0] == 2
    assert "tensor model.norm.weight is (7,)" in refused[tiny.OTHER_SHAPE][2]
    assert "numbers that are none" in refused[tiny.NO_NUMBERS][2]
    assert "was taken back" in taken_back[2]

    assert Counter(message.key for message in (*messages, *letters)) == Counter(stream.sent)
    assert letters == []

    old, new = (read_manifest(checkpoints / name) for name in (tiny.OLD, tiny.NEW))
    assert orjson.loads(out)["digest"] == new.digest
    records = [(message.partition, decode(message.value, Recognition)) for message in messages]
    assert {record.model.digest for _, record in records} == {old.digest, new.digest}
    prompts = {
        read_manifest(checkpoints / name).digest: served_by(checkpoints / name).prompt_set()
        for name in (tiny.OLD, tiny.NEW)
    }
    bounds = {old.digest: old.max_turn_tokens, new.digest: new.max_turn_tokens}
    for _, record in records:
        # Each by one checkpoint: its prompts, its bound of every turn.
        wrote = prompts[record.model.digest]
        assert wrote is not None
        assert record.model.prompts_digest == wrote.digest
        assert max(one.output_tokens for one in record.rounds) <= (bounds[record.model.digest] or 0)
    for partition in range(PARTITIONS):
        _check_order([record for place, record in records if place == partition], old.digest)

    ends = sorted(record.recognised_at for _, record in records)
    longest, when = max((later - earlier, earlier) for earlier, later in itertools.pairwise(ends))
    around = [end for end in ends if asked <= end <= live]
    print(
        f"\n{len(stream.sent)} posts; turns held {orjson.loads(out)['held_s']:.2f} s, "
        f"{orjson.loads(out)['withdrawn']} begun anew; longest time without a finished post "
        f"{longest.total_seconds():.2f} s at {when:%H:%M:%S} (reload {asked:%H:%M:%S} to {live:%H:%M:%S}, "
        f"{len(around)} posts finished meanwhile)"
    )
    assert longest.total_seconds() < MAX_PAUSE_S


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
