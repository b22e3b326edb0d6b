"""Search providers for tests: scripted answers behind the real interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sake_model.deadline import Deadline
from sake_model.search.interface import SearchRequest, SearchResult
from schemas.entities import Tool


@dataclass(frozen=True)
class Late:
    """An error, after so many seconds."""

    seconds: float
    error: Exception


Answer = tuple[SearchResult, ...] | Exception | float | Late
"""Results, an error to raise, or seconds to be slow before a hit."""


def result(title: str = "Kevin Durant", *, provider: str = "scripted", query: str = "q") -> SearchResult:
    return SearchResult(
        provider=provider,
        query=query,
        title=title,
        url=f"https://example.org/{title}",
        snippet=f"{title} is known.",
        retrieved_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class ScriptedProvider:
    """Answers call n with script[n]; the last entry repeats. Remembers when it was called."""

    def __init__(
        self,
        *script: Answer,
        name: str = "scripted",
        tools: tuple[Tool, ...] = (Tool.TEXT,),
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self._script = script or ((result(provider=name),),)
        self._tools = tools
        self._clock = clock
        self.calls: list[SearchRequest] = []
        self.called_at_s: list[float] = []
        self.running = 0
        self.most_running = 0
        self.closed = False

    def supports(self, tool: Tool) -> bool:
        return tool in self._tools

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        clock = self._clock or asyncio.get_running_loop().time
        self.called_at_s.append(clock())
        answer = self._script[min(len(self.calls), len(self._script) - 1)]
        self.calls.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if isinstance(answer, Late):
                await asyncio.sleep(answer.seconds)
                raise answer.error
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                return (result(provider=self.name, query=request.query),)
            return answer
        finally:
            self.running -= 1

    async def close(self) -> None:
        self.closed = True
