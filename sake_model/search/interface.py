"""What the dialogue asks of a search, and how a search may fail.

    NetworkError (schemas.errors)
    └── SearchError            one provider, one attempt
        ├── SearchRefused      the provider refuses this very query (4xx but 429)
        ├── SearchThrottled    429; `retry_after_s` when the provider named it
        ├── SearchFailed       5xx, broken transport, an answer that is not what it should be
        └── SearchUnavailable  no provider of the pool could answer (limits, circuits, deadline)

A miss is not an error: it is an empty tuple of results.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sake_model.deadline import Deadline
from schemas.entities import Tool
from schemas.errors import NetworkError

__all__ = [
    "Provider",
    "Search",
    "SearchError",
    "SearchFailed",
    "SearchOutcome",
    "SearchRefused",
    "SearchRequest",
    "SearchResult",
    "SearchThrottled",
    "SearchUnavailable",
]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One query to one tool; equal requests are one flight and one cache entry."""

    tool: Tool
    query: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One thing that a provider returned."""

    provider: str
    query: str
    title: str
    url: str
    snippet: str
    retrieved_at: datetime
    picture: bytes | None = None
    """Image search only: an encoded reference picture (PNG or JPEG), as the provider sent it."""
    attribution: str = ""
    """Who made it and under what licence, where the source asks for that."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a pool answered."""

    results: tuple[SearchResult, ...]
    provider: str
    """The provider that answered (also a miss has one)."""
    cached: bool = False


class Provider(Protocol):
    """A source of search results. One call = one attempt; limits and retries are the pool's."""

    @property
    def name(self) -> str:
        """Stable, lower case; stands in evidence, metrics and the cache's keys."""
        ...

    def supports(self, tool: Tool) -> bool:
        """Whether this provider answers this tool at all."""
        ...

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        """Results, best first; empty when there is none. Raises SearchError classes."""
        ...

    async def close(self) -> None:
        """Frees connections and files."""
        ...


class Search(Protocol):
    """What the recogniser needs of a search pool."""

    async def search(self, request: SearchRequest, deadline: Deadline) -> SearchOutcome:
        """The answer to one request. Raises SearchUnavailable, and nothing else on purpose."""
        ...


class SearchError(NetworkError):
    """A search did not succeed."""


class SearchRefused(SearchError):
    """The provider refuses this very query; another attempt cannot help."""


class SearchThrottled(SearchError):
    """The provider asks us to slow down."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SearchFailed(SearchError):
    """The provider is broken or its answer is not what it should be."""


class SearchUnavailable(SearchError):
    """No provider of the pool could answer in time."""
