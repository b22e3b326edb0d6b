"""Our Faust consumer, which reads what is committed, with three changes that counting needs.

- One event of the stream is one fetched batch of a partition, or an empty one when nothing came for
  a while, not one record: Faust's own work for each event, 138 µs measured, is then paid by batch.
- A batch says where its fetch began: Faust can lose what it has fetched, and so whoever counts sees a gap.
- What it commits, and where it starts to read, is what the checkpoints say, not what was
  acknowledged.

Only the source topic is read that way; the changelog is read as Faust reads it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from workers.faust_app import CommittedConsumer

__all__ = ["BatchConsumer", "BatchTransport", "Batches"]

Offsets = Callable[[], Mapping[int, int]]
"""For each assigned partition, the offset of the first record that is not in its state."""


class Batches:
    """Which topic is read in batches, how often at least, and from where."""

    def __init__(self, topic: str, tick_s: float, offsets: Offsets) -> None:
        self.topic = topic
        self.tick_s = tick_s
        self.offsets = offsets
        self.last_poll_s: float | None = None


class BatchConsumer(CommittedConsumer):
    """See the module's docstring."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches: Batches = self.transport.batches
        self._ticked_s: dict[TP, float] = {}
        self._fetched: dict[TP, int] = {}
        """Up to where each source partition has been fetched since it was sought."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Batches of the source topic, single records of every other one."""
        tick_s = self._batches.tick_s
        records, active = await self._wait_next_records(min(timeout, tick_s))
        self._batches.last_poll_s = time.monotonic()
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        messages = [message for place, batch in records.items() for message in self._messages(place, batch)]
        if not self.flow_active:  # a rebalance began meanwhile; what was fetched is read again
            await self.perform_seek()
            return
        for place, message in messages:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            yield place, message
        for place in self._quiet(active or ()):
            yield place, self._message(place, [])

    def _messages(self, partition: Any, batch: list[Any]) -> list[tuple[TP, Any]]:
        place = TP(partition.topic, partition.partition)
        if place.topic != self._batches.topic:
            return [(place, self._to_message(place, record)) for record in batch]
        return [(place, self._message(place, batch))] if batch else []

    def _quiet(self, active: Any) -> list[TP]:
        """The source partitions of which nothing has been handed on for a tick."""
        before_s = time.monotonic() - self._batches.tick_s
        topic = self._batches.topic
        return [
            place for place in active if place.topic == topic and self._ticked_s.get(place, 0) <= before_s
        ]

    def _message(self, place: TP, batch: list[Any]) -> Any:
        """A message that carries `batch`, and `begins_at`, the offset at which its fetch began."""
        self._ticked_s[place] = time.monotonic()
        if batch:
            message = self._to_message(place, batch[-1])
            message.begins_at = self._fetched.get(place, 0)
            self._fetched[place] = batch[-1].offset + 1
        else:  # its offset only must not lie before the last one's
            message = self._to_message(place, _Empty(place, self._read_offset[place] or 0))
            message.begins_at = self._fetched.get(place, 0)
        message.value, message.batch = b"", batch
        return message

    async def seek(self, partition: TP, offset: int) -> None:
        """Reads on from this offset."""
        await super().seek(partition, offset)
        self._fetched[partition] = offset

    async def perform_seek(self) -> None:
        """To the committed offsets, and from there to those of the states."""
        await super().perform_seek()
        here = self.assignment()
        for partition, offset in self._batches.offsets().items():
            place = TP(self._batches.topic, partition)
            if place in here:
                await self.seek(place, offset)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: offsets that hold no record (markers of transactions) are of no interest here."""

    async def commit_checkpoint(self, partition: int, next_offset: int) -> None:
        """Commits one partition of the source topic."""
        await self._commit_offsets({TP(self._batches.topic, partition): next_offset})


class _Empty:
    """Stands for the record of an empty batch."""

    timestamp_type = 0
    headers = ()
    key = None
    value = None
    checksum = None
    serialized_key_size = 0
    serialized_value_size = 0

    def __init__(self, place: TP, offset: int) -> None:
        self.topic = place.topic
        self.partition = place.partition
        self.offset = offset
        self.timestamp = int(time.time() * 1000)


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Makes that consumer."""

    Consumer = BatchConsumer

    def __init__(self, batches: Batches, *args: Any, **kwargs: Any) -> None:
        self.batches = batches
        super().__init__(*args, **kwargs)
