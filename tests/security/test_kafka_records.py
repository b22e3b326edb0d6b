"""Records that no honest producer writes, into every worker on a real broker: each ends as a dead letter or
is passed over, and what comes behind it on its partition is worked on as ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson
import pytest
from support.hostile_records import hostile, put_raw
from support.instant_worker import instant_processor
from support.kafka import Kafka, running_kafka
from support.mention_stream import decode_mention, put, said
from support.records import mention, recognition, trend
from support.trends_run import trends_process
from support.webhook_host import KEY, webhook_host

from schemas.codec import encode
from schemas.deadletters import DeadLetter
from schemas.posts import Post
from schemas.recognitions import entity_records
from workers.commands.console import open_console
from workers.console.settings import ConsoleSettings
from workers.mentions.config import FoldLimits, MatchConfig, MentionSettings
from workers.mentions.records import Matched
from workers.mentions.service import MentionsConfig, MentionsWorker
from workers.mentions.webhook_config import WebhookSettings
from workers.recognise import Worker
from workers.recognise.letters import DeadLetterLimits
from workers.settings import KafkaSettings, Settings, TopicSettings, WorkerSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

PATIENCE_S = 150
POST = encode(
    Post(
        id="p1",
        text="Messi joined PSG in Paris",
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        source="example",
        lang="en",
    )
)


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    async with running_kafka(tmp_path / "broker") as one:
        await one.create(partitions=1)
        yield one


async def test_the_recogniser_buries_what_is_no_post_and_recognises_the_rest(kafka: Kafka) -> None:
    records = [
        *hostile(POST, most_bytes=4_000_000),
        (b"last", encode(Post(id="last", text="the last one")), ()),
    ]
    total = await put_raw(kafka, kafka.names.posts, records)
    config = kafka.config(letters=DeadLetterLimits(max_consecutive=0, max_ratio=1))
    worker = Worker(config, instant_processor(kafka.names))
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while worker.state.recognised + worker.state.dead_letters < total:
                assert not running.done(), worker.state.stopped_because
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await running
    assert await kafka.committed() == {0: total}
    found = await kafka.read(kafka.names.recognitions)
    dead = await kafka.read(kafka.names.dead_letters)
    letters = [DeadLetter.read(one.key, one.value, one.headers) for one in dead]
    offsets = {letter.why.offset for letter in letters}
    assert len(offsets) == len(dead) == total - len(found)
    for letter in letters:
        key, value, _ = records[letter.why.offset]
        assert (letter.key, letter.value) == (key, value)
    reasons = Counter(letter.why.reason for letter in letters)
    assert reasons.keys() == {"not_json", "not_the_schema", "duplicate_key"}
    assert orjson.loads(found[-1].value)["post_id"] == "last"


async def test_trends_pass_over_what_is_no_entity_and_count_the_rest(kafka: Kafka, tmp_path: Path) -> None:
    (good, *_) = entity_records(recognition())
    total = await put_raw(kafka, kafka.names.entities, hostile(encode(good)))
    async with trends_process(kafka, tmp_path / "one") as worker:
        await worker.until_seen(total, within_s=PATIENCE_S)
        total += await put_raw(kafka, kafka.names.entities, [(b"spotify", encode(good), ())] * 5)
        await worker.until_seen(total, within_s=PATIENCE_S)
        await worker.until_quiet()
        assert await worker.terminate() == 0
    counted = [orjson.loads(record.value) for record in await kafka.read(kafka.names.trends)]
    assert max(one["mentions"] for one in counted if one["name"] == "spotify") >= 5


async def test_mentions_and_the_webhook_go_on(kafka: Kafka, tmp_path: Path) -> None:
    names = kafka.names
    for topic, good in (
        (names.recognitions, recognition()),
        (names.mentions_matched, Matched(mention=mention())),
        (names.mentions, mention()),
    ):
        await put_raw(kafka, topic, hostile(encode(good)))
    watch = tmp_path / "watch.yaml"
    watch.write_text("brands: [{name: Zanzibar}]")
    async with webhook_host() as hook:
        webhook = WebhookSettings(url=hook.url, signing_key=KEY, allow_networks=("127.0.0.1/32",))
        settings = MentionSettings(watch_list=watch, fold=FoldLimits(within_s=600), webhook=webhook)
        match = MatchConfig(
            kafka.connection,
            names,
            group=kafka.group,
            letters=DeadLetterLimits(max_consecutive=0, max_ratio=1),
        )
        worker = MentionsWorker(MentionsConfig(match, settings, tmp_path / "faust"))
        running = asyncio.create_task(worker.run())
        try:
            await put(kafka, [said("z1", "off to Zanzibar at last", name="Zanzibar")])
            async with asyncio.timeout(PATIENCE_S):
                while not any(b"Zanzibar" in request.body for request in hook.requests):
                    assert not running.done(), running.exception()
                    await asyncio.sleep(0.1)
        finally:
            worker.stop()
            await asyncio.wait_for(running, PATIENCE_S)
    brands = {
        decode_mention(one.value).brand for one in await kafka.read(names.mentions) if is_zanzibar(one.value)
    }
    assert brands == {"Zanzibar"}


def is_zanzibar(value: bytes | None) -> bool:
    return b'"brand":"Zanzibar"' in (value or b"")


async def test_the_console_goes_on_showing(kafka: Kafka) -> None:
    names = kafka.names
    for topic, good in (
        (names.posts, POST),
        (names.recognitions, encode(recognition())),
        (names.trends, encode(trend())),
        (names.mentions, encode(mention())),
        (names.dead_letters, POST),
    ):
        await put_raw(kafka, topic, hostile(good))
    settings = Settings(
        console=ConsoleSettings(shown_per_s=1000),
        kafka=KafkaSettings(bootstrap_servers=kafka.connection.bootstrap_servers),
        topics=TopicSettings(prefix=names.posts.removesuffix(".posts")),
        worker=WorkerSettings(group=kafka.group),
    )
    async with AsyncExitStack() as stack:
        running = await open_console(settings, stack, port=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(read_bufsize=2**24))
        page = await stack.enter_async_context(http.get(f"{running.address}events"))
        await put(kafka, [said("z1", "off to Zanzibar at last", name="Zanzibar")])
        async with asyncio.timeout(PATIENCE_S):
            async for line in page.content:
                if b"off to " in line and b"Zanzibar" in line:
                    break
                assert not running.work.done()
        assert not running.work.done()
