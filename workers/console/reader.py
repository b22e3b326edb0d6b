"""Reads the topics for the hub: from a little before the end, in no group, committed records only.

A broker that goes away is told to the page and asked again; what was read is not read twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import MAX_POST_BYTES, CodecError, decode, decode_post
from schemas.deadletters import DeadLetter, NotADeadLetter
from schemas.errors import SakeError
from schemas.headers import fill_from_event
from schemas.mentions import Mention
from schemas.recognitions import Recognition
from schemas.trends import Trend
from workers.connection import KafkaConnection
from workers.console.hub import Hub
from workers.console.texts import shortened
from workers.empty_fetches import mended
from workers.lag import GroupLag
from workers.topics import TopicNames, describe_topics

__all__ = ["Reader"]

log = logging.getLogger(__name__)

# The page's first rows come from the last records of each partition; posts lie further back than
# their recognitions by what the workers have not done yet.
HISTORY_RECORDS = 200
HISTORY_POSTS = 5_000
HISTORY_TRENDS = 5_000
POLL_MS = 200
# Records of one poll: decoded in one go, so few enough that pages are answered in between.
POLL_RECORDS = 250
# A record can be 16 MB of picture, which takes 30 ms: after so long pages are answered in between.
TURN_S = 0.01
PROBE_S = 1.0
# Topics may be made, and get partitions, at any time.
TOPICS_S = 10.0
PROBE_TIMEOUT_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0


class TopicsMissing(SakeError):
    """The topics are not there yet."""


class TopicsChanged(SakeError):
    """There are other topics or partitions than a moment ago."""


class Reader:
    """Runs until it is cancelled."""

    def __init__(self, connection: KafkaConnection, topics: TopicNames, group: str, hub: Hub) -> None:
        """`group` is the recognising workers' group: its offsets are asked for, it is never joined."""
        self._connection = connection
        self._topics = topics
        self._group = group
        self._hub = hub
        self._positions: dict[TopicPartition, int] = {}
        self._handlers: dict[str, Callable[[Any], None]] = {
            topics.posts: self._post,
            topics.recognitions: self._recognition,
            topics.dead_letters: self._letter,
            topics.trends: self._trend,
            topics.mentions: self._mention,
        }
        self._history = {topics.posts: HISTORY_POSTS, topics.trends: HISTORY_TRENDS}
        self._ends: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Reads for ever; every kind of trouble with the broker is told and tried again."""
        wait_s = FIRST_WAIT_S
        self._tell("connecting", "")
        while True:
            began_s = self._hub.now_s()
            try:
                await self._session()
            except TopicsChanged as error:
                log.info("the console reads anew: %s", error)
                continue
            except (SakeError, KafkaError, OSError, TimeoutError) as error:
                log.warning("the console reads nothing: %s", error)
                self._tell("lost", str(error) or f"no answer within {PROBE_TIMEOUT_S:.0f} s")
            except Exception as error:  # a mistake of ours, or of the client's: the page goes on
                log.exception("the console's reading broke")
                self._tell("lost", f"{type(error).__name__}: {error}")
            except asyncio.CancelledError:
                # aiokafka cancels who waits on a connection that closes; nobody has cancelled us.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                self._tell("lost", "the connection was closed")
            if self._hub.now_s() - began_s > LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _tell(self, state: str, why: str) -> None:
        address = shortened(self._connection.bootstrap_servers, 200)
        self._hub.panel("broker", {"state": state, "why": shortened(why, 300), "address": address})

    async def _session(self) -> None:
        """From connecting to the first trouble."""
        partitions = await describe_topics(self._connection)
        needed = (self._topics.posts, self._topics.recognitions, self._topics.dead_letters)
        missing = [name for name in needed if name not in partitions]
        if missing:
            raise TopicsMissing(f"no topic {', '.join(missing)}: make them with `sake topics create`")
        places = [TopicPartition(name, n) for name in self._handlers for n in range(partitions.get(name, 0))]
        consumer = mended(
            AIOKafkaConsumer(
                **self._connection.options(),
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="latest",
                max_partition_fetch_bytes=2 * MAX_POST_BYTES,
            )
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            lag = await stack.enter_async_context(GroupLag.of(self._connection, self._group))
            consumer.assign(places)
            await self._seek(consumer, places)
            self._tell("ok", "")
            tasks = [
                asyncio.ensure_future(work)
                for work in (self._probe(consumer, lag), self._read(consumer), self._watch_topics(partitions))
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_topics(self, read: Mapping[str, int]) -> None:
        """Raises TopicsChanged when there is more to read than what is read."""
        while True:
            await asyncio.sleep(TOPICS_S)
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                now = await describe_topics(self._connection)
            for name in self._handlers:
                if now.get(name, 0) > read.get(name, 0):
                    raise TopicsChanged(f"{name} has {now[name]} partitions")

    async def _seek(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        """To where the last session ended, else a little before the end."""
        places = list(places)
        first, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            back = self._history.get(place.topic, HISTORY_RECORDS)
            start = self._positions.get(place, max(first[place], ends[place] - back))
            # A broker that lost its last second (kill -9) has fewer records than were read.
            consumer.seek(place, min(max(start, first[place]), ends[place]))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        order = list(self._handlers)
        everything = consumer.assignment()
        posts = {place for place in everything if place.topic == self._topics.posts}
        while True:
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            turn_s = self._hub.now_s()
            # Posts first: what a record is about may come in the same batch.
            for place in sorted(batches, key=lambda place: order.index(place.topic)):
                for record in batches[place]:
                    self._take(self._handlers[place.topic], record)
                    self._positions[place] = record.offset + 1
                    if self._hub.now_s() - turn_s > TURN_S:
                        await asyncio.sleep(0)
                        turn_s = self._hub.now_s()
            await asyncio.sleep(0)
            # Posts far ahead of their recognitions wait on the topic, not in memory.
            held = posts if self._hub.join.posts_full else set()
            consumer.pause(*held)
            consumer.resume(*(everything - held))

    def _take(self, handle: Callable[[Any], None], record: Any) -> None:
        try:
            handle(record)
        except (CodecError, NotADeadLetter) as error:
            # A post that is none comes out as a dead letter; anything else is somebody else's record.
            log.debug("%s[%d]@%d: %s", record.topic, record.partition, record.offset, error)
        except Exception:  # a mistake of ours: one record must not end what everybody looks at
            log.exception("%s[%d]@%d cannot be shown", record.topic, record.partition, record.offset)

    def _post(self, record: Any) -> None:
        self._hub.post(fill_from_event(decode_post(record.value), record.headers))

    def _recognition(self, record: Any) -> None:
        self._hub.recognition(decode(record.value, Recognition), len(record.value))

    def _letter(self, record: Any) -> None:
        self._hub.letter(DeadLetter.read(record.key, record.value, record.headers))

    def _trend(self, record: Any) -> None:
        if record.value is not None:  # on a compacted topic a window may be deleted
            self._hub.rising.add(decode(record.value, Trend))

    def _mention(self, record: Any) -> None:
        self._hub.watched.add(decode(record.value, Mention))

    async def _probe(self, consumer: AIOKafkaConsumer, lag: GroupLag) -> None:
        """Asks the broker every second: for its ends, which also tells whether it is there.

        A consumer does not tell that its broker has gone: it tries again for ever.
        """
        posts = [place for place in consumer.assignment() if place.topic == self._topics.posts]
        while True:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                ends = await consumer.end_offsets(posts)
                committed = await lag.committed(posts)
            now_s = self._hub.now_s()
            came = sum(max(0, end - self._ends.get(place, end)) for place, end in ends.items())
            self._hub.pulse.arrived.add(now_s, came)
            self._ends = dict(ends)
            behind = [ends[place] - offset for place, offset in committed.items() if offset is not None]
            self._hub.panel(
                "lag",
                {
                    "posts": sum(behind) if behind else None,
                    "group": self._group,
                    "partitions": len(posts),
                    "without_offset": len(posts) - len(behind),
                    "ahead": self._hub.join.waiting,
                },
            )
            await asyncio.sleep(PROBE_S)
