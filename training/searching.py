"""The search that a run asks: the pool of a runtime folder, written down or replayed if so wished."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sake_model.search.factory import SearchConfig, build_pool
from sake_model.search.interface import Search
from sake_model.search.recorded import RecordingSearch

__all__ = ["SearchPlace"]


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """Where to search."""

    home: Path
    """Runtime folder; the index lies in its search/."""
    record: Path | None = None
    """Gets what searches find."""
    replay: Path | None = None
    """Such a recording, which is then all that is searched."""

    async def open(self, stack: AsyncExitStack) -> Search:
        """The search; `stack` closes it. Raises OperatorError when it cannot be set up."""
        config = SearchConfig()
        if self.replay is not None:
            config = SearchConfig(providers=("recorded",), recording=self.replay, cache_mib=0)
        pool = await stack.enter_async_context(build_pool(config, self.home))
        if self.record is None:
            return pool
        recording = RecordingSearch(pool, self.record)
        stack.callback(recording.close)
        return recording
