"""The cache survives restarts, processes beside it and broken files, and keeps its bounds."""

import logging
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from support.searching import result

from sake_model.search.cache import SWEEP_EVERY, SearchCache
from sake_model.search.limits import CacheLimits
from sake_model.search.memory import Entry, MemoryFront

HIT = (replace(result("Kevin Durant"), picture=b"\x89PNG\x00\xff", attribution="© somebody"),)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search" / "cache.sqlite"


def test_what_is_put_is_got(path):
    cache = SearchCache(path)
    cache.put("hit", HIT, 60)
    cache.put("miss", (), 60)
    assert (cache.get("hit"), cache.get("miss"), cache.get("unknown")) == (HIT, (), None)
    cache.close()


def test_it_survives_a_restart_whole(path):
    first = SearchCache(path)
    first.put("hit", HIT, 60)
    first.put("miss", (), 60)
    first.close()
    second = SearchCache(path)
    assert (second.get("hit"), second.get("miss"), second.get("unknown")) == (HIT, (), None)
    second.close()


@pytest.mark.parametrize("restart", [False, True])
def test_an_entry_lives_as_long_as_it_was_given(path, restart):
    clock = Clock()
    cache = SearchCache(path, clock=clock)
    cache.put("key", HIT, 60)
    if restart:
        cache.close()
        cache = SearchCache(path, clock=clock)
    clock.now_s += 59.9
    assert cache.get("key") == HIT
    clock.now_s += 0.2
    assert cache.get("key") is None
    cache.close()


def test_no_time_to_live_is_not_stored(path):
    cache = SearchCache(path)
    cache.put("key", HIT, 0)
    assert cache.get("key") is None
    cache.close()


def test_without_a_file_it_works_in_memory():
    cache = SearchCache(None)
    cache.put("key", HIT, 60)
    assert cache.get("key") == HIT
    cache.close()


def test_what_memory_let_go_comes_from_the_file(path):
    cache = SearchCache(path, CacheLimits(memory_entries=1))
    cache.put("a", HIT, 60)
    cache.put("b", (), 60)
    cache._thread.submit(lambda: None).result()  # the writes before it are done
    assert cache.get("a") == HIT
    cache.close()


def test_the_file_keeps_its_bound_and_drops_what_expires_first(path):
    big = (replace(HIT[0], picture=b"x" * 10_000),)
    cache = SearchCache(path, CacheLimits(memory_entries=0, file_bytes=500_000))
    for i in range(2 * SWEEP_EVERY):
        cache.put(f"k{i}", big, 60 + i)
    cache.close()
    with sqlite3.connect(path) as db:
        total, count = db.execute("SELECT sum(bytes), count(*) FROM answers").fetchone()
    db.close()
    assert total <= 500_000
    assert 40 <= count <= 50
    assert path.stat().st_size < 10_000_000
    cache = SearchCache(path)
    assert cache.get(f"k{2 * SWEEP_EVERY - 1}") == big
    assert cache.get("k0") is None
    cache.close()


@pytest.mark.parametrize(
    "garbage", [b"this is not a database, not at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_broken_file_is_moved_aside_with_a_warning(path, garbage, caplog):
    path.parent.mkdir()
    path.write_bytes(garbage)
    with caplog.at_level(logging.WARNING):
        cache = SearchCache(path)
    assert "moved to" in caplog.text
    cache.put("key", HIT, 60)
    cache.close()
    again = SearchCache(path)
    assert again.get("key") == HIT
    again.close()
    (aside,) = path.parent.glob("*.broken-*")
    assert aside.read_bytes() == garbage


def test_a_file_that_breaks_while_it_is_open_is_moved_aside_too(path, caplog):
    cache = SearchCache(path, CacheLimits(memory_entries=0))
    for i in range(200):
        cache.put(f"key{i}", HIT * 20, 60)
    cache.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)  # the first page, and so the schema, stays
    path.write_bytes(content)
    cache = SearchCache(path, CacheLimits(memory_entries=0))
    with caplog.at_level(logging.WARNING):
        assert cache.get("key5") is None
        cache._thread.submit(lambda: None).result()
        cache.put("key5", HIT, 60)
        cache._thread.submit(lambda: None).result()
    assert cache.get("key5") == HIT
    assert list(path.parent.glob("*.broken-*"))
    cache.close()


def test_an_entry_of_another_shape_is_asked_again(path, caplog):
    cache = SearchCache(path)
    cache.put("key", HIT, 60)
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE answers SET answer = ?", (b"\x93\x01\x02\x03",))
    db.close()
    cache = SearchCache(path)
    assert cache.get("key") is None
    cache.put("key", HIT, 60)
    cache.close()
    again = SearchCache(path)
    assert again.get("key") == HIT
    again.close()


def test_a_file_of_another_version_is_begun_anew(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE answers (something_else TEXT)")
        db.execute("PRAGMA user_version = 99")
    db.close()
    cache = SearchCache(path)
    cache.put("key", HIT, 60)
    cache.close()
    again = SearchCache(path)
    assert again.get("key") == HIT
    again.close()


def test_where_nothing_can_be_written_it_goes_on_without_a_file(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        cache = SearchCache(tmp_path / "file" / "cache.sqlite")
    cache.put("key", HIT, 60)
    assert cache.get("key") == HIT
    cache.close()
    assert "without" in caplog.text


FILL = """
import sys
from pathlib import Path
from sake_model.search.cache import SearchCache
from sake_model.search.limits import CacheLimits

cache = SearchCache(Path(sys.argv[1]), CacheLimits(memory_entries=0))
who = int(sys.argv[2])
for i in range(200):
    cache.put(f"{who}-{i}", (), 600)
    cache.get(f"{(who + 1) % 3}-{i}")
cache.close()
"""


def test_processes_may_share_the_file(path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", FILL, str(path), str(who)], stderr=subprocess.PIPE
        )
        for who in range(3)
    ]
    assert [process.communicate(timeout=60)[1] for process in processes] == [b"", b"", b""]
    cache = SearchCache(path)
    assert all(cache.get(f"{who}-{i}") == () for who in range(3) for i in range(200))
    cache.close()


def test_a_lock_of_another_process_does_not_hold_up_the_caller(path):
    cache = SearchCache(path, CacheLimits(memory_entries=0))
    cache.put("before", HIT, 60)
    cache._thread.submit(lambda: None).result()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put("during", HIT, 60)  # waits on the writing thread
    assert cache.get("before") == HIT
    other.execute("COMMIT")
    other.close()
    cache.close()
    again = SearchCache(path)
    assert again.get("during") == HIT
    again.close()


class TestMemoryFront:
    def test_the_least_recently_used_goes_first(self):
        front = MemoryFront(2, 10**6)
        for key in ("a", "b"):
            front.put(key, Entry((), 1.0))
        front.get("a")
        front.put("c", Entry((), 1.0))
        assert [front.get(key) is not None for key in "abc"] == [True, False, True]

    def test_bytes_are_bounded_and_counted_down_to_nothing(self):
        heavy = Entry((replace(HIT[0], picture=b"x" * 1000),), 1.0)
        front = MemoryFront(100, 3 * heavy.weight_bytes)
        for i in range(10):
            front.put(str(i), heavy)
        assert len(front) == 3
        for i in range(10):
            front.drop(str(i))
        assert front.weight_bytes == 0
