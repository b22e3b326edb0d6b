"""A cache of provider answers that survives a restart and may be shared by processes.

In front the entries in memory; behind them one SQLite file in WAL mode: readers never wait for a
writer. Reads happen where they are asked for (tens of microseconds), writes on a thread of their
own, so that another process's write lock never holds up the event loop. A cache is never a reason
to fail: trouble with the file is logged, and the pool goes on without it.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from sake_model.search.interface import SearchResult
from sake_model.search.limits import CacheLimits
from sake_model.search.memory import Entry, MemoryFront
from sake_model.search.sqlite import connect, damaged

__all__ = ["SearchCache"]

log = logging.getLogger(__name__)

FORMAT = 1
"""`PRAGMA user_version` of the file; another number = written by another version = begun anew."""
BUSY_MS = 2000
"""How long the writing thread waits for another process's lock; no reader ever does."""
MOST_WAITING = 1024
"""Writes that may wait for a slow disk; what comes then stays in memory only."""
SWEEP_EVERY = 256
"""Writes between two looks at the file's size: at 100 kB a picture answer that is 25 MB."""
SWEEP_TO = 0.9
"""What share of the bound is kept by a sweep, so that the next write does not sweep again."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, expires_at_s REAL NOT NULL, bytes INTEGER NOT NULL, answer BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (expires_at_s, bytes);
PRAGMA user_version = {FORMAT};
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[SearchResult, ...]).decode


class SearchCache:
    """Entries by key. `path` None = memory only."""

    def __init__(
        self,
        path: Path | None,
        limits: CacheLimits = CacheLimits(),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._memory = MemoryFront(limits.memory_entries, limits.memory_bytes)
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._submitted = 0  # counted by the caller only
        self._stores = True  # known to the writing thread only
        self._done = 0  # counted by the writing thread only
        self._thread: ThreadPoolExecutor | None = None
        if path is not None and limits.file_bytes:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="search-cache")
            self._open(path)

    def get(self, key: str) -> tuple[SearchResult, ...] | None:
        """The answer, () for a remembered miss, None when nothing is known (any more)."""
        now_s = self._clock()
        entry = self._memory.get(key) or self._read(key)
        if entry is None:
            return None
        if entry.expires_at_s <= now_s:
            self._memory.drop(key)
            return None
        return entry.results

    def put(self, key: str, results: tuple[SearchResult, ...], ttl_s: float) -> None:
        """Remembers an answer for `ttl_s` seconds; 0 = not at all."""
        if ttl_s <= 0:
            return
        entry = Entry(results, self._clock() + ttl_s)
        self._memory.put(key, entry)
        if self._thread is not None and self._submitted - self._done < MOST_WAITING:
            self._submitted += 1
            self._thread.submit(self._write, key, entry)

    def close(self) -> None:
        """Finishes the writes under way and closes the file."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connect(path)
        except (OSError, sqlite3.Error) as error:
            if damaged(error):
                self._move_aside(path, error)
            else:
                log.warning("search cache %s cannot be used (%s): going on without it", path, error)

    def _connect(self, path: Path) -> None:
        writer = connect(path, busy_ms=BUSY_MS)
        try:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA synchronous = NORMAL")
            (version,) = writer.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                writer.execute("DROP TABLE IF EXISTS answers")
            writer.executescript(SCHEMA)
            reader = connect(path, busy_ms=BUSY_MS)
            reader.execute("PRAGMA query_only = ON")
        except BaseException:
            writer.close()
            raise
        self._writer, self._reader = writer, reader

    def _move_aside(self, path: Path, error: Exception) -> None:
        """Keeps the broken file for whoever wants to look, and begins a new one."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None
        aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
        log.warning("search cache %s is broken (%s): moved to %s, starting an empty one", path, error, aside)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        try:
            self._connect(path)
        except sqlite3.Error as again:
            log.warning("search cache %s cannot be created (%s): going on without it", path, again)

    def _read(self, key: str) -> Entry | None:
        if self._reader is None:
            return None
        try:
            row = self._reader.execute(
                "SELECT expires_at_s, answer FROM answers WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                return None
            entry = Entry(_decode(row[1]), row[0])
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            self._unreadable(error)
            return None
        self._memory.put(key, entry)
        return entry

    def _unreadable(self, error: Exception) -> None:
        log.warning("search cache: an entry cannot be read (%s): asking again", error)
        if damaged(error) and self._thread is not None and self._path is not None:
            self._reader = None  # closed by the writing thread, which then begins a new file
            self._thread.submit(self._move_aside, self._path, error)

    def _write(self, key: str, entry: Entry) -> None:
        """On the writing thread."""
        self._done += 1
        if self._writer is None:
            return
        answer = _encode(entry.results)
        try:
            self._writer.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                (key, entry.expires_at_s, len(answer), answer),
            )
            if self._done % SWEEP_EVERY == 0:
                self._sweep(self._writer)
            self._stores = True
        except sqlite3.Error as error:
            if self._stores:  # once, not for every answer while a disk is full
                log.warning("search cache: answers cannot be stored (%s)", error)
            self._stores = False
            if damaged(error) and self._path is not None:
                self._move_aside(self._path, error)

    def _sweep(self, writer: sqlite3.Connection) -> None:
        """Deletes what has expired; over the bound also what would expire next."""
        writer.execute("DELETE FROM answers WHERE expires_at_s <= ?", (self._clock(),))
        (total_bytes,) = writer.execute("SELECT coalesce(sum(bytes), 0) FROM answers").fetchone()
        if total_bytes <= self._limits.file_bytes:
            return
        surplus_bytes = total_bytes - self._limits.file_bytes * SWEEP_TO
        writer.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM ("
            " SELECT key, sum(bytes) OVER (ORDER BY expires_at_s, key) - bytes AS before FROM answers"
            ") WHERE before < ?)",
            (surplus_bytes,),
        )
