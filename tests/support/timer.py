"""A timer in a process of its own: how late this machine is with what any program asks of it, and when."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Timer", "running_timer"]

TICK_S = 0.005
TOLD_S = 0.001
"""Ticks that are less late than this are not told."""
AROUND_S = 0.1
"""So far around a moment ticks tell of it: what held them up held up others, too."""

PROGRAM = f"""
import time
while True:
    due = time.monotonic() + {TICK_S}
    time.sleep({TICK_S})
    late = time.monotonic() - due
    if late > {TOLD_S}:
        print(due, late, flush=True)
"""


class Timer:
    """What was told, by the monotonic clock, which all processes share."""

    def __init__(self) -> None:
        self._due: list[float] = []
        self._late: list[float] = []

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        """Until the process ends."""
        assert process.stdout is not None
        async for line in process.stdout:
            due, late = map(float, line.split())
            self._due.append(due)
            self._late.append(late)

    def jitter_s(self, at_s: float) -> float:
        """The most by which a tick around this moment was late."""
        # One that was due before may have come in between.
        first = max(0, bisect_left(self._due, at_s - AROUND_S) - 1)
        around = zip(self._due[first:], self._late[first:], strict=True)
        late = 0.0
        for due_s, late_s in around:
            if due_s > at_s + AROUND_S:
                break
            if due_s + late_s >= at_s - AROUND_S:
                late = max(late, late_s)
        return late


@asynccontextmanager
async def running_timer() -> AsyncIterator[Timer]:
    """Ticks while the block runs."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdout=subprocess.PIPE)
    timer = Timer()
    listening = asyncio.create_task(timer.listen(process))
    try:
        yield timer
    finally:
        process.kill()
        await process.wait()
        await listening
