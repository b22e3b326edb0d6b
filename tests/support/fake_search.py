"""A search that knows what it was told, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchOutcome, SearchRequest, SearchResult, SearchUnavailable
from schemas.entities import Tool

__all__ = ["FakeSearch", "found"]

RETRIEVED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def found(query: str, snippet: str, *, title: str = "", picture: bytes | None = None) -> SearchResult:
    """A result for this query."""
    return SearchResult(
        provider="fake",
        query=query,
        title=title or query,
        url=f"https://example.org/{len(snippet)}",
        snippet=snippet,
        retrieved_at=RETRIEVED_AT,
        picture=picture,
    )


class FakeSearch:
    """Answers (tool, query) from a table; what is not in it is a miss; `down` tools are unavailable."""

    def __init__(
        self,
        table: Mapping[tuple[Tool, str], tuple[SearchResult, ...]] | None = None,
        *,
        down: frozenset[Tool] = frozenset(),
        delay_s: float = 0.0,
    ) -> None:
        self._table = table or {}
        self._down = down
        self._delay_s = delay_s
        self.requests: list[SearchRequest] = []
        self.most_at_once = 0
        self._now = 0

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        self.requests.append(request)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self._delay_s:
                if deadline.left_s < self._delay_s:
                    await asyncio.sleep(max(0.0, deadline.left_s))
                    raise SearchUnavailable("the deadline passed")
                await asyncio.sleep(self._delay_s)
            if request.tool in self._down:
                raise SearchUnavailable("no provider could answer")
            return SearchOutcome(self._table.get((request.tool, request.query), ()), provider="fake")
        finally:
            self._now -= 1
