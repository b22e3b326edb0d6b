"""What the Faust agent does with a batch: count, publish, and now and then write a checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from schemas.entities import EntityRecord
from schemas.trends import Trend
from workers.trends.checkpoint import Checkpoint, Checkpoints, partition_of
from workers.trends.counting import PartitionTrends
from workers.trends.instruments import Instruments
from workers.trends.limits import TrendLimits
from workers.trends.status import PartitionStatus, TrendsStatus

__all__ = ["Counter", "Gap", "Outlet", "Record", "Store"]

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(EntityRecord).decode


class Gap(Exception):
    """Records from `next_offset` on were fetched and never came."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(f"records from offset {next_offset} on did not come")
        self.next_offset = next_offset


class Record(Protocol):
    """A consumed record, as aiokafka gives it."""

    offset: int
    value: bytes | None


class Store(Protocol):
    """Where checkpoints are kept."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Everything that is kept of the assigned partitions."""
        ...

    async def write(self, partition: int, checkpoint: Checkpoint) -> None:
        """Returns once it is safe. Raises when it may not be."""
        ...


class Outlet(Protocol):
    """Where trend records go."""

    async def send(self, trends: Iterable[Trend]) -> None:
        """Takes them, in order for each key."""
        ...

    async def settle(self) -> None:
        """Returns once all that was sent is safe. Raises when it may not be."""
        ...


@dataclass(slots=True)
class Counted:
    """One assigned partition at work."""

    trends: PartitionTrends
    checkpoints: Checkpoints
    checkpointed_offset: int
    last_record_s: float = field(default_factory=time.monotonic)
    last_checkpoint_s: float = field(default_factory=time.monotonic)
    quiet_told: bool = False
    dropped_told: int = 0
    """Dropped mentions of which the log knows."""


class Counter:
    """All partitions of one worker. Not safe for concurrent calls: one agent, one batch at a time."""

    def __init__(
        self,
        limits: TrendLimits,
        outlet: Outlet,
        store: Store,
        commit: Callable[[int, int], Awaitable[None]],
        *,
        status: TrendsStatus,
        instruments: Instruments,
    ) -> None:
        """`commit` commits the next offset of a partition to the group."""
        self._limits = limits
        self._outlet = outlet
        self._store = store
        self._commit = commit
        self._status = status
        self._instruments = instruments
        self._partitions: dict[int, Counted] = {}

    def next_offsets(self) -> Mapping[int, int]:
        """Where to go on reading each assigned partition."""
        return {number: one.trends.state.next_offset for number, one in self._partitions.items()}

    def assign(self, partitions: set[int]) -> None:
        """Takes up the states of these partitions from the store, all anew. Raises StateUnusable."""
        kept: dict[int, dict[bytes, bytes]] = {number: {} for number in sorted(partitions)}
        for key, value in self._store.items():
            number = partition_of(key)
            if number in kept:
                kept[number][key] = value
        self._partitions = {number: self._load(number, items) for number, items in kept.items()}
        self._status.partitions = {
            number: PartitionStatus(one.trends.state, one.checkpointed_offset)
            for number, one in self._partitions.items()
        }

    async def take(self, partition: int, records: Sequence[Record], begins_at: int) -> None:
        """Counts a batch, which may be empty, and publishes what follows from it.

        Raises Gap when records are missing between the last batch and this one, whose fetch began at the
        offset `begins_at`; nothing is counted then.
        """
        one = self._partitions.get(partition)
        if one is None:  # revoked while the batch waited
            return
        if begins_at > one.trends.state.next_offset:
            raise Gap(one.trends.state.next_offset)
        now_s = time.monotonic()
        for record in records:
            self._count(one, record)
        out = one.trends.take()
        if records:
            self._instruments.consumed(len(records))
            one.last_record_s, one.quiet_told = now_s, False
        elif not one.quiet_told and now_s - one.last_record_s >= self._limits.quiet_s:
            one.quiet_told = True
            out += one.trends.open_windows()
        await self._publish(out)
        if self._is_due(one, now_s):
            await self.checkpoint(partition)

    async def checkpoint(self, partition: int) -> None:
        """Makes safe what was published, then the counts, then the offset."""
        one = self._partitions.get(partition)
        if one is None:
            return
        started_s = time.monotonic()
        await self._outlet.settle()
        if self._partitions.get(partition) is not one:  # a rebalance came in between
            return
        checkpoint = one.checkpoints.make(one.trends.state)
        await self._store.write(partition, checkpoint)
        await self._commit(partition, checkpoint.next_offset)
        one.checkpointed_offset = checkpoint.next_offset
        one.last_checkpoint_s = time.monotonic()
        self._status.partitions[partition].checkpointed_offset = checkpoint.next_offset
        self._instruments.checkpointed(one.last_checkpoint_s - started_s)
        self._tell_dropped(partition, one)

    def has_unsaved(self, partition: int) -> bool:
        """Whether records have been counted since the last checkpoint."""
        one = self._partitions.get(partition)
        return one is not None and one.trends.state.next_offset > one.checkpointed_offset

    def _load(self, partition: int, items: Mapping[bytes, bytes]) -> Counted:
        checkpoints = Checkpoints(partition, self._limits)
        state = checkpoints.load(items)
        log.info("partition %d goes on at offset %d", partition, state.next_offset)
        return Counted(
            PartitionTrends(self._limits, state),
            checkpoints,
            state.next_offset,
            dropped_told=state.totals.dropped_mentions,
        )

    def _count(self, one: Counted, record: Record) -> None:
        try:
            entity = _decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("not an entity record, passed over: offset %d: %s", record.offset, error)
            one.trends.skip(record.offset)
        else:
            one.trends.count(entity, record.offset)

    async def _publish(self, trends: list[Trend]) -> None:
        if trends:
            await self._outlet.send(trends)
            self._status.published += len(trends)
            self._instruments.published(trend.moment for trend in trends)

    def _tell_dropped(self, partition: int, one: Counted) -> None:
        dropped = one.trends.state.totals.dropped_mentions
        if dropped > one.dropped_told:
            log.warning(
                "partition %d: %d more mentions dropped to bound memory; SAKE_TRENDS_MAX_NAMES is %d",
                *(partition, dropped - one.dropped_told, self._limits.max_names),
            )
            one.dropped_told = dropped

    def _is_due(self, one: Counted, now_s: float) -> bool:
        unsaved = one.trends.state.next_offset - one.checkpointed_offset
        if unsaved <= 0:
            return False
        late = now_s - one.last_checkpoint_s >= self._limits.checkpoint_s
        return late or unsaved >= self._limits.checkpoint_records
