"""The worker: one consumer, polled for ever and never blocked by work; one lane a partition.

What is not here: the window (window.py), a partition's work and commits (lane.py), retries
(attempts.py), the engine's outages (gate.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from schemas.errors import NetworkError
from workers.recognise.attempts import Attempts
from workers.recognise.config import WorkerConfig
from workers.recognise.gate import EngineGate
from workers.recognise.instruments import Instruments
from workers.recognise.lane import Bench
from workers.recognise.letters import DeadLetterLimit
from workers.recognise.messages import Processor
from workers.recognise.session import Session, StreamBroken
from workers.recognise.state import Phase, WorkerState
from workers.recognise.window import Load
from workers.topics import check_topics

__all__ = ["Worker", "run_worker"]

log = logging.getLogger(__name__)


class Worker:
    """Recognises until it is stopped. `state` may be read at any time."""

    def __init__(self, config: WorkerConfig, processor: Processor, state: WorkerState | None = None) -> None:
        self.state = state or WorkerState()
        self._config = config
        self._gate = EngineGate(config.gate, self._gate_changed)
        self._bench = Bench(
            worker_id=config.worker_id,
            dead_letter_topic=config.dead_letter_topic,
            attempts=Attempts(processor, self._gate, config.post),
            letters=DeadLetterLimit(config.letters),
            window_limits=config.window,
            commit_limits=config.commit,
            load=Load(),
            state=self.state,
            instruments=Instruments(config.group, self.state),
        )
        self._session: Session | None = None
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    def stop(self) -> None:
        """Drains and ends; called a second time, ends at once. Safe in a signal handler of the loop."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def run(self) -> None:
        """Returns after `stop`. Waits for brokers that are down, begins anew when the client breaks.

        Raises OperatorError (topics or rights missing, too many dead letters, fenced by a worker of the
        same name), and whatever a bug raises; nothing is committed then that is not right.
        """
        try:
            while not self._stop.is_set():
                partitions = await self._wait_for_topics()
                if partitions:
                    await self._one_session(partitions)
        except BaseException as error:
            self.state.stopped_because = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.state.phase = Phase.STOPPED

    async def _one_session(self, partitions: int) -> None:
        session = self._session = Session(self._config, self._bench, self._gate, partitions)
        try:
            await session.run(self._stop, self._stop_now)
        except StreamBroken as error:
            log.error("%s; starting over", error)
            self.state.phase = Phase.STARTING
            await self._sleep(self._config.consumer.reconnect_s)
        finally:
            self._session = None

    async def _wait_for_topics(self) -> int:
        """The number of partitions of the posts' topic, once a broker answers; 0 when stopped before."""
        wait_s = self._config.consumer.reconnect_s
        while not self._stop.is_set():
            try:
                found = await check_topics(self._config.connection, self._config.needed_topics)
            except NetworkError as error:
                log.warning("%s; next try in %.0f s", error, wait_s)
                await self._sleep(wait_s)
                wait_s = min(2 * wait_s, self._config.consumer.max_reconnect_s)
            else:
                return found[self._config.input_topic]
        return 0

    async def _sleep(self, seconds: float) -> None:
        """Ends early when the worker is stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _gate_changed(self) -> None:
        self.state.engine_trouble = self._gate.reason
        if self._gate.open:
            log.info("the engine answers again")
        else:
            log.warning("consumption rests: %s", self._gate.reason)
        if self._session is not None:
            self._session.gate_changed()


async def run_worker(config: WorkerConfig, processor: Processor, state: WorkerState | None = None) -> None:
    """Runs one worker until SIGTERM or SIGINT (drain; the second one: at once). Raises as Worker.run."""
    worker = Worker(config, processor, state)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
