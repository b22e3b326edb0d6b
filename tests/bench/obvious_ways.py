"""The two obvious ways to write the worker, for comparison: what a tutorial would do.

Neither is exactly once, and neither keeps the engine busy: the batch waits for its slowest post, the
loop for each one.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from engine_load import ForcedSearch, Workload
from streams import Bench, processor, published

from sake_model.deadline import Deadline
from sake_model.search.interface import Search
from workers.recognise.messages import InMessage, OutMessage
from workers.recognise.processor import PostProcessor

__all__ = ["faust_take", "one_at_a_time"]

DEADLINE_S = 600.0


async def one_at_a_time(bench: Bench, workload: Workload, engine: ForcedSearch, search: Search) -> float:
    """Plain aiokafka: take a record, work on it, send its results, commit, take the next one."""
    names = await published(bench, workload, partitions=1)
    work = processor(bench, engine, search, names)
    options = bench.connection.options()
    consumer = AIOKafkaConsumer(
        names.posts, **options, group_id=names.posts, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with AIOKafkaProducer(**options) as producer, consumer:
        for _ in range(workload.posts):
            record = await consumer.getone()
            for output in await worked(work, record):
                await producer.send_and_wait(
                    output.topic, output.value, key=output.key, headers=list(output.headers)
                )
            await consumer.commit()
        return asyncio.get_running_loop().time() - engine.first_s


async def faust_take(bench: Bench, workload: Workload, engine: ForcedSearch, search: Search) -> float:
    """A Faust agent that takes batches of the engine's concurrency and works on each at once."""
    names = await published(bench, workload, partitions=1)
    work = processor(bench, engine, search, names)
    done, count = asyncio.Event(), 0
    with TemporaryDirectory(prefix="sake-faust-") as folder:
        app = faust.App(
            names.posts,
            broker=f"kafka://{bench.connection.bootstrap_servers}",
            datadir=Path(folder),
            web_enabled=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
        )
        posts = app.topic(
            names.posts, value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw"
        )

        async def agent(stream: Any) -> None:
            nonlocal count
            async for batch in stream.take_events(bench.concurrency, within=0.5):
                results = await asyncio.gather(*(worked(work, event.message) for event in batch))
                for outputs in results:
                    for output in outputs:
                        await app.send(
                            output.topic,
                            key=output.key,
                            value=output.value,
                            headers=list(output.headers),
                            key_serializer="raw",
                            value_serializer="raw",
                        )
                count += len(batch)
                if count >= workload.posts:
                    done.set()

        app.agent(posts)(agent)
        async with app:
            await done.wait()
            return asyncio.get_running_loop().time() - engine.first_s


async def worked(work: PostProcessor, record: Any) -> tuple[OutMessage, ...]:
    """One record through the worker's own processor."""
    message = InMessage(
        topic=getattr(record, "topic", ""), partition=record.partition, offset=record.offset, timestamp_ms=0,
        key=record.key, value=record.value, headers=(),
    )  # fmt: skip
    return await work.process(message, Deadline.after(DEADLINE_S))
