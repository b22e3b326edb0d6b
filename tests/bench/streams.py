"""A broker, an engine and topics for the benchmarks, and the worker run inside this process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka import AIOKafkaProducer
from engine_load import BENCH_DIALOGUE, ForcedSearch, SlowSearch, Workload

from sake_model.engine.interface import Engine
from sake_model.recogniser import Recogniser, RecogniserLimits
from sake_model.search.interface import Search
from schemas.codec import encode
from workers.connection import KafkaConnection
from workers.fetch import PictureSource, PostPictures
from workers.kafka_choice import embedded_broker, kafka_connection
from workers.model_choice import ModelChoice, choose_model, engine_server, open_engine
from workers.recognise.config import WorkerConfig
from workers.recognise.processor import PostProcessor
from workers.recognise.window import WindowLimits
from workers.recognise.worker import Worker
from workers.settings import load_settings
from workers.topics import TopicNames, TopicShape, create_topics

__all__ = ["Bench", "bench_stack", "processor", "published", "through_worker"]


@dataclass(frozen=True, slots=True)
class Bench:
    """What every run of a benchmark uses."""

    engine: Engine
    model: ModelChoice
    connection: KafkaConnection
    pictures: PostPictures
    concurrency: int


@asynccontextmanager
async def bench_stack(home: Path, concurrency: int) -> AsyncIterator[Bench]:
    """Starts what is not given by SAKE_KAFKA_BOOTSTRAP_SERVERS and SAKE_ENGINE_URL."""
    settings = load_settings()
    async with AsyncExitStack() as stack:
        servers = settings.kafka.bootstrap_servers
        if not servers:
            broker = embedded_broker(settings.model_copy(update={"home": home}))
            servers = (await stack.enter_async_context(broker)).bootstrap_servers
        url = settings.engine.url
        if not url:
            server = await stack.enter_async_context(engine_server(settings))
            await server.ready()
            url = server.url
        engine = await open_engine(settings, stack, url)
        model = choose_model(settings)
        pictures = PostPictures(PictureSource(settings.picture), model.resize, settings.picture)
        stack.push_async_callback(pictures.close)
        yield Bench(engine, model, kafka_connection(settings, servers), pictures, concurrency)


async def published(bench: Bench, workload: Workload, partitions: int = 2) -> TopicNames:
    """Fresh topics with all posts of a workload in them."""
    names = TopicNames.of(f"bench-{uuid.uuid4().hex[:8]}")
    await create_topics(bench.connection, names, TopicShape(partitions=partitions))
    async with AIOKafkaProducer(**bench.connection.options()) as producer:
        for post in workload.make():
            await producer.send(names.posts, encode(post), key=post.id.encode())
        await producer.flush()
    return names


def processor(bench: Bench, engine: Engine, search: Search, names: TopicNames) -> PostProcessor:
    """The worker's own processor."""
    model = bench.model
    recogniser = Recogniser(
        engine,
        search,
        model.prompts,
        model.ref,
        model.frame,
        limits=RecogniserLimits(dialogue=BENCH_DIALOGUE),
        sees_pictures=model.sees_pictures,
    )
    return PostProcessor(recogniser, bench.pictures, names)


async def through_worker(
    bench: Bench, workload: Workload, *, latency_s: float, in_flight: int | None = None
) -> float:
    """Seconds from the first request to the engine until the last post is committed.

    `in_flight` is the worker's window; None = the engine's concurrency.
    """
    names = await published(bench, workload)
    engine = ForcedSearch(bench.engine, workload)
    config = WorkerConfig(
        connection=bench.connection,
        topics=names,
        group=names.posts,
        window=WindowLimits(max_in_flight=in_flight or bench.concurrency),
    )
    config = replace(config, post=replace(config.post, deadline_s=600.0))
    worker = Worker(config, processor(bench, engine, SlowSearch(latency_s), names))
    running = asyncio.create_task(worker.run())
    while worker.state.recognised + worker.state.dead_letters < workload.posts:
        if running.done():
            running.result()
        await asyncio.sleep(0.005)
    took_s = asyncio.get_running_loop().time() - engine.first_s
    if worker.state.dead_letters:
        raise RuntimeError(f"{worker.state.dead_letters} dead letters: the figures are worth nothing")
    worker.stop()
    await running
    return took_s
