"""Does what a plan says, and measures the recoveries."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from support.chaos.arena import GROUP, SAVED_S, Arena, Event
from support.chaos.guest import visit
from support.chaos.plan import Fault

__all__ = ["Recovery", "carry_out"]

POLL_S = 0.02
MOST_S = 60.0
BEFORE_S = 5.0
DEALT_S = 10.0
"""For dealing the partitions anew: a heartbeat of 3 s and 5 s for giving them back, and a bit."""
HALVED_SHARE = 0.3
"""Of the pieces: the others tempt the peers to go on."""


@dataclass(slots=True)
class Recovery:
    """What was measured, in seconds, while nothing else was broken."""

    worker_ready_s: list[float] = field(default_factory=list)
    """From the start of its process until it holds its partitions."""
    worker_works_s: list[float] = field(default_factory=list)
    """From there until it has committed a post."""
    engine_heals_s: list[float] = field(default_factory=list)
    """From the engine's start until all workers work again."""
    disturbed: int = 0
    """Recoveries that are not counted, because something ended by itself meanwhile or just before."""


async def carry_out(arena: Arena, faults: tuple[Fault, ...]) -> Recovery:
    """Every fault at its time. Returns once the last one is over."""
    await _all_ready(arena)
    began_s = time.monotonic()
    recovery = Recovery()
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            await asyncio.sleep(max(0.0, began_s + fault.at_s - time.monotonic()))
            group.create_task(_one(arena, fault, recovery))
    return recovery


async def _one(arena: Arena, fault: Fault, recovery: Recovery) -> None:
    at_s = time.monotonic()
    if fault.target == "group":
        await visit(arena.bootstrap, GROUP, arena.topics.posts, fault.lasts_s)
    else:
        async with _broken(arena, fault):
            await asyncio.sleep(fault.lasts_s)
    ends_s = time.monotonic()
    if fault.target == "group":  # a group that takes longer over it than this has stood still
        ends_s = min(ends_s, at_s + fault.lasts_s + DEALT_S)
    amount = f" {fault.amount:g}" if fault.amount else ""
    arena.timeline.append(Event(at_s, ends_s, f"{fault.target} {fault.kind}{amount}"))
    if fault.calm:
        measured = Recovery()
        await _measure(arena, fault, measured)
        if any(not event.planned and event.ends_s > at_s - BEFORE_S for event in arena.timeline):
            recovery.disturbed += 1
            return
        recovery.worker_ready_s += measured.worker_ready_s
        recovery.worker_works_s += measured.worker_works_s
        recovery.engine_heals_s += measured.engine_heals_s


@asynccontextmanager
async def _broken(arena: Arena, fault: Fault) -> AsyncIterator[None]:
    """Breaks it for the block."""
    target, kind = fault.target, fault.kind
    worker = target.removeprefix("worker ").removeprefix("clock ")
    if kind in ("killed", "stopped"):
        async with _down(arena, fault):
            yield
    elif kind == "frozen":
        process = arena.workers.get(worker) or (arena.engine if target == "engine" else arena.broker)
        process.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.signal(signal.SIGCONT)
    elif target in arena.links:
        link = arena.links[target]
        link.refusing = kind == "cut"
        link.halved_share = HALVED_SHARE if kind == "halved" else 0.0
        link.delay_s = fault.amount if kind == "delayed" else 0.0
        if kind == "cut":
            link.cut()
        try:
            yield
        finally:
            link.well()
    else:
        begin, end = _switch(arena, fault, worker)
        begin()
        try:
            yield
        finally:
            end()


def _switch(arena: Arena, fault: Fault, worker: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """Faults that are a switch turned on and off."""

    def search(mode: str) -> None:
        arena.searx.mode = mode

    def rate(times: float) -> None:
        arena.feed.times = times

    if fault.target == "search":
        return (lambda: search(fault.kind)), (lambda: search("answering"))
    if fault.target == "disk":
        return arena.fill_disk, arena.empty_disk
    if fault.target.startswith("clock"):
        return (lambda: arena.step_clock(worker, fault.amount)), (lambda: arena.step_clock(worker, 0))
    if fault.kind == "burst":
        return (lambda: rate(fault.amount)), (lambda: rate(1.0))
    if fault.kind == "poisoned":
        return (lambda: arena.feed.poison(int(fault.amount))), (lambda: None)
    raise ValueError(f"no such fault: {fault}")


@asynccontextmanager
async def _down(arena: Arena, fault: Fault) -> AsyncIterator[None]:
    """Ends a process for the block."""
    target = fault.target
    if target == "broker":
        arena.feed.paused = fault.kind == "killed"
        try:
            if arena.feed.paused:
                await arena.feed.settled()
                await asyncio.sleep(SAVED_S)
            arena.broker.signal(signal.SIGKILL if fault.kind == "killed" else signal.SIGTERM)
            await arena.broker.ended()
            yield
        finally:
            await arena.restart_broker()
            arena.feed.paused = False
        return
    process = arena.engine if target == "engine" else arena.workers[target.removeprefix("worker ")]
    arena.expected_down.add(process.name)
    try:
        await process.kill()
        yield
    finally:
        await (arena.restart_engine() if process is arena.engine else process.start())
        arena.expected_down.discard(process.name)


async def _measure(arena: Arena, fault: Fault, recovery: Recovery) -> None:
    async with _http() as http:
        if fault.target == "engine":
            since_s = time.monotonic()
            await _all_ready(arena)
            recovery.engine_heals_s.append(time.monotonic() - since_s)
            return
        name = fault.target.removeprefix("worker ")
        since_s, port = arena.workers[name].started_s, arena.health_ports[name]
        await _until(http, port, lambda report: bool(report["ready"]))
        recovery.worker_ready_s.append(time.monotonic() - since_s)
        await _until(http, port, lambda report: report["recognised"] > 0)
        recovery.worker_works_s.append(time.monotonic() - since_s)


def _http() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0))


async def _all_ready(arena: Arena) -> None:
    async with _http() as http:
        for port in arena.health_ports.values():
            await _until(http, port, lambda report: bool(report["ready"]))


async def _until(http: aiohttp.ClientSession, port: int, said: Callable[[dict[str, Any]], bool]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MOST_S):
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"http://127.0.0.1:{port}/livez") as response:
                        if said(await response.json()):
                            return
                await asyncio.sleep(POLL_S)
