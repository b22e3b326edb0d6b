"""Wikidata: which entity bears this name, and the picture that Wikimedia Commons has of it.

1. `GET /w/rest.php/wikibase/v1/search/items?q=…&language=…&limit=…` →
   `{"results": [{id, display-label, description, match: {type, language, text}}]}`
2. `GET /w/rest.php/wikibase/v1/entities/items/{id}/statements?property=P18` →
   `{"P18": [{rank, value: {type, content: "File name.jpg"}}]}`
3. Commons: `GET /w/api.php?action=query&prop=imageinfo&iiprop=url|extmetadata…` → thumbnail, author, licence

The text search needs the first call only. The search also matches beginnings and descriptions; an
entity counts only if a label or alias of it holds every telling word of the query, and for a picture
if it is the name itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.names import content_words, name_key, words
from sake_model.search.remote.http import Candidate, Fetch, HttpApi, RemoteLimits, decode, decode_each
from sake_model.search.remote.wikimedia import PICTURE_WIDTH_PX, wikimedia_headers
from schemas.entities import Tool

__all__ = ["REQUESTS_AN_IMAGE_SEARCH", "WikidataProvider"]

ENTITIES_TRIED = 2
"""Entities of the same name whose picture is looked for: the first is what people mean, mostly."""
REQUESTS_AN_IMAGE_SEARCH = 1 + 2 * ENTITIES_TRIED
"""API requests, at most; the factory divides the allowed rate by it."""


class _Text(msgspec.Struct):
    value: str


class _Match(msgspec.Struct):
    type: str
    text: str


class _Item(msgspec.Struct, rename={"label": "display-label"}):
    id: str
    label: _Text | None = None
    description: _Text | None = None
    match: _Match | None = None


class _Items(msgspec.Struct):
    results: list[msgspec.Raw]


class _Value(msgspec.Struct):
    content: str


class _Statement(msgspec.Struct):
    value: _Value
    rank: str = "normal"


class _Statements(msgspec.Struct, rename={"pictures": "P18"}):
    pictures: list[msgspec.Raw] = []


class _MetaValue(msgspec.Struct):
    value: str | int | float


class _ImageInfo(msgspec.Struct):
    thumburl: str
    descriptionurl: str = ""
    extmetadata: dict[str, _MetaValue] = {}


class _File(msgspec.Struct):
    imageinfo: list[_ImageInfo] = []


class _Files(msgspec.Struct):
    pages: list[_File] = []


class _Query(msgspec.Struct):
    query: _Files = msgspec.field(default_factory=_Files)


class WikidataProvider:
    """Both tools; the image search only with a `fetch`. Raises OperatorError without a contact."""

    name = "wikidata"

    def __init__(
        self,
        contact: str,
        *,
        language: str = "en",
        base_url: str = "https://www.wikidata.org",
        commons_url: str = "https://commons.wikimedia.org",
        fetch: Fetch | None = None,
        limits: RemoteLimits = RemoteLimits(),
    ) -> None:
        headers = wikimedia_headers(contact)
        self._language = language
        self._site = base_url.rstrip("/")
        self._api = HttpApi(self.name, base_url, headers=headers, limits=limits, fetch=fetch)
        self._commons = HttpApi(self.name, commons_url, headers=headers, limits=limits, fetch=fetch)

    def supports(self, tool: Tool) -> bool:
        """Text; images if pictures can be fetched."""
        return tool is Tool.TEXT or self._api.fetch is not None

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """Entities that bear the name, or the first one's picture."""
        query = {
            "q": request.query, "language": self._language, "limit": str(2 * self._api.limits.results),
        }  # fmt: skip
        body = await self._api.get("/w/rest.php/wikibase/v1/search/items", query, deadline)
        items = list(decode_each(decode(body, _Items, self.name).results, _Item, self.name))
        if request.tool is Tool.TEXT:
            return self._api.text_results(request, self._named(request, items))
        pictures = [
            picture
            for item in [each for each in items if _bears(each, request.query)][:ENTITIES_TRIED]
            if (picture := await self._picture(item, deadline)) is not None
        ]
        return await self._commons.image_results(request, pictures, deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()
        await self._commons.close()

    def _named(self, request: SearchRequest, items: list[_Item]) -> Iterator[Candidate]:
        telling = set(content_words(request.query))
        for item in items:
            if item.match is not None and item.match.type != "description":
                title = item.label.value if item.label else item.match.text
                if telling <= set(words(f"{title} {item.match.text}")):
                    description = item.description.value if item.description else ""
                    yield Candidate(
                        title=title,
                        url=f"{self._site}/wiki/{item.id}",
                        snippet=f"{title}: {description}" if description else title,
                        attribution="Wikidata, CC0 1.0",
                    )

    async def _picture(self, item: _Item, deadline: Deadline) -> Candidate | None:
        body = await self._api.get(
            f"/w/rest.php/wikibase/v1/entities/items/{item.id}/statements", {"property": "P18"}, deadline
        )
        stated = list(decode_each(decode(body, _Statements, self.name).pictures, _Statement, self.name))
        if not stated:
            return None
        best = min(stated, key=lambda each: each.rank != "preferred")
        body = await self._commons.get(
            "/w/api.php",
            {
                "action": "query", "format": "json", "formatversion": "2", "prop": "imageinfo",
                "iiprop": "url|extmetadata", "iiextmetadatafilter": "Artist|LicenseShortName",
                "iiurlwidth": str(PICTURE_WIDTH_PX), "titles": f"File:{best.value.content}",
            },
            deadline,
        )  # fmt: skip
        files = decode(body, _Query, self.name).query.pages
        if not files or not files[0].imageinfo:
            return None
        info = files[0].imageinfo[0]
        told = [str(info.extmetadata[key].value) for key in ("Artist", "LicenseShortName")
                if key in info.extmetadata]  # fmt: skip
        title = item.label.value if item.label else best.value.content
        return Candidate(
            title=title,
            url=info.descriptionurl,
            snippet=item.description.value if item.description else "",
            picture_url=info.thumburl,
            attribution=", ".join(("Wikimedia Commons", *told)),
        )


def _bears(item: _Item, query: str) -> bool:
    names = {
        name_key(item.label.value) if item.label else "",
        name_key(item.match.text) if item.match else "",
    }
    return name_key(query) in names - {""}
