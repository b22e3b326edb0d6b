"""Watches for a consumer that stops without an error (aiokafka issues 703, 1037 and 1154 tell of some)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import NetworkError
from workers.recognise.config import WatchLimits
from workers.recognise.lane import Lane
from workers.recognise.state import WorkerState

__all__ = ["StreamBroken", "Watch"]

log = logging.getLogger(__name__)


class StreamBroken(NetworkError):
    """The Kafka client stopped working in a way that only a new one mends."""


class Watch:
    """Compares what the broker holds with what arrives here."""

    def __init__(self, limits: WatchLimits, state: WorkerState, consumer: AIOKafkaConsumer) -> None:
        self._limits = limits
        self._state = state
        self._consumer = consumer
        self._position: dict[TopicPartition, int] = {}
        self._still: dict[TopicPartition, int] = {}

    async def run(self, lanes: Mapping[TopicPartition, Lane]) -> None:
        """For ever. Raises StreamBroken when the consumer is silently dead."""
        while True:
            await asyncio.sleep(self._limits.check_s)
            if self._state.poll_age_s() > self._limits.stuck_poll_s:
                raise StreamBroken(f"one poll has taken {self._state.poll_age_s():.0f} s")
            held = dict(lanes)
            try:
                async with asyncio.timeout(self._limits.check_s):
                    await self._check(held)
            except (KafkaError, TimeoutError) as error:
                log.info("the broker does not tell its end offsets: %r", error)  # an outage, not a silence

    async def _check(self, held: Mapping[TopicPartition, Lane]) -> None:
        ends = await self._consumer.end_offsets(list(held)) if held else {}
        for partition, end in ends.items():
            held[partition].state.end_offset = end
        hungry = [partition for partition, lane in held.items() if lane.wants_more]
        if not hungry or self._consumer.paused():
            self._still.clear()
            return
        assigned = self._consumer.assignment()
        for partition in hungry:
            if partition not in assigned:
                continue
            position = await self._consumer.position(partition)
            stands = position == self._position.get(partition) and position < ends[partition]
            self._position[partition] = position
            self._still[partition] = self._still.get(partition, 0) + 1 if stands else 0
            if self._still[partition] >= self._limits.checks:
                raise StreamBroken(
                    f"{partition.topic}[{partition.partition}] has records up to {ends[partition]}, but none "
                    f"came after {position} for {self._limits.checks * self._limits.check_s:.0f} s"
                )
