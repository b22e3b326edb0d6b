"""Replay on a real broker: everything arrives, in order, with its headers; progress is what is done."""

from __future__ import annotations

import time

import pytest
from support.kafka import Kafka

from schemas.headers import POST_EVENT, read_event
from workers.connection import KafkaConnection
from workers.lag import partition_states
from workers.rates import Pace
from workers.replaying.files import Line
from workers.replaying.sending import ReplayFailed, open_producer, replay, streamed
from workers.topics import check_topics

pytestmark = pytest.mark.integration


def lines(count: int) -> list[Line]:
    return [Line(b"p%d" % each, b'{"id": "p%d", "text": "x"}' % each) for each in range(count)]


async def test_every_line_arrives_once_with_its_event(kafka: Kafka) -> None:
    await kafka.create()
    heard: list[int] = []
    async with open_producer(kafka.connection) as producer:
        report = await replay(
            streamed(lines(1200)), producer, topic=kafka.names.posts, source="test", progress=heard.append
        )
    records = await kafka.read(kafka.names.posts)
    assert sorted(record.value for record in records) == sorted(line.value for line in lines(1200))
    assert (report.posts, heard[-1], sorted(heard)) == (1200, 1200, heard)
    event = read_event(records[0].headers)
    assert event is not None
    assert (event.type, event.source, event.id) == (POST_EVENT, "test", records[0].key.decode())


async def test_posts_of_one_key_keep_their_order(kafka: Kafka) -> None:
    await kafka.create()
    same = [Line(b"k", b"%d" % each) for each in range(300)]
    async with open_producer(kafka.connection) as producer:
        await replay(streamed(same), producer, topic=kafka.names.posts, source="test")
    assert [record.value for record in await kafka.read(kafka.names.posts)] == [each.value for each in same]


async def test_a_rate_is_kept(kafka: Kafka) -> None:
    await kafka.create()
    async with open_producer(kafka.connection) as producer:
        started = time.monotonic()
        await replay(
            streamed(lines(20)), producer, topic=kafka.names.posts, source="test", pace=Pace(per_s=20)
        )
        took_s = time.monotonic() - started
    assert 0.95 <= took_s < 3


async def test_a_line_without_a_key_is_sent_as_it_stands(kafka: Kafka) -> None:
    await kafka.create()
    async with open_producer(kafka.connection) as producer:
        await replay(streamed([Line(None, b"not json")]), producer, topic=kafka.names.posts, source="test")
    (record,) = await kafka.read(kafka.names.posts)
    assert (record.key, record.value) == (None, b"not json")


async def test_a_post_that_the_topic_refuses_is_told(kafka: Kafka) -> None:
    await kafka.create()
    large = Line(b"p", b"x" * (17 * 1024 * 1024))
    async with open_producer(kafka.connection) as producer:
        with pytest.raises(ReplayFailed, match="post p was not taken"):
            await replay(streamed([large]), producer, topic=kafka.names.posts, source="test")


async def test_without_a_broker_the_address_is_named() -> None:
    with pytest.raises(ReplayFailed, match=r"no broker answers at 127\.0\.0\.1:1"):
        async with open_producer(KafkaConnection("127.0.0.1:1")):
            pass


async def test_lag_is_what_the_group_has_not_committed(kafka: Kafka) -> None:
    await kafka.create()
    async with open_producer(kafka.connection) as producer:
        await replay(streamed(lines(50)), producer, topic=kafka.names.posts, source="test")
    partitions = await check_topics(kafka.connection, (kafka.names.posts,))
    states = await partition_states(kafka.connection, partitions, kafka.group)
    assert sum(each.offsets for each in states) == 50
    assert sum(each.lag for each in states) == 50
    assert {each.committed for each in states} == {None}
