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
from workers.mentions.watching import WatchedFile
from workers.recognise.state import WorkerState
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
    """Watches until it is stopped. `state` is that of the first stage."""

    def __init__(self, config: MentionsConfig, state: WorkerState | None = None) -> None:
        """Raises WatchListError."""
        self._config = config
        self.watched = WatchedFile(config.settings.watch_list)
        self.state = state or WorkerState()
        self._stop = asyncio.Event()
        self._worker: Worker | None = None

    def stop(self) -> None:
        """Finishes what is in work and ends; called a second time, ends at once."""
        self._stop.set()
        if self._worker is not None:
            self._worker.stop()

    async def run(self) -> None:
        """Returns after `stop`. Raises OperatorError."""
        config = self._config
        async with AsyncExitStack() as stack:
            posts = RecordReader(config.match.connection)
            stack.push_async_callback(posts.close)
            pictures = PictureSource(config.pictures)
            stack.push_async_callback(pictures.close)
            processor = MentionProcessor(
                lambda: self.watched.matcher, posts, pictures, config.match.topics, crops=config.settings.crop
            )
            stack.push_async_callback(processor.close)
            self._worker = Worker(config.match, processor, self.state)
            if self._stop.is_set():
                return
            tasks = [
                asyncio.create_task(self._worker.run(), name="match"),
                asyncio.create_task(self._fold(), name="fold"),
                asyncio.create_task(
                    self.watched.follow(config.settings.reload_s), name="follow the watch list"
                ),
            ]
            stopped = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
                if not self._stop.is_set():  # a stage broke
                    self.stop()
                await tasks[0]  # what is in work is finished; raises what broke it
                await asyncio.wait(tasks[1:2], timeout=config.match.drain.revoke_s)
            finally:
                for task in (*tasks, stopped):
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _fold(self) -> None:
        """Folds until stopped; a Faust that broke is replaced."""
        match = self._config.match
        while not self._stop.is_set():
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


async def run_mentions(config: MentionsConfig, state: WorkerState | None = None) -> None:
    """Runs one worker until SIGTERM or SIGINT (the second one: at once). Raises OperatorError."""
    worker = MentionsWorker(config, state)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
