"""A part of a topic in the order in which it came: its partitions merged by time."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

__all__ = ["merged"]

# The longest that one read waits; a partition that has nothing more to give before its end is asked again.
POLL_MS = 200
# Records of a partition that are held at once. They are there already, decoded, in the consumer's own buffer.
HELD_RECORDS = 500

Span = tuple[int, int]
"""First offset, one past the last."""


async def merged(
    consumer: AIOKafkaConsumer, spans: Mapping[TopicPartition, Span], stop: asyncio.Event
) -> AsyncGenerator[tuple[int, Any]]:
    """(time in ms, record) of every committed record within the spans, as aiokafka gives records.

    Oldest first; within a partition in its order, whatever its times are: the time that is told with a
    record is never below that of the one before it in its partition. The consumer must be assigned to
    these partitions and stand at their first offsets. Ends at the ends. Raises KafkaError.
    """
    sources = [_Partition(consumer, place, end, stop) for place, (start, end) in spans.items() if start < end]
    heads: list[tuple[int, int, _Partition]] = []
    for source in sources:
        if await source.has_more():
            heads.append((source.time_ms, source.place.partition, source))
    heapq.heapify(heads)
    while heads:
        _, number, source = heads[0]
        yield source.time_ms, source.take()
        if await source.has_more():
            heapq.heapreplace(heads, (source.time_ms, number, source))
        else:
            heapq.heappop(heads)


class _Partition:
    """One partition, from where its consumer stands to its end."""

    def __init__(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, end: int, stop: asyncio.Event
    ) -> None:
        self.place = place
        self.time_ms = 0
        self._consumer = consumer
        self._end = end
        self._stop = stop
        self._records: deque[Any] = deque()

    async def has_more(self) -> bool:
        """Whether `take` has a record to give, of time `time_ms`; not when it was stopped."""
        # Transaction markers are offsets, too: the position passes them, records do not show them.
        # What an open transaction holds back is waited for.
        while not self._records and await self._consumer.position(self.place) < self._end:
            if self._stop.is_set():
                return False
            batches = await self._consumer.getmany(self.place, timeout_ms=POLL_MS, max_records=HELD_RECORDS)
            for records in batches.values():
                self._records.extend(record for record in records if record.offset < self._end)
        if self._records:
            self.time_ms = max(self.time_ms, self._records[0].timestamp)
        return bool(self._records)

    def take(self) -> Any:
        """The next record."""
        return self._records.popleft()
