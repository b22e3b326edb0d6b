"""A Faust application as this project runs one: inside our own process and loop, with what Faust lacks.

Faust 0.15.3 reads uncommitted records unless it writes transactions itself (which lose and repeat
records), so the consumer is told here; it opens a web server, which is switched off; static members of
the group keep their partitions over a restart.

It also loses records. Between its seek to what is committed and the end of a rebalance it fetches from the
source and drops what it has; so here nothing is fetched then. And it seeks by aiokafka (0.14), which does
not seek where nothing is committed, or 0: a partition whose first records came less than a commit before a
crash was taken up behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from yarl import URL

from schemas.errors import NetworkError
from workers.connection import KafkaConnection
from workers.empty_fetches import mended

__all__ = ["CommittedConsumer", "FaustBroken", "credentials", "make_app", "running_app"]

# Between two commits: after a crash so much is done again (and counted once, by its offsets).
COMMIT_INTERVAL_S = 1.0
# While a rebalance lasts there may be nothing to fetch: so long until the next look.
REBALANCE_POLL_S = 0.05
# One look at whether the application still lives.
WATCH_S = 0.5


class FaustBroken(NetworkError):
    """The application stopped by itself; a new one mends it."""


class CommittedThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is untyped
    """Reads committed records only."""

    def _create_worker_consumer(self, loop: Any = None) -> AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        consumer = super()._create_worker_consumer(self.transport)
        consumer._isolation_level = "read_committed"  # read when it starts, which is later
        return mended(consumer)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """As Faust does it; and to the beginning of source partitions of which nothing is done yet."""
        return await self.call_thread(self._seek_to_committed)  # type: ignore[no-any-return]

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        committed: Mapping[TP, int] = await consumer.seek_to_committed()
        changelogs = self.app.tables.changelog_topics
        fresh = [place for place, offset in committed.items() if not offset and place.topic not in changelogs]
        if fresh:
            await consumer.seek_to_beginning(*fresh)
        return committed


class CommittedConsumer(Consumer):  # type: ignore[misc]
    """A consumer with that thread, which reads nothing but changelogs while a rebalance lasts."""

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        if self.app.rebalancing:
            changelogs = self.app.tables.changelog_topics
            active_partitions = {place for place in active_partitions if place.topic in changelogs}
        if not active_partitions:
            await asyncio.sleep(REBALANCE_POLL_S)
            return {}
        return await super()._getmany(active_partitions=active_partitions, timeout=timeout)


class CommittedTransport(Transport):  # type: ignore[misc]
    """A transport with that consumer."""

    Consumer = CommittedConsumer


def make_app(
    connection: KafkaConnection,
    *,
    group: str,
    member: str,
    folder: Path,
    store: str = "memory://",
    **settings: Any,
) -> Any:
    """An application that is not started. `group` heads the names of its topics, too.

    `member` is the static member's name; `folder` is where Faust keeps what its store keeps, and is made
    here: Faust makes no folders above it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    urls = [URL(f"kafka://{server}") for server in connection.options()["bootstrap_servers"]]
    app = faust.App(
        group,
        broker=urls,
        broker_credentials=credentials(connection),
        consumer_group_instance_id=member,
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        key_serializer="raw",  # records are encoded by schemas.codec, checked
        value_serializer="raw",
        broker_commit_interval=COMMIT_INTERVAL_S,
        store=store,
        datadir=folder,
        web_enabled=False,
        autodiscover=False,
        stream_wait_empty=False,
        **settings,
    )
    app.transport = CommittedTransport(urls, app)
    return app


@asynccontextmanager
async def running_app(app: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Runs the application while the block runs; gives a task that fails with FaustBroken when it dies."""
    await app.start()
    watch = asyncio.create_task(_watch(app), name=f"watch {app.conf.id}")
    try:
        yield watch
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await app.stop()


async def _watch(app: Any) -> None:
    while not app.crashed and not app.should_stop:  # noqa: ASYNC110 - Faust's event belongs to another loop
        await asyncio.sleep(WATCH_S)
    raise FaustBroken(f"Faust's {app.conf.id} stopped: {app.crash_reason!r}")


def credentials(connection: KafkaConnection) -> Any:
    """Faust's form of how to authenticate; None in the clear."""
    options = connection.options()
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
