"""A name server of a stranger's: real DNS over UDP on loopback, with another answer to every question."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

__all__ = ["NameServer", "name_server"]

A, AAAA, NO_SUCH_NAME = 1, 28, 3


class NameServer(asyncio.DatagramProtocol):
    """Gives each name's answers one after the other and then begins anew; nothing may be kept (TTL 0)."""

    def __init__(self) -> None:
        self.names: dict[str, Sequence[str]] = {}
        """An answer is one or more addresses, parted by blanks; `{}` = a name that is not there."""
        self.questions: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, where: tuple[str, int]) -> None:
        name, end = read_name(data, 12)
        (kind,) = struct.unpack_from(">H", data, end)
        question = data[12 : end + 4]
        answers = self._answers(name, kind)
        found = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(address)) + address for address in answers
        )
        code = 0 if name in self.names else NO_SUCH_NAME
        head = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
        assert self._transport is not None
        self._transport.sendto(head + question + found, where)

    def _answers(self, name: str, kind: int) -> list[bytes]:
        told = self.names.get(name)
        if not told:
            return []
        if kind == A:  # asked for first; the answer to AAAA is of the same turn
            self.questions.append(name)
        answer = told[(self.questions.count(name) - 1) % len(told)].split()
        family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
        return [socket.inet_pton(family, each) for each in answer if (":" in each) == (kind == AAAA)]

    async def lookup(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[tuple[socket.AddressFamily, str]]:
        """Asks over the wire, as a resolver of the operating system would (`workers.fetch.guard.Lookup`)."""
        found = []
        for kind, of_kind in ((A, socket.AF_INET), (AAAA, socket.AF_INET6)):
            found += [(of_kind, address) for address in await self._ask(host, kind, of_kind)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return found

    async def _ask(self, host: str, kind: int, family: socket.AddressFamily) -> list[str]:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, ("127.0.0.1", self.port))
            labels = b"".join(bytes([len(part)]) + part.encode() for part in host.rstrip(".").split("."))
            question = labels + b"\0" + struct.pack(">HH", kind, 1)
            await loop.sock_sendall(asking, b"\x01\x02\x01\0\0\1\0\0\0\0\0\0" + question)
            data = await asyncio.wait_for(loop.sock_recv(asking, 4096), 60)
        (count,) = struct.unpack_from(">H", data, 6)
        at, found = 12 + len(question), []
        for _ in range(count):
            (size,) = struct.unpack_from(">H", data, at + 10)
            found.append(socket.inet_ntop(family, data[at + 12 : at + 12 + size]))
            at += 12 + size
        return found


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """A name in a question, and where it ends."""
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """The server, while the block runs."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
