"""The console on a real broker: what flows through the topics stands on the page's stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from support.console_stream import letters, mention_of, own_stream, trends
from support.kafka import Kafka

from schemas.codec import encode
from workers.commands.console import open_console
from workers.console import reader
from workers.console.settings import ConsoleSettings
from workers.replaying.sending import open_producer
from workers.settings import KafkaSettings, Settings, TopicSettings, WorkerSettings
from workers.topics import create_topic

pytestmark = pytest.mark.integration

STREAM = own_stream()


def settings_of(kafka: Kafka) -> Settings:
    """Every post is shown: what is left out of a quick stream is told in the tests of sampling."""
    return Settings(
        console=ConsoleSettings(shown_per_s=100),
        kafka=KafkaSettings(bootstrap_servers=kafka.connection.bootstrap_servers),
        topics=TopicSettings(prefix=kafka.names.posts.removesuffix(".posts")),
        worker=WorkerSettings(group=kafka.group),
    )


class Page:
    """Reads server-sent events as a browser does; every event is asked for once, in any order."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._lines = response.content
        self._waiting: list[tuple[str, Any]] = []
        self.last_id = ""

    async def until(self, wanted: str, holds: Callable[[Any], bool] = lambda data: True) -> Any:
        """The data of the first such event that holds and was not asked for yet."""
        async with asyncio.timeout(40):
            while True:
                for number, (name, data) in enumerate(self._waiting):
                    if name == wanted and holds(data):
                        del self._waiting[number]
                        return data
                self._waiting.append(await self._next())

    async def cards(self, ids: set[str]) -> dict[str, Any]:
        """The cards of these posts, once all are there, and nothing but them."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(40):
            while found.keys() != ids:
                assert found.keys() < ids
                name, data = await self._next()
                if name in ("posts", "history"):
                    found |= {card["id"]: card for card in data}
                else:
                    self._waiting.append((name, data))
        return found

    def forget(self) -> None:
        """What came so far is of no interest."""
        self._waiting.clear()

    async def _next(self) -> tuple[str, Any]:
        name = ""
        async for raw in self._lines:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                self.last_id = value
            elif field == "data":
                return name, orjson.loads(value)
        raise AssertionError("the stream ended")


@asynccontextmanager
async def page(address: str, query: str = "", last_id: str = "") -> AsyncIterator[Page]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{address}events{query}", headers=headers) as response,
    ):
        assert response.status == 200
        yield Page(response)


def is_ok(broker: dict[str, Any]) -> bool:
    return bool(broker["state"] == "ok")


async def send(producer: AIOKafkaProducer, kafka: Kafka, number: int, *, halves: str = "both") -> None:
    shown = STREAM[number]
    key = shown.post.id.encode()
    if halves in ("both", "post"):
        await producer.send_and_wait(kafka.names.posts, key=key, value=msgspec.json.encode(shown.post))
    if halves in ("both", "recognition"):
        await producer.send_and_wait(kafka.names.recognitions, key=key, value=encode(shown.recognition))


@pytest.fixture
async def console(kafka: Kafka) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        yield (await open_console(settings_of(kafka), stack, port=0)).address


async def test_what_is_there_already_is_shown_at_once_and_what_comes_follows(kafka: Kafka) -> None:
    await kafka.create()
    async with open_producer(kafka.connection) as producer, AsyncExitStack() as stack:
        for number in range(3):
            await send(producer, kafka, number)
        address = (await open_console(settings_of(kafka), stack, port=0)).address
        ids = [shown.post.id for shown in STREAM]
        async with page(address) as one:
            await one.cards(set(ids[:3]))
        async with page(address) as one:  # opened later: out of the console's memory
            assert {card["id"] for card in await one.until("history")} == set(ids[:3])
            await send(producer, kafka, 3, halves="recognition")
            await send(producer, kafka, 3, halves="post")
            card = (await one.cards({ids[3]}))[ids[3]]
            said = "".join(part if isinstance(part, str) else part[0] for part in card["parts"])
            assert said == STREAM[3].post.text


async def test_a_page_that_comes_back_goes_on_where_it_was(kafka: Kafka, console: str) -> None:
    await kafka.create()
    ids = [shown.post.id for shown in STREAM]
    async with open_producer(kafka.connection) as producer:
        async with page(console) as one:
            await one.until("broker", is_ok)
            await send(producer, kafka, 0)
            await one.cards({ids[0]})
            last_id = one.last_id
        await send(producer, kafka, 1)
        async with page(console, last_id=last_id) as one:
            await one.cards({ids[1]})  # and not the one that it had seen


async def test_trends_mentions_and_dead_letters_have_their_panels(kafka: Kafka, console: str) -> None:
    await kafka.create()
    starbucks = next(one for one in STREAM if "starbucks" in one.post.id)
    async with open_producer(kafka.connection) as producer, page(console) as one:
        await one.until("broker", is_ok)
        for trend in trends(windows=3):
            await producer.send_and_wait(kafka.names.trends, key=trend.key.encode(), value=encode(trend))
        mention = mention_of(starbucks, "Starbucks")
        await producer.send_and_wait(kafka.names.mentions, key=b"starbucks", value=encode(mention))
        for letter in letters():
            await producer.send_and_wait(
                kafka.names.dead_letters,
                key=letter.key,
                value=letter.value,
                headers=list(letter.kafka_headers()),
            )
        await one.until("rising", lambda data: {each["length_s"] for each in data["windows"]} == {60, 300})
        (row,) = (await one.until("mentions"))["mentions"]
        assert row["brand"] == "Starbucks"
        told = await one.until("letters", lambda data: len(data["letters"]) == 3)
        assert {each["reason"] for each in told["letters"]} == {"not_json", "not_the_schema", "duplicate_key"}
        async with aiohttp.ClientSession() as http, http.get(console + row["crop"]["src"]) as answer:
            assert answer.status == 200
            assert answer.content_type in ("image/jpeg", "image/png")


async def test_the_group_of_the_workers_is_asked_and_left_as_it_is(kafka: Kafka, console: str) -> None:
    await kafka.create()
    async with open_producer(kafka.connection) as producer, page(console) as one:
        await one.until("lag", lambda data: data["group"] == kafka.group and data["posts"] is None)
        await send(producer, kafka, 0)
        await one.cards({STREAM[0].post.id})
    assert await kafka.committed() == {}


async def test_a_broker_that_goes_is_told_and_found_again(kafka: Kafka, console: str) -> None:
    if kafka.broker is None:
        pytest.skip("an outside broker is not restarted")
    await kafka.create()
    async with page(console) as one:
        await one.until("broker", is_ok)
        one.forget()
        await kafka.broker.stop()
        lost = await one.until("broker", lambda data: data["state"] == "lost")
        assert lost["why"]
        await kafka.broker.start()
        await one.until("broker", is_ok)
        async with open_producer(kafka.connection) as producer:
            await send(producer, kafka, 0)
        await one.cards({STREAM[0].post.id})


async def test_topics_that_are_made_later_are_read_too(
    kafka: Kafka, console: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "TOPICS_S", 0.2)
    names = kafka.names
    for name in (names.posts, names.recognitions, names.dead_letters):
        await create_topic(kafka.connection, name)
    starbucks = next(one for one in STREAM if "starbucks" in one.post.id)
    mention = mention_of(starbucks, "Starbucks")
    async with page(console) as one:
        await one.until("broker", is_ok)
        one.forget()
        await create_topic(kafka.connection, names.mentions)
        async with open_producer(kafka.connection) as producer:
            await producer.send_and_wait(names.mentions, key=b"starbucks", value=encode(mention))
        (row,) = (await one.until("mentions"))["mentions"]
        assert row["brand"] == "Starbucks"
        assert not [data for name, data in one._waiting if name == "broker" and data["state"] == "lost"]
