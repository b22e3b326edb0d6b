"""Reads topics as a careful read_committed reader does, from the log itself.

Shares no code with the workers. It asks for everything, uncommitted records and markers too, and
decides by the markers: what a producer wrote in a transaction counts once its commit marker stands in
the same partition, and never when an abort marker does. What a broker says about aborted transactions
is not asked for: the embedded one names them for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

__all__ = ["Found", "Reader", "Tail"]

PIECE_BYTES = 4 * 1024 * 1024
UNCOMMITTED = 0
MARKER = struct.Struct(">hh")
"""A marker's key: version, type (0 = abort, 1 = commit)."""
COMMIT = 1


@dataclass(frozen=True, slots=True)
class Found:
    """One committed record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str | None:
        """The last header of this name."""
        values = [value for key, value in self.headers if key == name]
        return values[-1].decode() if values else None


@dataclass(slots=True)
class Tail:
    """One partition, read up to `position`."""

    place: TopicPartition
    position: int = 0
    end: int = 0
    stable_end: int = 0
    open: dict[int, list[Found]] = field(default_factory=dict)
    """Records of transactions that have not ended, by producer."""

    def take(self, data: bytes) -> list[Found]:
        """The records that these bytes of the log commit."""
        committed: list[Found] = []
        pieces = MemoryRecords(data)
        while (batch := pieces.next_batch()) is not None:
            for record in batch:
                if record.offset < self.position:
                    continue  # a batch is sent whole
                if batch.is_control_batch:
                    ended = self.open.pop(batch.producer_id, [])
                    if MARKER.unpack_from(record.key)[1] == COMMIT:
                        committed += ended
                    continue
                found = Found(
                    self.place.topic, self.place.partition,
                    record.offset, record.key, record.value, tuple(record.headers),
                )  # fmt: skip
                if batch.is_transactional:
                    self.open.setdefault(batch.producer_id, []).append(found)
                else:
                    committed.append(found)
            self.position = max(self.position, batch.next_offset)
        return committed


class Reader:
    """Follows several topics. Raises KafkaError where the broker is away; then make a new one."""

    def __init__(self, bootstrap: str, topics: Mapping[str, int]) -> None:
        self.tails = {
            place: Tail(place)
            for topic, partitions in topics.items()
            for place in (TopicPartition(topic, number) for number in range(partitions))
        }
        self._topics = tuple(topics)
        self._client = AIOKafkaClient(
            bootstrap_servers=bootstrap, client_id="witness", request_timeout_ms=5_000
        )

    async def start(self) -> None:
        """Connects."""
        await self._client.bootstrap()
        await self._client.set_topics(self._topics)

    async def close(self) -> None:
        """Disconnects."""
        await self._client.close()

    async def read(self) -> list[Found]:
        """Everything that was committed since the last time, up to the logs' ends."""
        found: list[Found] = []
        waiting = set(self.tails)
        while waiting:
            for place, answer in await self._fetch(waiting):
                error, end, stable_end, data = for_code(answer[1]), answer[2], answer[3], answer[-1]
                if error.errno:
                    raise error(f"{place}")
                tail = self.tails[place]
                before = tail.position
                tail.end, tail.stable_end = end, stable_end
                found += tail.take(bytes(data or b""))
                if tail.position >= end or tail.position == before:
                    waiting.discard(place)
        return found

    async def _fetch(self, places: Iterable[TopicPartition]) -> list[tuple[TopicPartition, Any]]:
        by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
        for place in places:
            leader = self._client.cluster.leader_for_partition(place)
            if leader is None or leader < 0:
                raise KafkaError(f"{place} has no leader")
            wanted = by_leader.setdefault(leader, {}).setdefault(place.topic, [])
            wanted.append((place.partition, self.tails[place].position, PIECE_BYTES))
        answers = []
        for leader, topics in by_leader.items():
            request = FetchRequest(0, 0, 4 * PIECE_BYTES, UNCOMMITTED, list(topics.items()))
            response = await self._client.send(leader, request)
            answers += [
                (TopicPartition(topic, part[0]), part) for topic, parts in response.topics for part in parts
            ]
        return answers
