"""SearXNG, a metasearch engine that one runs oneself (https://docs.searxng.org/dev/search_api.html).

`GET /search?q=…&format=json&categories=general|images` → `{"results": [{title, url, content,
img_src, thumbnail_src}]}`. JSON must be enabled in its settings.yml (`search: formats`), else 403.
"""

from __future__ import annotations

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.remote.http import Candidate, Fetch, HttpApi, RemoteLimits, decode, decode_each
from schemas.entities import Tool

__all__ = ["SearxngProvider"]


# Words that begin so are orders to SearXNG: `!wp` and `?wp` ask another engine, `!!g` sends the asker to
# another site, `:de` and `<3` change language and time limit (docs.searxng.org/user/search-syntax.html).
ORDERS = "!?:<"


class _Result(msgspec.Struct):
    url: str
    title: str
    content: str | None = None
    img_src: str | None = None
    thumbnail_src: str | None = None


class _Answer(msgspec.Struct):
    results: list[msgspec.Raw]


def plain(query: str) -> str:
    """The query's words without what would make them orders; empty where nothing else is in it."""
    return " ".join(word for each in query.split() if (word := each.lstrip(ORDERS)))


class SearxngProvider:
    """Both tools; the image search only with a `fetch`."""

    name = "searxng"

    def __init__(
        self,
        base_url: str,
        *,
        language: str = "all",
        fetch: Fetch | None = None,
        limits: RemoteLimits = RemoteLimits(),
    ) -> None:
        self._language = language
        headers = {"User-Agent": "sake-stream/0.1"}
        self._api = HttpApi(self.name, base_url, headers=headers, limits=limits, fetch=fetch)

    def supports(self, tool: Tool) -> bool:
        """Text; images if pictures can be fetched."""
        return tool is Tool.TEXT or self._api.fetch is not None

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """What the engines behind it found."""
        words = plain(request.query)
        if not words:
            return ()
        category = "general" if request.tool is Tool.TEXT else "images"
        query = {
            "q": words, "format": "json", "categories": category,
            "language": self._language, "safesearch": "1",
        }  # fmt: skip
        body = await self._api.get("/search", query, deadline)
        results = decode_each(decode(body, _Answer, self.name).results, _Result, self.name)
        found = [
            Candidate(each.title, each.url, each.content or "", each.thumbnail_src or each.img_src or "")
            for each in results
        ]
        if request.tool is Tool.TEXT:
            return self._api.text_results(request, found)
        return await self._api.image_results(request, found, deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()
