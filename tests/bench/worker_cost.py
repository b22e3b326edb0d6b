"""What the worker costs where the engine costs nothing: posts/s beside a bare loop, µs a post by stage.

The bare loop is the least that anybody would write: aiokafka, one transaction for each batch that a
poll gave, sending exactly the records that the worker sends for the same posts. Both run in this
process, one after the other, on the same broker and the same posts; each is measured `--runs` times.

    python tests/bench/worker_cost.py [--posts 20000] [--runs 3]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import runpy
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from PIL import Image

from sake_model.deadline import Deadline
from sake_model.grounding import ResizeLimits
from schemas.codec import decode_post
from schemas.headers import fill_from_event
from schemas.invariants import check_recognition
from schemas.posts import ImageSource
from workers.fetch import FetchLimits, PictureSource, PostPictures
from workers.recognise import InMessage, OutMessage, Worker
from workers.recognise.letters import DeadLetterLimits
from workers.recognise.messages import Processor
from workers.topics import TopicNames

runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))  # makes `support` importable

from support.instant_worker import instant_processor, instant_recogniser
from support.kafka import Kafka, running_kafka
from support.post_stream import known_posts

Outputs = dict[bytes | None, tuple[OutMessage, ...]]
"""The records of each post, by its key."""

PARTITIONS = 4
PICTURE_SIDE_PX = 1000  # one megapixel
PICTURES_TIMED = 20


@dataclass(frozen=True, slots=True)
class Replayed:
    """A processor that gives back records that were made before: what Kafka and the window cost."""

    outputs: Outputs

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        return self.outputs[message.key]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    posts = known_posts(options.posts, seed=1, bad_share=0.0)
    with tempfile.TemporaryDirectory(prefix="sake-bench-") as folder:
        async with running_kafka(Path(folder)) as kafka:
            await kafka.create(PARTITIONS)
            await kafka.produce(post.record for post in posts)
            messages = [
                InMessage(kafka.names.posts, 0, offset, 0, post.key, post.value, post.record[2])
                for offset, post in enumerate(posts)
            ]
            outputs = await made_before(kafka.names, messages)
            sent = [output for records in outputs.values() for output in records]
            print(
                f"{len(posts)} posts of {statistics.fmean(len(post.value) for post in posts):.0f} bytes, "
                f"{len(sent) / len(posts):.1f} records each, {PARTITIONS} partitions\n"
            )
            bare = await median_of(options.runs, lambda: bare_loop(kafka, outputs))
            core = await median_of(options.runs, lambda: worker_run(kafka, Replayed(outputs), len(posts)))
            full = await median_of(
                options.runs, lambda: worker_run(kafka, instant_processor(kafka.names), len(posts))
            )
            report(bare, core, full, len(posts))
            print("\nµs a post, each stage by itself:")
            for name, cost_us in (await stages(kafka.names, messages[:2000])).items():
                print(f"  {name:28}{cost_us:9.1f}")
            print(f"  {'commit (window, Kafka)':28}{core / len(posts) * 1e6:9.1f}")
            print(f"  {'picture, one megapixel':28}{await picture_us():9.1f}   (posts with one; in threads)")


def report(bare: float, core: float, full: float, posts: int) -> None:
    for name, took_s in (
        ("bare loop", bare),
        ("worker, records made before", core),
        ("worker, all of it", full),
    ):
        print(f"{name:30}{posts / took_s:9.0f} posts/s   {bare / took_s:5.2f} of the bare loop")


async def median_of(runs: int, run: Callable[[], Awaitable[float]]) -> float:
    """Seconds of the median run."""
    return statistics.median([await run() for _ in range(runs)])


async def made_before(names: TopicNames, messages: Sequence[InMessage]) -> Outputs:
    processor = instant_processor(names)
    return {message.key: await processor.process(message, Deadline.after(60)) for message in messages}


async def bare_loop(kafka: Kafka, outputs: Outputs) -> float:
    """Seconds from the first record to the last commit."""
    group = f"bare-{uuid.uuid4().hex}"
    consumer = AIOKafkaConsumer(
        kafka.names.posts,
        **kafka.connection.options(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    producer = AIOKafkaProducer(**kafka.connection.options(), transactional_id=group)
    await producer.start()
    await consumer.start()
    try:
        left, started_s = len(outputs), 0.0
        while left:
            batch = await consumer.getmany(timeout_ms=1000, max_records=500)
            started_s = started_s or time.perf_counter()
            if not batch:
                continue
            async with producer.transaction():
                for records in batch.values():
                    for record in records:
                        for out in outputs[record.key]:
                            await producer.send(
                                out.topic, key=out.key, value=out.value, headers=list(out.headers)
                            )
                offsets = {partition: records[-1].offset + 1 for partition, records in batch.items()}
                await producer.send_offsets_to_transaction(offsets, group)
            left -= sum(map(len, batch.values()))
        return time.perf_counter() - started_s
    finally:
        await consumer.stop()
        await producer.stop()


async def worker_run(kafka: Kafka, processor: Processor, posts: int) -> float:
    """Seconds from the first post taken into work to the last commit."""
    config = replace(
        kafka.config(letters=DeadLetterLimits(max_consecutive=1)), group=f"worker-{uuid.uuid4().hex}"
    )
    worker = Worker(config, processor)
    task = asyncio.create_task(worker.run())
    while not worker.state.consumed:
        await asyncio.sleep(0.001)
    started_s = time.perf_counter()
    while worker.state.recognised < posts:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    took_s = time.perf_counter() - started_s
    worker.stop()
    await task
    return took_s


async def stages(names: TopicNames, messages: Sequence[InMessage]) -> dict[str, float]:
    """Microseconds a post of each stage alone."""
    recogniser = instant_recogniser()
    started = time.perf_counter()
    posts = [fill_from_event(decode_post(message.value), message.headers) for message in messages]
    decoded = time.perf_counter()
    found = [await recogniser.recognise(post, None, None, Deadline.after(60)) for post in posts]
    recognised = time.perf_counter()
    processor = instant_processor(names)
    for message, post, recognition in zip(messages, posts, found, strict=True):
        check_recognition(recognition, post)
        processor.records(message, recognition)
    recorded = time.perf_counter()
    scale = 1e6 / len(messages)
    return {
        "decode": (decoded - started) * scale,
        "dialogue (instant engine)": (recognised - decoded) * scale,
        "record": (recorded - recognised) * scale,
    }


async def picture_us() -> float:
    """Microseconds to decode and resize one megapixel of JPEG that came inside its post."""
    raw = io.BytesIO()
    Image.effect_noise((PICTURE_SIDE_PX, PICTURE_SIDE_PX), 60).convert("RGB").save(raw, "JPEG")
    source = ImageSource(data=base64.b64encode(raw.getvalue()).decode())
    limits = FetchLimits()
    pictures = PostPictures(PictureSource(limits), ResizeLimits(), limits)
    try:
        started = time.perf_counter()
        for _ in range(PICTURES_TIMED):
            picture, facts = await pictures.get(source, Deadline.after(60))
            assert picture is not None, facts.missing
        return (time.perf_counter() - started) / PICTURES_TIMED * 1e6
    finally:
        await pictures.close()


if __name__ == "__main__":
    asyncio.run(main())
