"""One mentions worker: matching, folding and the webhook, side by side in one process.

Each stage has its own place in Kafka, so that any of them may be slow or broken without the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import NetworkError
from workers.faust_app import FaustBroken, running_app
from workers.fetch.limits import FetchLimits
from workers.fetch.source import PictureSource
from workers.mentions.config import MatchConfig, MentionSettings
from workers.mentions.fold_app import FoldApp
from workers.mentions.posts import RecordReader
from workers.mentions.processor import MentionProcessor
from workers.mentions.status import MentionsStatus
from workers.mentions.watching import WatchedFile
from workers.mentions.webhook import WebhookSender
from workers.mentions.webhook_config import webhook_config
from workers.recognise.worker import Worker
from workers.topics import check_topics

__all__ = ["MentionsConfig", "MentionsWorker", "run_mentions"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MentionsConfig:
    """Everything that the three stages are told."""

    match: MatchConfig
    """Of the first stage; connection, topics, group and worker id are those of all."""
    settings: MentionSettings
    folder: Path
    """Where Faust keeps what it keeps on disk."""
    replication: int = 1
    """Copies of the topic in which folding keeps its state."""
    pictures: FetchLimits = field(default_factory=FetchLimits)


class MentionsWorker:
    """Watches until it is stopped. `status` may be read at any time."""

    def __init__(self, config: MentionsConfig, status: MentionsStatus | None = None) -> None:
        """Raises OperatorError: a watch list or a webhook that cannot be used."""
        self._config = config
        self._webhook = webhook_config(config.settings.webhook)
        self.watched = WatchedFile(config.settings.watch_list)
        self.status = status or MentionsStatus()
        self.status.webhook.on = self._webhook is not None
        self._stop = asyncio.Event()
        self._worker: Worker | None = None

    def stop(self) -> None:
        """Finishes what is in work and ends; called a second time, ends at once."""
        self._stop.set()
        if self._worker is not None:
            self._worker.stop()

    async def run(self) -> None:
        """Returns after `stop`. Raises OperatorError."""
        async with AsyncExitStack() as stack:
            self._worker = Worker(self._config.match, self._processor(stack), self.status.match)
            match = asyncio.create_task(self._worker.run(), name="match")
            others = [
                asyncio.create_task(work, name=name)
                for name, work in (
                    ("fold", self._fold()),
                    ("follow the watch list", self.watched.follow(self._config.settings.reload_s)),
                    ("send", self._send()),
                )
            ]
            try:
                await asyncio.wait([match, *others], return_when=asyncio.FIRST_COMPLETED)
                if not self._stop.is_set():  # a stage broke
                    self.stop()
                await match  # what is in work is finished
                await asyncio.wait(others[:1], timeout=self._config.match.drain.revoke_s)
            finally:
                for task in (match, *others):
                    task.cancel()
                results = await asyncio.gather(match, *others, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    def _processor(self, stack: AsyncExitStack) -> MentionProcessor:
        config = self._config
        posts = RecordReader(config.match.connection)
        stack.push_async_callback(posts.close)
        pictures = PictureSource(config.pictures)
        stack.push_async_callback(pictures.close)
        processor = MentionProcessor(
            lambda: self.watched.matcher, posts, pictures, config.match.topics, crops=config.settings.crop
        )
        stack.push_async_callback(processor.close)
        return processor

    async def _send(self) -> None:
        """Sends until cancelled; without a webhook there is nothing to do."""
        if self._webhook is None:
            await self._stop.wait()
            return
        match = self._config.match
        sender = WebhookSender(
            self._webhook,
            match.connection,
            match.topics,
            self.watched.quiet_until,
            group=f"{match.group}-webhook",
            member=match.worker_id,
            status=self.status.webhook,
        )
        await sender.run()

    async def _fold(self) -> None:
        """Folds until stopped; a Faust that broke is replaced."""
        match = self._config.match
        while not self._stop.is_set():
            self.status.fold.begins()
            try:
                found = await check_topics(match.connection, match.needed_topics)
                fold = FoldApp(
                    match.connection,
                    match.topics,
                    self._config.settings.fold,
                    group=f"{match.group}-fold",
                    member=match.worker_id,
                    partitions=found[match.topics.mentions_matched],
                    replication=self._config.replication,
                    folder=self._config.folder,
                    status=self.status.fold,
                )
                async with running_app(fold.app) as watch:
                    stopped = asyncio.create_task(self._stop.wait())
                    await asyncio.wait([watch, stopped], return_when=asyncio.FIRST_COMPLETED)
                    stopped.cancel()
                    if watch.done():
                        watch.result()
            except (NetworkError, FaustBroken) as error:
                log.warning("folding begins anew: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(match.consumer.reconnect_s):
                        await self._stop.wait()


async def run_mentions(config: MentionsConfig, status: MentionsStatus | None = None) -> None:
    """Runs one worker until SIGTERM or SIGINT (the second one: at once). Raises OperatorError."""
    worker = MentionsWorker(config, status)
    brands = len(worker.watched.watch_list.brands)
    log.info("worker %s watches %d brands in %s", config.match.worker_id, brands, config.match.input_topic)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
