"""Serper, Google's results as JSON (https://serper.dev).

`POST /search {"q", "num"}` → `{"knowledgeGraph"?: {title, type, description, descriptionLink,
website}, "organic": [{title, link, snippet}]}`; `POST /images` → `{"images": [{title, imageUrl,
thumbnailUrl, link, source}]}`. Header `X-API-KEY`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.remote.http import Candidate, Fetch, HttpApi, RemoteLimits, decode, decode_each
from schemas.entities import Tool

__all__ = ["SerperProvider"]


class _Known(msgspec.Struct):
    title: str = ""
    type: str = ""
    description: str = ""
    descriptionLink: str = ""  # noqa: N815  (the API's name)
    website: str = ""


class _Page(msgspec.Struct):
    title: str
    link: str
    snippet: str | None = None


class _Pages(msgspec.Struct):
    organic: list[msgspec.Raw]
    knowledgeGraph: msgspec.Raw = msgspec.Raw()  # noqa: N815


class _Image(msgspec.Struct):
    title: str
    link: str
    imageUrl: str = ""  # noqa: N815
    thumbnailUrl: str = ""  # noqa: N815


class _Images(msgspec.Struct):
    images: list[msgspec.Raw]


class SerperProvider:
    """Both tools; the image search only with a `fetch`."""

    name = "serper"

    def __init__(
        self,
        key: str,
        *,
        base_url: str = "https://google.serper.dev",
        fetch: Fetch | None = None,
        limits: RemoteLimits = RemoteLimits(),
    ) -> None:
        headers = {"X-API-KEY": key, "User-Agent": "sake-stream/0.1"}
        self._api = HttpApi(self.name, base_url, headers=headers, limits=limits, fetch=fetch)

    def supports(self, tool: Tool) -> bool:
        """Text; images if pictures can be fetched."""
        return tool is Tool.TEXT or self._api.fetch is not None

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """Google's knowledge panel and pages, or its pictures."""
        body = {"q": request.query, "num": 10}
        if request.tool is Tool.IMAGE:
            answer = await self._api.post("/images", body, deadline)
            images = decode_each(decode(answer, _Images, self.name).images, _Image, self.name)
            pictures = [
                Candidate(each.title, each.link, "", each.thumbnailUrl or each.imageUrl) for each in images
            ]
            return await self._api.image_results(request, pictures, deadline)
        pages = decode(await self._api.post("/search", body, deadline), _Pages, self.name)
        found = [*self._known(pages), *self._organic(pages)]
        return self._api.text_results(request, found)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    def _known(self, pages: _Pages) -> Iterator[Candidate]:
        """The knowledge panel: it says in a line what the entity is."""
        if bytes(pages.knowledgeGraph) not in (b"", b"null"):
            for known in decode_each([pages.knowledgeGraph], _Known, self.name):
                snippet = ". ".join(each for each in (known.type, known.description) if each)
                yield Candidate(known.title, known.descriptionLink or known.website, snippet)

    def _organic(self, pages: _Pages) -> Iterator[Candidate]:
        for page in decode_each(pages.organic, _Page, self.name):
            yield Candidate(page.title, page.link, page.snippet or "")
