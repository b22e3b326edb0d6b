"""A real worker process over the instant engine, to be killed.

Started by `start_worker`; prints one line, `holding`, once it holds a partition.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from pathlib import Path

import msgspec
from support.instant_engine import InstantEngine

from sake_model.deadline import Deadline
from sake_model.grounding import BoxFrame
from sake_model.pictures import ModelPicture
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from schemas.posts import ImageSource
from schemas.recognitions import ModelRef, PictureFacts
from workers.connection import KafkaConnection
from workers.recognise import InMessage, OutMessage, Processor, WorkerConfig, run_worker
from workers.recognise.config import ConsumerLimits
from workers.recognise.processor import PostProcessor
from workers.recognise.state import WorkerState
from workers.recognise.window import WindowLimits
from workers.topics import TopicNames

__all__ = ["Orders", "Slowed", "instant_processor", "instant_recogniser", "start_worker"]

TESTS = Path(__file__).parents[1]
BOOTSTRAP = (
    f"import runpy; runpy.run_path({str(TESTS / 'conftest.py')!r})\n"
    "from support.instant_worker import main; main()"
)


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told, as JSON in its first argument."""

    bootstrap_servers: str
    prefix: str
    group: str
    worker_id: str = "worker-0"
    max_wait_ms: float = 0.0
    """Each post takes a random time up to this, so that posts finish out of order."""
    max_in_flight: int = 64
    session_timeout_ms: int = 10_000
    log: str = ""
    """File for the log; empty = standard error."""


class NoPictures:
    """The instant posts have none."""

    async def get(self, source: ImageSource, deadline: Deadline) -> tuple[ModelPicture | None, PictureFacts]:
        raise AssertionError("no post of this stream has a picture")


class Slowed:
    """Another processor, with a random wait before each post."""

    def __init__(self, inner: Processor, max_wait_ms: float) -> None:
        self._inner = inner
        self._max_wait_s = max_wait_ms / 1e3

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        await asyncio.sleep(random.uniform(0, self._max_wait_s))
        return await self._inner.process(message, deadline)


def instant_recogniser() -> Recogniser:
    """The real recogniser and dialogue over the instant engine."""
    prompts = load_prompts("compact")
    model = ModelRef(name="instant", digest="sha256:0", prompts_digest=prompts.digest)
    return Recogniser(InstantEngine(), None, prompts, model, BoxFrame.RESIZED)


def instant_processor(names: TopicNames) -> PostProcessor:
    """The real processor over the instant engine."""
    return PostProcessor(instant_recogniser(), NoPictures(), names)


async def start_worker(orders: Orders) -> asyncio.subprocess.Process:
    """Starts the process; does not wait until it holds anything."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BOOTSTRAP, msgspec.json.encode(orders).decode()),
        stdout=asyncio.subprocess.PIPE,
    )


def main() -> None:
    """The process."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    logging.basicConfig(
        level=logging.INFO,
        filename=orders.log or None,
        format=f"%(asctime)s {orders.worker_id} %(process)d %(levelname)s %(name)s %(message)s",
    )
    asyncio.run(work(orders))


async def work(orders: Orders) -> None:
    names = TopicNames.of(orders.prefix)
    config = WorkerConfig(
        KafkaConnection(orders.bootstrap_servers),
        names,
        group=orders.group,
        worker_id=orders.worker_id,
        window=WindowLimits(max_in_flight=orders.max_in_flight),
        consumer=ConsumerLimits(session_timeout_ms=orders.session_timeout_ms, heartbeat_ms=1000),
    )
    processor: Processor = instant_processor(names)
    if orders.max_wait_ms:
        processor = Slowed(processor, orders.max_wait_ms)
    state = WorkerState()
    telling = asyncio.create_task(tell(state))
    await run_worker(config, processor, state)
    telling.cancel()


async def tell(state: WorkerState) -> None:
    while not any(lane.opened for lane in state.lanes.values()):
        await asyncio.sleep(0.01)
    print("holding", flush=True)
