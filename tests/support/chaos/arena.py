"""The things that are broken, and how each fault is done: broker, engine, workers, links, search, disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from support.chaos.engine import MODEL
from support.chaos.feed import Feed
from support.chaos.processes import Process, free_port, listening
from support.chaos.proxy import Proxy
from support.chaos.searx import Searx
from support.chaos.witness import Topics

__all__ = ["Arena", "Event", "arena", "cannot_break"]

HERE = Path(__file__).parent
PREFIX = "fire"
GROUP = f"{PREFIX}-group"
PARTITIONS = 4
IN_FLIGHT = 16
DISK_BYTES = 24 * 1024 * 1024
"""Of the disk under the workers' home: SQLite's logs alone take 4 MiB each before they are folded in."""
SAVED_S = 2.5
"""Killed, the embedded broker loses what it acknowledged in about the last second. Posts rest that long
before, so that what a producer was told is there is there.
"""
RESTART_S = 1.0
"""After which something that ended by itself is started again, as an orchestrator would."""
CLOCK = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's timeline; seconds on the monotonic clock."""

    at_s: float
    ends_s: float
    what: str
    planned: bool = True


@dataclass
class Arena:
    """Everything that runs."""

    folder: Path
    broker: Process
    broker_port: int
    engine: Process
    engine_port: int
    workers: Mapping[str, Process]
    health_ports: Mapping[str, int]
    links: Mapping[str, Proxy]
    searx: Searx
    feed: Feed
    topics: Topics
    disk: Path
    timeline: list[Event] = field(default_factory=list)
    expected_down: set[str] = field(default_factory=set)

    @property
    def bootstrap(self) -> str:
        """The broker itself, past the proxies."""
        return f"127.0.0.1:{self.broker_port}"

    async def restart_broker(self) -> None:
        """Starts it and waits until it takes connections."""
        await self.broker.start()
        await listening(self.broker_port)

    async def restart_engine(self) -> None:
        """The same for the engine."""
        await self.engine.start()
        await listening(self.engine_port)

    async def watch(self) -> None:
        """Until it is cancelled: starts again what ended without being killed, and notes it."""
        while True:
            await asyncio.sleep(0.1)
            for process in (self.engine, *self.workers.values()):
                if process.pid is None and process.name not in self.expected_down:
                    ended = process.ended_with
                    began_s = time.monotonic()
                    await asyncio.sleep(RESTART_S)
                    if process.name not in self.expected_down:
                        await (self.restart_engine() if process is self.engine else process.start())
                    what = f"{process.name} ended by itself with {ended}"
                    self.timeline.append(Event(began_s, time.monotonic(), what, planned=False))

    def step_clock(self, worker: str, seconds: float) -> None:
        """Sets a worker's wall clock off by so much."""
        with (self.folder / f"clock-{worker}").open("r+b") as file:
            file.write(CLOCK.pack(int(seconds)))

    def fill_disk(self) -> None:
        """Takes every byte that is left under the workers' home."""
        with contextlib.suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def empty_disk(self) -> None:
        """Gives them back."""
        (self.disk / "filler").unlink(missing_ok=True)


def cannot_break() -> dict[str, str]:
    """What this machine does not let us break, and why."""
    lacking = {}
    if os.geteuid() != 0:
        lacking["disk"] = "a small disk is mounted by root only"
    if shutil.which("gcc") is None:
        lacking["clock"] = "no C compiler for the preloaded clock"
    return lacking


@asynccontextmanager
async def arena(folder: Path, rate: float, workers: tuple[str, ...], seed: int) -> AsyncIterator[Arena]:
    """Everything started and well; everything gone afterwards."""
    dice = random.Random(seed)
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(_disk(folder / "home"))
        shim = _clock_shim(folder)
        broker_port, engine_port = free_port(), free_port()
        broker = _process(stack, "broker", _broker_command(folder, broker_port), folder, {})
        engine = _process(stack, "engine", (sys.executable, HERE / "engine.py", engine_port), folder, {})
        searx = await stack.enter_async_context(Searx().running())
        links = {f"kafka link {name}": Proxy(broker_port, dice, kafka=True) for name in workers}
        links |= {"engine link": Proxy(engine_port, dice), "search link": Proxy(searx.port, dice)}
        for link in links.values():
            await stack.enter_async_context(link.running())
        health = {name: free_port() for name in workers}
        processes = {}
        for name in workers:
            environment = _worker_environment(name, disk, health[name], links)
            clock = folder / f"clock-{name}"
            clock.write_bytes(CLOCK.pack(0))
            if shim is not None:
                environment |= {"LD_PRELOAD": str(shim), "CHAOS_CLOCK": str(clock)}
            command = (sys.executable, "-m", "workers", "worker", "recognise")
            processes[name] = _process(stack, f"worker {name}", command, folder, environment)
        topics = Topics(
            posts=f"{PREFIX}.posts",
            recognitions=f"{PREFIX}.recognitions",
            entities=f"{PREFIX}.entities",
            dead_letters=f"{PREFIX}.dead-letters",
            partitions=PARTITIONS,
        )
        feed = Feed(f"127.0.0.1:{broker_port}", topics.posts, rate, random.Random(seed))
        one = Arena(
            folder,
            broker,
            broker_port,
            engine,
            engine_port,
            processes,
            health,
            links,
            searx,
            feed,
            topics,
            disk,
        )
        await one.restart_broker()
        await one.restart_engine()
        _create_topics(one.bootstrap, disk)
        for process in processes.values():
            await process.start()
        yield one


def _process(
    stack: AsyncExitStack, name: str, command: tuple[object, ...], folder: Path, more: dict[str, str]
) -> Process:
    log = folder / f"{name.replace(' ', '-')}.log"
    process = Process(name, tuple(map(str, command)), log, _clean_environment() | more)
    stack.push_async_callback(process.kill)
    return process


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SAKE_")}


def _worker_environment(name: str, home: Path, health: int, links: Mapping[str, Proxy]) -> dict[str, str]:
    return {
        "SAKE_HOME": str(home),
        "SAKE_WORKER_ID": name,
        "SAKE_WORKER_GROUP": GROUP,
        "SAKE_TOPICS_PREFIX": PREFIX,
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{links[f'kafka link {name}'].port}",
        "SAKE_ENGINE_URL": f"http://127.0.0.1:{links['engine link'].port}/v1",
        "SAKE_MODEL": MODEL,
        "SAKE_PROMPTS": "compact",
        "SAKE_SEARCH_PROVIDERS": "searxng",
        "SAKE_SEARCH_SEARXNG_URL": f"http://127.0.0.1:{links['search link'].port}",
        "SAKE_SEARCH_SEARXNG_PER_MINUTE": "100000",
        "SAKE_HEALTH_LISTEN_PORT": str(health),
        "SAKE_WINDOW_MAX_IN_FLIGHT": str(IN_FLIGHT),
        "SAKE_LOG_FORMAT": "json",
    }


def _broker_command(folder: Path, port: int) -> tuple[object, ...]:
    found = util.find_spec("noida_db")
    assert found is not None, "the stream environment has the broker"
    binary = Path(str(found.origin)).parent / "noida-db"
    data = folder / "broker"
    return (binary, "start", "--only", "kafka", "--kafka-port", port, "--data-dir", data)


def _create_topics(bootstrap: str, home: Path) -> None:
    environment = _clean_environment() | {
        "SAKE_HOME": str(home),
        "SAKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "SAKE_TOPICS_PREFIX": PREFIX,
        "SAKE_TOPICS_PARTITIONS": str(PARTITIONS),
    }
    subprocess.run(
        (sys.executable, "-m", "workers", "topics", "create"),
        env=environment,
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    if "disk" in cannot_break():
        yield place
        return
    options = ("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs")
    subprocess.run(("mount", *options, str(place)), check=True)
    try:
        yield place
    finally:
        subprocess.run(("umount", "-l", str(place)), check=False)


def _clock_shim(folder: Path) -> Path | None:
    if "clock" in cannot_break():
        return None
    made = folder / "clock.so"
    source = HERE / "clock.c"
    subprocess.run(("gcc", "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"), check=True)
    return made
