"""Keeps one `vllm serve` running: start, readiness, restart, stop; logs to a file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
import time
from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

import aiohttp
from opentelemetry import metrics

from sake_model.checkpoint.interchange import check_finite, check_interchangeable
from sake_model.engine import guard
from sake_model.engine.reload import ReloadFailed, ReloadLimits, Supervision
from sake_model.engine.serve_options import ServeOptions, free_port, serve_command, serve_environment
from sake_model.engine.served import Served, check_unchanged, served_by, verified
from sake_model.engine.turnstile import TOKEN_VARIABLE
from sake_model.grounding import ResizeLimits
from schemas.errors import EngineError, OperatorError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["EngineServer", "EngineState", "Reloaded", "SupervisorLimits"]

logger = logging.getLogger(__name__)

# How often the server's health is asked: a start takes half a minute, an answer a millisecond.
POLL_S = 0.5
LOG_LINES_SHOWN = 25
# The log is moved to `.1` at a start when it is longer: some weeks of a quiet server.
MAX_LOG_BYTES = 20 * 2**20

_meter = metrics.get_meter("sake")
_restarts = _meter.create_counter(
    "sake.engine.restarts", "{restart}", "Times the model server was started again after its death"
)
_reloads = _meter.create_counter(
    "sake.engine.reloads",
    "{reload}",
    "Checkpoints that were to go live, by outcome: live, refused, taken_back",
)
_held = _meter.create_histogram("sake.engine.held", "s", "How long turns were held for a change of weights")


@dataclass(frozen=True, slots=True)
class SupervisorLimits:
    """When to wait, when to start again, when to give up."""

    start_timeout_s: float = 900.0
    """A 7B model on a slow disk loads for minutes; a hanging one must not hang for ever."""
    max_failed_starts: int = 3
    """So many starts in a row that never became ready, and a person must look."""
    first_backoff_s: float = 1.0
    max_backoff_s: float = 30.0
    stable_after_s: float = 60.0
    """A server that ran so long has not failed by its start: the back-off begins anew."""
    unwell_after_s: float = 60.0
    """Without a good answer for so long, a running server counts as hanging and is killed."""
    stop_grace_s: float = 10.0
    """Time to end by itself after SIGTERM."""
    reload: ReloadLimits = field(default_factory=ReloadLimits)


class EngineState(StrEnum):
    """Where the server stands."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    """Dead; it will be started again after a pause."""
    GIVEN_UP = "given_up"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A checkpoint that went live."""

    served: Served
    held_s: float
    """How long turns were held back, trial included."""
    withdrawn: int
    """Turns that were still running and had to begin anew."""


class EngineServer:
    """An async context manager: inside it the server is kept running, after it nothing is left.

    `url` is known from the beginning and stays the same. Entering does not wait for the model
    to be loaded: `ready()` does. Who uses the server should also watch `ended()`.
    """

    def __init__(
        self, options: ServeOptions, log_path: Path, limits: SupervisorLimits = SupervisorLimits()
    ) -> None:
        self._options = options
        self._log_path = log_path
        self._limits = limits
        self._port = options.port or free_port(options.host)
        self._task: asyncio.Task[NoReturn] | None = None
        self._ready = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._renew = asyncio.Event()
        self._token = secrets.token_hex(16)
        self._served: Served | None = None
        self._sizes: ResizeLimits | None = None
        self._speaks: bool | None = None
        self.state = EngineState.STOPPED
        self.starts = 0

    @property
    def root_url(self) -> str:
        """`http://host:port`."""
        host = self._options.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def url(self) -> str:
        """The OpenAI-compatible base URL."""
        return f"{self.root_url}/v1"

    async def __aenter__(self) -> Self:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self.state = EngineState.STARTING
        self._task = asyncio.create_task(self._supervise(), name="engine supervisor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OperatorError):
                await self._task
            self._task = None
        self.state = EngineState.STOPPED

    async def ready(self) -> None:
        """Wait until the server answers. Raises OperatorError when the supervisor gave up."""
        waiting = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self.ended())
        try:
            await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
        finally:
            for task in (waiting, ended):
                task.cancel()
            await asyncio.gather(waiting, ended, return_exceptions=True)

    async def ended(self) -> NoReturn:
        """Never returns; raises OperatorError when the supervisor gives up."""
        if self._task is None:
            raise RuntimeError("EngineServer is used outside of `async with`")
        await asyncio.shield(self._task)
        raise AssertionError("the supervisor only ends with an error")

    @property
    def served(self) -> Served | None:
        """What it serves; None before the first start, and for one that is not `reloadable`."""
        return self._served

    async def reload(self, folder: Path) -> Reloaded:
        """Puts another checkpoint live without a restart. Only for a server with `reloadable`; `folder`
        is absolute.

        It is checked before anything happens; how its turns begin is tried on a few posts before any
        other turn passes, and whole turns right after.
        When it is refused or fails the trial, OperatorError is raised and the old one is served.
        Turns that run are finished by the old weights, or withdrawn when they take long; none is
        written by both. After a restart the server comes up with what is live.
        """
        outcome = "refused"
        try:
            async with self._reloading:
                serving, folder = self._replaceable(folder)
                fresh = await asyncio.to_thread(self._checked, serving, folder)
                await self.ready()
                outcome = "taken_back"
                async with self._supervision() as supervision:
                    reloaded = await self._swapped(supervision, serving, folder, fresh)
                self._options = replace(self._options, model=str(folder))
                self._served = fresh
            outcome = "live"
        finally:
            _reloads.add(1, {"sake.outcome": outcome})
        _held.record(reloaded.held_s)
        manifest = fresh.manifest
        held = f"turns were held for {reloaded.held_s:.2f} s"
        logger.info("%s %s is live; %s", manifest.name, manifest.digest, held)
        return reloaded

    def _checked(self, serving: Path, folder: Path) -> Served:
        """Reads all of the folder. Raises OperatorError."""
        if self._served is not None:
            check_unchanged(serving, self._served)
        check_interchangeable(serving, folder, self._sizes)
        fresh = served_by(folder)
        check_finite(folder, self._options.environment / "bin" / "python")
        return fresh

    async def _swapped(
        self, supervision: Supervision, serving: Path, folder: Path, fresh: Served
    ) -> Reloaded:
        """The change itself. Weights are measured by those they replace: a model that never spoke the
        format (a random one, in a test) bars nobody; one that was not tried counts as one that does.
        """
        old, limits, speaks = self._served, self._limits.reload, self._speaks is not False
        assert old is not None
        began_s = time.monotonic()
        try:
            withdrawn = await supervision.swap(folder, limits)
            if not await supervision.opening(fresh, limits) and speaks:
                raise ReloadFailed("no trial post was answered in the format")
            await supervision.let_in(fresh)
            held_s = time.monotonic() - began_s
            # Turns pass again: the whole answers of a slow machine must not hold the stream up.
            answers = await self._tried(supervision, fresh, limits.tries)
            if speaks and answers is False:
                raise ReloadFailed("no trial post was answered with a whole turn")
            if speaks and answers is None:
                raise ReloadFailed("the server was too busy to try it: reload when less is asked of it")
        except EngineError as error:
            await self._take_back(supervision, serving, old)
            raise OperatorError(f"{folder} was taken back, {serving} is served: {error}") from error
        except BaseException:
            self._renew.set()  # else a server that looks well would hold all turns back for ever
            raise
        if answers is not None:
            self._speaks = answers
        return Reloaded(fresh, held_s, withdrawn)

    def _replaceable(self, folder: Path) -> tuple[Path, Path]:
        """What is served and what shall be. Of a link its target: the link may soon name another one."""
        serving, folder = Path(self._options.model), folder.resolve()
        if not self._options.reloadable:
            raise OperatorError("this server was not started for hot reload: it needs a local checkpoint")
        if serving.resolve() == folder.resolve():
            raise OperatorError(f"{folder} is being served: put the new checkpoint into a folder of its own")
        return serving, folder

    async def _take_back(self, supervision: Supervision, serving: Path, old: Served) -> None:
        try:
            await supervision.swap(serving, self._limits.reload)
            await supervision.let_in(old)
        except ReloadFailed:
            logger.exception("the old weights were not taken back; the server is started anew with them")
            self._renew.set()

    def _supervision(self) -> Supervision:
        options = self._options
        model, key = options.served_name, options.key(os.environ)
        return Supervision(self.root_url, token=self._token, model=model, api_key=key)

    async def _announced(self, folder: Path) -> bool:
        """Tells the server that it serves this folder; it answers nobody before. False when it cannot be
        told. Read anew for each life: a server that was started again holds what lies there now.

        Raises OperatorError when that is not what the folder's manifest speaks of: records would name a
        checkpoint that did not write them.
        """
        if not self._options.reloadable:
            return True
        self._served = await asyncio.to_thread(verified, folder)
        # The limits of pictures that this process has read, whatever weights it is given later.
        self._sizes = self._served.manifest.resize_limits
        try:
            async with self._supervision() as supervision:
                # While nobody else is answered: later a full queue could keep the trial out.
                self._speaks = await self._tried(supervision, self._served)
                await supervision.let_in(self._served)
        except ReloadFailed:
            logger.exception("the server was not told what it serves")
            return False
        return True

    async def _tried(self, supervision: Supervision, served: Served, tries: int = 1) -> bool | None:
        """Whether it answers in the format now; None where the server was too busy to tell, or ended."""
        starts = self.starts
        while self.starts == starts:  # one that was started again holds other weights
            tries -= 1
            try:
                return await supervision.trial(served, self._limits.reload)
            except EngineError as error:
                logger.warning("%s was not tried: %s", served.manifest.name, error)
            if not tries:
                break
            await asyncio.sleep(self._limits.reload.pause_s)
        return None

    async def _supervise(self) -> NoReturn:
        failed, backoff_s = 0, self._limits.first_backoff_s
        while True:
            ready_for_s = await self._one_life()
            failed = failed + 1 if ready_for_s is None else 0
            if failed >= self._limits.max_failed_starts:
                self.state = EngineState.GIVEN_UP
                raise OperatorError(self._obituary(failed))
            if ready_for_s is not None and ready_for_s >= self._limits.stable_after_s:
                backoff_s = self._limits.first_backoff_s
            logger.warning(
                "the engine ended; starting it again in %.0f s; log: %s", backoff_s, self._log_path
            )
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, self._limits.max_backoff_s)
            _restarts.add(1)

    async def _one_life(self) -> float | None:
        """From start to death; the seconds that it was ready, None when it never was."""
        self.starts += 1
        self.state = EngineState.STARTING
        folder = Path(self._options.model)
        process = await self._spawn()
        began_s, ready_s = time.monotonic(), None
        death = asyncio.create_task(process.wait())
        try:
            healthy = await self._until_healthy(death, began_s + self._limits.start_timeout_s)
            if healthy and await self._announced(folder):
                ready_s = time.monotonic()
                self.state = EngineState.READY
                self._ready.set()
                logger.info("the engine is ready after %.1f s at %s", ready_s - began_s, self.url)
                await self._while_well(death)
        finally:
            self._ready.clear()
            self.state = EngineState.DOWN
            await self._stop(process, death)
        return None if ready_s is None else time.monotonic() - ready_s

    async def _spawn(self) -> asyncio.subprocess.Process:
        if self._log_path.exists() and self._log_path.stat().st_size > MAX_LOG_BYTES:
            self._log_path.replace(self._log_path.with_name(self._log_path.name + ".1"))
        # -I: the guard's own folder and the caller's environment stay off its path.
        command = [sys.executable, "-I", guard.__file__, str(self._limits.stop_grace_s)]
        with self._log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                *serve_command(self._options, self._port),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=serve_environment(self._options, os.environ) | {TOKEN_VARIABLE: self._token},
                start_new_session=True,
            )

    async def _until_healthy(self, death: asyncio.Task[int], until_s: float) -> bool:
        async with aiohttp.ClientSession() as session:
            while not death.done() and time.monotonic() < until_s:
                if await self._is_well(session):
                    return True
                await asyncio.wait((death,), timeout=POLL_S)
        return False

    async def _while_well(self, death: asyncio.Task[int]) -> None:
        """Returns when the process has ended, must be renewed or has not answered well for too long."""
        last_well_s = time.monotonic()
        self._renew.clear()
        async with aiohttp.ClientSession() as session:
            while not (death.done() or self._renew.is_set()):
                if time.monotonic() - last_well_s >= self._limits.unwell_after_s:
                    return
                await asyncio.wait((death,), timeout=min(5.0, self._limits.unwell_after_s / 4))
                if not death.done() and await self._is_well(session):
                    last_well_s = time.monotonic()

    async def _is_well(self, session: aiohttp.ClientSession) -> bool:
        # Under full load the answer takes seconds; a connection refused takes none.
        timeout = aiohttp.ClientTimeout(total=15)
        try:
            async with session.get(f"{self.root_url}/health", timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _stop(self, process: asyncio.subprocess.Process, death: asyncio.Task[int]) -> None:
        """Closes the guard's pipe and waits for the end of all: see `guard`."""
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(self._limits.stop_grace_s + 5):
                await asyncio.shield(death)
        except TimeoutError:
            process.kill()
            await death

    def _obituary(self, failed: int) -> str:
        with self._log_path.open(errors="replace") as log:
            lines = "".join(deque(log, LOG_LINES_SHOWN))
        return (
            f"the engine did not start, {failed} times in a row. The end of {self._log_path}:\n{lines}"
            f"(command: {' '.join(serve_command(self._options, self._port))})"
        )
