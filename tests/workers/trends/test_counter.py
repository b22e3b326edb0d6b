"""A batch at a time: published before it is kept, kept before it is committed, and never with a hole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from support.sightings import at, sighting

from schemas.codec import encode
from schemas.trends import Trend, TrendMoment
from workers.trends.checkpoint import Checkpoint
from workers.trends.counter import Counter, Gap
from workers.trends.instruments import Instruments
from workers.trends.limits import TrendLimits
from workers.trends.status import TrendsStatus

LIMITS = TrendLimits(lengths_s=(20,), hops_s=(20,), grace_s=0, checkpoint_records=3, quiet_s=0)


@dataclass
class Taken:
    """A consumed record."""

    offset: int
    value: bytes | None


class Memory:
    """Store, outlet and group in one, which remembers in what order it was used."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.log: list[str] = []
        self.trends: list[Trend] = []
        self.broken = False

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        return self.kept.items()

    async def write(self, partition: int, checkpoint: Checkpoint) -> None:
        self.log.append(f"kept {checkpoint.next_offset}")
        self.kept |= dict([*checkpoint.parts, checkpoint.manifest])

    async def send(self, trends: Iterable[Trend]) -> None:
        self.trends += trends
        self.log.append("sent")

    async def settle(self) -> None:
        if self.broken:
            raise ConnectionError("the broker is gone")
        self.log.append("settled")

    async def commit(self, partition: int, next_offset: int) -> None:
        self.log.append(f"committed {next_offset}")


def counter(memory: Memory, status: TrendsStatus | None = None) -> Counter:
    status = status or TrendsStatus()
    made = Counter(
        LIMITS,
        memory,
        memory,
        memory.commit,
        status=status,
        instruments=Instruments("group", "entities", status),
    )
    made.assign({0})
    return made


def batch(*seconds: float, start: int = 0) -> list[Taken]:
    return [
        Taken(offset, encode(sighting("Oslo", at(second), post_id=f"p{offset}")))
        for offset, second in enumerate(seconds, start)
    ]


async def test_what_was_published_is_safe_before_the_counts_and_the_counts_before_the_offset() -> None:
    memory = Memory()
    await counter(memory).take(0, batch(1, 2, 30), 0)
    assert memory.log == ["sent", "settled", "kept 3", "committed 3"]


async def test_nothing_is_kept_or_committed_when_publishing_failed() -> None:
    memory = Memory()
    memory.broken = True
    with pytest.raises(ConnectionError):
        await counter(memory).take(0, batch(1, 2, 30), 0)
    assert memory.log == ["sent"]


async def test_the_next_worker_goes_on_where_the_checkpoint_was() -> None:
    memory = Memory()
    await counter(memory).take(0, batch(1, 2, 3), 0)
    successor = counter(memory)
    assert successor.next_offsets() == {0: 3}
    await successor.take(0, batch(1, 2, 3), 0)  # again
    await successor.take(0, batch(30, start=3), 3)
    assert [trend.mentions for trend in memory.trends] == [3]


async def test_a_hole_in_the_stream_is_seen_and_nothing_is_counted() -> None:
    memory = Memory()
    one = counter(memory)
    await one.take(0, batch(1), 0)
    with pytest.raises(Gap) as gap:
        await one.take(0, batch(2, start=7), 5)
    assert gap.value.next_offset == 1
    assert one.next_offsets() == {0: 1}


async def test_offsets_without_a_record_are_no_hole() -> None:
    """Markers of transactions have offsets, too; the fetch before ended at the last record."""
    memory = Memory()
    one = counter(memory)
    await one.take(0, batch(1), 0)
    await one.take(0, batch(2, start=7), 1)
    assert one.next_offsets() == {0: 8}


async def test_what_is_no_entity_record_is_passed_over_and_counted() -> None:
    memory, status = Memory(), TrendsStatus()
    one = counter(memory, status)
    await one.take(0, [Taken(0, b"nonsense"), Taken(1, None), *batch(1, start=2)], 0)
    assert (status.totals().unreadable, status.totals().counted) == (2, 1)


async def test_a_quiet_stream_is_told_once() -> None:
    memory = Memory()
    one = counter(memory)
    await one.take(0, batch(1), 0)
    await one.take(0, [], 1)
    await one.take(0, [], 1)
    assert [trend.moment for trend in memory.trends] == [TrendMoment.QUIET]


async def test_a_partition_that_was_given_up_counts_no_more() -> None:
    memory = Memory()
    one = counter(memory)
    one.assign(set())
    await one.take(0, batch(1), 0)
    assert memory.log == []
