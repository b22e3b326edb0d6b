"""One worker on a real broker: delivery, dead letters and their limit, back-pressure, draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.instant_worker import Slowed, instant_processor
from support.kafka import Kafka
from support.post_stream import known_posts, verify

from sake_model.deadline import Deadline
from schemas.deadletters import DeadLetter
from schemas.errors import OperatorError, PostError
from workers.recognise import InMessage, OutMessage, Phase, Processor, Worker, WorkerConfig
from workers.recognise.config import ConsumerLimits, DrainLimits
from workers.recognise.letters import DeadLetterLimits, TooManyDeadLetters
from workers.recognise.window import WindowLimits

pytestmark = pytest.mark.integration


class Echo:
    """Publishes each value under its key; what a test makes of a value is up to `act`."""

    def __init__(self, topic: str, act: Callable[[InMessage], object] = lambda message: None) -> None:
        self.topic = topic
        self.act = act
        self.seen: list[tuple[int, int]] = []

    async def process(self, message: InMessage, deadline: Deadline) -> tuple[OutMessage, ...]:
        self.seen.append((message.partition, message.offset))
        result = self.act(message)
        if asyncio.iscoroutine(result):
            await result
        return (OutMessage(self.topic, message.key, message.value, message.headers, follows_input=True),)


@asynccontextmanager
async def running(config: WorkerConfig, processor: Processor) -> AsyncIterator[Worker]:
    worker = Worker(config, processor)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
        worker.stop()
        await task
    finally:
        worker.stop()
        worker.stop()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def records(count: int) -> list[tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]]:
    return [(b"key-%d" % number, b"value-%d" % number, ()) for number in range(count)]


async def test_posts_of_every_kind_come_out_once_and_in_order(kafka: Kafka) -> None:
    await kafka.create(partitions=3)
    posts = known_posts(400, seed=1, bad_share=0.1)
    places = await kafka.produce(post.record for post in posts)
    processor = Slowed(instant_processor(kafka.names), max_wait_ms=30)
    async with running(kafka.config(), processor) as worker:
        await until(lambda: worker.state.recognised + worker.state.dead_letters == 400)
        assert worker.state.alive()
        assert worker.state.ready()
    assert await verify(kafka, posts, places) == []
    assert worker.state.phase is Phase.STOPPED
    assert worker.state.stopped_because == ""


async def test_a_poison_post_is_buried_with_its_bytes_and_the_rest_goes_on(kafka: Kafka) -> None:
    await kafka.create(partitions=1)

    def act(message: InMessage) -> None:
        if message.key == b"key-3":
            raise ZeroDivisionError("a bug that only this post brings to light")

    await kafka.produce(records(6))
    async with running(kafka.config(), Echo(kafka.names.recognitions, act)) as worker:
        await until(lambda: worker.state.recognised + worker.state.dead_letters == 6)
    (record,) = await kafka.read(kafka.names.dead_letters)
    letter = DeadLetter.read(record.key, record.value, record.headers)
    assert (record.key, record.value) == (b"key-3", b"value-3")
    assert (letter.why.offset, letter.why.reason) == (3, "unexpected_error")
    assert "ZeroDivisionError" in letter.why.exception_class_name
    assert len(await kafka.read(kafka.names.recognitions)) == 5


async def test_a_post_of_several_megabytes_can_become_a_dead_letter(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    large = b"\xff" * 6_000_000
    await kafka.produce([(b"large", large, ()), *records(1)])
    async with running(kafka.config(), instant_processor(kafka.names)) as worker:
        await until(lambda: worker.state.dead_letters == 2)
    assert (await kafka.read(kafka.names.dead_letters))[0].value == large


async def test_too_many_dead_letters_stop_the_worker_and_are_not_committed(kafka: Kafka) -> None:
    await kafka.create(partitions=1)

    def act(message: InMessage) -> None:
        if message.offset >= 20:
            raise PostError("everything is bad from here on")

    await kafka.produce(records(60))
    config = kafka.config(letters=DeadLetterLimits(max_consecutive=5))
    worker = Worker(config, Echo(kafka.names.recognitions, act))
    with pytest.raises(TooManyDeadLetters, match="6 posts in a row"):
        async with asyncio.timeout(60):
            await worker.run()
    assert "TooManyDeadLetters" in worker.state.stopped_because
    assert not worker.state.alive()
    assert await kafka.committed() == {0: 25}
    assert len(await kafka.read(kafka.names.recognitions)) == 20
    assert len(await kafka.read(kafka.names.dead_letters)) == 5


async def test_the_operators_trouble_stops_the_worker_with_what_is_right_committed(kafka: Kafka) -> None:
    await kafka.create(partitions=1)

    async def act(message: InMessage) -> None:
        if message.offset == 4:
            await asyncio.sleep(0.3)
            raise OperatorError("the model is not there")

    await kafka.produce(records(10))
    with pytest.raises(OperatorError, match="the model is not there"):
        async with asyncio.timeout(60):
            await Worker(kafka.config(), Echo(kafka.names.recognitions, act)).run()
    assert await kafka.committed() == {0: 4}


async def test_back_pressure_longer_than_the_poll_interval_does_not_cost_the_membership(kafka: Kafka) -> None:
    """aiokafka leaves the group when nobody polls; a slow post must not make that happen."""
    await kafka.create(partitions=1)
    await kafka.produce(records(6))
    polls: list[int] = []

    async def act(message: InMessage) -> None:
        polls.append(message.offset)
        await asyncio.sleep(2.5)

    config = kafka.config(
        window=WindowLimits(max_in_flight=3),
        consumer=ConsumerLimits(max_poll_interval_ms=1_000, heartbeat_ms=200, session_timeout_ms=6_000),
    )
    async with running(config, Echo(kafka.names.recognitions, act)) as worker:
        await until(lambda: len(polls) == 3)
        await asyncio.sleep(2.0)
        assert worker.state.poll_age_s() < 1.0
        assert worker.state.running == 3
        await until(lambda: worker.state.recognised == 6)
    assert sorted(polls) == list(range(6))  # a member that had left would have begun again


async def test_never_more_posts_or_bytes_in_work_than_allowed(kafka: Kafka) -> None:
    await kafka.create(partitions=2)
    now: set[tuple[int, int]] = set()
    most = 0

    async def act(message: InMessage) -> None:
        nonlocal most
        now.add((message.partition, message.offset))
        most = max(most, len(now))
        await asyncio.sleep(0.005)
        now.discard((message.partition, message.offset))

    value = b"x" * 10_000
    await kafka.produce([(b"key-%d" % number, value, ()) for number in range(200)])
    limits = WindowLimits(max_in_flight=50, max_in_flight_bytes=200_000)
    async with running(kafka.config(window=limits), Echo(kafka.names.recognitions, act)) as worker:
        await until(lambda: worker.state.recognised == 200)
    assert 10 <= most <= 19  # 19 records of 10 kB and their overhead fill 200 kB


async def test_one_slow_post_does_not_stop_the_others_of_its_partition(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    release = asyncio.Event()
    done: list[int] = []

    async def act(message: InMessage) -> None:
        if message.offset == 0:
            await release.wait()
        done.append(message.offset)

    await kafka.produce(records(100))
    async with running(
        kafka.config(window=WindowLimits(max_in_flight=4)), Echo(kafka.names.recognitions, act)
    ) as worker:
        await until(lambda: len(done) == 99)
        assert await kafka.committed() == {}
        release.set()
        await until(lambda: worker.state.recognised == 100)
    values = [record.value for record in await kafka.read(kafka.names.recognitions)]
    assert values == [b"value-%d" % number for number in range(100)]


async def test_draining_finishes_what_is_in_work_and_leaves_the_rest(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    await kafka.produce(records(50))

    async def act(message: InMessage) -> None:
        await asyncio.sleep(0.5)

    echo = Echo(kafka.names.recognitions, act)
    async with running(kafka.config(window=WindowLimits(max_in_flight=7)), echo) as worker:
        await until(lambda: len(echo.seen) == 7)
    assert len(echo.seen) == 7
    assert await kafka.committed() == {0: 7}
    assert worker.state.recognised == 7


async def test_draining_ends_in_time_and_a_second_stop_ends_it_at_once(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    await kafka.produce(records(3))

    async def act(message: InMessage) -> None:
        if message.offset == 1:
            await asyncio.sleep(3600)

    for drain_s, stops, at_most_s in ((0.5, 1, 2.0), (60.0, 2, 1.0)):
        config = kafka.config(drain=DrainLimits(drain_s=drain_s))
        echo = Echo(kafka.names.recognitions, act)
        worker = Worker(config, echo)
        task = asyncio.create_task(worker.run())
        await until(lambda: (0, 2) in echo.seen)  # noqa: B023 - used before the next turn
        await asyncio.sleep(0.2)
        started = time.monotonic()
        for _ in range(stops):
            worker.stop()
            await asyncio.sleep(0.05)
        await task
        assert time.monotonic() - started < at_most_s
        assert await kafka.committed() == {0: 1}  # post 2 is finished, but may not pass post 1


async def test_a_missing_topic_is_named_and_what_to_do_about_it(kafka: Kafka) -> None:
    with pytest.raises(OperatorError, match="sake topics create") as caught:
        await Worker(kafka.config(), Echo("x")).run()
    assert kafka.names.posts in str(caught.value)


async def test_a_worker_waits_for_its_broker(kafka: Kafka) -> None:
    if kafka.broker is None:
        pytest.skip("an outside broker is not ours to stop")
    await kafka.create(partitions=1)
    await kafka.produce(records(5))
    await kafka.broker.stop()
    consumer = ConsumerLimits(reconnect_s=0.1, max_reconnect_s=0.2)
    async with running(kafka.config(consumer=consumer), Echo(kafka.names.recognitions)) as worker:
        await asyncio.sleep(0.5)
        assert worker.state.phase is Phase.STARTING
        assert worker.state.alive()
        assert not worker.state.ready()
        await kafka.broker.start()
        await until(lambda: worker.state.recognised == 5)


async def test_a_full_window_serves_all_partitions_alike(kafka: Kafka) -> None:
    """What was fetched of one partition at once would last for minutes; the other must not wait for it."""
    await kafka.create(partitions=2)
    await kafka.produce((str(number).encode(), b"x", ()) for number in range(2000))
    processor = Slowed(Echo(kafka.names.recognitions), max_wait_ms=10)
    async with running(kafka.config(window=WindowLimits(max_in_flight=4)), processor) as worker:
        await until(lambda: worker.state.recognised >= 300)
        fewer, more = sorted(lane.committed_offset for lane in worker.state.lanes.values())
    assert fewer > more / 2
