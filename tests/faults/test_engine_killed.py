"""The real model server dies in the middle of the stream, twice: nothing lost, nothing twice, no dead letter.

Needs a checkpoint (SAKE_MODEL, or the default one of `make setup`) and the model environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest
from support.instant_worker import NoPictures
from support.kafka import Kafka

from sake_model.engine.launcher import EngineServer
from sake_model.recogniser import Recogniser
from schemas.errors import OperatorError
from workers.model_choice import choose_model, engine_server, open_engine
from workers.recognise import Phase, Worker
from workers.recognise.processor import PostProcessor
from workers.recognise.window import WindowLimits
from workers.settings import load_settings

pytestmark = [pytest.mark.faults, pytest.mark.engine, pytest.mark.timeout(900)]

POSTS = 120
IN_FLIGHT = 8
KILL_AT = (20, 70)
"""Committed posts at which the engine is killed."""


async def test_a_killed_engine_costs_no_post_and_buries_none(kafka: Kafka) -> None:
    settings = load_settings()
    try:
        model = choose_model(settings)
        server = engine_server(settings)
    except OperatorError as error:
        pytest.skip(str(error))
    await kafka.create(partitions=2)
    keys = [f"post-{number}".encode() for number in range(POSTS)]
    await kafka.produce(
        (key, orjson.dumps({"id": key.decode(), "text": f"Lionel Messi visits Oslo, day {number}"}), ())
        for number, key in enumerate(keys)
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        await server.ready()
        engine = await open_engine(settings, stack, server.url)
        recogniser = Recogniser(engine, None, model.prompts, model.ref, model.frame)
        processor = PostProcessor(recogniser, NoPictures(), kafka.names)
        worker = Worker(kafka.config(window=WindowLimits(max_in_flight=IN_FLIGHT)), processor)
        task = asyncio.create_task(worker.run())
        try:
            for moment in KILL_AT:
                await _until_recognised(worker, task, moment)
                assert worker.state.running > 1
                _kill(server)
                await _until_waiting(worker)
                assert worker.state.alive()
            await _until_recognised(worker, task, POSTS)
            assert server.starts == 1 + len(KILL_AT)
            assert worker.state.phase is Phase.RUNNING
        finally:
            worker.stop()
            await asyncio.gather(task, return_exceptions=True)
    recognised = Counter(record.key for record in await kafka.read(kafka.names.recognitions))
    assert recognised == Counter(keys)
    assert await kafka.read(kafka.names.dead_letters) == []
    assert sum((await kafka.committed()).values()) == POSTS


async def _until_recognised(worker: Worker, task: asyncio.Task[None], posts: int) -> None:
    while worker.state.recognised < posts:
        if task.done():
            task.result()
        assert worker.state.dead_letters == 0
        await asyncio.sleep(0.02)


async def _until_waiting(worker: Worker) -> None:
    async with asyncio.timeout(60):
        while worker.state.phase is not Phase.WAITING_FOR_ENGINE:
            await asyncio.sleep(0.01)


def _kill(server: EngineServer) -> None:
    """SIGKILL for the server itself, not for the guard that watches it."""
    port = server.root_url.rsplit(":", 1)[1].encode()
    victims = []
    for folder in Path("/proc").iterdir():
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
        except OSError:
            continue
        serves = port in arguments and any(b"vllm" in argument for argument in arguments)
        if serves and not any(argument.endswith(b"guard.py") for argument in arguments):
            victims.append(int(folder.name))
    assert victims, "no server process found"
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
