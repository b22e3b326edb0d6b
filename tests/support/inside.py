"""What strangers must not reach: listeners on inner addresses that count who comes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.name_server import NameServer
from support.picture_host import PictureHost

from sake_model.deadline import Deadline
from schemas.posts import ImageSource
from workers.fetch import FetchError, FetchLimits, PictureSource

__all__ = ["ADDRESSES", "ONLY", "SECRET", "Inside", "Net", "inside", "opened"]

SECRET = b"the metadata service's own token"
ONLY = ("127.0.0.1/32",)
"""What counts as public."""
ADDRESSES = ("127.0.0.2", "::1") if Path("/proc/net/if_inet6").exists() else ("127.0.0.2",)
"""Where it listens, on the very port on which a public picture host has 127.0.0.1."""


class Inside:
    """Counts connections, and gives every one the secret."""

    def __init__(self) -> None:
        self.visits = 0

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(SECRET)
        writer.write(head + SECRET)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def inside(port: int) -> AsyncIterator[Inside]:
    """The inner servers on this port, while the block runs."""
    one = Inside()
    servers = []
    for address in ADDRESSES:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        servers.append(await asyncio.start_server(one.serve, address, port, family=family))
    try:
        yield one
    finally:
        for server in servers:
            server.close()


@dataclass(frozen=True)
class Net:
    """Everything that a test needs."""

    host: PictureHost
    inside: Inside
    names: NameServer
    source: PictureSource

    async def trouble(self, url: str) -> str:
        """How a picture there ends, when it must not come."""
        with pytest.raises(FetchError) as caught:
            await self.fetch(url)
        assert SECRET.decode() not in str(caught.value)
        return str(caught.value.reason)

    async def fetch(self, url: str) -> bytes:
        async with self.source.load(ImageSource(url=url), Deadline.after(60)) as data:
            return data


@asynccontextmanager
async def opened(
    port: int, names: NameServer | None, networks: tuple[str, ...] = ONLY
) -> AsyncIterator[PictureSource]:
    limits = FetchLimits(ports=(port, 80), allow_networks=networks, attempts=2, retry_s=0.01, total_s=60)
    source = PictureSource(limits, lookup=names.lookup if names is not None else None)
    try:
        yield source
    finally:
        await source.close()
