"""A disk that is full for a while: what the pool keeps in files is done without, and used again later."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sake_model.search.cache import SearchCache
from sake_model.search.interface import SearchResult
from sake_model.search.ledger import Ledger
from sake_model.search.limits import Rate

RATES = (Rate(2, 60.0),)
AGAIN_S = 0.05


def fill(path: Path) -> None:
    """What a full disk does to SQLite, by its own means: the file may not grow."""
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON places BEGIN SELECT raise(FAIL, 'disk is full'); END"
        )


def free(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER full")


async def take(ledger: Ledger) -> int | None:
    place, _ = await ledger.take("brave", RATES, 1, 5.0)
    return place


async def test_a_ledger_is_shared_again_once_its_file_can_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "limits.sqlite"
    one, other = Ledger(path, again_s=AGAIN_S), Ledger(path, again_s=AGAIN_S)
    assert await take(one)
    fill(path)
    for _ in range(3):
        assert await take(one) == 0  # no place: each process counts for itself
        await asyncio.sleep(2 * AGAIN_S)
    assert caplog.text.count("rate limits hold for this process only") == 1
    free(path)
    await asyncio.sleep(2 * AGAIN_S)
    assert await take(one)
    assert await take(other) is None  # the two places of this minute are taken
    one.close()
    other.close()


async def test_a_ledger_that_could_not_be_made_is_made_later(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite"
    path.mkdir()
    ledger = Ledger(path, again_s=AGAIN_S)
    assert await take(ledger) == 0
    path.rmdir()
    await asyncio.sleep(2 * AGAIN_S)
    assert await take(ledger)
    ledger.close()


def test_a_cache_on_a_full_disk_says_so_once_and_stores_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.sqlite"
    found = SearchResult("brave", "q", "t", "https://a.example", "s", datetime.now(UTC))
    cache = SearchCache(path)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON answers BEGIN SELECT raise(FAIL, 'disk full'); END")
    for number in range(5):
        cache.put(f"key {number}", (found,), 60.0)
    _written(cache)
    assert caplog.text.count("cannot be stored") == 1
    assert cache.get("key 4") == (found,)  # from memory
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER full")
    cache.put("later", (found,), 60.0)
    cache.close()
    assert SearchCache(path).get("later") == (found,)


def _written(cache: SearchCache) -> None:
    assert cache._thread is not None
    cache._thread.submit(lambda: None).result(10)
