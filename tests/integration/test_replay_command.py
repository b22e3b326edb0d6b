"""`sake replay` of a topic as a person runs it: stopped, killed, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from support.kafka import Kafka

from workers.topics import TopicShape, create_topic

pytestmark = pytest.mark.integration

POSTS = 200
GAP_MS = 50


@pytest.fixture
async def source(kafka: Kafka, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kafka:
    """200 posts of 10 s on the posts' topic, and the settings that lead there."""
    monkeypatch.setenv("SAKE_KAFKA_BOOTSTRAP_SERVERS", kafka.connection.bootstrap_servers)
    monkeypatch.setenv("SAKE_TOPICS_PREFIX", kafka.names.posts.removesuffix(".posts"))
    monkeypatch.chdir(tmp_path)
    await kafka.create(partitions=2)
    producer = AIOKafkaProducer(**kafka.connection.options(), linger_ms=5)
    await producer.start()
    start_ms = round(time.time() * 1000) - 60_000
    for number in range(POSTS):
        await producer.send(
            kafka.names.posts,
            value=b"%d" % number,
            key=b"k",
            partition=number % 2,
            timestamp_ms=start_ms + GAP_MS * number,
        )
    await producer.stop()
    return kafka


async def started(*options: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "workers", "replay", *options)
    return await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, Any, str]:
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, orjson.loads(out) if out.startswith(b"{") else out.decode(), err.decode()


async def until_there_are(kafka: Kafka, topic: str, records: int) -> None:
    async with asyncio.timeout(60):
        while len(await values(kafka, topic)) < records:
            await asyncio.sleep(0.1)


async def values(kafka: Kafka, topic: str) -> list[bytes]:
    return [record.value for record in await kafka.read(topic)]


async def test_stopped_killed_and_started_again_it_sends_every_post_once(source: Kafka) -> None:
    target = source.names.posts + ".again"
    await create_topic(source.connection, target, TopicShape(partitions=2))
    options = (source.names.posts, "--to", target, "--rate", "2x", "--json")
    await (await started("--help")).communicate()  # what Python compiles once
    process = await started(*options)
    await until_there_are(source, target, 10)
    process.terminate()
    code, report, _ = await ended(process)
    assert (code, report["stopped"], report["complete"]) == (130, True, False)
    assert len(await values(source, target)) == report["posts"] < POSTS

    process = await started(*options)
    await until_there_are(source, target, report["posts"] + 10)
    process.send_signal(signal.SIGKILL)
    await process.communicate()

    code, report, screen = await ended(await started(*options))
    assert (code, report["stopped"], report["complete"], report["resumed"]) == (0, False, True, True)
    assert (report["offsets"]["before"] + report["posts"], report["rate"]) == (POSTS, "2x")
    assert f"{target} " in screen
    assert await values(source, target) == await values(source, source.names.posts)

    code, report, _ = await ended(await started(*options[:3], "--rate", "max", "--json"))
    assert (code, report["posts"], report["complete"]) == (0, 0, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "cannot be replayed onto itself: name another topic with --to"),
        (("--to", "other", "--from", "yesterday"), "--from yesterday: give a time such as"),
        (("--to", "other", "--rate", "fast"), "--rate fast: give 1x, 10x"),
    ],
)
async def test_a_call_that_is_wrong_is_refused(source: Kafka, options: tuple[str, ...], told: str) -> None:
    code, _, err = await ended(await started(source.names.posts, *options))
    assert (code, told in " ".join(err.split())) == (2, True)


async def test_a_topic_that_is_not_there_is_named(source: Kafka) -> None:
    code, _, err = await ended(await started("no.such.topic", "--to", "other"))
    assert (code, "no.such.topic" in err) == (2, True)


async def test_a_part_of_a_file(source: Kafka, tmp_path: Path) -> None:
    lines = [f'{{"id": "f{number}", "text": "x"}}' for number in range(10)]
    (tmp_path / "posts.jsonl").write_text("\n".join(lines))
    options = ("--to", source.names.mentions, "--from", "3", "--until", "8", "--limit", "4", "--json")
    code, report, _ = await ended(await started("posts.jsonl", *options))
    assert (code, report["posts"], report["stopped"]) == (0, 4, False)
    found = sorted(record.key for record in await source.read(source.names.mentions))
    assert found == [b"f3", b"f4", b"f5", b"f6"]


async def test_what_a_source_has_is_told_where_nothing_of_it_was_asked_for(
    source: Kafka, tmp_path: Path
) -> None:
    _, screen, _ = await ended(await started(source.names.posts, "--to", "other", "--from", "500"))
    assert screen.startswith("0 posts to other in")
    assert "; its partitions and offsets: 0:0 to 99, 1:0 to 99" in screen
    (tmp_path / "posts.jsonl").write_text('{"id": "f", "text": "x"}')
    _, screen, _ = await ended(await started("posts.jsonl", "--to", "other", "--from", "3"))
    assert "posts.jsonl has nothing between --from and --until; it has 1 posts, counted from 0" in screen
