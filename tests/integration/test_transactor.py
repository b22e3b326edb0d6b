"""Records and offset, both or neither, whatever the broker forgets."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from aiokafka import TopicPartition
from support.kafka import Kafka

from workers.recognise.messages import OutMessage
from workers.recognise.transactor import CommitFailed, Fenced, ProducerLimits, Source, Transactor

pytestmark = pytest.mark.integration

TRANSACTIONS = 600
RECORDS = 10
RESTARTS = 6


def transactor(kafka: Kafka) -> Transactor:
    source = Source(TopicPartition(kafka.names.posts, 0), 1, kafka.group)
    return Transactor(kafka.connection, source, ProducerLimits())


def outputs(kafka: Kafka, number: int) -> list[OutMessage]:
    topics = (kafka.names.recognitions, kafka.names.entities)
    return [OutMessage(topics[part % 2], b"%d-%d" % (number, part), b"v") for part in range(RECORDS)]


async def test_no_record_is_lost_in_a_broker_that_restarts_in_the_middle_of_transactions(
    kafka: Kafka,
) -> None:
    """The embedded broker aborts open transactions when it restarts, and then lets them be committed."""
    if kafka.broker is None:
        pytest.skip("an outside broker is not ours to restart")
    await kafka.create(partitions=1)
    await kafka.produce([(b"k", b"v", ())] * TRANSACTIONS)
    one = transactor(kafka)
    await one.open()
    done = 0
    retried = 0

    async def work() -> None:
        nonlocal done, retried
        while done < TRANSACTIONS:
            try:
                await one.commit(outputs(kafka, done), done + 1)
            except CommitFailed:
                retried += 1
                await one.open()
                done = (await kafka.committed()).get(0, 0)
            else:
                done += 1

    task = asyncio.create_task(work())
    for restart in range(RESTARTS):
        while done < TRANSACTIONS * (restart + 1) // (RESTARTS + 1):
            await asyncio.sleep(0.001)
        await asyncio.sleep(random.uniform(0, 0.02))
        await kafka.broker.restart()
    await task
    await one.close()
    assert retried >= 1
    records = [*await kafka.read(kafka.names.recognitions), *await kafka.read(kafka.names.entities)]
    seen = Counter(record.key for record in records)
    expected = {message.key for number in range(TRANSACTIONS) for message in outputs(kafka, number)}
    assert seen == dict.fromkeys(expected, 1)
    assert await kafka.committed() == {0: TRANSACTIONS}


async def test_a_predecessor_can_no_longer_commit(kafka: Kafka) -> None:
    await kafka.create(partitions=1)
    await kafka.produce([(b"k", b"v", ())] * 3)
    zombie, successor = transactor(kafka), transactor(kafka)
    await zombie.open()
    await zombie.commit(outputs(kafka, 0), 1)
    await successor.open()
    with pytest.raises(Fenced):
        await zombie.commit(outputs(kafka, 1), 2)
    await successor.commit(outputs(kafka, 1), 2)
    assert len(await kafka.read(kafka.names.entities)) == RECORDS
    assert await kafka.committed() == {0: 2}
    await zombie.close()
    await successor.close()


async def test_records_follow_their_input_or_their_key(kafka: Kafka) -> None:
    await kafka.create(partitions=3)
    source = Source(TopicPartition(kafka.names.posts, 2), 3, kafka.group)
    one = Transactor(kafka.connection, source, ProducerLimits())
    await one.open()
    followers = [OutMessage(kafka.names.recognitions, b"%d" % n, b"v", follows_input=True) for n in range(9)]
    keyed = [OutMessage(kafka.names.entities, b"%d" % n, b"v") for n in range(9)]
    await one.commit([*followers, *keyed], 1)
    await one.close()
    assert {record.partition for record in await kafka.read(kafka.names.recognitions)} == {2}
    assert {record.partition for record in await kafka.read(kafka.names.entities)} == {0, 1, 2}


async def test_a_broker_that_is_gone_does_not_hold_a_close_up(kafka: Kafka) -> None:
    if kafka.broker is None:
        pytest.skip("an outside broker is not ours to stop")
    await kafka.create(partitions=1)
    source = Source(TopicPartition(kafka.names.posts, 0), 1, kafka.group)
    one = Transactor(kafka.connection, source, ProducerLimits(close_s=0.5))
    await one.open()
    await kafka.broker.stop()
    commit = asyncio.create_task(one.commit(outputs(kafka, 0), 1))
    await asyncio.sleep(0.3)
    async with asyncio.timeout(5):
        commit.cancel()
        await asyncio.gather(commit, return_exceptions=True)
        await one.close()
