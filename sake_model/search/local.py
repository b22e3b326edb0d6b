"""The local provider: who bears this name, in an index that needs no network.

A miss is a miss. A row is an answer only if one of these holds, in this order:

1. the query is one of its names (a lone hashtag also without white space: #goldenstatewarriors);
2. the query is a person's last name;
3. the query contains one of its names whole, and every other word that says something occurs in the
   row ("Apple company", "Steve Kerr coach");
4. text only, for a query that describes instead of naming (three words that say something, or two
   with a small word between): they stand together in its running text ("capital of Australia").

Nothing is returned for being merely near: "Sarah Miller" does not find Arthur Miller, and "North
West", which is a person, not every region in whose article these words stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sake_model.deadline import Deadline
from sake_model.search.index.build import FORMAT, NameKind
from sake_model.search.interface import SearchFailed, SearchRequest, SearchResult
from sake_model.search.names import compact, content_words, name_key, unhash, words
from schemas.entities import Tool
from schemas.errors import OperatorError

__all__ = ["LocalProvider"]

MOST_QUERY_WORDS = 16
"""Of a longer query only so many words are looked at: names are shorter."""
LEAST_COMPACT_CHARS = 6
"""A shorter hashtag that happens to equal a name without its spaces is chance ("#atone")."""
NEAR_WORDS = 6
"""How many other words may stand between a query's in running text."""

KINDS_OF_PICTURE = frozenset(
    (
        "logo",
        "brand",
        "mark",
        "icon",
        "symbol",
        "emblem",
        "flag",
        "picture",
        "photo",
        "image",
        "app",
        "company",
    )
)
"""Words of an image query that say what kind of picture is wanted, not of what."""


class _Row(NamedTuple):
    id: int
    title: str
    url: str
    snippet: str
    attribution: str


_ROW = "rows.id, rows.title, rows.url, rows.snippet, rows.attribution"
_BY_NAME = f"""
SELECT {_ROW} FROM names JOIN rows ON rows.id = names.row
WHERE names.tool = ? AND names.key = ? AND names.kind BETWEEN ? AND ?
ORDER BY rows.prior + (CASE names.kind WHEN 0 THEN 0.1 ELSE 0 END) DESC, rows.id LIMIT ?
"""
_BY_PROSE = f"""
SELECT {_ROW} FROM prose JOIN rows ON rows.id = prose.rowid
WHERE prose MATCH ? ORDER BY prose.rank, rows.id LIMIT ?
"""


class LocalProvider:
    """Reads an index that `build_index` made. A query takes well under a millisecond or two."""

    name = "local"

    def __init__(
        self, path: Path, *, results: int = 5, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        if not path.is_file():
            raise OperatorError(f"there is no search index at {path}; build it: make assets")
        # Immutable: the builder replaces the file as a whole, so no lock is ever needed.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        self._results = results
        self._now = now
        try:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            meta = dict(self._db.execute("SELECT key, value FROM meta")) if version == FORMAT else {}
        except sqlite3.Error as error:
            self._db.close()
            raise OperatorError(f"{path} is not a search index ({error}); build it: make assets") from error
        if version != FORMAT:
            self._db.close()
            raise OperatorError(f"{path} was built by another version; build it again: make assets")
        self.version: str = meta["wanted"]

    def supports(self, tool: Tool) -> bool:
        """Both tools."""
        return tool in (Tool.TEXT, Tool.IMAGE)

    async def search(
        self,
        request: SearchRequest,
        deadline: Deadline,  # noqa: ARG002  (never waits)
    ) -> tuple[SearchResult, ...]:
        """The rows that bear the name, best first."""
        try:
            found = self._find(request.tool, request.query)
            return tuple(self._result(request, row) for row in found)
        except sqlite3.Error as error:
            raise SearchFailed(f"the search index cannot be read: {error}") from error

    async def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _find(self, tool: Tool, query: str) -> list[_Row]:
        rows: dict[int, _Row] = {}
        for step in (self._named, self._containing, self._told):
            for row in step(tool, unhash(query)):
                rows.setdefault(row.id, row)
            if not rows and step == self._named:
                rows |= {row.id: row for row in self._tagged(tool, query)}
            if rows:
                break
        return list(rows.values())[: self._results]

    def _named(self, tool: Tool, query: str) -> Iterator[_Row]:
        """By the whole query: title, other names, last name."""
        key = name_key(query)
        yield from self._by_name(tool, key, NameKind.TITLE, NameKind.ALIAS)
        yield from self._by_name(tool, key, NameKind.SURNAME, NameKind.SURNAME)

    def _tagged(self, tool: Tool, query: str) -> Iterator[_Row]:
        """A hashtag: a name without its white space."""
        key = compact(query)
        if " " not in query.strip() and len(key) >= LEAST_COMPACT_CHARS:
            yield from self._by_name(tool, key, NameKind.COMPACT, NameKind.COMPACT)

    def _containing(self, tool: Tool, query: str) -> Iterator[_Row]:
        """By the longest name within the query, if the row knows the query's other words too."""
        every = words(query)[:MOST_QUERY_WORDS]
        telling = set(content_words(query))
        for length in range(len(every) - 1, 0, -1):
            found = False
            for start in range(len(every) - length + 1):
                part = every[start : start + length]
                if not telling.intersection(part):
                    continue
                others = telling.difference(part)
                if tool is Tool.IMAGE:
                    others -= KINDS_OF_PICTURE
                for row in self._by_name(tool, " ".join(part), NameKind.TITLE, NameKind.ALIAS):
                    if others <= set(words(f"{row.title} {row.snippet}")):
                        found = True
                        yield row
            if found:
                return

    def _told(self, tool: Tool, query: str) -> Iterator[_Row]:
        """By words that stand together in running text."""
        telling = content_words(query)[:MOST_QUERY_WORDS]
        if tool is not Tool.TEXT or len(telling) < 2 or not _describes(query, telling):
            return
        # Words hold letters, digits and marks only: quoted, nothing in them is FTS5 syntax.
        quoted = " ".join(f'"{each}"' for each in telling)
        match = f"NEAR({quoted}, {NEAR_WORDS})"
        yield from map(_Row._make, self._db.execute(_BY_PROSE, (match, self._results)))

    def _by_name(self, tool: Tool, key: str, first: int, last: int) -> Iterator[_Row]:
        if key:
            found = self._db.execute(_BY_NAME, (tool.value, key, first, last, self._results))
            yield from map(_Row._make, found)

    def _result(self, request: SearchRequest, row: _Row) -> SearchResult:
        picture: bytes | None = None
        if request.tool is Tool.IMAGE:
            (picture,) = self._db.execute("SELECT png FROM pictures WHERE row = ?", (row.id,)).fetchone()
        return SearchResult(
            provider=self.name,
            query=request.query,
            title=row.title,
            url=row.url,
            snippet=row.snippet,
            retrieved_at=self._now(),
            picture=picture,
            attribution=row.attribution,
        )


def _describes(query: str, telling: list[str]) -> bool:
    """ "capital of Australia" does, "Kevin Durant" and "the Boathouse Cambridge" name."""
    every = words(query)
    return len(telling) > 2 or every.index(telling[-1]) - every.index(telling[0]) > 1
