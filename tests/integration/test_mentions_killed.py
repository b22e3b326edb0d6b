"""`sake worker mentions`, killed with -9 again and again: no mention is missing, every count is exact."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.kafka import Kafka
from support.mention_stream import Said, decode_mention, put, said
from support.webhook_host import KEY, webhook_host

from schemas.mentions import Mention, Revision

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

STORIES = int(os.environ.get("SAKE_FAULT_STORIES", "12"))
KILLS = int(os.environ.get("SAKE_FAULT_KILLS", "3"))
# A worker starts in three seconds; on a machine where others work it has taken half a minute.
PATIENCE_S = 240
# An hour ago: nothing that this test does takes so long that a copy comes too late for its story.
START = datetime.now(UTC) - timedelta(hours=1)
WORDS = [
    f"{first}{second}"
    for first in ("river", "lamp", "velvet", "iron")
    for second in ("moon", "gate", "ink", "ash", "wolf", "oak", "fern")
]


def stream(dice: random.Random) -> tuple[list[Said], Counter[str]]:
    """Stories and their copies, mixed, and how many posts tell each one."""
    posts: list[tuple[float, str, str]] = []
    counts: Counter[str] = Counter()
    for number in range(STORIES):
        text = "Spotify " + " ".join(dice.sample(WORDS, 9))
        first = f"story-{number}"
        at = dice.uniform(0, 60)
        counts[first] = dice.choice([1, 2, 3, 7, 20])
        posts.append((at, first, text))
        posts += [
            (at + dice.uniform(1, 60), f"{first}-copy-{copy}", f"RT @u{copy}: {text} https://t.co/{copy}")
            for copy in range(1, counts[first])
        ]
    ordered = [said(post_id, text, at=START + timedelta(seconds=at)) for at, post_id, text in sorted(posts)]
    return ordered, counts


async def test_counts_are_exact_over_kills(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create()
    dice = random.Random(int(os.environ.get("SAKE_FAULT_SEED", "7")))
    posts, counts = stream(dice)
    (tmp_path / "watch.yaml").write_text("brands: [{name: Spotify}]")
    async with webhook_host() as host:
        variables = {
            "SAKE_HOME": str(tmp_path),
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
            "SAKE_TOPICS_PREFIX": kafka.names.posts.removesuffix(".posts"),
            "SAKE_MENTIONS_GROUP": kafka.group,
            "SAKE_MENTIONS_WATCH_LIST": str(tmp_path / "watch.yaml"),
            "SAKE_MENTIONS_FOLD_IDLE_S": "4",
            "SAKE_MENTIONS_FOLD_WITHIN_S": "600",
            "SAKE_MENTIONS_WEBHOOK_URL": host.url,
            "SAKE_MENTIONS_WEBHOOK_SIGNING_KEY": KEY,
            "SAKE_MENTIONS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        log = tmp_path / "worker.log"
        shares = split(posts, KILLS + 1)
        worker = await start(variables, log)
        try:
            for share in shares[:-1]:
                before = len(await kafka.read(kafka.names.mentions_matched))
                await put(kafka, share)
                await until_matched(kafka, before + dice.randrange(1, len(share)), worker, log)
                await asyncio.sleep(dice.uniform(0, 1.5))  # commits come every second
                worker.kill()
                await worker.wait()
                worker = await start(variables, log)
            await put(kafka, shares[-1])
            found = await until_told(kafka, counts, worker, log)
            assert posts_told(found) == counts
            firsts = {each.id for each in found if each.revision is Revision.FIRST}
            async with asyncio.timeout(PATIENCE_S):
                while not firsts <= {request.headers["webhook-id"][:32] for request in host.requests}:
                    await asyncio.sleep(0.1)
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    assert len({each.id for each in found}) == STORIES
    dropped = [request for request in host.requests if request.headers["webhook-id"][:32] not in firsts]
    assert dropped == []


def story_of(mention: Mention) -> str:
    """A copy may come before its original: they lie in different partitions of the recognitions."""
    return mention.post_id.partition("-copy")[0]


def split(posts: list[Said], parts: int) -> list[list[Said]]:
    size = len(posts) // parts
    return [posts[part * size : None if part == parts - 1 else (part + 1) * size] for part in range(parts)]


async def start(variables: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SAKE_FAULT_")}
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers", "worker", "mentions"),
            stdout=output,
            stderr=output,
            env={**inherited, **variables},
        )


async def until_matched(kafka: Kafka, count: int, worker: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await kafka.read(kafka.names.mentions_matched)) < count:
            assert worker.returncode is None, log.read_text()[-3000:]
            await asyncio.sleep(0.05)


async def until_told(
    kafka: Kafka, counts: Counter[str], worker: asyncio.subprocess.Process, log: Path
) -> list[Mention]:
    """All mentions, once every post is counted and nothing new has come for eight seconds; or in the end."""
    last, still, until_s = -1, 0, time.monotonic() + PATIENCE_S
    found: list[Mention] = []
    while still < 16 and time.monotonic() < until_s:
        assert worker.returncode is None, log.read_text()[-3000:]
        found = [decode_mention(record.value) for record in await kafka.read(kafka.names.mentions)]
        told = posts_told(found)
        is_counted = all(told.get(story, 0) >= posts for story, posts in counts.items())
        still = still + 1 if is_counted and len(found) == last else 0
        last = len(found)
        await asyncio.sleep(0.5)
    return found


def posts_told(mentions: Iterable[Mention]) -> dict[str, int]:
    """The highest count that was told of each story."""
    told: dict[str, int] = {}
    for each in mentions:
        told[story_of(each)] = max(told.get(story_of(each), 0), each.posts)
    return told
