"""Picture hosts that break HTTP, byte by byte: never-ending heads, lying lengths, bodies without an end."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from support.picture_host import PICTURE

__all__ = ["ENDS", "RawHost", "raw_host"]

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = HEAD + b"Content-Encoding: gzip\r\n\r\n"
WITH_LENGTH = HEAD + b"Content-Length: %d\r\n\r\n"
SIZE = len(PICTURE)
# Between two writes of what has no end: the client runs on the same processor.
REST_S = 0.002

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


class RawHost:
    """Behaves in one way at a time."""

    def __init__(self) -> None:
        self.port = 0
        self.behaviour: Behaviour = once(b"")
        self.open = 0
        """Connections that are not closed."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await self.behaviour(writer)
            while await reader.read(1024):  # until the other end closes
                pass
        writer.close()
        self.open -= 1


@asynccontextmanager
async def raw_host() -> AsyncIterator[RawHost]:
    """The host, while the block runs."""
    host = RawHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()


def once(data: bytes, *, close: bool = False) -> Behaviour:
    """Says this; then `close`s, or keeps the connection and says nothing more."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return behave


def forever(first: bytes, again: bytes, rest_s: float = REST_S) -> Behaviour:
    """Says the first, and then the other for ever."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(rest_s)

    return behave


def packed_for_ever() -> Behaviour:
    """A gzip stream that goes on and on: 5 MB of zeros in each 5 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"\0" * 5_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(b"\0" * 5_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return forever(PACKED + head, more)


def headers(count: int, size: int) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))


EMPTY_GZIP = zlib.compressobj(9, zlib.DEFLATED, 31).flush(zlib.Z_SYNC_FLUSH)
CHUNK = b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, PICTURE)

ENDS: dict[str, tuple[Behaviour, str]] = {
    # Slow ones.
    "nothing is said": (once(b""), "timeout"),
    "half a head": (once(HEAD), "timeout"),
    "a head that drips": (forever(HEAD, b"X", 0.02), "timeout"),
    "a body that drips": (forever(WITH_LENGTH % 100_000, b"a", 0.02), "timeout"),
    "a body that stops": (once(WITH_LENGTH % SIZE + PICTURE[:50]), "timeout"),
    "chunks that drip": (forever(CHUNKED, b"1\r\na\r\n", 0.02), "timeout"),
    # Endless ones.
    "headers without an end": (forever(HEAD, headers(50, 100)), "bad_http"),
    "one header without an end": (forever(HEAD + b"X: ", b"a" * 4096), "bad_http"),
    "a status line without an end": (forever(b"HTTP/1.1 200 ", b"a" * 4096), "bad_http"),
    "interim answers without an end": (forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20), "timeout"),
    "a body without an end": (forever(HEAD + b"\r\n", b"a" * 65_536), "too_large"),
    "chunks without an end": (forever(CHUNKED, b"1000\r\n" + b"a" * 4096 + b"\r\n"), "too_large"),
    "a chunk's extension without an end": (forever(CHUNKED + b"5;", b"x" * 4096), "timeout"),
    "trailers without an end": (
        forever(CHUNKED + b"1\r\na\r\n0\r\n", headers(50, 100)),
        "bad_http or connection",
    ),
    "a chunk of 2⁶⁴ bytes": (once(CHUNKED + b"ffffffffffffffff\r\naaa"), "timeout"),
    "zeros, packed, without an end": (packed_for_ever(), "too_large"),
    "nothing, packed, without an end": (
        forever(PACKED + EMPTY_GZIP, b"\0\0\0\xff\xff" * 10_000),
        "too_large",
    ),
    "a packed file's name without an end": (
        forever(PACKED + b"\x1f\x8b\x08\x08\0\0\0\0\0\0", b"n" * 65_536),
        "too_large",
    ),
    # Floods.
    "10,000 headers": (once(HEAD + headers(10_000, 10) + b"\r\n" + PICTURE), "bad_http"),
    "a header of a megabyte": (once(HEAD + headers(1, 1_000_000) + b"\r\n" + PICTURE), "bad_http"),
    "100 headers of 8 kB": (once(HEAD + headers(100, 8_100) + b"Content-Length: 0\r\n\r\n"), ""),
    # Lies.
    "a length that is too small": (once(WITH_LENGTH % (SIZE - 7) + PICTURE), "bad_http or "),
    "a length that is too large": (once(WITH_LENGTH % (SIZE + 7) + PICTURE, close=True), "connection"),
    "a length of 2⁹⁹": (once(WITH_LENGTH % 2**99 + PICTURE), "bad_http"),
    "a length below zero": (once(WITH_LENGTH % -5 + PICTURE), "bad_http"),
    "a length that is none": (once(HEAD + b"Content-Length: many\r\n\r\n"), "bad_http"),
    "two lengths": (once(HEAD + b"Content-Length: 5\r\n" + WITH_LENGTH[17:] % SIZE + PICTURE), "bad_http"),
    "a length and chunks": (
        once(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK),
        "bad_http",
    ),
    "no HTTP": (once(PICTURE), "bad_http"),
    "HTTP/2": (once(b"\0\0\x12\4\0\0\0\0\0"), "bad_http"),
    "another protocol": (once(b"SSH-2.0-OpenSSH_9.6\r\n"), "bad_http"),
    "a switch of protocols": (
        once(b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
        "http_101",
    ),
    "a status of 999": (once(b"HTTP/1.1 999 F\r\nContent-Length: 0\r\n\r\n"), "http_999"),
    "a location with a line break": (
        once(b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1\rX: 1\r\n\r\n"),
        "bad_http",
    ),
    "a location of no text": (once(b"HTTP/1.1 302 F\r\nLocation: http://\xff\xfe/\r\n\r\n"), "bad_redirect"),
    "an empty location": (once(b"HTTP/1.1 302 F\r\nLocation:\r\n\r\n"), "bad_redirect"),
    # Not all that is odd is bad.
    "rubbish behind a packed picture": (forever(PACKED + gzip.compress(PICTURE), b"n" * 65_536), ""),
}
"""Behaviour, and the reason why no picture comes; none = what comes is taken. Two where it depends on how the
bytes fall into packets."""
