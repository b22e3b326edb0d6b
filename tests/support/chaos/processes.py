"""Real processes to kill and to freeze. None of them outlives its block, or this process."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

__all__ = ["Process", "free_port", "listening"]

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Process:
    """One command that is started again and again, each time in a process group of its own."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, environment: dict[str, str]
    ) -> None:
        self.name = name
        self.starts = 0
        self.started_s = 0.0
        """When it was last started, on the monotonic clock."""
        self._command = tuple(map(str, command))
        self._log = log
        self._environment = environment
        self._running: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return None if self._running is None or self._running.returncode is not None else self._running.pid

    @property
    def ended_with(self) -> int | None:
        """The exit status of one that ended; None while it runs."""
        return None if self._running is None else self._running.returncode

    async def start(self) -> None:
        """Starts it unless it runs."""
        if self.pid is not None:
            return
        self.starts += 1
        self.started_s = time.monotonic()
        with self._log.open("ab") as output:
            self._running = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
                preexec_fn=partial(_die_with, os.getpid()),
            )

    def signal(self, number: signal.Signals) -> None:
        """To its whole group; nothing when it does not run."""
        if self.pid is not None:
            os.killpg(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL, then waits for its end."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> None:
        """Waits for its end."""
        if self._running is not None:
            await self._running.wait()


def _die_with(parent: int) -> None:
    """In the child: the kernel kills it when its parent dies, however that happens."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def listening(port: int, within_s: float = 60.0) -> None:
    """Waits until somebody accepts connections there. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
