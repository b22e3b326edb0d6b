"""What the worker costs on a real engine, and whether it hides a slow search.

    .venv/bin/python tests/bench/real_engine.py [--posts 160] [--concurrency 32] [--pairs 3]

Uses the server at SAKE_ENGINE_URL, or launches the default checkpoint. Every row is a ratio of runs
that stand side by side; the pairs alternate, since machines drift. Rows:

- worker / straight: posts through Kafka and the worker against the bare requests of equal posts,
  prepared beforehand, at the same concurrency; half of the posts search, the search takes 300 ms.
- 2 s search / instant search: the same turns through the worker, only the search is slow; the window
  is four times the concurrency of the rows above.
- the worker against the obvious ways to write it: a Faust agent with `take`, plain aiokafka one post
  at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import uuid
from pathlib import Path

from engine_load import ForcedSearch, SlowSearch, Workload, bare_requests, straight
from obvious_ways import faust_take, one_at_a_time
from streams import Bench, bench_stack, through_worker

from sake_model.dialogue import Ask


async def compare(bench: Bench, posts: int, pairs: int) -> None:
    """Prints every row."""
    await straight(
        bench.engine, bare_requests(run("warm", 32, 0.5), bench.model.prompts, bench.model.resize), 16
    )
    cost, hidden, rows = [], [], []
    wide = 4 * bench.concurrency  # a post that searches leaves the engine free for another
    for _ in range(pairs):
        bare = requests_of(bench, run("straight", posts, 0.5))
        straight_s = await straight(bench.engine, bare, bench.concurrency)
        worker_s = await through_worker(bench, run("worker", posts, 0.5), latency_s=0.3)
        cost.append(straight_s / worker_s)
        rows.append((posts / straight_s, posts / worker_s))
        quick_s = await through_worker(bench, run("quick", posts, 0.5), latency_s=0.0, in_flight=wide)
        slow_s = await through_worker(bench, run("slow", posts, 0.5), latency_s=2.0, in_flight=wide)
        hidden.append(quick_s / slow_s)
        print(f"  straight {posts / straight_s:6.2f}  worker {posts / worker_s:6.2f}  "
              f"instant search {posts / quick_s:6.2f}  2 s search {posts / slow_s:6.2f} posts/s")  # fmt: skip
    row("worker / straight, 300 ms search on half of the posts", cost)
    row("worker, 2 s search / instant search, same turns", hidden)
    worker_rate = statistics.median(rate for _, rate in rows)
    few = max(16, posts // 4)
    for name, way, count in (
        ("Faust agent, take(32, within=0.5)", faust_take, posts),
        ("plain aiokafka, one post at a time", one_at_a_time, few),
    ):
        workload = run("obvious", count, 0.5)
        engine = ForcedSearch(bench.engine, workload)
        rate = count / await way(bench, workload, engine, SlowSearch(0.3))
        print(f"{name:60} {rate:6.2f} posts/s   worker is {worker_rate / rate:5.2f} times as fast")


def requests_of(bench: Bench, workload: Workload) -> list[list[Ask]]:
    """Prepared beforehand, so that the straight way pays for nothing but the engine."""
    model = bench.model
    return bare_requests(workload, model.prompts, model.resize if model.sees_pictures else None)


def run(name: str, posts: int, searching: float) -> Workload:
    """A workload that no earlier run had."""
    return Workload(f"{name}{uuid.uuid4().hex[:6]}x", posts, searching)


def row(name: str, ratios: list[float]) -> None:
    """One ratio with its spread."""
    print(f"{name:60} {statistics.median(ratios):6.3f}   ({min(ratios):.3f} – {max(ratios):.3f})")


async def main() -> None:
    """Reads the arguments, builds the stack, compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=160)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sake-bench-") as home:
        async with bench_stack(Path(home), given.concurrency) as bench:
            await compare(bench, given.posts, given.pairs)


if __name__ == "__main__":
    asyncio.run(main())
