"""Wikipedia: full-text search by the MediaWiki core REST API, lead pictures as reference pictures.

`GET /w/rest.php/v1/search/page?q=…&limit=…` → `{"pages": [{id, key, title, excerpt (HTML),
matched_title, description, thumbnail: {mimetype, width, height, url}}]}`
(https://www.mediawiki.org/wiki/API:REST_API/Reference).

Its search finds something for nearly anything: a page counts only if every telling word of the query
stands in its title, description or excerpt; for a picture, in its title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.clean import clean_text
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.names import content_words, words
from sake_model.search.remote.http import Candidate, Fetch, HttpApi, RemoteLimits, decode, decode_each
from sake_model.search.remote.wikimedia import PICTURE_WIDTH_PX, wikimedia_headers
from schemas.entities import Tool

__all__ = ["WikipediaProvider"]

_WIDTH = re.compile(r"/\d+px-")


class _Thumbnail(msgspec.Struct):
    url: str


class _Page(msgspec.Struct):
    key: str
    title: str
    excerpt: str | None = None
    matched_title: str | None = None
    description: str | None = None
    thumbnail: _Thumbnail | None = None


class _Pages(msgspec.Struct):
    pages: list[msgspec.Raw]


class WikipediaProvider:
    """Both tools; the image search only with a `fetch`. Raises OperatorError without a contact."""

    name = "wikipedia"

    def __init__(
        self,
        contact: str,
        *,
        language: str = "en",
        base_url: str | None = None,
        fetch: Fetch | None = None,
        limits: RemoteLimits = RemoteLimits(),
    ) -> None:
        self._site = base_url or f"https://{language}.wikipedia.org"
        headers = wikimedia_headers(contact)
        self._api = HttpApi(self.name, self._site, headers=headers, limits=limits, fetch=fetch)

    def supports(self, tool: Tool) -> bool:
        """Text; images if pictures can be fetched."""
        return tool is Tool.TEXT or self._api.fetch is not None

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """Pages about the query, or their lead pictures."""
        query = {"q": request.query, "limit": str(2 * self._api.limits.results)}
        body = await self._api.get("/w/rest.php/v1/search/page", query, deadline)
        pages = list(decode_each(decode(body, _Pages, self.name).pages, _Page, self.name))
        found = self._about(request, pages)
        if request.tool is Tool.TEXT:
            return self._api.text_results(request, found)
        return await self._api.image_results(request, found, deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    def _about(self, request: SearchRequest, pages: list[_Page]) -> Iterator[Candidate]:
        telling = set(content_words(request.query))
        for page in pages:
            excerpt = clean_text(page.excerpt or "", self._api.limits.snippet_chars)
            known = f"{page.title} {page.matched_title or ''}"
            if request.tool is Tool.TEXT:
                known += f" {page.description or ''} {excerpt}"
            if not telling <= set(words(known)):
                continue
            thumbnail = _WIDTH.sub(f"/{PICTURE_WIDTH_PX}px-", page.thumbnail.url) if page.thumbnail else ""
            yield Candidate(
                title=page.title,
                url=f"{self._site}/wiki/{quote(page.key)}",
                snippet=". ".join(each for each in (page.description, excerpt) if each),
                picture_url=thumbnail,
                attribution=f"Wikipedia contributors, “{page.title}”, CC BY-SA 4.0",
            )
