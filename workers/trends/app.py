"""The Faust app: group membership, partitions, the table with its changelog and recovery, one agent.

At least once and one at a time (concurrency 1). The table is RocksDB on local disk, restored from
its changelog topic on a new machine. What Faust's at least once would count twice is not counted
twice, because a state knows the offset up to which it counts, and is written whole (checkpoint.py).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
from faust.types import StreamT

from workers.connection import KafkaConnection
from workers.faust_app import credentials
from workers.topics import TopicNames
from workers.trends.checkpoint import Checkpoint
from workers.trends.consumer import Batches, BatchTransport
from workers.trends.counter import Counter, Gap
from workers.trends.instruments import Instruments
from workers.trends.limits import TrendLimits
from workers.trends.publisher import Publisher
from workers.trends.status import TrendsStatus

__all__ = ["TrendsApp", "TrendsPlan"]

log = logging.getLogger(__name__)

TICK_S = 0.5
# Counting one takes about 20 µs; a batch must not keep the loop from its other work for long.
MAX_BATCH = 2000
SESSION_S = 10.0
HEARTBEAT_S = 3.0
# A partition's table is some MB; Faust's defaults are 64 MB and 2 GB for each partition.
WRITE_BUFFER_BYTES = 8 * 1024 * 1024
BLOCK_CACHE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TrendsPlan:
    """Everything that a worker needs to know."""

    connection: KafkaConnection
    topics: TopicNames
    data_dir: Path
    """Where the table lies; one worker's own."""
    worker_id: str = "worker-0"
    replication: int = 1
    """Copies of the changelog topic."""
    limits: TrendLimits = field(default_factory=TrendLimits)


class CheckpointTable(faust.Table):  # type: ignore[misc]  # Faust is not typed here
    """A table that tells when its changelog has what was written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: list[Any] = []

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        """As Faust does, and remembers it."""
        sent = super().send_changelog(*args, **kwargs)
        self._sent.append(sent)
        return sent

    async def settle(self) -> None:
        """Returns once the changelog has everything; raises what the producer raised."""
        sent, self._sent = self._sent, []
        await asyncio.gather(*sent)

    async def write(self, partition: int, checkpoint: Checkpoint) -> None:
        """Writes into the partition of the event that is being worked on: that must be `partition`."""
        event = faust.current_event()
        assert event is not None
        assert event.message.partition == partition
        for key, value in checkpoint.parts:
            self[key] = value
        key, value = checkpoint.manifest
        self[key] = value
        await self.settle()
        for key in checkpoint.stale:
            self.pop(key, None)


class TrendsApp:
    """One start of the app. `failed` gets the error that stopped counting."""

    def __init__(self, plan: TrendsPlan, partitions: int, status: TrendsStatus) -> None:
        """`partitions` of the entities' topic."""
        self._plan = plan
        self._partitions = partitions
        self._status = status
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._draining: asyncio.Event | None = None
        self._left: set[int] = set()
        self._publisher = Publisher(plan.connection, plan.topics.entities, plan.topics.trends)
        self.app = self._make_app()
        self._table = self._make_table()
        self._counter = Counter(
            plan.limits,
            self._publisher,
            self._table,
            self._commit,
            status=status,
            instruments=Instruments(plan.limits.group, plan.topics.entities, status),
        )
        self._batches.offsets = self._counter.next_offsets
        topic = self.app.topic(
            plan.topics.entities, key_serializer="raw", value_serializer="raw", partitions=partitions
        )
        self.app.agent(topic, name="trends", concurrency=1)(self._agent)

    async def start(self) -> None:
        """Joins the group, restores the table, begins to count."""
        self._plan.data_dir.mkdir(parents=True, exist_ok=True)
        await self._publisher.start()
        await self.app.start()

    async def until_stopped(self) -> None:
        """Returns when Faust has stopped by itself."""
        await self.app.wait_until_stopped()

    async def drain(self) -> None:
        """Returns once everything that was taken in is published, checkpointed and committed."""
        self._left = set(self._status.partitions)
        self._draining = asyncio.Event()
        if self._left:
            await self._draining.wait()

    async def stop(self) -> None:
        """Leaves."""
        await self.app.stop()
        await self._publisher.stop()

    def _make_app(self) -> Any:
        plan = self._plan
        servers = [f"kafka://{server}" for server in plan.connection.options()["bootstrap_servers"]]
        self._batches = Batches(plan.topics.entities, TICK_S, dict)
        app = faust.App(
            plan.limits.group,
            broker=servers,
            broker_credentials=credentials(plan.connection),
            broker_session_timeout=SESSION_S,
            broker_heartbeat_interval=HEARTBEAT_S,
            consumer_group_instance_id=plan.worker_id,
            consumer_auto_offset_reset="earliest",
            broker_max_poll_records=MAX_BATCH,
            processing_guarantee="at_least_once",
            store="rocksdb://",
            datadir=str(plan.data_dir),
            web_enabled=False,
            table_standby_replicas=0,
            topic_disable_leader=True,
            topic_replication_factor=plan.replication,
            stream_wait_empty=False,
            Table=CheckpointTable,
            autodiscover=False,
        )
        app.transport = BatchTransport(self._batches, app.conf.broker_consumer, app)
        return app

    def _make_table(self) -> CheckpointTable:
        table: CheckpointTable = self.app.Table(
            "state",
            key_type=bytes,
            value_type=bytes,
            partitions=self._partitions,
            options={
                "driver": "rocksdict",
                "write_buffer_size": WRITE_BUFFER_BYTES,
                "block_cache_size": BLOCK_CACHE_BYTES,
            },
        )
        table.on_recover(self._recovered)
        return table

    async def _recovered(self) -> None:
        """The table is complete; streams start after this, at the offsets of the states."""
        topic = self._plan.topics.entities
        try:
            self._counter.assign({tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic})
        except Exception as error:
            self._fail(error)
            raise

    async def _agent(self, stream: StreamT[bytes]) -> None:
        # An exception that left this loop would acknowledge its event and go on with the next one.
        async for event in stream.noack().events():
            try:
                self._status.last_poll_s = self._batches.last_poll_s
                await self._take(event.message)
                if self._draining is not None:
                    await self._finish(event.message.partition)
            except Exception as error:
                self._fail(error)
                await asyncio.Event().wait()  # the worker stops now; nothing more may be counted

    async def _take(self, message: Any) -> None:
        try:
            await self._counter.take(message.partition, message.batch, message.begins_at)
        except Gap as gap:
            log.warning("partition %d: %s; reading them again", message.partition, gap)
            await self.app.consumer.seek(message.tp, gap.next_offset)

    async def _finish(self, partition: int) -> None:
        assert self._draining is not None
        if self._counter.has_unsaved(partition):
            await self._counter.checkpoint(partition)
        self._left.discard(partition)
        if not self._left:
            self._draining.set()

    async def _commit(self, partition: int, next_offset: int) -> None:
        await self.app.consumer.commit_checkpoint(partition, next_offset)

    def _fail(self, error: Exception) -> None:
        log.error("counting has stopped: %r", error)
        if not self.failed.done():
            self.failed.set_exception(error)
