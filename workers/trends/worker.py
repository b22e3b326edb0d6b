"""The trends worker: waits for broker and topics, counts until it is told to stop or the app fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Iterator
from typing import Any

from schemas.errors import NetworkError
from workers.recognise.state import Phase
from workers.topics import check_topics
from workers.trends.app import TrendsApp, TrendsPlan
from workers.trends.status import TrendsStatus

__all__ = ["TrendsPlan", "TrendsStopped", "TrendsWorker", "run_trends"]

log = logging.getLogger(__name__)

RETRY_S = 1.0
MAX_RETRY_S = 30.0
# A drain is one checkpoint for each partition: seconds, or the broker is not there.
DRAIN_S = 30.0


class TrendsStopped(NetworkError):
    """Faust has stopped by itself; a restart goes on at the last checkpoint."""


class TrendsWorker:
    """Counts until it is stopped. `status` may be read at any time."""

    def __init__(self, plan: TrendsPlan, status: TrendsStatus | None = None) -> None:
        self.status = status or TrendsStatus()
        self._plan = plan
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Publishes and keeps what was counted, and ends. Safe in a signal handler of the loop."""
        self._stop.set()

    async def run(self) -> None:
        """Returns after `stop`. Waits for brokers that are down when it starts.

        Raises OperatorError (topics missing, a state that does not fit), NetworkError (broker lost), and
        whatever a bug raises. Nothing is counted wrong then: a restart goes on at the last checkpoint.
        """
        try:
            partitions = await self._wait_for_topics()
            if partitions:
                await self._count(partitions)
        except BaseException as error:
            self.status.stopped_because = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.status.phase = Phase.STOPPED

    async def _count(self, partitions: int) -> None:
        app = TrendsApp(self._plan, partitions, self.status)
        try:
            await self._until_end(app.start(), app.failed)
            if not self._stop.is_set() and not app.failed.done():
                self.status.phase = Phase.RUNNING
                log.info("counting %s", self._plan.topics.entities)
                await self._until_end(app.until_stopped(), app.failed)
            if app.failed.done():
                app.failed.result()
            if not self._stop.is_set():
                raise TrendsStopped("the Faust app has stopped; its log says why")
            await self._drain(app)
        finally:
            await app.stop()

    async def _drain(self, app: TrendsApp) -> None:
        self.status.phase = Phase.DRAINING
        try:
            async with asyncio.timeout(DRAIN_S):
                await app.drain()
        except TimeoutError:
            log.warning("not drained within %.0f s; the next worker counts on from the checkpoint", DRAIN_S)

    async def _until_end(self, work: Awaitable[None], failed: asyncio.Future[None]) -> None:
        """Until the work is done, `stop` is called or counting fails. Raises what the work raises."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stop.wait())
        ends: set[asyncio.Future[Any]] = {task, stopping, failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
        else:
            task.cancel()

    async def _wait_for_topics(self) -> int:
        """The partitions of the entities' topic, once a broker answers; 0 when stopped before."""
        wait_s = RETRY_S
        names = self._plan.topics
        while not self._stop.is_set():
            try:
                found = await check_topics(self._plan.connection, (names.entities, names.trends))
            except NetworkError as error:
                log.warning("%s; next try in %.0f s", error, wait_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._stop.wait()
                wait_s = min(2 * wait_s, MAX_RETRY_S)
            else:
                return found[names.entities]
        return 0


async def run_trends(plan: TrendsPlan, status: TrendsStatus | None = None) -> None:
    """Runs one worker until SIGTERM or SIGINT. Raises as TrendsWorker.run."""
    worker = TrendsWorker(plan, status)
    with stopped_by_signals(worker):
        await worker.run()


@contextlib.contextmanager
def stopped_by_signals(worker: TrendsWorker) -> Iterator[None]:
    """SIGTERM and SIGINT stop the worker while the block runs."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, worker.stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
