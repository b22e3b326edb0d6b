"""Running a coroutine as a command: SIGTERM and Ctrl-C cancel it, and it may take its time to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import TypeVar

__all__ = ["run_until_stopped", "stop_requested"]

Result = TypeVar("Result")


async def stop_requested() -> None:
    """Returns at the first SIGTERM or Ctrl-C; a second one acts as it usually does."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, asked.set)
    try:
        await asked.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def run_until_stopped(main: Coroutine[object, object, Result]) -> Result | None:
    """The coroutine's result; None when it was stopped before it had one. It is cancelled, then
    awaited: its own clean-up runs to the end.
    """

    async def run() -> Result | None:
        work = asyncio.ensure_future(main)
        stop = asyncio.ensure_future(stop_requested())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            stop.cancel()
            return work.result()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        stop.result()  # raises where signals cannot be listened to
        return None

    return asyncio.run(run())
