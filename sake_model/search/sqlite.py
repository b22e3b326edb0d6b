"""What the pool's SQLite files have in common."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["connect", "damaged"]


def connect(path: Path, *, busy_ms: int) -> sqlite3.Connection:
    """A connection in autocommit mode for any one thread at a time.

    `busy_ms`: how long another process's lock is waited for.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
    return connection


def damaged(error: Exception) -> bool:
    """Whether the file itself is at fault (not a lock, a permission or a full disk)."""
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
