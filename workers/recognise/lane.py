"""One assigned partition at work: its window, its posts' tasks, its commits.

Life: `open` (start the producer, which fences whoever was here before; only then read the
committed offset) → `start` → `feed` … → `drain` or `close`. A lane that fails sets `failure` and stops
committing; whoever owns it decides what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from schemas.errors import NetworkError
from workers.recognise.attempts import Attempts
from workers.recognise.instruments import Instruments
from workers.recognise.letters import DeadLetterLimit, Failure, dead_letter
from workers.recognise.messages import InMessage, OutMessage
from workers.recognise.state import LaneState, WorkerState
from workers.recognise.transactor import CommitFailed, Source, Transactor
from workers.recognise.window import Load, Taken, Window, WindowLimits

__all__ = ["Bench", "BrokerForgot", "CommitLimits", "Lane"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommitLimits:
    """How results are gathered into transactions."""

    linger_s: float = 0.01
    """Wait for more results once one is ready. A transaction costs about 3 ms and five requests."""
    max_posts: int = 500
    """Posts in one transaction at most."""
    max_bytes: int = 8 * 1024 * 1024
    """Bytes of records in one transaction at most."""
    settle_s: float = 0.05
    """Two equal answers so far apart make the committed offset: a coordinator may apply the markers of
    a transaction just after it has reported it as ended.
    """
    retry_s: float = 0.5
    """Wait before a failed transaction is tried again."""


@dataclass(slots=True)
class Bench:
    """What all lanes of one worker share. The two calls are set by whoever owns the lanes now."""

    worker_id: str
    dead_letter_topic: str
    attempts: Attempts
    letters: DeadLetterLimit
    window_limits: WindowLimits
    commit_limits: CommitLimits
    load: Load
    state: WorkerState
    instruments: Instruments
    on_room: Callable[[], None] = lambda: None
    """Called when a post has finished or was committed: there may be room for others."""
    on_failure: Callable[[Lane, BaseException], None] = lambda _lane, _error: None
    """Called when a lane cannot go on."""


class BrokerForgot(NetworkError):
    """The broker lost commits that it had acknowledged, with their records: they must be done again."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A post at its end, waiting for its commit."""

    outputs: tuple[OutMessage, ...]
    dead: bool


class Lane:
    """See the module's docstring."""

    def __init__(
        self,
        source: Source,
        bench: Bench,
        transactor: Transactor,
        committed_offset: Callable[[], Awaitable[int | None]],
    ) -> None:
        self.source = source
        self.state = LaneState()
        self._bench = bench
        self._transactor = transactor
        self._committed_offset = committed_offset
        self._window: Window[Finished] = Window(bench.load)
        self._backlog: deque[InMessage] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None
        self._draining = False

    @property
    def name(self) -> str:
        """`topic[partition]`."""
        return f"{self.source.partition.topic}[{self.source.partition.partition}]"

    @property
    def wants_more(self) -> bool:
        """Whether the pump should ask Kafka for more of this partition."""
        return self.state.opened and not self._backlog and not self._draining

    @property
    def idle(self) -> bool:
        """Whether nothing is held: everything that was fed is committed."""
        return not self._backlog and not self._window.held

    async def open(self) -> int | None:
        """Takes the partition over. Returns the offset to fetch from; None = none was ever committed."""
        await self._transactor.open()
        committed = await self._settled_offset()
        self._window = Window(self._bench.load, committed or 0)
        self.state.committed_offset = -1 if committed is None else committed
        return committed

    def start(self) -> None:
        """From now on it may be fed."""
        self.state.opened = True
        self._committer = asyncio.create_task(self._commit_for_ever(), name=f"commit {self.name}")

    def feed(self, messages: Iterable[InMessage]) -> None:
        """Takes fetched messages, in offset order; those already seen are passed over."""
        lowest = self._backlog[-1].offset + 1 if self._backlog else self._window.next_offset
        self._backlog.extend(message for message in messages if message.offset >= lowest)
        self.start_posts()

    def start_posts(self) -> None:
        """Starts as many of the fetched posts as the window has room for."""
        bench = self._bench
        while self._backlog and not self._draining:
            message = self._backlog[0]
            size_bytes = message.size_bytes
            if not bench.load.admits(size_bytes, bench.window_limits):
                break
            self._backlog.popleft()
            self._window.admit(message.offset, size_bytes)
            bench.state.consumed += 1
            task = asyncio.create_task(self._work(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._publish_counts()

    async def drain(self) -> None:
        """Starts nothing more; returns once everything started is committed. Bound it from outside."""
        self._draining = True
        self._backlog.clear()
        self._changed.set()
        if self._committer is not None:
            await asyncio.wait([self._committer])

    async def close(self) -> None:
        """Gives everything back: posts in work are cancelled, a running transaction may end or is aborted."""
        self.state.opened = False
        self._draining = True
        self._backlog.clear()
        for task in self._tasks:
            task.cancel()
        committer, self._committer = self._committer, None
        if committer is not None:
            committer.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await committer
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._window.clear()
        self._publish_counts()
        await self._transactor.close()

    async def _work(self, message: InMessage) -> None:
        bench = self._bench
        try:
            with bench.instruments.post(message, bench.worker_id) as given_up:
                outcome = await bench.attempts.run(message)
                if isinstance(outcome, Failure):
                    given_up(outcome)
        except Exception as error:
            bench.on_failure(self, error)
            return
        if isinstance(outcome, Failure):
            finished = self._bury(message, outcome)
        else:
            finished = Finished(outcome, dead=False)
        size_bytes = sum(output.size_bytes for output in finished.outputs)
        self._window.finish(message.offset, finished, size_bytes)
        bench.state.last_completed_s = time.monotonic()
        self._changed.set()
        bench.on_room()

    def _bury(self, message: InMessage, failure: Failure) -> Finished:
        bench = self._bench
        log.warning("%s becomes a dead letter: %s (%s)", message.place, failure.reason, failure.error)
        letter = dead_letter(message, failure, topic=bench.dead_letter_topic, worker=bench.worker_id)
        return Finished((letter,), dead=True)

    async def _settled_offset(self) -> int | None:
        before = await self._committed_offset()
        while True:
            await asyncio.sleep(self._bench.commit_limits.settle_s)
            now = await self._committed_offset()
            if now == before:
                return now
            before = now

    async def _commit_for_ever(self) -> None:
        try:
            while True:
                batch = await self._next_batch()
                if batch is None:
                    return
                await self._commit(batch)
        except Exception as error:
            self.state.opened = False
            self._bench.on_failure(self, error)

    async def _next_batch(self) -> Taken[Finished] | None:
        """Waits for results at the head, and a little for more. None when drained."""
        limits = self._bench.commit_limits
        while not self._window.ready:
            if self._draining and not self._window.held:
                return None
            self._changed.clear()
            await self._changed.wait()
        if self._window.running and self._window.waiting < limits.max_posts:
            await asyncio.sleep(limits.linger_s)
        return self._window.take(limits.max_posts, limits.max_bytes)

    async def _commit(self, batch: Taken[Finished]) -> None:
        """Commits the batch up to the first dead letter too many, then raises for that one."""
        too_many: BaseException | None = None
        for index, finished in enumerate(batch.results):
            try:
                self._bench.letters.see(finished.dead)
            except Exception as error:
                too_many = error
                batch = batch.first(index)
                break
        if batch.results:
            await self._commit_until_sure(batch)
        if too_many is not None:
            raise too_many

    async def _commit_until_sure(self, batch: Taken[Finished]) -> None:
        """Tries until the batch is in, once. Raises Fenced, BrokerForgot and OperatorError."""
        outputs = [output for finished in batch.results for output in finished.outputs]
        while True:
            started = time.monotonic()
            try:
                await self._transactor.commit(outputs, batch.next_offset)
            except CommitFailed as error:
                log.warning("%s; looking whether it took effect", error)
                await asyncio.sleep(self._bench.commit_limits.retry_s)
                await self._transactor.open()
                committed = await self._settled_offset() or 0
                if committed >= batch.next_offset:
                    break
                if committed < self.state.committed_offset:
                    raise BrokerForgot(
                        f"{self.name} was committed up to {self.state.committed_offset}, "
                        f"and the broker now says {committed}"
                    ) from error
            else:
                break
        self._committed(batch, time.monotonic() - started)

    def _committed(self, batch: Taken[Finished], took_s: float) -> None:
        bench = self._bench
        self._window.release(batch.next_offset)
        dead = sum(finished.dead for finished in batch.results)
        bench.state.dead_letters += dead
        bench.state.recognised += len(batch.results) - dead
        bench.state.last_commit_s = time.monotonic()
        self.state.committed_offset = batch.next_offset
        self._publish_counts()
        topics = [output.topic for finished in batch.results for output in finished.outputs]
        bench.instruments.committed(topics, dead, took_s)
        bench.on_room()

    def _publish_counts(self) -> None:
        self.state.running = self._window.running
        self.state.finished = self._window.held - self._window.running
