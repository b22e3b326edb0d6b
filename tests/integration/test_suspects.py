"""Workers' client, gate and broker over a model server's stand-in that is really killed: who is buried?"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.chaos import engine as stand_in
from support.chaos.processes import free_port, listening
from support.instant_worker import NoPictures
from support.kafka import Kafka

from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.engine.interface import Completion
from sake_model.grounding import BoxFrame
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from schemas.deadletters import DeadLetter
from schemas.recognitions import ModelRef
from workers.recognise import Worker, WorkerConfig
from workers.recognise.gate import GateLimits
from workers.recognise.processor import PostProcessor
from workers.recognise.window import WindowLimits

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PATIENCE_S = 120.0
SURELY_SENT_S = 0.4
"""A request that has not failed by then is inside the server: a refusal takes milliseconds."""
ALONE = 3
"""So often the server is killed under the good post while it is alone; two were once enough to bury it."""


class Watched(VllmEngine):
    """Tells since when it has been asked."""

    def __init__(self, url: str) -> None:
        super().__init__(EngineTarget(url))
        self.asked_at_s: float | None = None

    async def generate(self, *arguments: Any, **options: Any) -> Completion:
        self.asked_at_s = time.monotonic()
        try:
            return await super().generate(*arguments, **options)
        finally:
            self.asked_at_s = None


class Server:
    """The stand-in, as a process that can be killed and started again at the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.starts = 0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.starts += 1
        script = Path(stand_in.__file__)
        self.process = await asyncio.create_subprocess_exec(sys.executable, script, str(self.port))
        await listening(self.port, PATIENCE_S)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def keep_running(self) -> None:
        while True:
            await self.start()
            assert self.process is not None
            await self.process.wait()


@asynccontextmanager
async def working(kafka: Kafka, server: Server) -> AsyncIterator[tuple[Worker, Watched]]:
    """A worker over the stand-in, which is gone afterwards, too."""
    prompts = load_prompts("compact")
    model = ModelRef(name="stand-in", digest="sha256:0", prompts_digest=prompts.digest)
    try:
        async with Watched(f"http://127.0.0.1:{server.port}/v1") as engine:
            recogniser = Recogniser(engine, None, prompts, model, BoxFrame.RESIZED)
            processor = PostProcessor(recogniser, NoPictures(), kafka.names)
            worker = Worker(_config(kafka), processor)
            task = asyncio.create_task(worker.run())
            try:
                yield worker, engine
            finally:
                worker.stop()
                await asyncio.gather(task, return_exceptions=True)
    finally:
        await server.kill()


def _config(kafka: Kafka) -> WorkerConfig:
    config = kafka.config(gate=GateLimits(first_backoff_s=0.1, max_backoff_s=0.5))
    return replace(config, window=WindowLimits(max_in_flight=4))


def post(name: str, text: str) -> tuple[bytes, bytes, tuple[()]]:
    return name.encode(), orjson.dumps({"id": name, "text": text}), ()


async def until_finished(worker: Worker, posts: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while worker.state.recognised + worker.state.dead_letters < posts:
            await asyncio.sleep(0.01)


async def until_inside(engine: Watched, worker: Worker) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while engine.asked_at_s is None or time.monotonic() - engine.asked_at_s < SURELY_SENT_S:
            assert worker.state.dead_letters == 0
            await asyncio.sleep(0.01)


async def test_a_good_post_under_which_the_engine_is_killed_again_and_again_is_recognised(
    kafka: Kafka,
) -> None:
    await kafka.create(partitions=1)
    await kafka.produce([post("good", "Ada slowly walks through Oslo")])
    server = Server()
    await server.start()
    async with working(kafka, server) as (worker, engine):
        for _ in range(1 + ALONE):  # the first time makes it a suspect
            await until_inside(engine, worker)
            await server.kill()
            await server.start()
        await until_finished(worker, 1)
    assert await kafka.read(kafka.names.dead_letters) == []
    assert [each.key for each in await kafka.read(kafka.names.recognitions)] == [b"good"]


async def test_a_post_that_takes_the_engine_down_is_buried_and_its_neighbours_are_recognised(
    kafka: Kafka,
) -> None:
    await kafka.create(partitions=1)
    names = [f"post-{number}" for number in range(24)]
    texts = dict.fromkeys(names, "Ada walks through Oslo") | {"post-5": f"A picture {stand_in.KILLER}"}
    await kafka.produce(post(name, text) for name, text in texts.items())
    server = Server()
    async with working(kafka, server) as (worker, _):
        running = asyncio.create_task(server.keep_running())
        try:
            await until_finished(worker, len(names))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    (record,) = await kafka.read(kafka.names.dead_letters)
    letter = DeadLetter.read(record.key, record.value, record.headers)
    assert (record.key, letter.why.reason) == (b"post-5", "kills_engine")
    recognised = [each.key.decode() for each in await kafka.read(kafka.names.recognitions)]
    assert recognised == [name for name in names if name != "post-5"]
    assert 6 <= server.starts <= 9, "once among others, alone four to seven times"
