"""How far a consumer group is behind, partition by partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from workers.closing import close_consumer
from workers.connection import KafkaConnection
from workers.topics import BrokerUnreachable

__all__ = ["GroupLag", "PartitionState", "partition_states"]


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition, as it stands now."""

    topic: str
    partition: int
    first_offset: int
    end_offset: int
    """One past the last record; transaction markers and aborted records count too."""
    committed: int | None
    """The group's next offset; None when it never committed."""

    @property
    def offsets(self) -> int:
        """Offsets that are still there."""
        return self.end_offset - self.first_offset

    @property
    def lag(self) -> int:
        """Offsets that the group has not done yet."""
        return self.end_offset - max(self.first_offset, self.committed or 0)


async def partition_states(
    connection: KafkaConnection, partitions: dict[str, int], group: str
) -> tuple[PartitionState, ...]:
    """The state of every partition (`topic: number of partitions`), seen by one group.

    The group is only asked, never joined. Raises BrokerUnreachable.
    """
    places = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
    consumer = AIOKafkaConsumer(**connection.options(), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(places)
        first = await consumer.beginning_offsets(places)
        end = await consumer.end_offsets(places)
        committed = {place: await consumer.committed(place) for place in places}
    except KafkaError as error:
        raise BrokerUnreachable(
            f"{connection.bootstrap_servers} does not tell its offsets: {error}"
        ) from error
    finally:
        await close_consumer(consumer)
    return tuple(
        PartitionState(place.topic, place.partition, first[place], end[place], committed[place])
        for place in places
    )


class GroupLag:
    """A group's committed offsets, asked again and again over one connection."""

    def __init__(self, admin: AIOKafkaAdminClient, group: str) -> None:
        self._admin = admin
        self._group = group

    @classmethod
    @asynccontextmanager
    async def of(cls, connection: KafkaConnection, group: str) -> AsyncIterator[GroupLag]:
        """Connected while the block runs. Raises BrokerUnreachable."""
        admin = AIOKafkaAdminClient(**connection.options())
        try:
            await admin.start()
            yield cls(admin, group)
        except KafkaError as error:
            raise BrokerUnreachable(
                f"{connection.bootstrap_servers} does not tell its offsets: {error}"
            ) from error
        finally:
            await admin.close()

    async def committed(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int | None]:
        """The group's next offset of each of these; None where it never committed. Raises KafkaError."""
        offsets = await self._admin.list_consumer_group_offsets(self._group)
        found = {place: known.offset for place, known in offsets.items() if known.offset >= 0}
        return {place: found.get(place) for place in places}
