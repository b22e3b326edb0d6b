"""Watches a run from outside: what is committed, what is published, and whether the two agree.

Shares no code with the workers; knows nothing of faults but when a broker was killed, because the
embedded one then loses what it acknowledged in the last second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from support.chaos.reader import Found, Reader

__all__ = ["Sample", "Topics", "Witness", "source_of"]

EVERY_S = 0.5
GRACE_S = 5.0
"""A coordinator says that an offset is committed before the markers stand in all partitions. A commit
whose records are not there after this, the broker being there all the time, passed its posts.
"""
DEAD = "__sake.errors."
Place = tuple[int, int]
"""Partition and offset of a post."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Names, and partitions of each."""

    posts: str
    recognitions: str
    entities: str
    dead_letters: str
    partitions: int

    @property
    def sizes(self) -> dict[str, int]:
        """Partitions by name."""
        names = (self.posts, self.recognitions, self.entities, self.dead_letters)
        return dict.fromkeys(names, self.partitions)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment (monotonic clock)."""

    at_s: float
    committed: dict[int, int]
    ends: dict[int, int]


@dataclass(slots=True)
class Claim:
    at_s: float
    partition: int
    committed: int


def source_of(record: Found, dead_letters: str) -> Place | None:
    """The post that an output was made from, by its headers."""
    if record.topic == dead_letters:
        partition, offset = record.header(DEAD + "partition"), record.header(DEAD + "offset")
        return None if partition is None or offset is None else (int(partition), int(offset))
    position = record.header("ce_position")
    if position is None:
        return None
    partition, _, offset = position.partition(":")
    return int(partition), int(offset)


@dataclass(slots=True)
class Witness:
    """`run` it beside the faults, then `read_all` once everything is over."""

    bootstrap: str
    group: str
    topics: Topics
    samples: list[Sample] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _done: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    _frontier: Counter[int] = field(default_factory=Counter)
    _claims: list[Claim] = field(default_factory=list)
    _reader: Reader | None = None
    _admin: AIOKafkaAdminClient | None = None

    async def run(self) -> None:
        """Looks twice a second until it is cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(10):
                        await self._look()
                except (KafkaError, OSError, TimeoutError):
                    await self.close()
                await asyncio.sleep(EVERY_S)
        finally:
            await self.close()

    async def read_all(self) -> tuple[list[Found], Reader]:
        """Everything on all topics from their beginnings, and where their logs end now."""
        reader = Reader(self.bootstrap, self.topics.sizes)
        await reader.start()
        try:
            return await reader.read(), reader
        finally:
            await reader.close()

    async def committed(self) -> dict[int, int]:
        """The group's offsets now."""
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
            await self._admin.start()
        offsets = await self._admin.list_consumer_group_offsets(self.group)
        return {
            place.partition: one.offset
            for place, one in offsets.items()
            if place.topic == self.topics.posts and one.offset >= 0
        }

    async def _look(self) -> None:
        if self._reader is None:
            # From the beginning each time: a broker that was killed may have a shorter log than before.
            self._done.clear()
            self._frontier.clear()
            self._claims.clear()
            self._reader = Reader(self.bootstrap, self.topics.sizes)
            await self._reader.start()
        committed = await self.committed()
        at_s = time.monotonic()
        for record in await self._reader.read():
            place = None if record.topic == self.topics.posts else self._source(record)
            if place is not None:
                self._done[place[0]].add(place[1])
        ends = {
            place.partition: tail.end
            for place, tail in self._reader.tails.items()
            if place.topic == self.topics.posts
        }
        self.samples.append(Sample(at_s, committed, ends))
        self._judge(at_s, committed)

    def _source(self, record: Found) -> Place | None:
        return None if record.topic == self.topics.entities else source_of(record, self.topics.dead_letters)

    def _judge(self, at_s: float, committed: dict[int, int]) -> None:
        for partition, done in self._done.items():
            while self._frontier[partition] in done:
                done.remove(self._frontier[partition])
                self._frontier[partition] += 1
        self._claims += [Claim(at_s, *item) for item in committed.items()]
        self._claims = [each for each in self._claims if each.committed > self._frontier[each.partition]]
        for claim in [each for each in self._claims if at_s - each.at_s > GRACE_S]:
            self._claims.remove(claim)
            self.violations.append(
                f"partition {claim.partition} is committed up to {claim.committed}, but post "
                f"{self._frontier[claim.partition]} has no committed outcome {GRACE_S:.0f} s later"
            )

    async def close(self) -> None:
        """Lets go of the broker; the next look connects anew."""
        reader, self._reader = self._reader, None
        admin, self._admin = self._admin, None
        for one in (reader, admin):
            if one is not None:
                with contextlib.suppress(Exception):
                    await one.close()
