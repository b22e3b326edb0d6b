"""Folds copies with Faust: `sake.mentions.matched` → `sake.mentions`.

What of Faust is used, and what not (faults of faust-streaming 0.15.3 that were measured):
- at least once, one event at a time: its exactly-once and its `concurrency` lose or repeat records. The
  counts are exact nevertheless, since `workers.mentions.folding` knows each record by its offset;
- Faust acknowledges an event whose work was broken off, by an exception or by a stop; so the agent
  acknowledges by itself, when the work is done, and tries again until it is;
- a table in memory behind its changelog topic: what is folded is bounded, and comes back from Kafka. Faust
  does not wait for the changelog before it commits what led to it: a crash between the two lost counts. So
  an event is acknowledged when the broker has what it changed (`SureTable`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faust
import msgspec
from faust.types import TP

from schemas.codec import CodecError, decode, encode
from schemas.headers import MENTION_EVENT, CloudEvent, event_headers, read_traceparent
from schemas.ids import normalised_name
from schemas.mentions import Mention, Revision
from workers.connection import KafkaConnection
from workers.faust_app import make_app
from workers.mentions.config import FoldLimits
from workers.mentions.folding import Folding, Story
from workers.mentions.records import Matched
from workers.mentions.status import FoldStatus
from workers.topics import TopicNames

__all__ = ["FoldApp"]

log = logging.getLogger(__name__)

# Between two looks at which mentions' time is over.
TICK_S = 2.0
# Between two tries to publish while the broker does not take anything.
RETRY_S = 1.0

_story_of = msgspec.msgpack.Decoder(Story).decode


class SureTable(faust.Table):  # type: ignore[misc]  # Faust is untyped
    """A table that knows which of its changes the broker does not have yet."""

    # Faust's own tables' name: else it would say "Starting…" under ours, which is not muted (workers.logs).
    logger = logging.getLogger("faust.tables.sure")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unwritten: list[Any] = []

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        """As Faust does, which sends it soon."""
        sending = super().send_changelog(*args, **kwargs)
        self._unwritten.append(sending)
        return sending

    async def written(self) -> None:
        """Returns once the broker has all changes. Raises what the first failure raised; all are forgotten
        then, and must be made again."""
        unwritten, self._unwritten = self._unwritten, []
        for each in unwritten:
            await each


class FoldApp:
    """The application and its state. `app` is Faust's, to be run by `workers.faust_app.running_app`."""

    def __init__(
        self,
        connection: KafkaConnection,
        topics: TopicNames,
        limits: FoldLimits,
        *,
        group: str,
        member: str,
        partitions: int,
        replication: int,
        folder: Path,
        status: FoldStatus | None = None,
    ) -> None:
        """`partitions` is the number that `sake.mentions.matched` has."""
        self._topics = topics
        self._limits = limits
        self._status = status or FoldStatus()
        self._foldings: dict[int, Folding] = {}
        self._told: list[Story] = []
        """Stories whose last word is said, which the table does not know yet: Faust's tables can only be
        written while an event is in work. After a crash before that the last word is said again."""
        self._last_event_s = time.monotonic()
        self.app = make_app(
            connection,
            group=group,
            member=member,
            folder=folder,
            topic_partitions=partitions,
            topic_replication_factor=replication,
            Table=SureTable,
        )
        raw = {"key_type": bytes, "value_type": bytes}
        self._source = self.app.topic(topics.mentions_matched, **raw)
        self._sink = self.app.topic(topics.mentions, **raw)
        self._table = self.app.Table("stories", partitions=partitions, **raw)
        self._table.on_recover(self._forget_all)
        self.app.agent(self._source, name="fold", concurrency=1)(self._fold_all)
        self.app.timer(TICK_S)(self._tick)

    async def _forget_all(self) -> None:
        """Partitions came or went: what is known of them is in the table."""
        self._foldings.clear()
        self._told.clear()

    async def _fold_all(self, stream: Any) -> None:
        stream.enable_acks = False  # Faust acknowledges what is in work when it stops
        async for event in stream.events():
            while True:
                try:
                    await self._fold(event)
                    break
                except Exception:
                    log.exception("a mention cannot be folded; next try in %.0f s", RETRY_S)
                    await asyncio.sleep(RETRY_S)
            await stream.ack(event)

    async def _fold(self, event: Any) -> None:
        message = event.message
        try:
            matched = decode(message.value, Matched)
        except CodecError as error:  # ours alone: nothing but a newer program's record
            log.error("%s[%d]@%d is passed over: %s", message.topic, message.partition, message.offset, error)
            return
        self._last_event_s = time.monotonic()
        folding = self._folding(message.partition)
        folded = folding.fold(matched, message.partition, message.offset, self._committed(message))
        for story in (folded.story, *self._told_on(message.partition)):
            if folding.has(story):
                self._table[story.id.encode()] = msgspec.msgpack.encode(story)
        for story_id in folded.forget:
            self._table.pop(story_id.encode(), None)
        traceparent = read_traceparent(message.headers)
        for mention in folded.publish:
            await self._publish(mention, traceparent)
        await self._table.written()
        self._status.folded += 1

    def _folding(self, partition: int) -> Folding:
        folding = self._foldings.get(partition)
        if folding is None:
            kept = (_story_of(value) for value in self._table.values())
            folding = Folding(self._limits, (story for story in kept if story.partition == partition))
            self._foldings[partition] = folding
        return folding

    def _told_on(self, partition: int) -> list[Story]:
        """Hands out those of one partition, once."""
        here = [story for story in self._told if story.partition == partition]
        self._told = [story for story in self._told if story.partition != partition]
        return here

    def _committed(self, message: Any) -> int:
        """Where this partition would be taken up after a crash."""
        return self.app.consumer._committed_offset[TP(message.topic, message.partition)] or 0

    async def _tick(self) -> None:
        """Publishes last words. When the stream rests, the wall clock is its time."""
        self._status.sign()
        idle = time.monotonic() - self._last_event_s > self._limits.idle_s
        for folding in list(self._foldings.values()):
            now = datetime.now(UTC) if idle else folding.clock
            for story in list(folding.due(now)) if now is not None else ():
                await self._publish(story.revision(Revision.LAST), None)
                self._told.append(story)

    async def _publish(self, mention: Mention, traceparent: str | None) -> None:
        """Returns once the broker has it."""
        event = CloudEvent(
            id=f"{mention.id}-{mention.revision.value}-{mention.posts}",
            source=f"kafka:{self._topics.mentions_matched}",
            type=MENTION_EVENT,
            time=mention.last_seen_at or mention.recognised_at,
        )
        sent = await self._sink.send(
            key=normalised_name(mention.brand).encode(),
            value=encode(mention),
            headers=dict(event_headers(event, traceparent=traceparent)),
        )
        await sent
        self._status.published += 1
