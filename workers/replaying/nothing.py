"""Why a replay of a topic takes nothing: what the topic has, beside what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from workers.replaying.bounds import Bounds

__all__ = ["why_nothing"]

MS_PER_S = 1000
# A search by halves for the newest time ends at this width.
NEAR_MS = 500
# Beyond any record's time, within what every client of dates can hold.
LATEST_MS = 4_000_000_000 * MS_PER_S


async def why_nothing(consumer: AIOKafkaConsumer, places: list[TopicPartition], bounds: Bounds) -> str:
    """One clause for people. Raises KafkaError."""
    first, last = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    held = {place: (first[place], last[place]) for place in places if first[place] < last[place]}
    topic = places[0].topic
    if not held:
        return f"{topic} is empty"
    if bounds.start.time_ms is None and bounds.end.time_ms is None:
        offsets = ", ".join(f"{place.partition}:{start} to {end - 1}" for place, (start, end) in held.items())
        return f"{topic} has nothing between --from and --until; its partitions and offsets: {offsets}"
    oldest, newest = await _times(consumer, list(held))
    return (
        f"{topic} has nothing between --from and --until; its records are of {_told(oldest)} to "
        f"{_told(newest)} (a time without a zone is taken as UTC)"
    )


async def _times(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> tuple[int, int]:
    """The least and, within `NEAR_MS`, the greatest time of these partitions' records, in ms."""
    found = await consumer.offsets_for_times(dict.fromkeys(places, 0))
    oldest = min((each.timestamp for each in found.values() if each is not None), default=0)
    newest, beyond = oldest, LATEST_MS
    while beyond - newest > NEAR_MS:
        middle = (newest + beyond) // 2
        found = await consumer.offsets_for_times(dict.fromkeys(places, middle))
        later = [each.timestamp for each in found.values() if each is not None]
        if later:
            newest = max(*later, middle)
        else:
            beyond = middle
    return oldest, newest


def _told(time_ms: int) -> str:
    return datetime.fromtimestamp(min(time_ms, LATEST_MS) // MS_PER_S, UTC).isoformat().replace("+00:00", "Z")
