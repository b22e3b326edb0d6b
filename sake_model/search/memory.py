"""The cache's front: decoded entries in memory, bounded in number and bytes, oldest use out first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sake_model.search.interface import SearchResult

__all__ = ["Entry", "MemoryFront"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A provider's answer to one request; no results = a miss, which is an answer too."""

    results: tuple[SearchResult, ...]
    expires_at_s: float
    """Unix time: it must mean the same after a restart."""

    @property
    def weight_bytes(self) -> int:
        """Roughly what it takes in memory: texts, pictures and a fixed cost an object."""
        overhead_bytes = 400  # measured: a SearchResult with empty fields, its datetime and slots
        return overhead_bytes + sum(
            overhead_bytes
            + len(each.title) + len(each.url) + len(each.snippet) + len(each.attribution)
            + len(each.picture or b"")
            for each in self.results
        )  # fmt: skip


class MemoryFront:
    """A least-recently-used map of entries."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def weight_bytes(self) -> int:
        """What the entries take."""
        return self._bytes

    def get(self, key: str) -> Entry | None:
        """The entry, which is then the youngest."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Stores an entry and lets old ones go."""
        self.drop(key)
        self._entries[key] = entry
        self._bytes += entry.weight_bytes
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.weight_bytes

    def drop(self, key: str) -> None:
        """Forgets an entry."""
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= entry.weight_bytes
