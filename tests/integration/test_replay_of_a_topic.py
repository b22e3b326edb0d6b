"""A topic replayed onto another on a real broker: what came, as it came, once."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata
from support.kafka import Kafka

from schemas.errors import OperatorError
from workers.rates import Pace
from workers.replaying.bounds import Bounds, parse_bound
from workers.replaying.topics import Replay, TopicReport, replay_topic
from workers.topics import TopicShape, create_topic, describe_topics

pytestmark = pytest.mark.integration

# Brokers delete what is a week old by its own time.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
START_MS = round(START.timestamp() * 1000)
WHOLE = Bounds()


def at(after_s: float, zone: timezone = UTC) -> str:
    moment = (START + timedelta(seconds=after_s)).astimezone(zone)
    return moment.replace(tzinfo=None).isoformat() if zone is UTC else moment.isoformat()


async def record(kafka: Kafka, posts: int = 300, *, partitions: int = 3, gap_ms: int = 10) -> None:
    """Posts on the posts' topic, `gap_ms` apart, over its partitions in turn."""
    await kafka.create(partitions=partitions)
    producer = AIOKafkaProducer(**kafka.connection.options(), enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sent = [
            await producer.send(
                kafka.names.posts,
                key=None if number % 7 == 0 else b"k%d" % (number % 5),
                value=None if number % 11 == 10 and number % 7 else b'{"id": "%d"}' % number,
                headers=[("n", b"%d" % number), ("empty", b""), ("n", b"again")],
                partition=number % partitions,
                timestamp_ms=START_MS + gap_ms * number,
            )
            for number in range(posts)
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def target(kafka: Kafka) -> str:
    return kafka.names.posts.replace("posts", "again")


async def replayed(
    kafka: Kafka,
    *,
    bounds: Bounds = WHOLE,
    pace: Pace = Pace(),
    stop: asyncio.Event | None = None,
    **how: Any,
) -> TopicReport:
    what = Replay(kafka.names.posts, target(kafka), bounds)
    return await replay_topic(kafka.connection, what, pace=pace, stop=stop or asyncio.Event(), **how)


def as_it_is(record: Any) -> tuple[Any, ...]:
    return record.partition, record.timestamp, record.key, record.value, tuple(record.headers)


async def all_of(kafka: Kafka, topic: str) -> list[tuple[Any, ...]]:
    return [as_it_is(each) for each in await kafka.read(topic)]


async def test_everything_of_a_record_is_kept_and_the_order_of_its_partition(kafka: Kafka) -> None:
    await record(kafka)
    report = await replayed(kafka)
    assert (report.posts, report.target_made, report.offsets_left, report.resumed) == (300, True, 0, False)
    assert await all_of(kafka, target(kafka)) == await all_of(kafka, kafka.names.posts)


async def test_partitions_come_merged_by_time(kafka: Kafka) -> None:
    await record(kafka)
    await create_topic(kafka.connection, target(kafka), TopicShape(partitions=1))
    await replayed(kafka)
    times = [each[1] for each in await all_of(kafka, target(kafka))]
    assert times == [START_MS + 10 * number for number in range(300)]


async def test_fewer_partitions_still_keep_the_order_of_each(kafka: Kafka) -> None:
    await record(kafka)
    await create_topic(kafka.connection, target(kafka), TopicShape(partitions=2))
    await replayed(kafka)
    source, found = await all_of(kafka, kafka.names.posts), await all_of(kafka, target(kafka))
    assert len(found) == len(source)
    for number in range(3):
        wanted = [each[1:] for each in source if each[0] == number]
        assert [each[1:] for each in found if each[1:] in wanted and each[0] == number % 2] == wanted


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        (at(1), at(2), range(100, 200)),
        ("10", None, range(30, 300)),
        (None, "0:5,2:0", [*range(0, 15, 3), *range(1, 300, 3)]),
        (at(2, zone=timezone(timedelta(hours=5))), "2099-01-01", range(200, 300)),
        ("90", "80", ()),
    ],
)
async def test_a_part_is_named_by_times_or_offsets(
    kafka: Kafka, start: str | None, end: str | None, numbers: Any
) -> None:
    await record(kafka)
    bounds = Bounds(parse_bound("--from", start), parse_bound("--until", end))
    report = await replayed(kafka, bounds=bounds)
    found = sorted(each[1] for each in await all_of(kafka, target(kafka)))
    assert found == sorted(START_MS + 10 * number for number in numbers)
    assert report.offsets_left == 0


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (
            "500",
            None,
            "between --from and --until; its partitions and offsets: 0:0 to 99, 1:0 to 99, 2:0 to 99",
        ),
        ("2090-01-01", None, f"between --from and --until; its records are of {at(0)}Z to {at(2)}Z"),
        (None, "1999-01-01", f"{at(0)}Z to {at(2)}Z (a time without a zone is taken as UTC)"),
    ],
)
async def test_bounds_that_leave_nothing_are_told_with_what_there_is(
    kafka: Kafka, start: str | None, end: str | None, told: str
) -> None:
    await record(kafka)
    bounds = Bounds(parse_bound("--from", start), parse_bound("--until", end))
    report = await replayed(kafka, bounds=bounds)
    assert (report.posts, report.offsets_left) == (0, 0)
    assert told in report.nothing


async def test_an_empty_topic_is_told_and_one_that_is_replayed_is_not(kafka: Kafka) -> None:
    await record(kafka, posts=0)
    assert (await replayed(kafka)).nothing == f"{kafka.names.posts} is empty"
    await record(kafka, posts=3)
    assert (await replayed(kafka)).nothing == ""


async def test_gaps_are_kept_at_a_rate(kafka: Kafka) -> None:
    await record(kafka, posts=5, gap_ms=2000)
    await create_topic(kafka.connection, target(kafka), TopicShape(partitions=1))
    consumer = AIOKafkaConsumer(
        **kafka.connection.options(), isolation_level="read_committed", fetch_max_wait_ms=10
    )
    await consumer.start()
    place = TopicPartition(target(kafka), 0)
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    work = asyncio.create_task(replayed(kafka, pace=Pace(times=5)))
    came = []
    try:
        for _ in range(5):
            await consumer.getone()
            came.append(time.monotonic())
    finally:
        await consumer.stop()
    report = await work
    gaps = [later - earlier for earlier, later in pairwise(came)]
    assert gaps == [pytest.approx(0.4, abs=0.1)] * 4
    assert report.lateness.percentile(1) < 200


async def test_stopped_it_goes_on_where_it_was(kafka: Kafka) -> None:
    await record(kafka, posts=400, gap_ms=10)
    stop = asyncio.Event()
    first = asyncio.create_task(replayed(kafka, pace=Pace(times=2), stop=stop))
    while len(await all_of(kafka, target(kafka))) < 20 if target(kafka) in await topics(kafka) else True:
        await asyncio.sleep(0.02)
    stop.set()
    stopped = await first
    assert 20 <= stopped.posts < 400
    assert stopped.offsets_left == 400 - stopped.posts
    assert len(await all_of(kafka, target(kafka))) == stopped.posts
    rest = await replayed(kafka)
    assert (rest.posts, rest.resumed, rest.offsets_before) == (400 - stopped.posts, True, stopped.posts)
    assert await all_of(kafka, target(kafka)) == await all_of(kafka, kafka.names.posts)


async def topics(kafka: Kafka) -> dict[str, int]:
    return await describe_topics(kafka.connection)


async def test_in_bites(kafka: Kafka) -> None:
    await record(kafka)
    left = [(await replayed(kafka, limit=120)).offsets_left for _ in range(3)]
    assert left == [180, 60, 0]
    assert await all_of(kafka, target(kafka)) == await all_of(kafka, kafka.names.posts)


async def test_once_complete_it_takes_what_was_added_and_only_that(kafka: Kafka) -> None:
    await record(kafka, posts=30)
    await replayed(kafka)
    assert ((await replayed(kafka)).posts, len(await kafka.read(target(kafka)))) == (0, 30)
    await kafka.produce([(b"new", b"{}", ())])
    assert (await replayed(kafka)).posts == 1
    bounded = Bounds(end=parse_bound("--until", "5"))
    assert ((await replayed(kafka, bounds=bounded)).posts, (await replayed(kafka, bounds=bounded)).posts) == (
        15,
        0,
    )


async def test_again_starts_from_the_beginning(kafka: Kafka) -> None:
    await record(kafka, posts=30)
    await replayed(kafka)
    again = await replayed(kafka, again=True, limit=10)
    assert (again.posts, again.resumed, again.offsets_left) == (10, False, 20)
    assert (await replayed(kafka)).posts == 20
    assert len(await kafka.read(target(kafka))) == 60


async def test_a_replay_to_another_topic_or_of_another_part_has_a_progress_of_its_own(kafka: Kafka) -> None:
    whole = Replay("a", "b")
    part = Replay("a", "b", Bounds(start=parse_bound("--from", "0")))
    assert len({whole.group, part.group, Replay("a", "c").group, Replay("b", "a").group}) == 4
    assert whole.group == Replay("a", "b").group


async def test_a_topic_is_not_replayed_onto_itself() -> None:
    with pytest.raises(OperatorError, match="a cannot be replayed onto itself: name another topic with --to"):
        Replay("a", "a")


async def test_the_offsets_of_the_live_group_stay_as_they_are(kafka: Kafka) -> None:
    await record(kafka)
    live = AIOKafkaConsumer(
        kafka.names.posts,
        **kafka.connection.options(),
        group_id=kafka.group,
        group_instance_id="live",
        enable_auto_commit=False,
    )
    await live.start()
    try:
        offsets = {TopicPartition(kafka.names.posts, number): 10 * number + 1 for number in range(3)}
        await live.commit({place: OffsetAndMetadata(offset, "") for place, offset in offsets.items()})
        before = await kafka.committed()
        assigned = live.assignment()
        await replayed(kafka)
        await replayed(kafka, again=True)
        assert await kafka.committed() == before == {0: 1, 1: 11, 2: 21}
        assert live.assignment() == assigned == set(offsets)
    finally:
        await live.stop()


async def test_two_runs_of_one_replay_do_not_double_it(kafka: Kafka) -> None:
    await record(kafka, gap_ms=10)
    slow = asyncio.create_task(replayed(kafka, pace=Pace(times=1)))
    while target(kafka) not in await topics(kafka) or not await kafka.read(target(kafka)):
        await asyncio.sleep(0.02)
    await replayed(kafka)
    with pytest.raises(OperatorError, match="another run of the same replay has taken over"):
        await slow
    assert await all_of(kafka, target(kafka)) == await all_of(kafka, kafka.names.posts)


class NoBounds(Bounds):
    """Where they lie turns out to be a mistake of the operator's."""

    async def resolve(self, *_: Any) -> Any:
        raise OperatorError("name another beginning")


async def test_a_mistake_that_shows_while_the_source_is_open_ends_the_replay(kafka: Kafka) -> None:
    await record(kafka, posts=3)
    what = Replay(kafka.names.posts, target(kafka), NoBounds())
    with pytest.raises(OperatorError, match="name another beginning"):
        async with asyncio.timeout(20):
            await replay_topic(kafka.connection, what, pace=Pace(), stop=asyncio.Event())


async def test_a_source_that_was_made_anew_is_told(kafka: Kafka) -> None:
    await record(kafka, posts=30)
    await replayed(kafka)
    what = Replay(kafka.names.posts, target(kafka))
    consumer = AIOKafkaConsumer(**kafka.connection.options(), group_id=what.group, enable_auto_commit=False)
    await consumer.start()
    place = TopicPartition(kafka.names.posts, 0)
    consumer.assign([place])
    await consumer.commit({place: OffsetAndMetadata(11, "")})
    await consumer.stop()
    with pytest.raises(OperatorError, match="it was made anew: replay it from the beginning with --again"):
        await replayed(kafka)
    assert (await replayed(kafka, again=True)).posts == 30


async def test_a_record_larger_than_a_batch_travels(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    large = b"x" * (5 * 1024 * 1024)
    await kafka.produce([(b"k", large, ()), (b"k", b"small", ()), (b"k", large, ())])
    report = await replayed(kafka)
    assert (report.posts, report.value_bytes) == (3, 2 * len(large) + 5)
    assert [each.value for each in await kafka.read(target(kafka))] == [large, b"small", large]


async def test_a_topic_without_the_records_times_is_replayed_at_once(kafka: Kafka) -> None:
    """Posts of one moment are due together, whatever the rate."""
    await record(kafka, posts=30, gap_ms=0)
    assert (await replayed(kafka, pace=Pace(times=0.001))).posts == 30


async def test_records_that_the_target_will_soon_delete_are_counted(kafka: Kafka) -> None:
    """A topic that a replay makes keeps what it gets; one that was there may not."""
    await record(kafka, posts=30)
    assert (await replayed(kafka)).expired == 0
    admin = AIOKafkaAdminClient(**kafka.connection.options())
    await admin.start()
    short = {"retention.ms": str(60_000)}
    target_name = f"{kafka.group}-short"
    await admin.create_topics([NewTopic(target_name, 1, 1, topic_configs=short)])
    await admin.close()
    what = Replay(kafka.names.posts, target_name)
    report = await replay_topic(kafka.connection, what, pace=Pace(), stop=asyncio.Event())
    assert (report.posts, report.expired) == (30, 30)
    assert (await replayed(kafka)).expired == 0


async def test_a_broker_that_restarts_costs_and_doubles_nothing(kafka: Kafka) -> None:
    if kafka.broker is None:
        pytest.skip("an outside broker is not ours to restart")
    await record(kafka, posts=400, gap_ms=20)
    work = asyncio.create_task(replayed(kafka, pace=Pace(times=2)))
    while target(kafka) not in await topics(kafka) or len(await kafka.read(target(kafka))) < 20:
        await asyncio.sleep(0.02)
    await kafka.broker.restart()
    report = await work
    assert (report.offsets_left, report.retries > 0) == (0, True)
    assert await all_of(kafka, target(kafka)) == await all_of(kafka, kafka.names.posts)


async def test_what_was_never_committed_is_not_replayed_and_hides_nothing(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    numbers = range(1, 3001)  # more than one fetch gives at once
    async with AIOKafkaProducer(**kafka.connection.options(), transactional_id=kafka.group) as producer:
        for number in numbers:
            if number % 1000 == 1:
                await producer.begin_transaction()
                await producer.send_and_wait(kafka.names.posts, b"never")
                await producer.abort_transaction()
            if number % 100 == 1:
                await producer.begin_transaction()
            await producer.send(kafka.names.posts, b"%d" % number)
            if number % 100 == 0:
                await producer.commit_transaction()
    report = await replayed(kafka)
    assert (report.posts, report.offsets_left) == (3000, 0)
    assert [each.value for each in await kafka.read(target(kafka))] == [b"%d" % number for number in numbers]
