"""Puts trend records onto their topic, many in one go, and tells when the broker has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from schemas.errors import NetworkError
from schemas.headers import TREND_EVENT, CloudEvent, event_headers
from schemas.ids import content_id
from schemas.trends import Trend
from workers.connection import KafkaConnection

__all__ = ["PublishFailed", "Publisher"]

# Half of Kafka's default message.max.bytes.
BATCH_BYTES = 512 * 1024

_encode = msgspec.json.Encoder().encode
_partition_of_key = DefaultPartitioner()


class PublishFailed(NetworkError):
    """The broker did not take the trend records; a restart publishes them again."""


class Publisher:
    """An idempotent producer: a retry inside it neither repeats nor reorders records."""

    def __init__(self, connection: KafkaConnection, source: str, topic: str) -> None:
        """`source` is the topic that the counts are made from."""
        self._connection = connection
        self._source = f"kafka:{source}"
        self._topic = topic
        self._deliveries: list[asyncio.Future[Any]] = []
        self._producer: AIOKafkaProducer | None = None
        self._partitions: list[int] = []

    async def start(self) -> None:
        """Connects. Raises PublishFailed."""
        self._producer = AIOKafkaProducer(
            **self._connection.options(), enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        try:
            await self._producer.start()
            self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except KafkaError as error:
            raise PublishFailed(f"the producer of {self._topic} cannot start: {error!r}") from error

    async def stop(self) -> None:
        """Sends what is not yet sent and disconnects."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, trends: Iterable[Trend]) -> None:
        """Hands the records over, in order for each key; `settle` tells when they are safe."""
        assert self._producer is not None, "start it first"
        builders: dict[int, Any] = {}
        for trend in trends:
            key, value = trend.key.encode(), _encode(trend)
            number = int(_partition_of_key(key, self._partitions, self._partitions))
            headers = self._headers(key, value)
            builder = builders.get(number)
            if builder is None:
                builder = builders[number] = self._producer.create_batch()
            if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:  # full
                await self._hand_over(builder, number)
                builder = builders[number] = self._producer.create_batch()
                builder.append(timestamp=None, key=key, value=value, headers=headers)
        for number, builder in builders.items():
            await self._hand_over(builder, number)

    async def settle(self) -> None:
        """Returns once the broker has everything that was sent. Raises PublishFailed."""
        deliveries, self._deliveries = self._deliveries, []
        try:
            await asyncio.gather(*deliveries)
        except KafkaError as error:
            raise PublishFailed(f"{self._topic} did not take the trends: {error!r}") from error

    def _headers(self, key: bytes, value: bytes) -> list[tuple[str, bytes]]:
        # Equal records have equal ids: what is published again after a crash can be dropped by its id.
        event = CloudEvent(id=content_id(self._topic, key, value), source=self._source, type=TREND_EVENT)
        return list(event_headers(event))

    async def _hand_over(self, builder: Any, partition: int) -> None:
        assert self._producer is not None
        builder.close()
        self._deliveries.append(await self._producer.send_batch(builder, self._topic, partition=partition))
