"""The places that calls occupy in rate windows, in a file: kept over restarts, shared by processes.

A worker that is killed and started again, or two beside each other, are one client to the provider.
The file is a few rows; a transaction takes some tens of microseconds and happens on a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from sake_model.search.limits import Rate
from sake_model.search.sqlite import connect, damaged

__all__ = ["Ledger"]

log = logging.getLogger(__name__)

BUSY_MS = 5000
"""How long another process's transaction is waited for; they take well under a millisecond."""

AGAIN_S = 5.0
"""After which a file that could not be used is tried again: a full disk is emptied some day. Until then
each process counts for itself."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS places (
  id INTEGER PRIMARY KEY, provider TEXT NOT NULL, calls INTEGER NOT NULL, counted_by_s REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS places_by_provider ON places (provider, counted_by_s);
"""

T = TypeVar("T")


class Ledger:
    """Places by provider; times are Unix seconds. A ledger that breaks is done without, with a warning,
    until its file can be used again.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, again_s: float = AGAIN_S
    ) -> None:
        self._path = path
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search-ledger")
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._again_s = again_s
        self._broken_at_s: float | None = None
        self._try_to_open()

    async def take(
        self, provider: str, rates: tuple[Rate, ...], calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        """A place for `calls` calls, or None and how many seconds from now one may be free.

        `counted_in_s`: within how many seconds the provider has counted them, if nobody says earlier.
        Without a working file the number is 0, which names no place.
        """
        unlimited: tuple[int | None, float] = (0, 0.0)
        taken = self._submit(partial(self._take, provider, rates, calls, counted_in_s), unlimited)
        try:
            return await asyncio.shield(taken)
        except asyncio.CancelledError:
            taken.add_done_callback(lambda done: self.give_back(done.result()[0] or 0))
            raise

    def answered(self, place: int) -> None:
        """The provider has counted the call by now."""
        if not self._closed:
            statement = "UPDATE places SET counted_by_s = min(counted_by_s, ?) WHERE id = ?"
            self._submit(partial(self._run, statement, (self._clock(), place)), None)

    def give_back(self, place: int) -> None:
        """The call was not made."""
        if place and not self._closed:
            self._submit(partial(self._run, "DELETE FROM places WHERE id = ?", (place,)), None)

    def close(self) -> None:
        """Finishes what is under way and closes the file."""
        self._closed = True
        self._thread.shutdown(wait=True)
        if self._db is not None:
            self._db.close()
            self._db = None

    def _try_to_open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            self._broken(error)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.Error as error:
            if not damaged(error):
                raise
        # A damaged file holds nothing worth keeping: at worst one period's calls.
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = connect(self._path, busy_ms=BUSY_MS)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # survives a killed process, which is what matters
        db.executescript(SCHEMA)
        return db

    def _submit(self, work: Callable[[], T], otherwise: T) -> asyncio.Future[T]:
        def run() -> T:
            since_s = self._broken_at_s
            if self._db is None and since_s is not None and time.monotonic() >= since_s + self._again_s:
                self._try_to_open()
            try:
                result = work()
            except sqlite3.Error as error:
                self._broken(error)
                return otherwise
            if self._db is not None and self._broken_at_s is not None:
                log.info("%s can be used again", self._path)
                self._broken_at_s = None
            return result

        return asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _broken(self, error: Exception) -> None:
        if self._broken_at_s is None:
            log.warning("%s cannot be used (%s): rate limits hold for this process only", self._path, error)
        self._broken_at_s = time.monotonic()
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    def _run(self, statement: str, values: tuple[float, int] | tuple[int]) -> None:
        if self._db is not None:
            self._db.execute(statement, values)

    def _take(
        self, provider: str, rates: tuple[Rate, ...], calls: int, counted_in_s: float
    ) -> tuple[int | None, float]:
        if self._db is None:
            return 0, 0.0
        self._db.execute("BEGIN IMMEDIATE")
        try:
            now_s = self._clock()
            self._forget(self._db, provider, rates, now_s, counted_in_s)
            free_at_s = self._free_at_s(self._db, provider, rates, calls, now_s)
            if free_at_s > now_s:
                return None, free_at_s - now_s
            inserted = self._db.execute(
                "INSERT INTO places (provider, calls, counted_by_s) VALUES (?, ?, ?)",
                (provider, calls, now_s + counted_in_s),
            )
            return inserted.lastrowid, 0.0
        finally:
            self._db.execute("COMMIT")

    @staticmethod
    def _forget(
        db: sqlite3.Connection, provider: str, rates: tuple[Rate, ...], now_s: float, counted_in_s: float
    ) -> None:
        """Drops what no window reaches, and what lies so far ahead that the clock was set back."""
        longest_s = max(rate.period_s for rate in rates)
        db.execute(
            "DELETE FROM places WHERE provider = ? AND (counted_by_s <= ? OR counted_by_s > ?)",
            (provider, now_s - longest_s, now_s + counted_in_s + longest_s),
        )

    @staticmethod
    def _free_at_s(
        db: sqlite3.Connection, provider: str, rates: tuple[Rate, ...], calls: int, now_s: float
    ) -> float:
        query = "SELECT counted_by_s, calls FROM places WHERE provider = ? ORDER BY counted_by_s"
        rows = db.execute(query, (provider,)).fetchall()
        free_at_s = now_s
        for rate in rates:
            counted = [at_s for at_s, weight in rows if at_s + rate.period_s > now_s for _ in range(weight)]
            in_the_way = len(counted) - (rate.calls - min(calls, rate.calls))
            if in_the_way > 0:
                free_at_s = max(free_at_s, counted[in_the_way - 1] + rate.period_s)
        return free_at_s
