"""One picture over HTTP: redirects by hand, bytes counted while they come.

What the server says of its answer (type, length) is advice; only the bytes count. Cookies,
proxies from the environment and credentials from .netrc play no part.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from workers.fetch.addresses import AddressPolicy
from workers.fetch.budget import ByteBudget
from workers.fetch.errors import FetchError, FetchTrouble, http_trouble
from workers.fetch.guard import (
    LOOKUP_THREADS,
    BlockedAddress,
    GuardedResolver,
    Lookup,
    check_redirect,
    check_url,
    guarded_socket,
    system_lookup,
)
from workers.fetch.limits import FetchLimits

__all__ = ["Downloader"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

# Large enough for few turns of the loop a picture, small enough to stop a bomb early.
CHUNK_BYTES = 64 * 1024
# zlib: 32 + 15 bits of window = gzip or zlib, told apart by the header.
GZIP_OR_ZLIB = 47


class Downloader:
    """Fetches pictures from strangers' URLs. Make it inside a running loop; close it."""

    def __init__(
        self,
        limits: FetchLimits,
        budget: ByteBudget,
        *,
        policy: AddressPolicy | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._limits = limits
        self._budget = budget
        self._policy = policy or limits.policy()
        self._ports = frozenset(limits.ports)
        self._lookup_pool = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="sake-dns")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(self._policy, lookup or system_lookup(self._lookup_pool)),
                socket_factory=guarded_socket(self._policy),
                limit=limits.connections,
                limit_per_host=limits.connections_per_host,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect_s, sock_read=limits.silence_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": limits.user_agent, "Accept": "image/*", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Frees connections and threads."""
        await self._session.close()
        self._lookup_pool.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def get(self, url: str, time_s: float) -> AsyncIterator[bytes]:
        """The picture's bytes, held in the budget while the block runs.

        Tries again while the trouble is transient. Raises FetchError.
        """
        with _Hold(self._budget) as hold:
            try:
                async with asyncio.timeout(time_s):
                    data = await self._attempts(url, hold)
            except TimeoutError as error:
                raise FetchError(FetchTrouble.TIMEOUT, f"no picture within {time_s:.1f} s") from error
            yield data

    async def _attempts(self, url: str, hold: _Hold) -> bytes:
        wait_s = self._limits.retry_s
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return await self._follow(url, hold)
            except FetchError as error:
                if not error.transient or attempt == self._limits.attempts:
                    raise
                hold.release()
                await asyncio.sleep(max(error.retry_after_s or 0.0, random.uniform(wait_s / 2, wait_s)))
                wait_s *= 2
        raise AssertionError("a loop of at least one attempt returns or raises")

    async def _follow(self, text: str, hold: _Hold) -> bytes:
        url = check_url(text, self._policy, self._ports)
        for _ in range(self._limits.max_redirects + 1):
            answer = await self._ask(url, hold)
            if isinstance(answer, bytes):
                return answer
            url = check_redirect(url, answer, self._policy, self._ports)
        raise FetchError(FetchTrouble.TOO_MANY_REDIRECTS, f"more than {self._limits.max_redirects} redirects")

    async def _ask(self, url: URL, hold: _Hold) -> bytes | URL:
        """The body, or where to go instead."""
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status in REDIRECTS:
                    return _redirect(url, response)
                if response.status != 200:
                    raise _refused(response)
                return await self._body(response, hold)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _as_fetch_error(error) from error

    async def _body(self, response: aiohttp.ClientResponse, hold: _Hold) -> bytes:
        limit = self._limits.max_bytes
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        length = response.content_length
        if length is not None and length > limit:
            raise FetchError(FetchTrouble.TOO_LARGE, f"{length} bytes, at most {limit}")
        plain = encoding in ("", "identity")
        await hold.take(length if plain and length is not None else limit)
        inflate = None if plain else _Inflate(encoding, limit)
        body = bytearray()
        came_bytes = 0
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            came_bytes += len(chunk)  # compressed nothing may go on for ever, too
            body += chunk if inflate is None else inflate.feed(chunk, len(body))
            if max(len(body), came_bytes) > limit:
                raise FetchError(FetchTrouble.TOO_LARGE, f"more than {limit} bytes")
            if inflate is not None and inflate.ended:
                break  # what follows is nothing of the picture's, and zlib would keep it
        if inflate is not None and not inflate.ended:
            raise FetchError(FetchTrouble.CONTENT_ENCODING, "the compressed body ends too early")
        return bytes(body)


class _Hold:
    """What one picture holds of the budget: nothing, then as much as its answer may need."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held_bytes = 0

    def __enter__(self) -> _Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def take(self, size_bytes: int) -> None:
        await self._budget.take(size_bytes)
        self._held_bytes = size_bytes

    def release(self) -> None:
        self._budget.give_back(self._held_bytes)
        self._held_bytes = 0


class _Inflate:
    """Unpacks gzip or zlib as it comes, never further than one byte over the limit."""

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(FetchTrouble.CONTENT_ENCODING, f"cannot unpack {encoding[:40]!r}")
        self._limit_bytes = limit_bytes
        self._inflater = zlib.decompressobj(GZIP_OR_ZLIB)

    def feed(self, chunk: bytes, have_bytes: int) -> bytes:
        try:
            return self._inflater.decompress(chunk, self._limit_bytes + 1 - have_bytes)
        except zlib.error as error:
            raise FetchError(FetchTrouble.CONTENT_ENCODING, str(error)) from error

    @property
    def ended(self) -> bool:
        return self._inflater.eof


def _redirect(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    if not location:
        raise FetchError(FetchTrouble.BAD_REDIRECT, "a redirect without a location")
    try:
        return url.join(URL(location))
    except ValueError as error:
        raise FetchError(FetchTrouble.BAD_REDIRECT, str(error)) from error


def _refused(response: aiohttp.ClientResponse) -> FetchError:
    wait = response.headers.get("Retry-After", "")
    return FetchError(
        http_trouble(response.status),
        f"HTTP {response.status}",
        transient=response.status in TRANSIENT,
        retry_after_s=float(wait) if wait.isascii() and wait.isdigit() else None,
    )


TROUBLES: tuple[tuple[type[Exception], FetchTrouble], ...] = (
    (TimeoutError, FetchTrouble.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, FetchTrouble.UNKNOWN_HOST),
    (aiohttp.ClientSSLError, FetchTrouble.TLS),
    (aiohttp.InvalidURL, FetchTrouble.BAD_URL),
    (aiohttp.ClientConnectionError, FetchTrouble.CONNECTION),
    (aiohttp.ClientPayloadError, FetchTrouble.CONNECTION),
    (OSError, FetchTrouble.CONNECTION),
)


def _as_fetch_error(error: Exception) -> FetchError:
    """The trouble that an exception of aiohttp or of the system means."""
    if isinstance(getattr(error, "os_error", error), BlockedAddress):
        reason = FetchTrouble.BLOCKED_ADDRESS
    else:
        reason = next((reason for kind, reason in TROUBLES if isinstance(error, kind)), FetchTrouble.BAD_HTTP)
    transient = reason in (FetchTrouble.TIMEOUT, FetchTrouble.CONNECTION)
    return FetchError(reason, str(error)[:200] or type(error).__name__, transient=transient)
