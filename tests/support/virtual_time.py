"""An event loop whose clock jumps to the next timer: hours of waiting take microseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START_S = 1000.0
"""Where the virtual clock begins: not zero, so that a forgotten start shows."""


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for the timeout that it is given; moves the clock on by it instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop on the jumping clock."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jumping.now_s


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` on a virtual loop. For code that waits by asyncio only (no threads, no sockets)."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now_s() -> float:
    """The running loop's time: the clock to inject."""
    return asyncio.get_running_loop().time()
