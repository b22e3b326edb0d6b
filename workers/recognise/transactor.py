"""One transactional producer for one input partition, renewed whenever it is in doubt.

The transactional id names the partition, so that starting a producer (InitProducerId) fences
whoever wrote for it before and settles what they left open. Three gaps are closed here:

- aiokafka: a failed batch does not fail the commit by itself, so every batch is awaited first.
- aiokafka: after a failed batch its sequence numbers have a hole, so the producer is replaced.
- A broker may forget when it restarts: open transactions, or even what it acknowledged while it was
  stopping (the embedded one forgets both). aiokafka goes on as if nothing had happened, and offsets
  would be committed without their records. So a transaction counts only if the connections that there
  were at its beginning and at the end of the one before are still there at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import OffsetAndMetadata

from schemas.errors import NetworkError, OperatorError
from workers.connection import KafkaConnection
from workers.recognise.messages import OutMessage

__all__ = ["CommitFailed", "Fenced", "ProducerLimits", "Transactor"]

log = logging.getLogger(__name__)

Delivery = asyncio.Future[Any]
CUT_OFF_S = 1.0  # its tasks end in the same turn of the loop, or wait for a broker that is not there

_partition_of_key = DefaultPartitioner()


class Fenced(NetworkError):
    """Another producer took over this partition: nothing more may be written for it from here."""


class CommitFailed(NetworkError):
    """Whether the transaction took effect is not known; renew, and look at the committed offset."""


@dataclass(frozen=True, slots=True)
class ProducerLimits:
    """Sizes and times of the transactional producers."""

    batch_bytes: int = 512 * 1024
    """Records are sent in batches of this size; half of Kafka's default message.max.bytes."""
    max_request_bytes: int = 32 * 1024 * 1024
    """Larger than the largest dead letter; the topics' own limits are below."""
    transaction_timeout_ms: int = 60_000
    """The broker ends a transaction that stays open longer. One takes milliseconds here."""
    request_timeout_ms: int = 30_000
    """For one request to a broker."""
    close_s: float = 5.0
    """For the last orderly words of a producer; then it is cut off."""
    reconnect_s: float = 1.0
    """Wait before a producer that broke is opened again."""


@dataclass(frozen=True, slots=True)
class Source:
    """The input partition that a transactor writes for, and its group."""

    partition: TopicPartition
    partitions_of_topic: int
    group: str

    @property
    def transactional_id(self) -> str:
        """`{group}-{topic}-{partition}`."""
        return f"{self.group}-{self.partition.topic}-{self.partition.partition}"


class Transactor:
    """Publishes results and commits the input offset, both or neither."""

    def __init__(self, connection: KafkaConnection, source: Source, limits: ProducerLimits) -> None:
        self._connection = connection
        self._source = source
        self._limits = limits
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, list[int]] = {}
        self._connections: dict[Any, Any] = {}

    async def open(self) -> None:
        """Starts a new producer in place of the old one. Waits for the broker as long as it takes.

        Once it returns, no earlier producer of this partition can commit any more.
        Raises OperatorError when the cluster forbids it.
        """
        await self.close()
        self._partitions.clear()  # topics may have grown
        while True:
            producer = AIOKafkaProducer(
                **self._connection.options(),
                transactional_id=self._source.transactional_id,
                transaction_timeout_ms=self._limits.transaction_timeout_ms,
                request_timeout_ms=self._limits.request_timeout_ms,
                max_batch_size=self._limits.batch_bytes,
                max_request_size=self._limits.max_request_bytes,
            )
            try:
                await producer.start()
            except TransactionalIdAuthorizationFailed as error:
                await _cut_off(producer)
                raise OperatorError(
                    f"the cluster forbids the transactional id {self._source.transactional_id}; "
                    "grant Write and Describe on it"
                ) from error
            except KafkaError as error:
                await _cut_off(producer)
                if not _will_pass(error):
                    raise
                log.warning("no broker for the producer of %s yet: %s", self._source.transactional_id, error)
                await asyncio.sleep(self._limits.reconnect_s)
            except BaseException:
                await _cut_off(producer)
                raise
            else:
                self._producer = producer
                self._connections = _connections(producer)
                return

    async def commit(self, messages: Iterable[OutMessage], next_offset: int) -> None:
        """One transaction: these messages in this order, and `next_offset` as the group's offset.

        Raises Fenced, CommitFailed (nothing is known then), OperatorError.
        """
        await self.commit_offsets(messages, {self._source.partition: next_offset})

    async def commit_offsets(
        self,
        messages: Iterable[OutMessage],
        next_offsets: Mapping[TopicPartition, int],
        not_before_s: float = 0.0,
    ) -> None:
        """The same with the offsets of several partitions, for who reads them all by itself.

        Everything is sent at once, and committed, which is when readers see it, not before a time on the
        monotonic clock.
        """
        producer = self._producer
        assert producer is not None, "open it first"
        try:
            self._check_connections(producer)
            await producer.begin_transaction()
            self._connections |= _connections(producer)
            deliveries = await self._send(producer, messages)
            offsets = {place: OffsetAndMetadata(offset, "") for place, offset in next_offsets.items()}
            await producer.send_offsets_to_transaction(offsets, self._source.group)
            await asyncio.gather(*deliveries)
            await asyncio.sleep(max(0.0, not_before_s - time.monotonic()))
            self._check_connections(producer)
            await producer.commit_transaction()
            self._check_connections(producer)
            self._connections = _connections(producer)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"another producer writes for {self._source.transactional_id}") from error
        except TopicAuthorizationFailedError as error:
            raise OperatorError(f"the cluster forbids writing: {error}; grant Write on the topic") from error
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise OperatorError(
                "the broker refuses records as too large; raise max.message.bytes of the output topics"
            ) from error
        except (KafkaError, AssertionError) as error:  # aiokafka asserts its own states
            raise CommitFailed(f"a transaction of {self._source.transactional_id}: {error!r}") from error

    async def close(self) -> None:
        """Ends the producer; an open transaction is aborted. Takes at most `close_s`."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(self._limits.close_s):
                if producer._txn_manager.is_in_transaction():
                    await _abort(producer)
                await producer.stop()
        except (KafkaError, AssertionError, TimeoutError):
            pass
        finally:
            await _cut_off(producer)

    def _check_connections(self, producer: AIOKafkaProducer) -> None:
        now = _connections(producer)
        if any(now.get(name) is not one for name, one in self._connections.items()):
            raise KafkaConnectionError("a connection was lost during the transaction or before it")

    async def _send(self, producer: AIOKafkaProducer, messages: Iterable[OutMessage]) -> list[Delivery]:
        """Groups the messages by where they go, keeps their order, hands over whole batches."""
        builders: dict[tuple[str, int], Any] = {}
        deliveries: list[Delivery] = []
        for message in messages:
            target = (message.topic, await self._target(producer, message))
            builder = builders.get(target)
            if builder is None:
                builder = builders[target] = producer.create_batch()
            if not _append(builder, message):
                deliveries.append(await _hand_over(producer, builder, target))
                builder = builders[target] = producer.create_batch()
                _append(builder, message)
        for target, builder in builders.items():
            deliveries.append(await _hand_over(producer, builder, target))
        return deliveries

    async def _target(self, producer: AIOKafkaProducer, message: OutMessage) -> int:
        if message.partition is not None:
            return message.partition
        partitions = self._partitions.get(message.topic)
        if partitions is None:
            partitions = self._partitions[message.topic] = sorted(
                await producer.partitions_for(message.topic)
            )
        source = self._source
        if message.key is None or (message.follows_input and len(partitions) == source.partitions_of_topic):
            number: int = source.partition.partition
            return partitions[number % len(partitions)]
        return int(_partition_of_key(message.key, partitions, partitions))


def _will_pass(error: KafkaError) -> bool:
    # A connection that breaks while the coordinator is looked up comes as a bare KafkaError.
    return isinstance(error, KafkaConnectionError) or error.retriable or type(error) is KafkaError


def _append(builder: Any, message: OutMessage) -> bool:
    # A builder takes its first record whatever its size; None means that it is full.
    return (
        builder.append(
            timestamp=message.timestamp_ms,
            key=message.key,
            value=message.value,
            headers=list(message.headers),
        )
        is not None
    )


def _connections(producer: AIOKafkaProducer) -> dict[Any, Any]:
    return {name: one for name, one in producer.client._conns.items() if one.connected()}


async def _hand_over(producer: AIOKafkaProducer, builder: Any, target: tuple[str, int]) -> Delivery:
    builder.close()
    delivery: Delivery = await producer.send_batch(builder, target[0], partition=target[1])
    delivery.add_done_callback(_mark_seen)
    return delivery


def _mark_seen(delivery: Delivery) -> None:
    # When several batches fail only the first error is raised; the loop must not complain of the others.
    if not delivery.cancelled():
        delivery.exception()


async def _abort(producer: AIOKafkaProducer) -> None:
    """Aborts the open transaction, even with a broker that has restarted and forgotten its partitions.

    A batch that was retried after the restart would otherwise stay open for ever, and read_committed
    readers would stop before it. To name a partition twice is harmless.
    """
    manager = producer._txn_manager
    partitions = set(manager.txn_partitions)
    manager.txn_partitions.clear()
    for partition in partitions:
        manager.maybe_add_partition_to_txn(partition)
    await producer.abort_transaction()


async def _cut_off(producer: AIOKafkaProducer) -> None:
    """Ends a producer without a word to the broker.

    aiokafka's `stop` waits for batches that a dead broker never takes, so these are failed first.
    """
    sender, accumulator = producer._sender, producer._message_accumulator
    accumulator.fail_all(ProducerClosed())
    waiters = [batch._drain_waiter for batches in accumulator._batches.values() for batch in batches]
    for waiter in (producer._txn_manager.wait_for_transaction_end(), *waiters):
        if waiter is not None and waiter.done():
            waiter.exception()  # seen: the error was raised already where it was met
    with contextlib.suppress(Exception):
        await producer.client.close()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CUT_OFF_S):
            await producer.stop()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        async with asyncio.timeout(CUT_OFF_S):
            await sender.close()
