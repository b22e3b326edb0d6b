"""A TCP line between a client and a server that a test can cut; or the TLS end of a server that has none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Line", "line_to"]


class Line:
    """Forwards what comes to `port`. While it is cut, connections end and new ones are not taken up."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.cut = False
        self._target_port = target_port
        self._open: set[asyncio.StreamWriter] = set()

    def cut_off(self) -> None:
        self.cut = True
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        self.cut = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        await asyncio.gather(forward(reader, back), forward(there, writer))
        self._open -= {writer, back}


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def line_to(target_port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
    """A line on a free port of 127.0.0.1; with `tls` it speaks that to the client."""
    line = Line(target_port)
    server = await asyncio.start_server(line.connected, "127.0.0.1", 0, ssl=tls)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        line.cut_off()
