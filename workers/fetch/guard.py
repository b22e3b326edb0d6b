"""The guard between a stranger's URL and the network (server-side request forgery).

Three gates, each enough for its own kind of address, so that no way around one is a way in:
1. `check_url`       scheme, credentials, port, and hosts that are literal addresses: of the post's
                     URL and of every redirect;
2. `GuardedResolver` every address that a name resolves to. The connection goes to the very
                     addresses judged here, so a name that resolves differently the next moment
                     (DNS rebinding) gains nothing;
3. `guarded_socket`  the address about to be connected to, whatever led there.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from workers.fetch.addresses import AddressPolicy, parse_address
from workers.fetch.errors import FetchError, FetchTrouble

__all__ = [
    "LOOKUP_THREADS",
    "BlockedAddress",
    "GuardedResolver",
    "Lookup",
    "check_redirect",
    "check_url",
    "guarded_socket",
    "system_lookup",
]

# Nobody writes a longer address by hand or by program; browsers stop near here.
MAX_URL_CHARS = 8192

# Letters, digits, hyphens, dots (names in other scripts have become punycode by then), and the
# underscore that some real hosts have.
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")

# Threads that only wait for name servers; apart from the loop's own pool, so that a stranger's
# slow name server cannot hold up anything else. One that never answers holds a thread for some 10 s, so
# there are as many as a few dozen such posts at once need.
LOOKUP_THREADS = 32

Lookup = Callable[[str, int, socket.AddressFamily], Awaitable[list[tuple[socket.AddressFamily, str]]]]
"""Host, port and family → the addresses; raises OSError when there are none."""


class BlockedAddress(OSError):
    """The way leads where strangers may not go. An OSError, because that is what a resolver may raise."""

    def __init__(self, where: str) -> None:
        super().__init__(errno.EACCES, f"{where} is not public")


def check_url(text: str | URL, policy: AddressPolicy, ports: frozenset[int]) -> URL:
    """The URL, once it is fit to be asked. Raises FetchError with its reason."""
    if len(str(text)) > MAX_URL_CHARS:
        raise FetchError(FetchTrouble.BAD_URL, f"longer than {MAX_URL_CHARS} characters")
    try:
        url = URL(text)
        port = url.port
        host = url.raw_host
    except ValueError as error:
        raise FetchError(FetchTrouble.BAD_URL, str(error)) from error
    if url.scheme not in ("http", "https") or not host:
        raise FetchError(FetchTrouble.BAD_URL, "a picture's address is http(s)://host/…")
    if url.raw_user is not None or url.raw_password is not None:
        raise FetchError(FetchTrouble.BAD_URL, "a picture's address carries no credentials")
    if port not in ports:
        raise FetchError(FetchTrouble.BLOCKED_PORT, f"port {port} is not among those allowed")
    literal = parse_address(host)
    if literal is None and not HOST.fullmatch(host):
        raise FetchError(FetchTrouble.BAD_URL, "the host is neither a name nor an address")
    if literal is not None and not policy.allows(literal):
        raise FetchError(FetchTrouble.BLOCKED_ADDRESS, f"{literal} is not public")
    return url.with_fragment(None)


def check_redirect(here: URL, there: URL, policy: AddressPolicy, ports: frozenset[int]) -> URL:
    """Where a redirect leads, once it is fit to be asked. Raises FetchError with its reason."""
    if here.scheme == "https" and there.scheme == "http":
        raise FetchError(FetchTrouble.BAD_REDIRECT, "from https to http, where anyone may read and answer")
    return check_url(there, policy, ports)


class GuardedResolver(AbstractResolver):
    """Resolves names and keeps only addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses. Raises BlockedAddress when there are only others, OSError when none."""
        found = await self._lookup(host, port, family)
        allowed = [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in found
            if allows_text(self._policy, address)
        ]
        if found and not allowed:
            raise BlockedAddress(host)
        return allowed

    async def close(self) -> None:
        """Holds nothing that needs closing."""


def guarded_socket(policy: AddressPolicy) -> Callable[[AddrInfoType], socket.socket]:
    """Makes sockets, but none towards an address that the policy does not allow."""

    def create(info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, where = info
        if not allows_text(policy, str(where[0])):
            raise BlockedAddress(str(where[0]))
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made

    return create


def allows_text(policy: AddressPolicy, address: str) -> bool:
    """The policy's word on an address in text; what is no address is not allowed."""
    parsed = parse_address(address)
    return parsed is not None and policy.allows(parsed)


def system_lookup(pool: ThreadPoolExecutor) -> Lookup:
    """Name resolution as the operating system does it, in threads of its own."""

    async def lookup(
        host: str, port: int, family: socket.AddressFamily
    ) -> list[tuple[socket.AddressFamily, str]]:
        def ask() -> list[tuple[Any, ...]]:
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)

        try:
            infos = await asyncio.get_running_loop().run_in_executor(pool, ask)
        except UnicodeError as error:  # a label over 63 characters
            raise OSError(str(error)) from error
        return [(kind, where[0]) for kind, _, _, _, where in infos]

    return lookup
