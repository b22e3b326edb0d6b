"""What the search pool costs and keeps: calls, rate windows, latency of cached answers.

    python tests/bench/search_pool.py [--json]

1. 10,000 requests of 1,000 different ones from 200 tasks, a provider that takes 50 ms: how many
   calls reach it.
2. 400 different requests at three rate-limited providers, on the real clock: the fullest window of
   each, wherever it begins, against its limit; the same with aiolimiter for comparison.
3. Cached answers: from memory, from the file (cold memory), and under 200 tasks at once.
4. The local index, when it is there (`--home`): queries by kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sake_model.deadline import Deadline
from sake_model.search.cache import SearchCache
from sake_model.search.index import index_path
from sake_model.search.interface import SearchRequest, SearchResult
from sake_model.search.limits import CacheLimits, ProviderLimits, Rate
from sake_model.search.local import LocalProvider
from sake_model.search.pool import Member, SearchPool
from schemas.entities import Tool

PICTURE = b"\x89PNG" + bytes(20_000)


class SleepingProvider:
    """Takes a time, then knows; remembers when each call began."""

    def __init__(self, name: str, takes_s: float) -> None:
        self.name = name
        self.takes_s = takes_s
        self.called_at_s: list[float] = []

    def supports(self, tool: Tool) -> bool:
        return True

    async def search(self, request: SearchRequest, deadline: Deadline) -> tuple[SearchResult, ...]:
        self.called_at_s.append(time.monotonic())
        await asyncio.sleep(self.takes_s * (0.5 + random.random()))
        picture = PICTURE if request.tool is Tool.IMAGE else None
        return (
            SearchResult(
                self.name, request.query, request.query, "https://example.org", "x" * 300,
                datetime.now(UTC), picture,
            ),
        )  # fmt: skip

    async def close(self) -> None:
        """Nothing to free."""


@dataclass(frozen=True)
class Line:
    """One figure."""

    what: str
    value: float
    unit: str
    goal: str = ""
    good: bool = True


def fullest_window(times_s: list[float], period_s: float) -> int:
    """The most calls in any half-open window: two pointers over the sorted times."""
    times_s = sorted(times_s)
    most = first = 0
    for last, time_s in enumerate(times_s):
        while time_s - times_s[first] >= period_s:
            first += 1
        most = max(most, last - first + 1)
    return most


async def calls(folder: Path) -> list[Line]:
    provider = SleepingProvider("sleeping", 0.05)
    cache = SearchCache(folder / "calls.sqlite")
    pool = SearchPool((Member(provider, ProviderLimits(concurrency=64)),), cache)
    queries = [f"entity {i % 1000}" for i in range(10_000)]
    random.Random(7).shuffle(queries)
    todo = iter(queries)

    async def work() -> None:
        for query in todo:
            await pool.search(SearchRequest(Tool.TEXT, query), Deadline.after(60))

    started_s = time.monotonic()
    await asyncio.gather(*(work() for _ in range(200)))
    took_s = time.monotonic() - started_s
    await pool.close()
    made = len(provider.called_at_s)
    return [
        Line("provider calls for 10,000 requests of 1,000", made, "calls", "= 1000", made == 1000),
        Line("the same, requests a second", 10_000 / took_s, "1/s"),
    ]


async def windows() -> list[Line]:
    rates = {
        "10 in 0.5 s": (Rate(10, 0.5),),
        "40 in 1 s": (Rate(40, 1.0),),
        "5 in 0.1 s and 60 in 2 s": (Rate(5, 0.1), Rate(60, 2.0)),
    }
    lines = []
    for name, limits in rates.items():
        provider = SleepingProvider("limited", 0.03)
        member = Member(provider, ProviderLimits(rates=limits, transit_s=0.05, concurrency=64))
        pool = SearchPool((member,), SearchCache(None))

        async def ask(pool: SearchPool, i: int) -> None:
            await asyncio.sleep(random.random())
            await pool.search(SearchRequest(Tool.TEXT, str(i)), Deadline.after(60))

        started_s = time.monotonic()
        await asyncio.gather(*(ask(pool, i) for i in range(150)))
        took_s = time.monotonic() - started_s
        await pool.close()
        for rate in limits:
            most = fullest_window(provider.called_at_s, rate.period_s)
            lines.append(
                Line(
                    f"fullest window of {rate.period_s} s at {name}",
                    most,
                    "calls",
                    f"≤ {rate.calls}",
                    most <= rate.calls,
                )
            )
        lines.append(Line(f"calls a second at {name}", 150 / took_s, "1/s"))
    return lines


async def token_bucket() -> list[Line]:
    """Why the window is our own: the usual library in the same test."""
    try:
        from aiolimiter import AsyncLimiter  # noqa: PLC0415
    except ImportError:
        return []
    limiter, times_s = AsyncLimiter(10, 0.5), []

    async def ask() -> None:
        await asyncio.sleep(random.random())
        async with limiter:
            times_s.append(time.monotonic())

    await asyncio.gather(*(ask() for _ in range(150)))
    return [Line("for comparison, aiolimiter at 10 in 0.5 s", fullest_window(times_s, 0.5), "calls")]


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def cached(folder: Path) -> list[Line]:
    lines = []
    path = folder / "cached.sqlite"
    provider = SleepingProvider("sleeping", 0.0)
    member = Member(provider, ProviderLimits(concurrency=64))
    pool = SearchPool((member,), SearchCache(path))
    requests = [SearchRequest(tool, f"entity {i}") for i in range(1000) for tool in (Tool.TEXT, Tool.IMAGE)]
    for request in requests:
        await pool.search(request, Deadline.after(60))
        await asyncio.sleep(0.001)  # a provider that takes no time would outrun the writing of the file

    async def timed(pool: SearchPool, which: list[SearchRequest]) -> list[float]:
        took_ms = []
        for request in which:
            started_s = time.perf_counter()
            outcome = await pool.search(request, Deadline.after(60))
            took_ms.append((time.perf_counter() - started_s) * 1e3)
            assert outcome.cached
        return took_ms

    def told(what: str, took_ms: list[float]) -> None:
        p99_ms = _percentile(took_ms, 0.99)
        lines.append(Line(f"cached answer {what}, median", statistics.median(took_ms), "ms"))
        lines.append(Line(f"cached answer {what}, p99", p99_ms, "ms", "< 2", p99_ms < 2))

    told("from memory", await timed(pool, requests * 5))
    await pool.close()
    cold = SearchPool((member,), SearchCache(path, CacheLimits(memory_entries=0)))
    told("from the file (half with a picture of 20 kB)", await timed(cold, requests * 2))
    busy: list[float] = []

    async def work(i: int) -> None:
        for request in random.Random(i).sample(requests, 50):
            busy.extend(await timed(cold, [request]))
            await asyncio.sleep(0)

    await asyncio.gather(*(work(i) for i in range(200)))
    told("from the file, 200 tasks", busy)
    await cold.close()
    return lines


async def local(home: Path) -> list[Line]:
    """How long the event loop is held by one query at the real index."""
    provider = LocalProvider(index_path(home))
    kinds = {
        "a name": "Golden State Warriors", "a name of many": "San José", "a hashtag": "#goldenstatewarriors",
        "a long sentence": "the quick brown fox jumps over the lazy dog near the river bank in old town",
        "words in running text": "capital of Australia", "a miss": "Zyx Qwv",
    }  # fmt: skip
    lines = []
    for kind, query in kinds.items():
        took_ms = []
        for _ in range(300):
            started_s = time.thread_time()  # its own: the machine's other work is not its cost
            await provider.search(SearchRequest(Tool.TEXT, query), Deadline.after(1))
            took_ms.append((time.thread_time() - started_s) * 1e3)
        p99_ms = _percentile(took_ms, 0.99)
        lines.append(Line(f"local index, {kind}, CPU p99", p99_ms, "ms", "< 2", p99_ms < 2))
    await provider.close()
    return lines


async def measure(home: Path | None) -> list[Line]:
    """All figures."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    busy = Line(
        "other work on this machine, processes a core (above 1 the tails are its, not the pool's)", load, ""
    )
    with tempfile.TemporaryDirectory() as folder:
        lines = [busy, *await calls(Path(folder)), *await windows(), *await token_bucket()]
        lines += await cached(Path(folder))
    if home is not None and index_path(home).is_file():
        lines += await local(home)
    return lines


def main() -> int:
    """Prints the figures; fails when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--home", type=Path, default=Path(".sake"), help="runtime folder with the local index"
    )
    arguments = parser.parse_args()
    lines = asyncio.run(measure(arguments.home))
    if arguments.json:
        print(json.dumps([line.__dict__ for line in lines], indent=2))
    else:
        for line in lines:
            verdict = f"{line.goal}  {'ok' if line.good else 'MISSED'}" if line.goal else ""
            print(f"{line.what:<88} {line.value:>10.3f} {line.unit:<6} {verdict}")
    return 0 if all(line.good for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
