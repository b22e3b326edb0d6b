"""The worker as a process of its own, as it runs in earnest; ended with us, however we end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from sake_model.engine.serve_options import free_port
from schemas.errors import OperatorError

__all__ = ["WorkerProcess", "worker_process"]

HOST = "127.0.0.1"
POLL_S = 0.1
READY_S = 60.0
"""Imports, joining the group and opening the producers take 3 s; a busy machine takes longer."""
GRACE_S = 35.0
"""The worker drains for up to 25 s (SAKE_DRAIN_DRAIN_S); then it closes its clients."""
LOG_TAIL_BYTES = 3000


class WorkerProcess:
    """A running `sake worker`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log_path: Path) -> None:
        self._process = process
        self._port = port
        self._log_path = log_path

    @property
    def address(self) -> str:
        """Where it tells how it is."""
        return f"http://{HOST}:{self._port}"

    async def holds_partitions(self) -> None:
        """Returns once the worker consumes (the engine may still be on its way). Raises OperatorError."""
        async with aiohttp.ClientSession() as http, asyncio.timeout(READY_S):
            while not await self._consumes(http):
                self.check()
                await asyncio.sleep(POLL_S)

    def check(self) -> None:
        """Raises OperatorError when the worker has ended."""
        if self._process.returncode is not None:
            tail = self._log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
            raise OperatorError(
                f"the worker ended ({self._process.returncode}). {self._log_path} ends with:\n{tail}"
            )

    async def _consumes(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.address}/readyz") as response:
                told = await response.json()
        except (aiohttp.ClientError, OSError):
            return False
        return any(lane["opened"] for lane in told["partitions"].values())


@asynccontextmanager
async def worker_process(
    variables: dict[str, str], log_path: Path, *, kind: str = "recognise"
) -> AsyncIterator[WorkerProcess]:
    """Runs `sake worker {kind}` with these variables on top of our own; SIGTERM at the end, then SIGKILL."""
    port = free_port(HOST)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    health = {"SAKE_HEALTH_LISTEN_HOST": HOST, "SAKE_HEALTH_LISTEN_PORT": str(port)}
    with log_path.open("wb") as output:
        # The guard ends the worker when its standard input closes, and the kernel closes it for us.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sake_model.engine.guard", str(GRACE_S)),
            *(sys.executable, "-m", "workers", "worker", kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, **variables, **health},
            start_new_session=True,
        )
    try:
        yield WorkerProcess(process, port, log_path)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
