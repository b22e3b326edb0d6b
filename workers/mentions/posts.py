"""Looks single posts up where they lie: a recognition tells its post's partition and offset.

A join without state: posts of which nobody watches anything are never read again.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas.codec import CodecError, decode_post
from schemas.errors import NetworkError
from schemas.headers import fill_from_event
from schemas.posts import Post
from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.empty_fetches import mended
from workers.topics import BrokerUnreachable

__all__ = ["LookupFailed", "RecordReader", "post_at"]

# A fetch brings what follows the wanted record, too, which nobody wants; a larger record comes whole anyway.
FETCH_BYTES = 64 * 1024


class LookupFailed(NetworkError):
    """The broker did not give a record in time; whether it is there is not known."""


class RecordReader:
    """Reads single records by topic, partition and offset. One at a time; make it inside a running loop."""

    def __init__(self, connection: KafkaConnection, *, time_s: float = 10.0) -> None:
        self._connection = connection
        self._time_s = time_s
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def read(self, topic: str, partition: int, offset: int) -> object | None:
        """The record as aiokafka gives it; None when it is no longer there. Raises LookupFailed."""
        place = TopicPartition(topic, partition)
        async with self._turn:
            try:
                async with asyncio.timeout(self._time_s):
                    return await self._read(place, offset)
            except (KafkaError, TimeoutError) as error:
                await self.close()  # the next one begins with a new client
                raise LookupFailed(f"{topic}[{partition}]@{offset} cannot be read: {error!r}") from error

    async def _read(self, place: TopicPartition, offset: int) -> object | None:
        consumer = await self._opened()
        consumer.assign([place])
        consumer.seek(place, offset)
        begin, end = (
            (await consumer.beginning_offsets([place]))[place],
            (await consumer.end_offsets([place]))[place],
        )
        if not begin <= offset < end:
            return None
        try:
            record = await consumer.getone(place)
        except OffsetOutOfRangeError:  # retention passed in this moment
            return None
        finally:
            consumer.pause(place)
        return record if record.offset == offset else None  # compacted, or aborted

    async def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = mended(
                AIOKafkaConsumer(
                    **self._connection.options(),
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    max_partition_fetch_bytes=FETCH_BYTES,
                )
            )
            try:
                await consumer.start()
            except BaseException as error:
                await close_consumer(consumer)
                if isinstance(error, KafkaError):
                    raise BrokerUnreachable(f"no broker for looking records up: {error}") from error
                raise
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        """Frees the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close_consumer(consumer)


async def post_at(
    reader: RecordReader, topic: str, place: tuple[int, int] | None, post_id: str
) -> Post | None:
    """The post at a place of its topic; None when there is no place, or another post, or none, lies there.

    Raises LookupFailed, BrokerUnreachable.
    """
    record = await reader.read(topic, *place) if place is not None else None
    if record is None:
        return None
    try:
        post = fill_from_event(decode_post(record.value), record.headers)  # type: ignore[attr-defined]
    except CodecError:
        return None
    return post if post.id == post_id else None
