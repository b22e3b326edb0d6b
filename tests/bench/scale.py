"""Posts a second with 1, 2 and 4 worker processes, and what `sake plan` foretells of them.

Real broker, real `sake worker recognise` processes, a model server of our own behind the HTTP interface
whose turns take a set time (support/timed_engine.py): once with a place for everybody, so that it is not
the limit, once with as many as one worker's window. All share one machine; waiting for the engine, not
the processor, is what a run is made of, so that workers that share a core do not stand in each other's way.

The processor time of a post is taken from the first run; everything else that the plan is told is set.

    python tests/bench/scale.py [--seconds 25] [--workers 1,2,4] [--turn-seconds 1.0] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import runpy
import socket
import statistics
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import orjson
from aiokafka import AIOKafkaProducer

from schemas.codec import decode, encode
from schemas.posts import Post
from schemas.recognitions import Recognition
from workers.plan.facts import Deployment, EngineFacts, Facts, PostFacts, ProviderFacts, WorkerFacts
from workers.plan.model import Forecast, forecast
from workers.topics import TopicNames, TopicShape, create_topics

TESTS = Path(__file__).parents[1]
runpy.run_path(str(TESTS / "conftest.py"))  # makes `support` importable

from support.kafka import Kafka, running_kafka
from support.timed_engine import TimedOrders

PARTITIONS = 8
IN_FLIGHT = 16
SEARCHING = 0.5
SEARCH_S = 0.3
PLENTY = 1000
PATIENCE_S = 180.0
TICK_S = os.sysconf("SC_CLK_TCK") ** -1
STEADY_BUSY = 0.7


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    workers: int
    turns_at_once: int
    posts_per_s: float
    """Over the middle three fifths of the posts."""
    mean_s: float
    """From the post's making to its record."""
    p95_s: float
    post_cpu_s: float
    """Processor time of all workers, by posts."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=25.0, help="of a run, roughly")
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--turn-seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    counts = [int(each) for each in options.workers.split(",")]
    runs: list[tuple[Measured, Forecast, float | None]] = []
    cpu_s = 0.0
    with tempfile.TemporaryDirectory(prefix="sake-scale-") as folder:
        async with running_kafka(Path(folder) / "broker") as kafka:
            for places in (PLENTY, IN_FLIGHT):
                for count in counts:
                    facts = facts_of(options.turn_seconds, places, cpu_s or 0.005)
                    told = forecast(facts, Deployment(count, 1, worker_cores=1), 1.0)
                    posts = int(told.most_posts_per_s * options.seconds)
                    measured = await run(kafka, Path(folder), count, facts, posts=posts)
                    cpu_s = cpu_s or measured.post_cpu_s
                    told = forecast(
                        facts_of(options.turn_seconds, places, cpu_s), Deployment(count, 1, 1), 1.0
                    )
                    runs.append((measured, told, None))
                    show(measured, told, None)
            count = counts[min(1, len(counts) - 1)]
            facts = facts_of(options.turn_seconds, PLENTY, cpu_s)
            per_s = STEADY_BUSY * forecast(facts, Deployment(count, 1, 1), 1.0).most_posts_per_s
            measured = await run(
                kafka, Path(folder), count, facts, posts=int(per_s * options.seconds), per_s=per_s
            )
            told = forecast(facts, Deployment(count, 1, 1), per_s)
            runs.append((measured, told, per_s))
            show(measured, told, per_s)
    wide = {
        one.workers: one.posts_per_s
        for one, _, per_s in runs
        if per_s is None and one.turns_at_once == PLENTY
    }
    if {1, 2} <= wide.keys():
        print(f"two workers / one, engine not the limit: {wide[2] / wide[1]:.2f}")
    off = [abs(told.most_posts_per_s / one.posts_per_s - 1) for one, told, per_s in runs if per_s is None]
    print(f"the plan is off by {max(off):.1%} at most; load average {os.getloadavg()[0]:.1f}")
    if options.json:
        rows = [
            {"measured": asdict(one), "planned": asdict(told), "per_s": per_s} for one, told, per_s in runs
        ]
        print(orjson.dumps(rows).decode())


def facts_of(turn_s: float, places: int, cpu_s: float) -> Facts:
    """What the runs are made of."""
    return Facts(
        PostFacts(turns=1 + SEARCHING, searches=SEARCHING),
        EngineFacts(turn_s=turn_s, turns_at_once=places, turn_scv=0.0, gpus=0),
        WorkerFacts(cpu_s, IN_FLIGHT),
        (ProviderFacts("searxng", None, SEARCH_S, 0.0),),
    )


def show(measured: Measured, told: Forecast, per_s: float | None) -> None:
    """One line."""
    engine = (
        "not the limit" if measured.turns_at_once == PLENTY else f"{measured.turns_at_once} turns at once"
    )
    if per_s is None:
        speed = f"{measured.posts_per_s:6.2f} posts/s, planned {told.most_posts_per_s:6.2f} "
        speed += f"({told.most_posts_per_s / measured.posts_per_s - 1:+.1%})"
    else:
        mean, p95 = told.mean_s / measured.mean_s - 1, told.p95_s / measured.p95_s - 1
        speed = (
            f"{per_s:.1f} posts/s come in: a post takes {measured.mean_s:.2f} s, planned {told.mean_s:.2f} "
            f"({mean:+.1%}); p95 {measured.p95_s:.2f} s, planned {told.p95_s:.2f} ({p95:+.1%})"
        )
    cost = f"{measured.post_cpu_s * 1e3:.1f} ms of processor a post; load {os.getloadavg()[0]:.1f}"
    print(f"{measured.workers} workers, engine {engine}: {speed}; {cost}", flush=True)


async def run(
    kafka: Kafka, folder: Path, workers: int, facts: Facts, *, posts: int, per_s: float | None = None
) -> Measured:
    """Fresh topics, engine and workers; the posts at once, or `per_s` of them a second at random times."""
    unique = f"scale-{uuid.uuid4().hex[:8]}"
    names = TopicNames.of(unique)
    await create_topics(kafka.connection, names, TopicShape(partitions=PARTITIONS))
    engine = facts.engine
    async with AsyncExitStack() as stack:
        orders = TimedOrders(engine.turns_at_once, engine.turn_s, SEARCH_S)
        url = await stack.enter_async_context(timed_engine(orders))
        variables = {
            "SAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.connection.bootstrap_servers,
            "SAKE_TOPICS_PREFIX": unique,
            "SAKE_WORKER_GROUP": unique,
            "SAKE_ENGINE_URL": f"{url}/v1",
            "SAKE_MODEL": "sake",
            "SAKE_PROMPTS": "compact",
            "SAKE_SEARCH_PROVIDERS": "searxng",
            "SAKE_SEARCH_SEARXNG_URL": url,
            "SAKE_SEARCH_SEARXNG_PER_MINUTE": "100000",
            "SAKE_WINDOW_MAX_IN_FLIGHT": str(facts.worker.in_flight),
            "SAKE_POST_DEADLINE_S": "600",
            "SAKE_LOG_LEVEL": "warning",
        }
        running = [
            await stack.enter_async_context(worker(number, variables, folder / unique))
            for number in range(workers)
        ]
        await asyncio.gather(*(one.ready() for one in running))
        before_s = sum(one.cpu_s for one in running)
        await publish(kafka, names, posts, per_s)
        found = await recognised(kafka, names, posts, running)
        spent_s = sum(one.cpu_s for one in running) - before_s
    return measured_of(found, workers, engine.turns_at_once, spent_s)


def measured_of(found: Sequence[Recognition], workers: int, places: int, spent_s: float) -> Measured:
    if degraded := sum(bool(one.outcome.reasons) for one in found):
        raise RuntimeError(f"{degraded} posts are degraded: the figures are worth nothing")
    done = sorted(found, key=lambda one: one.recognised_at)[len(found) // 5 : len(found) * 4 // 5]
    took_s = (done[-1].recognised_at - done[0].recognised_at).total_seconds()
    stays_s = sorted((one.recognised_at - one.created_at).total_seconds() for one in done if one.created_at)
    return Measured(
        workers=workers,
        turns_at_once=places,
        posts_per_s=(len(done) - 1) / took_s,
        mean_s=statistics.fmean(stays_s),
        p95_s=stays_s[int(len(stays_s) * 0.95)],
        post_cpu_s=spent_s / len(found),
    )


async def publish(kafka: Kafka, names: TopicNames, posts: int, per_s: float | None) -> None:
    """Evenly over the partitions; every other post is one that searches."""
    draw, loop = random.Random(1), asyncio.get_running_loop()
    at_s = loop.time()
    async with AIOKafkaProducer(**kafka.connection.options()) as producer:
        for number in range(posts):
            if per_s is not None:
                at_s += draw.expovariate(per_s)
                await asyncio.sleep(at_s - loop.time())
            # Each of the partitions gets searching posts and others in turn.
            searching = number // PARTITIONS % 2
            text = f"Mira met somebody in {uuid.uuid4().hex[:12]}" + "?" * searching
            post = Post(id=f"p{number}", text=text, created_at=datetime.now(UTC))
            await producer.send(
                names.posts, encode(post), key=post.id.encode(), partition=number % PARTITIONS
            )
        await producer.flush()


async def recognised(
    kafka: Kafka, names: TopicNames, posts: int, running: Sequence[Running]
) -> list[Recognition]:
    """All recognitions, once they are there."""
    mine = Kafka(kafka.connection, names, names.posts.removesuffix(".posts"), None)
    async with asyncio.timeout(PATIENCE_S + posts):
        while sum((await mine.committed()).values()) < posts:
            for one in running:
                one.check()
            await asyncio.sleep(0.5)
    found = [decode(record.value, Recognition) for record in await mine.read(names.recognitions)]
    if len(found) != posts:
        raise RuntimeError(f"{len(found)} recognitions of {posts} posts")
    return found


class Running:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self._process = process
        self._port = port
        self._log = log

    @property
    def cpu_s(self) -> float:
        """Processor time so far, of the system's accounts."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def check(self) -> None:
        """Raises RuntimeError when it has ended."""
        if self._process.returncode is not None:
            raise RuntimeError(self._log.read_text()[-2000:])

    async def ready(self) -> None:
        """Comes back when it holds partitions."""
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
            while True:
                self.check()
                try:
                    async with http.get(f"http://127.0.0.1:{self._port}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)


@asynccontextmanager
async def worker(number: int, variables: dict[str, str], folder: Path) -> AsyncIterator[Running]:
    """`sake worker recognise`; SIGTERM ends it."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    own = {
        "SAKE_WORKER_ID": f"worker-{number}",
        "SAKE_HEALTH_LISTEN_PORT": str(port),
        "SAKE_HOME": str(folder / f"home-{number}"),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAKE_")}
    log = folder / f"worker-{number}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers", "worker", "recognise"),
            stdout=errors,
            stderr=errors,
            env={**kept, **variables, **own},
            cwd=folder,
        )
    try:
        yield Running(process, port, log)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(60):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await process.wait()


@asynccontextmanager
async def timed_engine(orders: TimedOrders) -> AsyncIterator[str]:
    """Its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.timed_engine", msgspec.json.encode(orders).decode()),
        stdout=asyncio.subprocess.PIPE,
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
