"""Brave Search (https://api-dashboard.search.brave.com/app/documentation).

`GET /res/v1/web/search` → `{"web": {"results": [{title, url, description (HTML)}]}}`; without any
result there is no "web". `GET /res/v1/images/search` → `{"results": [{title, url, thumbnail: {src}}]}`.
Header `X-Subscription-Token`; limits are told in `X-RateLimit-Policy: 1;w=1, 15000;w=2592000`.
"""

from __future__ import annotations

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.remote.http import Candidate, Fetch, HttpApi, RemoteLimits, decode, decode_each
from schemas.entities import Tool

__all__ = ["BraveProvider"]

MOST_WORDS = 50
"""Of one query, says the documentation; also 400 characters, which the pool's own limit keeps."""


class _Page(msgspec.Struct):
    title: str
    url: str
    description: str | None = None


class _Web(msgspec.Struct):
    results: list[msgspec.Raw] = []


class _WebAnswer(msgspec.Struct):
    type: str
    web: _Web | None = None


class _Thumbnail(msgspec.Struct):
    src: str


class _Image(msgspec.Struct):
    thumbnail: _Thumbnail
    title: str | None = None
    url: str | None = None


class _ImageAnswer(msgspec.Struct):
    results: list[msgspec.Raw]


class BraveProvider:
    """Both tools; the image search only with a `fetch`."""

    name = "brave"

    def __init__(
        self,
        key: str,
        *,
        base_url: str = "https://api.search.brave.com",
        fetch: Fetch | None = None,
        limits: RemoteLimits = RemoteLimits(),
    ) -> None:
        headers = {"X-Subscription-Token": key, "User-Agent": "sake-stream/0.1"}
        self._api = HttpApi(self.name, base_url, headers=headers, limits=limits, fetch=fetch)

    def supports(self, tool: Tool) -> bool:
        """Text; images if pictures can be fetched."""
        return tool is Tool.TEXT or self._api.fetch is not None

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """Pages or pictures of the web."""
        count = self._api.limits.results if request.tool is Tool.TEXT else self._api.limits.picture_tries
        query = {"q": " ".join(request.query.split()[:MOST_WORDS]), "count": str(count)}
        if request.tool is Tool.IMAGE:
            body = await self._api.get("/res/v1/images/search", {**query, "safesearch": "strict"}, deadline)
            images = decode_each(decode(body, _ImageAnswer, self.name).results, _Image, self.name)
            pictures = [
                Candidate(each.title or request.query, each.url or "", "", each.thumbnail.src)
                for each in images
            ]
            return await self._api.image_results(request, pictures, deadline)
        body = await self._api.get("/res/v1/web/search", {**query, "result_filter": "web"}, deadline)
        web = decode(body, _WebAnswer, self.name).web or _Web()
        pages = decode_each(web.results, _Page, self.name)
        found = [Candidate(each.title, each.url, each.description or "") for each in pages]
        return self._api.text_results(request, found)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()
