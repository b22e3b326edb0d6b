"""A TCP proxy between a worker and what it talks to: cuts, delays, and lets half of the bytes through."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

__all__ = ["Proxy"]

CHUNK_BYTES = 64 * 1024
FRAME = struct.Struct(">i")
API_KEY = struct.Struct(">h")


class Proxy:
    """One listening port before one target port of this machine.

    `kafka`: the broker names itself by host and port in its answers, and clients then connect there;
    the proxy puts its own port in that place. Both take 4 bytes, so the answers keep their length.
    """

    def __init__(self, target_port: int, dice: random.Random, *, kafka: bool = False) -> None:
        self.port = 0
        self.refusing = False
        self.delay_s = 0.0
        self.halved_share = 0.0
        """So many of the pieces are cut in the middle, and their connections then end."""
        self.hangs_up_on: int | None = None
        """Connections end that send a Kafka request of this kind (API key)."""
        self._target_port = target_port
        self._dice = dice
        self._kafka = kafka
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serves while the block runs."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets every connection."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def well(self) -> None:
        """Whatever was wrong is over."""
        self.refusing, self.delay_s, self.halved_share, self.hangs_up_on = False, 0.0, 0.0, None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        other = None
        try:
            if self.refusing:
                return
            target, other = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._open.add(other)
            pumps = [
                asyncio.create_task(self._pump(reader, other, own_port=False)),
                asyncio.create_task(self._pump(target, writer, own_port=self._kafka)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):  # cancelled by `running` only
            pass
        finally:
            for end in (writer, other):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort() if self.refusing else end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, own_port: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await (self._answer(reader) if own_port else reader.read(CHUNK_BYTES)):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if not own_port and self.hangs_up_on == API_KEY.unpack_from(piece.ljust(6), 4)[0]:
                    return
                if self._dice.random() < self.halved_share:
                    writer.write(piece[: len(piece) // 2])
                    await writer.drain()
                    return
                writer.write(piece)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(FRAME.size)
        body = await reader.readexactly(FRAME.unpack(head)[0])
        return head + body.replace(_address(self._target_port), _address(self.port))


def _address(port: int) -> bytes:
    return b"127.0.0.1" + FRAME.pack(port)
