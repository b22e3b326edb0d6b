"""How much memory a worker takes with a full window of posts that have one-megapixel pictures.

    .venv/bin/python tests/bench/memory.py [--minutes 20] [--in-flight 256]

A real worker process: its pictures come over HTTP, are decoded, resized and kept while a slow engine
(in the process, answering after a fixed time) holds the post. Printed: resident memory once the
window is full, a line a minute, and the slope over the second half of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaProducer
from PIL import Image

from sake_model.deadline import Deadline
from sake_model.engine.interface import Completion, FinishReason, Message, Sampling
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from schemas.codec import encode
from schemas.posts import ImageSource, Post
from schemas.recognitions import ModelRef
from workers.broker import EmbeddedBroker
from workers.connection import KafkaConnection
from workers.fetch import FetchLimits, PictureSource, PostPictures
from workers.recognise.attempts import PostLimits
from workers.recognise.config import WorkerConfig
from workers.recognise.processor import PostProcessor
from workers.recognise.window import WindowLimits
from workers.recognise.worker import run_worker
from workers.topics import TopicNames, TopicShape, create_topics

MEGAPIXEL = (1152, 896)  # 1.03 million pixels
HOLD_S = 20.0  # some 13 posts a second at 256 in flight: a third of a core for the pictures
LIMIT_MB = 400


class Orders(msgspec.Struct, frozen=True):
    """What the worker process is told."""

    bootstrap_servers: str
    prefix: str
    in_flight: int
    picture_port: int


@dataclass(frozen=True, slots=True)
class SlowEngine:
    """Holds every request for the same time and finds nothing."""

    hold_s: float

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        stop: tuple[str, ...],
        max_tokens: int,
        deadline: Deadline,
        sampling: Sampling = Sampling(),
    ) -> Completion:
        """The empty answer, late."""
        await asyncio.sleep(self.hold_s)
        return Completion("<reason>None.</reason><answer>[]</answer>", FinishReason.STOP, 1, 1)


async def work(orders: Orders) -> None:
    """The worker process: everything real but the engine."""
    names, prompts = TopicNames.of(orders.prefix), load_prompts("compact")
    model = ModelRef(name="slow", digest="sha256:0", prompts_digest=prompts.digest)
    limits = FetchLimits(allow_networks=("127.0.0.0/8",), ports=(orders.picture_port,))
    pictures = PostPictures(PictureSource(limits), ResizeLimits(), limits)
    recogniser = Recogniser(SlowEngine(HOLD_S), None, prompts, model, BoxFrame.RESIZED)
    config = WorkerConfig(
        KafkaConnection(orders.bootstrap_servers),
        names,
        group=orders.prefix,
        window=WindowLimits(max_in_flight=orders.in_flight),
        post=PostLimits(deadline_s=4 * HOLD_S),
    )
    try:
        await run_worker(config, PostProcessor(recogniser, pictures, names))
    finally:
        await pictures.close()


def photo(seed: int) -> bytes:
    """A JPEG of one megapixel and some 300 kB: blobs of colour under a grain."""
    draw = random.Random(seed)
    soft = Image.frombytes("RGB", (24, 18), draw.randbytes(24 * 18 * 3)).resize(
        MEGAPIXEL, Image.Resampling.BICUBIC
    )
    grain = Image.frombytes("L", MEGAPIXEL, draw.randbytes(MEGAPIXEL[0] * MEGAPIXEL[1])).convert("RGB")
    out = io.BytesIO()
    Image.blend(soft, grain, 0.12).save(out, "JPEG", quality=80)
    return out.getvalue()


async def serve_pictures(stack: AsyncExitStack) -> int:
    """A picture host on loopback; its port."""
    photos = [photo(seed) for seed in range(8)]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(
            body=photos[int(request.match_info["n"]) % len(photos)], content_type="image/jpeg"
        )

    app = web.Application()
    app.router.add_get("/{n}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


async def feed(orders: Orders, topic: str) -> None:
    """Keeps the topic ahead of the worker."""
    rate = 1.2 * orders.in_flight / HOLD_S
    async with AIOKafkaProducer(bootstrap_servers=orders.bootstrap_servers) as producer:
        for number in range(10**9):
            url = f"http://127.0.0.1:{orders.picture_port}/{number}"
            post = Post(id=str(number), text=f"post {number}", image=ImageSource(url=url))
            await producer.send(topic, encode(post), key=post.id.encode())
            if number > 2 * orders.in_flight:
                await asyncio.sleep(1 / rate)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in 10⁶ bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def watch(pid: int, minutes: float) -> list[tuple[float, float]]:
    """(seconds, MB) once a second, from the first full window on; prints a line a minute."""
    await asyncio.sleep(1.5 * HOLD_S)
    started_s, seen = time.monotonic(), []
    while (now_s := time.monotonic() - started_s) < 60 * minutes:
        seen.append((now_s, resident_mb(pid)))
        if len(seen) % 60 == 0:
            print(
                f"  minute {len(seen) // 60:3d}  {statistics.mean(mb for _, mb in seen[-60:]):6.1f} MB",
                flush=True,
            )
        await asyncio.sleep(1)
    return seen


async def measure(minutes: float, in_flight: int) -> None:
    """Prints the figures."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="sake-memory-"))
        broker = await stack.enter_async_context(EmbeddedBroker(Path(home)))
        port = await serve_pictures(stack)
        orders = Orders(broker.bootstrap_servers, f"memory-{uuid.uuid4().hex[:6]}", in_flight, port)
        names = TopicNames.of(orders.prefix)
        await create_topics(KafkaConnection(orders.bootstrap_servers), names, TopicShape(partitions=2))
        feeding = asyncio.create_task(feed(orders, names.posts))
        worker = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--work", msgspec.json.encode(orders).decode()
        )
        try:
            seen = await watch(worker.pid, minutes)
        finally:
            feeding.cancel()
            if worker.returncode is None:
                worker.terminate()
            await worker.wait()
    half = [(s / 60, mb) for s, mb in seen[len(seen) // 2 :]]
    slope = statistics.linear_regression(*zip(*half, strict=True)).slope
    print(
        f"largest {max(mb for _, mb in seen):.1f} MB (limit {LIMIT_MB}), "
        f"mean {statistics.mean(mb for _, mb in seen):.1f} MB, "
        f"slope over the second half {slope:+.2f} MB a minute; "
        f"{in_flight} one-megapixel posts in flight"
    )


def main() -> None:
    """Reads the arguments; with --work this is the worker process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        asyncio.run(work(msgspec.json.decode(given.work, type=Orders)))
    else:
        asyncio.run(measure(given.minutes, given.in_flight))


if __name__ == "__main__":
    main()
