"""Where a replay of a topic begins and ends: `--from` and `--until`, and what they are as offsets.

    2026-11-23T10:00            a time (UTC unless it says otherwise): from the first record of each partition
                                that is of this time or later
    12000                       an offset in every partition
    0:12000,2:11800             offsets of partitions one by one; of the others everything

Both are half-open: `--until` names the first that is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import OperatorError

__all__ = ["Bound", "Bounds", "parse_bound"]

_OFFSETS = re.compile(r"\d+:\d+(,\d+:\d+)*")


@dataclass(frozen=True, slots=True)
class Bound:
    """One end; nothing given = the topic's own."""

    time_ms: int | None = None
    """Since 1970, UTC."""
    offset: int | None = None
    by_partition: tuple[tuple[int, int], ...] = ()

    def named(self, partition: int) -> int | None:
        """The offset that is named for a partition; None where there is none."""
        return dict(self.by_partition).get(partition, self.offset)

    def check(self, partitions: Set[int]) -> None:
        """Raises OperatorError where it names a partition that is none of these."""
        if unknown := sorted({number for number, _ in self.by_partition} - partitions):
            numbers = ", ".join(map(str, unknown))
            raise OperatorError(f"no partition {numbers}: the topic has {len(partitions)}, counted from 0")


@dataclass(frozen=True, slots=True)
class Bounds:
    """From, inclusive, and until, exclusive."""

    start: Bound = Bound()
    end: Bound = Bound()

    async def resolve(
        self, consumer: AIOKafkaConsumer, places: list[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset and one past the last of each partition, as the topic stands now.

        Raises KafkaError.
        """
        first: Mapping[TopicPartition, int] = await consumer.beginning_offsets(places)
        last: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
        starts = await _offsets(self.start, consumer, places, else_=first, late=last)
        ends = await _offsets(self.end, consumer, places, else_=last, late=last)
        return {place: (max(first[place], starts[place]), min(last[place], ends[place])) for place in places}


async def _offsets(
    bound: Bound,
    consumer: AIOKafkaConsumer,
    places: list[TopicPartition],
    *,
    else_: Mapping[TopicPartition, int],
    late: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """`late`: where a partition has nothing of that time or later."""
    if bound.time_ms is None:
        named = {place: bound.named(place.partition) for place in places}
        return {place: else_[place] if offset is None else offset for place, offset in named.items()}
    found = await consumer.offsets_for_times(dict.fromkeys(places, bound.time_ms))
    return {place: late[place] if found[place] is None else found[place].offset for place in places}


def parse_bound(option: str, text: str | None) -> Bound:
    """What one of the two options says. Raises OperatorError."""
    if text is None:
        return Bound()
    if text.isascii() and text.isdigit():
        return Bound(offset=int(text))
    if _OFFSETS.fullmatch(text):
        pairs = (pair.split(":") for pair in text.split(","))
        return Bound(by_partition=tuple((int(number), int(offset)) for number, offset in pairs))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(
            f"{option} {text}: give a time such as 2026-11-23T10:00, an offset, "
            "or partition:offset,partition:offset"
        ) from error
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return Bound(time_ms=round(moment.timestamp() * 1000))
