"""One membership in the consumer group, from joining to leaving: the pump and its lanes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from schemas.errors import OperatorError
from workers.closing import close_consumer
from workers.empty_fetches import mended
from workers.recognise.config import WorkerConfig
from workers.recognise.gate import EngineGate
from workers.recognise.lane import Bench, BrokerForgot, Lane
from workers.recognise.messages import InMessage
from workers.recognise.state import Phase
from workers.recognise.transactor import Fenced, Source, Transactor
from workers.recognise.watch import StreamBroken, Watch

__all__ = ["Session", "StreamBroken", "WorkerFenced"]

log = logging.getLogger(__name__)


class WorkerFenced(OperatorError):
    """Another process has taken over what this worker holds."""


class Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """See the module's docstring. Made anew for every start; used once."""

    def __init__(self, config: WorkerConfig, bench: Bench, gate: EngineGate, partitions: int) -> None:
        self._config = config
        self._bench = bench
        self._gate = gate
        self._partitions = partitions
        self._lanes: dict[TopicPartition, Lane] = {}
        self._opening: dict[TopicPartition, asyncio.Task[None]] = {}
        self._held: set[TopicPartition] = set()
        self._wake = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._background: set[asyncio.Task[None]] = set()
        self._full_since_s: float | None = None
        self._evictions: list[float] = []
        self._connections: dict[Any, Any] = {}
        self._consumer = self._make_consumer()
        bench.on_room = self._wake.set
        bench.on_failure = self._lane_failed

    async def run(self, stop: asyncio.Event, stop_now: asyncio.Event) -> None:
        """Until `stop`, then drains. Raises StreamBroken, OperatorError, or what a bug raised."""
        tasks: list[asyncio.Task[None]] = []
        try:
            if not await self._start_consumer(stop):
                return
            watch = Watch(self._config.watch, self._bench.state, self._consumer)
            tasks = [
                asyncio.create_task(self._pump(), name="pump"),
                asyncio.create_task(watch.run(self._lanes), name="watch"),
            ]
            stopping = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[Any]] = {self._failed, *tasks, stopping}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            for ended in (self._failed, *tasks):
                if ended.done():
                    ended.result()
            tasks[0].cancel()
            await self._drain(stop_now)
        except KafkaError as error:
            raise _judged(error) from error
        finally:
            await self._close(tasks)

    def gate_changed(self) -> None:
        """The engine went away or came back."""
        state = self._bench.state
        if state.phase in (Phase.RUNNING, Phase.WAITING_FOR_ENGINE):
            state.phase = Phase.RUNNING if self._gate.open else Phase.WAITING_FOR_ENGINE
        self._wake.set()

    # Called by aiokafka. While these run it sends no heartbeats: they must be quick.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Gives the lanes up: their posts are cancelled, a running transaction may end."""
        self._held.clear()
        lanes = [self._lanes.pop(partition) for partition in revoked if partition in self._lanes]
        await self._close_lanes(lanes)
        # aiokafka tells nobody, so its coordinator is asked: a member of an ordinary rebalance keeps its
        # id, one that the group no longer knows has none. After a lost connection that is no wonder, for
        # a broker that restarts may forget its groups; over the same connection it is.
        coordinator = self._consumer._coordinator
        now = self._consumer._client._conns
        same = all(now.get(name) is one for name, one in self._connections.items())
        if lanes and not coordinator.member_id and same:
            self._evicted("evicted from the group")

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Opens a lane for each partition, in the background."""
        self._connections = dict(self._consumer._client._conns)
        self._held = set(assigned)
        for partition in self._held:
            self._begin(partition)
        self._bench.state.phase = Phase.RUNNING if self._gate.open else Phase.WAITING_FOR_ENGINE
        log.info("holding %s", ", ".join(lane.name for lane in self._lanes.values()) or "no partition")

    def _begin(self, partition: TopicPartition) -> None:
        source = Source(partition, self._partitions, self._config.group)
        transactor = Transactor(self._config.connection, source, self._config.producer)
        lane = Lane(source, self._bench, transactor, partial(self._consumer.committed, partition))
        self._lanes[partition] = lane
        self._bench.state.lanes[lane.name] = lane.state
        self._opening[partition] = asyncio.create_task(self._open(lane), name=f"open {lane.name}")

    async def _open(self, lane: Lane) -> None:
        """The order matters: the producer first, then the committed offset, then the first fetch.

        Until the lane is open nobody fetches its partition, so nothing can slip in before the seek.
        """
        partition = lane.source.partition
        try:
            offset = await lane.open()
            if offset is None:
                await self._consumer.seek_to_beginning(partition)
            else:
                self._consumer.seek(partition, offset)
            lane.start()
            self._wake.set()
        except Exception as error:
            self._lane_failed(lane, error)
        finally:
            if self._opening.get(partition) is asyncio.current_task():
                del self._opening[partition]

    def _lane_failed(self, lane: Lane, error: BaseException) -> None:
        if isinstance(error, Fenced):
            self._later(self._judge_fenced(lane, error))
        elif isinstance(error, BrokerForgot):
            log.error("%s; starting there again", error)
            self._later(self._begin_again(lane))
        elif not self._failed.done():
            self._failed.set_exception(error)

    async def _judge_fenced(self, lane: Lane, error: Fenced) -> None:
        """Fenced because a rebalance took the partition: it is revoked soon. Otherwise it is taken back:
        a zombie wrote once more, or the broker ended a transaction that this worker slept through.
        """
        log.warning("%s", error)
        await asyncio.sleep(self._config.drain.fenced_grace_s)
        if self._lanes.get(lane.source.partition) is lane:
            self._evicted("fenced")
        await self._begin_again(lane)

    async def _begin_again(self, lane: Lane) -> None:
        partition = lane.source.partition
        if self._lanes.get(partition) is lane and not self._failed.done():
            del self._lanes[partition]
            await self._close_lanes([lane])
            # While it closed, a rebalance may have taken the partition away, or have begun it again.
            if partition in self._held and partition not in self._lanes:
                self._begin(partition)

    def _evicted(self, how: str) -> None:
        """Once: a zombie's last word, or a long sleep. Again and again: a rival of the same name."""
        limits = self._config.drain
        now_s = time.monotonic()
        self._evictions = [at_s for at_s in self._evictions if now_s - at_s < limits.rival_window_s] + [now_s]
        if len(self._evictions) >= limits.rival_evictions and not self._failed.done():
            times = f"{len(self._evictions)} times in {limits.rival_window_s:.0f} s"
            self._failed.set_exception(
                WorkerFenced(
                    f"{how} {times}: another process of the group {self._config.group} runs as "
                    f"{self._config.worker_id} (give each its own SAKE_WORKER_ID), or this one is held up "
                    "again and again for longer than its session may be silent"
                )
            )

    async def _pump(self) -> None:
        """Asks Kafka for records, again and again, but never for more than there is room for."""
        while True:
            self._bench.state.last_poll_s = time.monotonic()
            self._wake.clear()
            for lane in self._lanes.values():
                lane.start_posts()
            wanting = [partition for partition, lane in self._lanes.items() if lane.wants_more]
            room = self._bench.load.room(self._config.window) if self._gate.open else 0
            if wanting and room:
                await self._poll(wanting, room)
            else:
                await self._rest(any(lane.state.opened for lane in self._lanes.values()))

    async def _poll(self, wanting: list[TopicPartition], room: int) -> None:
        self._full_since_s = None
        if paused := self._consumer.paused():
            self._consumer.resume(*paused)
        if await self._take_turns(wanting, room):
            await asyncio.sleep(0)  # lets the posts begin before the next poll
            return
        # A lane that is left out must not wait for records of the others.
        everyone = len(wanting) == len(self._lanes)
        timeout_s = self._config.consumer.poll_s if everyone else 0
        if not await self._fetch(wanting, room, timeout_s) and not everyone:
            await self._wait_for_room()

    async def _take_turns(self, wanting: list[TopicPartition], room: int) -> int:
        """Takes what is there already, from the lane that holds least first. Returns how many posts.

        Asked for several partitions at once, aiokafka empties the one that it fetched first, megabytes
        of it, before it turns to the next: with little room the others would starve.
        """
        taken = 0
        turns = sorted(wanting, key=lambda partition: self._lanes[partition].state.held)
        for asked, partition in enumerate(turns):
            share = math.ceil((room - taken) / (len(turns) - asked))
            if share > 0:
                taken += await self._fetch([partition], share, 0)
        return taken

    async def _fetch(self, partitions: list[TopicPartition], most: int, timeout_s: float) -> int:
        """Feeds the lanes with up to `most` records. Returns how many came."""
        fetched = await self._consumer.getmany(
            *partitions, timeout_ms=int(timeout_s * 1000), max_records=most
        )
        for partition, records in fetched.items():
            lane = self._lanes.get(partition)
            if lane is not None and lane.state.opened:
                lane.feed([_message(record) for record in records])
        return sum(map(len, fetched.values()))

    async def _rest(self, full: bool) -> None:
        """No room, or no partition. A long rest pauses the partitions and polls all the same, which
        keeps this worker in the group.
        """
        now_s = time.monotonic()
        if self._full_since_s is None:
            self._full_since_s = now_s
        if now_s - self._full_since_s > self._config.consumer.pause_after_s or not full:
            assigned = self._consumer.assignment()
            if assigned:
                self._consumer.pause(*assigned)
            await self._consumer.getmany(timeout_ms=0)
        await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        # Not asyncio.wait_for: before Python 3.12 it can swallow a cancellation.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.consumer.poll_s):
                await self._wake.wait()

    async def _drain(self, stop_now: asyncio.Event) -> None:
        """Finishes and commits what is in work, within `drain_s` or until `stop_now`."""
        state = self._bench.state
        state.phase = Phase.DRAINING
        log.info("draining: %d posts in work, %d finished", state.running, state.finished)
        lanes = [asyncio.create_task(lane.drain()) for lane in self._lanes.values()]
        ends = asyncio.gather(*lanes)
        now = asyncio.create_task(stop_now.wait())
        any_of: set[asyncio.Future[Any]] = {ends, now, self._failed}
        await asyncio.wait(any_of, timeout=self._config.drain.drain_s, return_when=asyncio.FIRST_COMPLETED)
        now.cancel()
        if not ends.done():
            log.warning("not drained in time: %d posts are left to the next worker", state.running)
            ends.cancel()
        await asyncio.gather(ends, *lanes, return_exceptions=True)
        if self._failed.done():
            self._failed.result()

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in (*tasks, *self._background):
            task.cancel()
        await asyncio.gather(*tasks, *self._background, return_exceptions=True)
        lanes = list(self._lanes.values())
        self._lanes.clear()
        await self._close_lanes(lanes)
        self._bench.on_room = lambda: None
        self._bench.on_failure = lambda _lane, _error: None
        await self._stop_consumer()
        if self._failed.done():
            self._failed.exception()  # seen, whether or not it was the first to be raised

    async def _close_lanes(self, lanes: list[Lane]) -> None:
        opening = [task for lane in lanes if (task := self._opening.pop(lane.source.partition, None))]
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        try:
            async with asyncio.timeout(self._config.drain.revoke_s):
                await asyncio.gather(*(lane.close() for lane in lanes))
        except TimeoutError:
            log.error("partitions were not given back within %.0f s", self._config.drain.revoke_s)
        for lane in lanes:
            self._bench.state.lanes.pop(lane.name, None)

    def _make_consumer(self) -> AIOKafkaConsumer:
        limits = self._config.consumer
        return mended(
            AIOKafkaConsumer(
                **self._config.connection.options(),
                client_id=self._config.worker_id,
                group_id=self._config.group,
                group_instance_id=self._config.worker_id,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=limits.session_timeout_ms,
                rebalance_timeout_ms=limits.rebalance_timeout_ms,
                heartbeat_interval_ms=limits.heartbeat_ms,
                max_poll_interval_ms=limits.max_poll_interval_ms,
                max_partition_fetch_bytes=limits.fetch_bytes,
            )
        )

    async def _start_consumer(self, stop: asyncio.Event) -> bool:
        """Connects, as often as it takes. False when stopped before."""
        wait_s = self._config.consumer.reconnect_s
        while not stop.is_set():
            try:
                self._consumer.subscribe([self._config.input_topic], listener=self)
                await self._consumer.start()
            except KafkaConnectionError as error:
                log.warning("no broker for the consumer yet: %s; next try in %.0f s", error, wait_s)
                await self._stop_consumer()
                self._consumer = self._make_consumer()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await stop.wait()
                wait_s = min(2 * wait_s, self._config.consumer.max_reconnect_s)
            else:
                return True
        return False

    async def _stop_consumer(self) -> None:
        # A join that waits for other members, or for a dead broker, would hold a plain stop up.
        await close_consumer(self._consumer, self._config.drain.revoke_s)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _message(record: Any) -> InMessage:
    return InMessage(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )


def _judged(error: KafkaError) -> Exception:
    """What an error of the consumer means for the worker."""
    if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
        return OperatorError(f"the cluster forbids it: {error}; grant Read on the topic and the group")
    # Kafka's FENCED_INSTANCE_ID (82) is unknown to aiokafka, and nothing else unknown meets a member.
    if "UnknownError" in str(error):
        return WorkerFenced(
            f"the group has another member of this name: {error}; give each its own SAKE_WORKER_ID"
        )
    return StreamBroken(f"the Kafka consumer stopped: {error!r}")
