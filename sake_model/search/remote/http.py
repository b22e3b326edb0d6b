"""One bounded, typed HTTP exchange with a search API, and what its failures mean."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin

import aiohttp
import msgspec

from sake_model.deadline import Deadline
from sake_model.search.clean import clean_text, clean_url
from sake_model.search.interface import (
    SearchError,
    SearchFailed,
    SearchRefused,
    SearchRequest,
    SearchResult,
    SearchThrottled,
)
from schemas.errors import SakeError

__all__ = ["Candidate", "Fetch", "HttpApi", "RemoteLimits", "decode", "decode_each", "retry_after_s"]

Fetch = Callable[[str, Deadline], Awaitable[bytes]]
"""Gets the bytes of a picture from a stranger's URL. It guards itself (addresses, size, redirects)
and fails with a SakeError."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """What is taken of a remote answer."""

    answer_bytes: int = 4 * 1024 * 1024
    """Decompressed. The largest honest answer (Brave, 20 results with extras) is some 300 kB."""
    results: int = 5
    pictures: int = 1
    """Reference pictures a query; each is one more download."""
    picture_tries: int = 3
    """Candidates whose picture is tried until there are enough."""
    picture_bytes: int = 4 * 1024 * 1024
    title_chars: int = 200
    snippet_chars: int = 700

    def __post_init__(self) -> None:
        if min(self.answer_bytes, self.results, self.pictures, self.picture_tries, self.picture_bytes) < 1:
            raise ValueError(f"every limit must be at least 1: {self}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A result as the API tells it: raw text and, for the image search, where the picture is."""

    title: str
    url: str
    snippet: str = ""
    picture_url: str = ""
    attribution: str = ""


class HttpApi:
    """An HTTP session for one provider; opened at the first use, closed by `close`."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Mapping[str, str],
        limits: RemoteLimits,
        fetch: Fetch | None = None,
    ) -> None:
        self.name = name
        self.limits = limits
        self.fetch = fetch
        self._base_url = base_url.rstrip("/")
        self._headers = {"Accept": "application/json", **headers}
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Mapping[str, str], deadline: Deadline) -> bytes:
        """The body of a good answer. Raises the SearchError classes."""
        return await self._exchange("GET", path, deadline, params=params)

    async def post(self, path: str, body: Mapping[str, Any], deadline: Deadline) -> bytes:
        """The same for a JSON body."""
        return await self._exchange("POST", path, deadline, json=body)

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, method: str, path: str, deadline: Deadline, **content: Any) -> bytes:
        if self._session is None:
            # A cookie could tie our queries together; a redirect could carry our key elsewhere.
            self._session = aiohttp.ClientSession(headers=self._headers, cookie_jar=aiohttp.DummyCookieJar())
        left_s = deadline.left_s
        if left_s <= 0:
            raise SearchFailed(f"{self.name}: no time was left")
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=left_s),
                **content,
            ) as response:
                self._judge(response)
                return await self._body(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SearchFailed(f"{self.name}: {type(error).__name__}: {error}") from error

    def _judge(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == 200:
            return
        wait_s = retry_after_s(response.headers)
        if status == 429 or (status == 503 and wait_s is not None):
            raise SearchThrottled(f"{self.name} asks for fewer queries (HTTP {status})", wait_s)
        if status in (408, 425) or status >= 500 or status < 300:
            raise SearchFailed(f"{self.name} failed (HTTP {status})")
        raise SearchRefused(
            f"{self.name} refused the query (HTTP {status}): {_ADVICE.get(status, 'see its API')}"
        )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65536):
            body += chunk
            if len(body) > self.limits.answer_bytes:
                raise SearchFailed(f"{self.name}: the answer is longer than {self.limits.answer_bytes} bytes")
        return bytes(body)

    def text_results(self, request: SearchRequest, found: Iterable[Candidate]) -> tuple[SearchResult, ...]:
        """Results of a text search; what has no title or no address is left out."""
        cleaned = (self._result(request, each, None) for each in found)
        return tuple(each for each in cleaned if each.title and each.url)[: self.limits.results]

    async def image_results(
        self, request: SearchRequest, found: Iterable[Candidate], deadline: Deadline
    ) -> tuple[SearchResult, ...]:
        """Results with their pictures. Raises SearchFailed if there are some and none can be had."""
        results: list[SearchResult] = []
        trouble: SakeError | None = None
        tried = 0
        for each in found:
            url = clean_url(urljoin(self._base_url + "/", each.picture_url)) if each.picture_url else ""
            if not url or self.fetch is None:
                continue
            if len(results) == self.limits.pictures or tried == self.limits.picture_tries:
                break
            tried += 1
            try:
                picture = await self.fetch(url, deadline)
            except SakeError as error:
                trouble = error
                continue
            if 0 < len(picture) <= self.limits.picture_bytes:
                results.append(self._result(request, each, picture))
        if tried and not results:
            raise SearchFailed(
                f"{self.name}: no reference picture could be fetched: {trouble or 'wrong size'}"
            )
        return tuple(results)

    def _result(self, request: SearchRequest, found: Candidate, picture: bytes | None) -> SearchResult:
        return SearchResult(
            provider=self.name,
            query=request.query,
            title=clean_text(found.title, self.limits.title_chars),
            url=clean_url(found.url),
            snippet=clean_text(found.snippet, self.limits.snippet_chars),
            retrieved_at=datetime.now(UTC),
            picture=picture,
            attribution=clean_text(found.attribution, self.limits.title_chars),
        )


_ADVICE = {
    301: "the address has moved: set the new one",
    302: "the address has moved: set the new one",
    307: "the address has moved: set the new one",
    308: "the address has moved: set the new one",
    401: "the API key is wrong or missing",
    402: "the plan's credit is used up",
    403: "access is denied: check the key, the User-Agent's contact, or whether JSON is enabled",
    404: "there is no such API at this address",
}


def retry_after_s(headers: Mapping[str, str], *, now_s: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by Retry-After (RFC 9110 §10.2.3: seconds or a date), else by X-RateLimit-Reset.

    Brave lists seconds until reset per window, and what remains of each: the longest of the used-up
    ones counts. None if nothing sensible is said.
    """
    said = headers.get("Retry-After", "").strip()
    if said:
        try:
            wait_s = float(said)
        except ValueError:
            try:
                wait_s = parsedate_to_datetime(said).timestamp() - now_s()
            except (ValueError, OverflowError):
                return None
        return max(wait_s, 0.0) if math.isfinite(wait_s) else None
    resets = _numbers(headers.get("X-RateLimit-Reset", ""))
    left = _numbers(headers.get("X-RateLimit-Remaining", ""))
    used_up = [reset for reset, remaining in zip(resets, left, strict=False) if remaining <= 0]
    return max(used_up) if used_up else None


def _numbers(listed: str) -> list[float]:
    try:
        return [max(float(each), 0.0) for each in listed.split(",") if each.strip()]
    except ValueError:
        return []


def decode(body: bytes, shape: type[T], name: str) -> T:
    """The answer as `shape`. Raises SearchFailed if it is not JSON (UTF-8) or not of that shape."""
    try:
        # As text first: in fields that are passed over, msgspec would take any bytes.
        return msgspec.json.decode(body.decode("utf-8-sig"), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SearchFailed(f"{name}: the answer is not what its API documents: {error}") from error


def decode_each(items: list[msgspec.Raw], shape: type[T], name: str) -> Iterator[T]:
    """The items that are of the shape. Raises SearchFailed at the end if there are some and none is."""
    good = 0
    trouble: SearchError | None = None
    for item in items:
        try:
            decoded = decode(bytes(item), shape, name)
        except SearchFailed as error:
            trouble = error
            continue
        good += 1
        yield decoded
    if trouble is not None and not good:
        raise trouble
