"""The embedded broker: noida-db as a child process that speaks the Kafka protocol.

For one machine: demo, tests, development. It binds to 127.0.0.1, keeps its data in one folder and
saves it when it is stopped with SIGTERM (killed with -9 it loses up to about one second of
acknowledged records). The kernel stops it when its parent dies, however that happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import importlib.util
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.errors import OperatorError
from workers.connection import KafkaConnection

__all__ = ["BrokerLimits", "EmbeddedBroker"]

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
ADDRESS_FILE = "address"
LOG_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """How long the broker may take."""

    ready_s: float = 20.0
    """From the start to the first answer; it answers in 0.1 s, plus loading: 1 s for each 100 MB."""
    stop_s: float = 60.0
    """From SIGTERM to the end; it then writes one snapshot of everything, which took over 20 s for 300 MB
    on a busy machine. SIGKILL after that.
    """
    poll_s: float = 0.05
    """Between two questions whether it answers yet."""


class EmbeddedBroker:
    """One broker process over one data folder. Use it as `async with`, or start and stop it."""

    def __init__(self, data_dir: Path, *, port: int = 0, limits: BrokerLimits = BrokerLimits()) -> None:
        """`port` 0 = the one used before on this folder if it is free, otherwise any free one."""
        self._data_dir = data_dir
        self._wanted_port = port
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._lock: IO[str] | None = None
        self._port = port

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients; valid once started, and the same after a restart."""
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @staticmethod
    def running_at(data_dir: Path) -> str | None:
        """`host:port` of a broker that some process runs on this folder now, else None."""
        with contextlib.suppress(OSError, ValueError):
            address = (data_dir / ADDRESS_FILE).read_text().strip()
            host, port = address.rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=1):
                return address
        return None

    async def start(self) -> None:
        """Returns once the broker answers the Kafka protocol.

        Raises OperatorError when it is not installed, another process holds the folder or the port,
        or it does not come up; the message ends with what it wrote.
        """
        if self.pid is not None:
            return
        binary = _binary()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_folder()
        self._port = self._choose_port()
        try:
            with self._log_path.open("ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    str(binary),
                    *("start", "--only", "kafka", "--host", HOST, "--kafka-port", str(self._port)),
                    *("--data-dir", str(self._data_dir)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=partial(_die_with_parent, os.getpid()) if sys.platform == "linux" else None,
                    start_new_session=True,  # Ctrl-C is for the parent, which then stops it in order
                )
            await self._wait_ready()
        except BaseException:
            await self.stop()
            raise
        (self._data_dir / ADDRESS_FILE).write_text(self.bootstrap_servers)
        log.info("the embedded broker answers at %s", self.bootstrap_servers)

    def check(self) -> None:
        """Raises OperatorError when it was started and has ended by itself, or was killed."""
        if self._process is not None and self._process.returncode is not None:
            raise OperatorError(
                f"the embedded broker ended ({self._process.returncode}). {self._log_path} ends with:\n"
                f"{self._log_tail()}"
            )

    async def stop(self) -> None:
        """SIGTERM, so that it saves everything; SIGKILL when that takes too long. Twice is harmless."""
        process, self._process = self._process, None
        (self._data_dir / ADDRESS_FILE).unlink(missing_ok=True)
        if process is not None:
            await self._end(process)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def restart(self) -> None:
        """Stops and starts it on the same port and data."""
        await self.stop()
        self._wanted_port = self._port
        await self.start()

    async def __aenter__(self) -> EmbeddedBroker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _log_path(self) -> Path:
        return self._data_dir / "broker.log"

    def _take_folder(self) -> IO[str]:
        """Two brokers on one folder would overwrite each other's snapshots."""
        lock = (self._data_dir / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise OperatorError(
                f"another process runs the broker of {self._data_dir}; stop it, or use its address"
            ) from error
        return lock

    def _choose_port(self) -> int:
        last = self._data_dir / "port"
        if self._wanted_port:
            if not _is_free(self._wanted_port):
                raise OperatorError(
                    f"port {self._wanted_port} is in use; set SAKE_BROKER_LISTEN_PORT to another"
                )
            return self._wanted_port
        with contextlib.suppress(OSError, ValueError):
            port = int(last.read_text())
            if _is_free(port):
                return port
        port = _free_port()
        last.write_text(str(port))
        return port

    async def _wait_ready(self) -> None:
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(self._limits.ready_s):
                while process.returncode is None and not await _answers(self.bootstrap_servers):  # noqa: ASYNC110
                    await asyncio.sleep(self._limits.poll_s)
        except TimeoutError:
            raise OperatorError(
                f"the embedded broker did not answer within {self._limits.ready_s:.0f} s: {self._log_tail()}"
            ) from None
        if process.returncode is not None:
            raise OperatorError(f"the embedded broker ended at once: {self._log_tail()}")

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._limits.stop_s):
                await process.wait()
        except TimeoutError:
            log.error("the embedded broker did not stop within %.0f s; killed", self._limits.stop_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _log_tail(self) -> str:
        try:
            return self._log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return "(it wrote nothing)"


def _binary() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise OperatorError(
            "the embedded broker is not installed here; run `make setup`, or set SAKE_KAFKA_BOOTSTRAP_SERVERS"
        )
    binary = Path(spec.origin).with_name("noida-db")
    if not binary.is_file():
        raise OperatorError(f"the package noida-db has no program for this machine ({binary} is missing)")
    if not os.access(binary, os.X_OK):  # wheels do not always keep the mode
        binary.chmod(0o755)
    return binary


def _die_with_parent(parent: int) -> None:
    # Runs in the child between fork and exec: the kernel sends SIGTERM when the parent is gone.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it went before the kernel was told
        os.kill(os.getpid(), signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


async def _answers(bootstrap_servers: str) -> bool:
    host, port = bootstrap_servers.rsplit(":", 1)
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    client = AIOKafkaClient(**KafkaConnection(bootstrap_servers).options())
    try:
        await client.bootstrap()
    except KafkaError:
        return False
    finally:
        await client.close()
    return True
